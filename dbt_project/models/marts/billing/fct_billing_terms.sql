-- On what terms a practitioner bills in a practice: where it is priced, by which factor, and the share of the schedule that the
-- credential is paid. A locality counts only where its indices were brought; clinics are paid nationally wherever they are.
with pairs as (
    select
        practice_tin,
        rendering_npi as practitioner_npi
    from {{ ref('core_claim_lines') }}
    where hcpcs_code in (select codes.hcpcs_code from {{ ref('care_management_codes') }} as codes)
    union
    select
        practice_tin,
        practitioner_npi
    from {{ ref('core_care_management_time') }}
    union
    select
        practice_tin,
        npi as practitioner_npi
    from {{ ref('core_providers') }}
),

known_localities as (
    select distinct pricing_locality
    from {{ ref('core_locality_indices') }}
),

-- a practice that names no locality is where its lines were priced, if they agree
priced_lines as (
    select
        practice_tin,
        min(pricing_locality) as pricing_locality
    from {{ ref('core_claim_lines') }}
    where pricing_locality is not null
    group by practice_tin
    having min(pricing_locality) = max(pricing_locality)
),

practitioners as (
    select
        npi,
        bool_or(is_qualifying_participant) as is_qualifying,
        case when min(credential) = max(credential) then min(credential) end as credential
    from {{ ref('core_providers') }}
    group by npi
)

select
    pairs.practice_tin,
    pairs.practitioner_npi,
    practices.practice_type,
    known_localities.pricing_locality,
    case
        when practices.practice_type in ('rhc', 'fqhc') then 'not_qualifying'
        when practitioners.is_qualifying then 'qualifying'
        when not practitioners.is_qualifying then 'not_qualifying'
        else 'unknown'
    end as participation,
    coalesce(here.credential, practitioners.credential) as credential
from pairs
left join {{ ref('core_practices') }} as practices on pairs.practice_tin = practices.practice_tin
left join priced_lines on pairs.practice_tin = priced_lines.practice_tin
left join known_localities
    on
        coalesce(practices.pricing_locality, priced_lines.pricing_locality) = known_localities.pricing_locality
        and coalesce(practices.practice_type, 'unknown') not in ('rhc', 'fqhc')
left join practitioners on pairs.practitioner_npi = practitioners.npi
left join {{ ref('core_providers') }} as here
    on pairs.practitioner_npi = here.npi and pairs.practice_tin = here.practice_tin
where pairs.practice_tin is not null and pairs.practitioner_npi is not null
