-- What came after each month of fct_outreach_months, within the months that need is foretold for and where claims of them have run out:
-- an avoidable admission or emergency visit, and a first or renewed paid month of CCM. Kept apart from what was known in the month.
with limits as (
    select max(case when limit_name = 'horizon_months' then limit_value end) as horizon_months
    from {{ ref('outreach_limits') }}
),

last_complete as (
    select
        coalesce(max(case when run_out_state = 'complete' then service_month end), max(service_month)) as service_month
    from {{ ref('fct_run_out_months') }}
),

people as (
    select
        months.beneficiary_id,
        months.service_month,
        cast({{ dbt.dateadd('month', '1', 'months.service_month') }} as date) as ahead_from,
        cast({{ dbt.dateadd('month', 'cast(limits.horizon_months as integer)', 'months.service_month') }} as date) as last_month_ahead
    from {{ ref('fct_outreach_months') }} as months
    cross join limits
),

ahead as (
    select
        people.beneficiary_id,
        people.service_month,
        people.ahead_from,
        people.last_month_ahead,
        cast({{ dbt.dateadd('month', '1', 'people.last_month_ahead') }} as date) as ahead_until
    from people
    inner join last_complete on people.last_month_ahead <= last_complete.service_month
),

events as (
    select
        beneficiary_id,
        admission_date as event_date
    from {{ ref('fct_acute_stays') }}
    where is_preventable_overall
    union
    select
        beneficiary_id,
        visit_date as event_date
    from {{ ref('fct_emergency_days') }}
    where is_preventable
),

needy as (
    select
        ahead.beneficiary_id,
        ahead.service_month,
        count(*) as preventable_events
    from ahead
    inner join events on ahead.beneficiary_id = events.beneficiary_id
    where events.event_date >= ahead.ahead_from and events.event_date < ahead.ahead_until
    group by ahead.beneficiary_id, ahead.service_month
),

starters as (
    select distinct
        ahead.beneficiary_id,
        ahead.service_month
    from ahead
    inner join {{ ref('fct_billed_lines') }} as billed on ahead.beneficiary_id = billed.beneficiary_id
    where
        billed.family in ('CCM', 'RHC_FQHC')
        and not billed.is_denied
        and billed.service_month between ahead.ahead_from and ahead.last_month_ahead
),

followed as (
    select
        ahead.beneficiary_id,
        ahead.service_month,
        max(case
            when spans.last_month >= ahead.last_month_ahead or spans.ended_by = 'death' then 1
            else 0
        end) as is_followed
    from ahead
    inner join {{ ref('fct_observed_spans') }} as spans on ahead.beneficiary_id = spans.beneficiary_id
    where ahead.service_month between spans.first_month and spans.last_month
    group by ahead.beneficiary_id, ahead.service_month
)

select
    ahead.beneficiary_id,
    ahead.service_month,
    cast(coalesce(needy.preventable_events, 0) as integer) as preventable_events,
    starters.beneficiary_id is not null as has_started,
    coalesce(followed.is_followed = 1, false) as is_followed
from ahead
left join needy on ahead.beneficiary_id = needy.beneficiary_id and ahead.service_month = needy.service_month
left join starters on ahead.beneficiary_id = starters.beneficiary_id and ahead.service_month = starters.service_month
left join followed on ahead.beneficiary_id = followed.beneficiary_id and ahead.service_month = followed.service_month
