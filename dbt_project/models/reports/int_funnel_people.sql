-- How far each person came in each month, from enrolled to paid; every step includes the ones before it. Internal: not suppressed.
with providing as (
    select distinct practice_tin
    from {{ ref('fct_capture_practitioner_months') }}
)

select
    eligibility.beneficiary_id,
    eligibility.service_month,
    case
        when not (eligibility.alive_status = 'pass') then 0
        when not (eligibility.part_b_status = 'pass' and eligibility.fee_for_service_status = 'pass') then 1
        when not (eligibility.two_conditions_status = 'pass') then 2
        when eligibility.screen_eligible is distinct from true then 3
        when capture.practice_id is null then 4
        when providing.practice_tin is null then 5
        when capture.state = 'eligible_not_served' then 6
        when capture.state = 'served_below_threshold' then 7
        when capture.state = 'billable_not_billed' then 8
        when capture.paid_usd <= 0 then 9
        else 10
    end as steps_reached
from {{ ref('eligibility_months') }} as eligibility
inner join {{ ref('capture_months') }} as capture
    on
        eligibility.beneficiary_id = capture.beneficiary_id
        and eligibility.service_month = capture.service_month
left join providing on capture.practice_id = providing.practice_tin
