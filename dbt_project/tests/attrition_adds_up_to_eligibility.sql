-- Each step of attrition is the one before less those who leave; after the claims' criteria the screen-eligible are left, after the
-- last the documented-eligible; what fails at all is what the lists of failed criteria hold.
with eligible as (
    select
        service_month,
        count(*) as people,
        sum(case when screen_eligible then 1 else 0 end) as screen_eligible,
        sum(case when documented_eligible then 1 else 0 end) as documented_eligible,
        sum(len(failed_criteria)) as failures
    from {{ ref('eligibility_months') }}
    group by service_month
),

steps as (
    select
        *,
        lag(people_left, 1, people) over (partition by service_month order by criterion_order) as people_before,
        sum(failed_at_all) over (partition by service_month) as failures,
        row_number() over (partition by service_month, is_screen order by criterion_order desc) as place_from_end
    from {{ ref('fct_attrition_months') }}
)

select steps.*
from steps
full outer join eligible on steps.service_month = eligible.service_month
where
    steps.service_month is null
    or eligible.service_month is null
    or steps.people != eligible.people
    or steps.people_before - steps.first_failed - steps.first_undecided != steps.people_left
    or steps.first_failed > steps.failed_at_all
    or steps.failures != eligible.failures
    or (steps.place_from_end = 1 and steps.is_screen and steps.people_left != eligible.screen_eligible)
    or (steps.place_from_end = 1 and not steps.is_screen and steps.people_left != eligible.documented_eligible)
