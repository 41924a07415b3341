-- How far each person came in each month: the number of the last step reached (see funnel_steps). Not suppressed.
-- A bill is never hidden by eligibility (see capture_months): whoever was billed stays in the funnel to that step, so that the
-- funnel, the attrition and the capture states of a month add up to one another.
{{ config(materialized='view') }}
{% set criteria = screen_criteria() %}
with providing as (
    select distinct practice_tin
    from {{ ref('fct_capture_practitioner_months') }}
)

select
    eligibility.beneficiary_id,
    eligibility.service_month,
    capture.state,
    case
        when capture.state like 'billed%' and capture.paid_usd > 0 then {{ funnel_step('paid') }}
        when capture.state like 'billed%' then {{ funnel_step('billed') }}
        {% for name in criteria %}
            when eligibility.{{ name }}_status <> 'pass' then {{ loop.index }}
        {% endfor %}
        when capture.state = 'billable_not_billed' then {{ funnel_step('reached') }}
        when capture.state = 'served_below_threshold' then {{ funnel_step('served') }}
        when providing.practice_tin is not null then {{ funnel_step('providing') }}
        when capture.practice_id is not null then {{ funnel_step('practice') }}
        else {{ criteria | length + 1 }}
    end as step
from {{ ref('eligibility_months') }} as eligibility
inner join {{ ref('capture_months') }} as capture
    on
        eligibility.beneficiary_id = capture.beneficiary_id
        and eligibility.service_month = capture.service_month
left join providing on capture.practice_id = providing.practice_tin
