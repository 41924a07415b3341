-- Each count of a month against the mart that it comes from: the spine, the eligibility conclusions, the capture states.
with marts as (
    select
        capture.service_month,
        count(*) as enrolled,
        sum(case when capture.state like 'billed%' or eligibility.screen_eligible then 1 else 0 end) as eligible,
        sum(case when capture.state in ('not_eligible', 'eligibility_not_assessable') then 0 else 1 end) as eligible_states,
        sum(case when capture.state like 'billed%' then 1 else 0 end) as billed,
        sum(case when capture.state like 'billed%' and capture.paid_usd > 0 then 1 else 0 end) as paid
    from {{ ref('capture_months') }} as capture
    inner join {{ ref('eligibility_months') }} as eligibility
        on
            capture.beneficiary_id = eligibility.beneficiary_id
            and capture.service_month = eligibility.service_month
    group by capture.service_month
),

spine as (
    select
        service_month,
        count(*) as enrolled
    from {{ ref('core_person_months') }}
    group by service_month
)

select spine.service_month
from spine
left join marts on spine.service_month = marts.service_month
left join {{ ref('fct_measure_counts') }} as counts
    on
        spine.service_month = counts.period_start
        and counts.period = 'month'
        and counts.group_kind = 'everybody'
where
    counts.enrolled_months is distinct from spine.enrolled
    or counts.eligible_months is distinct from marts.eligible
    or counts.eligible_months is distinct from marts.eligible_states
    or counts.billed_months is distinct from marts.billed
    or counts.paid_months is distinct from marts.paid
