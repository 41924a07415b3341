-- Which records each practice delivers at all: where it keeps none of a kind, absence of a record says nothing.
with kept as (
    select practice_tin, 1 as time_rows, 0 as consent_rows, 0 as care_plan_rows
    from {{ ref('core_care_management_time') }}
    union all
    select practice_tin, 0 as time_rows, 1 as consent_rows, 0 as care_plan_rows
    from {{ ref('core_consents') }}
    union all
    select practice_tin, 0 as time_rows, 0 as consent_rows, 1 as care_plan_rows
    from {{ ref('core_care_plans') }}
    union all
    select practice_tin, 0 as time_rows, 0 as consent_rows, 0 as care_plan_rows
    from {{ ref('core_practices') }}
)

select
    practice_tin,
    sum(time_rows) > 0 as keeps_time,
    sum(consent_rows) > 0 as keeps_consents,
    sum(care_plan_rows) > 0 as keeps_care_plans
from kept
group by practice_tin
