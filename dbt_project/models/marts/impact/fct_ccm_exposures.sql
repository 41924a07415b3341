-- When CCM reached each person: paid base bills of CCM, or of the one code by which clinics bill it. Paid is what Medicare accepted:
-- not denied, with an amount paid or allowed (the deductible may take all of it). First-ever means first in the data.
{{ config(materialized='table') }}
with bundle_codes as (
    select distinct hcpcs_code
    from {{ ref('clinic_bundles') }}
    where family = 'CCM'
),

months as (
    select
        beneficiary_id,
        service_month,
        min_by(practice_tin, concat(cast(from_date as {{ dbt.type_string() }}), claim_line_id))
        filter (where practice_tin is not null) as practice_tin,
        bool_and(family != 'CCM') as is_bundle_only
    from {{ ref('fct_billed_lines') }}
    where
        (family = 'CCM' or hcpcs_code in (select codes.hcpcs_code from bundle_codes as codes))
        and code_role = 'base'
        and not is_denied
        and greatest(coalesce(paid_usd, 0), coalesce(allowed_usd, 0)) > 0
    group by beneficiary_id, service_month
)

select
    beneficiary_id,
    min(service_month) as first_paid_month,
    max(service_month) as last_paid_month,
    cast(count(*) as integer) as paid_months,
    min_by(practice_tin, service_month) filter (where practice_tin is not null) as first_practice_tin,
    min_by(is_bundle_only, service_month) as is_first_by_bundle
from months
group by beneficiary_id
