-- One row a person-month: a status a criterion, all failures kept, and two conclusions. A conclusion is null where nothing
-- failed but something could not be assessed.
{% set criteria = screen_criteria() + record_criteria() %}
{% set plan_not_before = 'cast(' ~ dbt.dateadd('month', '-limits.care_plan_months', 'facts.month_end') ~ ' as date)' %}
with limits as (
    select
        max(case when criterion = 'two_conditions' then limit_value end) as conditions_required,
        max(case when criterion = 'observed_coverage' then limit_value end) as observed_months_required,
        max(case when criterion = 'minimum_stay_share' then limit_value end) as stay_share_percent,
        max(case when criterion = 'care_plan_age' then limit_value end) as care_plan_months
    from {{ ref('eligibility_limits') }}
),

judged as (
    select
        facts.*,
        limits.conditions_required,
        limits.care_plan_months,
        {{ rule_status('facts.is_programme_payable', 'not facts.is_programme_payable') }} as programme_in_force_status,
        {{ rule_status('facts.has_part_b', 'not facts.has_part_b') }} as part_b_status,
        {{ rule_status('not facts.is_medicare_advantage', 'facts.is_medicare_advantage') }} as fee_for_service_status,
        {{ rule_status('facts.is_alive_on_first', 'not facts.is_alive_on_first') }} as alive_status,
        -- Too few conditions says little where the claims of the months before were not visible.
        {{ rule_status(
            'facts.condition_count >= limits.conditions_required',
            'facts.condition_count < limits.conditions_required'
            ~ ' and facts.observed_months >= limits.observed_months_required') }} as two_conditions_status,
        {{ rule_status(
            'facts.stay_days * 100 < limits.stay_share_percent * facts.days_in_month',
            'facts.stay_days * 100 >= limits.stay_share_percent * facts.days_in_month') }}
            as not_institutionalised_all_month_status,
        {{ rule_status('facts.esrd_lines = 0', 'facts.esrd_lines > 0') }} as no_esrd_capitation_status,
        {{ rule_status(
            "not facts.is_in_hospice or hospice_policy.policy = 'keep'",
            "facts.is_in_hospice and hospice_policy.policy = 'exclude'") }} as no_hospice_conflict_status,
        {{ rule_status(
            'facts.last_initiating_visit_date is not null',
            'facts.last_initiating_visit_date is null'
            ~ ' and facts.observed_months >= limits.observed_months_required') }}
            as initiating_visit_status,
        {{ rule_status(
            'facts.consent_date is not null',
            'facts.consent_date is null and facts.keeps_consents') }} as consent_status,
        {{ rule_status(
            'facts.care_plan_date > ' ~ plan_not_before,
            'coalesce(facts.care_plan_date <= ' ~ plan_not_before ~ ', facts.keeps_care_plans)') }} as care_plan_status
    from {{ ref('fct_eligibility_facts') }} as facts
    cross join limits
    left join {{ ref('criterion_policies') }} as hospice_policy
        on
            hospice_policy.criterion = 'no_hospice_conflict'
            and {{ in_force('hospice_policy', 'facts.service_month') }}
)

select
    beneficiary_id,
    service_month,
    {{ conclude(screen_criteria()) }} as screen_eligible,
    {{ conclude(criteria) }} as documented_eligible,
    condition_count,
    {{ list_of_statuses(criteria, 'fail') }} as failed_criteria,
    {{ list_of_statuses(criteria, 'cannot_assess') }} as cannot_assess,
    {% for name in criteria %}
        {{ name }}_status,
    {% endfor %}
    definition,
    counting_set,
    conditions_required,
    observed_months,
    stay_days,
    days_in_month,
    esrd_lines,
    is_in_hospice,
    served_by,
    practitioner_npi,
    practice_tin,
    last_visit_date,
    last_initiating_visit_date,
    consent_date,
    care_plan_date
from judged
