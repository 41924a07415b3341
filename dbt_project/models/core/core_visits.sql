-- Face-to-face visits that policy gives a meaning to: billed and not denied, or recorded by the practice with a visit code.
with codes as (
    select
        hcpcs_code,
        effective_from,
        effective_to,
        role
    from {{ ref('visit_codes') }}
),

visits as (
    select
        concat('claim:', claim_line_id) as visit_id,
        beneficiary_id,
        from_date as visit_date,
        rendering_npi as practitioner_npi,
        practice_tin,
        hcpcs_code,
        'claim' as source
    from {{ ref('core_claim_lines') }}
    where not is_denied and hcpcs_code is not null
    union all
    select
        concat('encounter:', encounter_id) as visit_id,
        beneficiary_id,
        start_date as visit_date,
        practitioner_npi,
        practice_tin,
        visit_code as hcpcs_code,
        'encounter' as source
    from {{ ref('core_encounters') }}
    where visit_code is not null
)

select
    visits.visit_id,
    visits.beneficiary_id,
    visits.visit_date,
    visits.practitioner_npi,
    visits.practice_tin,
    visits.hcpcs_code,
    visits.source,
    bool_or(codes.role = 'initiating') as is_initiating_visit,
    bool_or(codes.role = 'primary_care') as is_primary_care
from visits
inner join codes
    on
        visits.hcpcs_code = codes.hcpcs_code
        and visits.visit_date between codes.effective_from and codes.effective_to
group by
    visits.visit_id,
    visits.beneficiary_id,
    visits.visit_date,
    visits.practitioner_npi,
    visits.practice_tin,
    visits.hcpcs_code,
    visits.source
