-- When each practice began to bill CCM that Medicare paid: first and last month by billing practice (TIN, else facility number).
{{ config(materialized='table') }}
with bundle_codes as (
    select distinct hcpcs_code
    from {{ ref('clinic_bundles') }}
    where family = 'CCM'
)

select
    practice_tin,
    min(service_month) as first_paid_month,
    max(service_month) as last_paid_month,
    cast(count(distinct beneficiary_id) as integer) as people
from {{ ref('fct_billed_lines') }}
where
    practice_tin is not null
    and (family = 'CCM' or hcpcs_code in (select codes.hcpcs_code from bundle_codes as codes))
    and code_role = 'base'
    and not is_denied
    and greatest(coalesce(paid_usd, 0), coalesce(allowed_usd, 0)) > 0
group by practice_tin
