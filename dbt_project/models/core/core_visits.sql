-- Face-to-face visits that policy gives a meaning to: billed and not denied, or recorded by the practice with a visit code.
with visits as (
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

-- Periods of a code do not overlap within a role, so a visit meets one row of each at most and nothing has to be grouped.
select
    visits.visit_id,
    visits.beneficiary_id,
    visits.visit_date,
    visits.practitioner_npi,
    visits.practice_tin,
    visits.hcpcs_code,
    visits.source,
    initiating.hcpcs_code is not null as is_initiating_visit,
    primary_care.hcpcs_code is not null as is_primary_care
from visits
{% for role in ['initiating', 'primary_care'] %}
    left join {{ ref('visit_codes') }} as {{ role }}
        on
            {{ role }}.role = '{{ role }}'
            and visits.hcpcs_code = {{ role }}.hcpcs_code
            and {{ in_force(role, 'visits.visit_date') }}
{% endfor %}
where initiating.hcpcs_code is not null or primary_care.hcpcs_code is not null
