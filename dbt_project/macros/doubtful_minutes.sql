{# Recorded seconds that are in doubt, by reason, person, month and practitioner: entries of one clock time in two records,
   entries that overlap, days inside a stay, staff time on the day of a visit, the practitioner's time on the day of the
   planning code. Rules ask what a bill stands on without them; recommendations must not rest on them. #}
{% macro doubtful_minutes() %}
with activities as (
    select
        *,
        -- midnight sharp is how sources write a day without an hour
        staff_id is not null and started_at != {{ dbt.date_trunc('day', 'started_at') }} as is_clocked,
        {{ dbt.dateadd('second', 'seconds', 'started_at') }} as ended_at
    from {{ ref('fct_care_activities') }}
    where seconds > 0 and coalesce(not_counted_reason, '') != 'voided'
),

-- one clock time of one worker in two people's records, or in two programmes'
shared_times as (
    select
        practice_tin,
        staff_id,
        started_at
    from activities
    where is_clocked
    group by practice_tin, staff_id, started_at
    having count(distinct concat(beneficiary_id, '|', programme)) > 1
),

in_order as (
    select
        activities.*,
        shared_times.started_at is not null as is_shared,
        max(activities.ended_at) over (
            partition by activities.practice_tin, activities.staff_id
            order by activities.started_at, activities.activity_id
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from activities
    left join shared_times
        on
            activities.practice_tin = shared_times.practice_tin
            and activities.staff_id = shared_times.staff_id
            and activities.started_at = shared_times.started_at
    where activities.is_clocked
),

visit_days as (
    select distinct
        beneficiary_id,
        practitioner_npi,
        visit_date
    from {{ ref('core_visits') }}
    where is_initiating_visit
),

planning_days as (
    select distinct
        beneficiary_id,
        practitioner_npi,
        from_date
    from {{ ref('subject_lines') }}
    where family = 'CCM_INIT'
),

doubts as (
    select
        'used_twice' as reason,
        beneficiary_id,
        service_month,
        practitioner_npi,
        performer_role,
        seconds
    from in_order
    where is_shared and not_counted_reason is null

    union all

    select
        'overlapping' as reason,
        beneficiary_id,
        service_month,
        practitioner_npi,
        performer_role,
        least(seconds, {{ dbt.datediff('started_at', 'latest_end_before', 'second') }}) as seconds
    from in_order
    where not is_shared and started_at < latest_end_before and not_counted_reason is null

    union all

    select
        'during_stay' as reason,
        beneficiary_id,
        service_month,
        practitioner_npi,
        performer_role,
        seconds
    from activities
    where not_counted_reason = 'during_stay'

    union all

    select
        'visit_day' as reason,
        activities.beneficiary_id,
        activities.service_month,
        activities.practitioner_npi,
        activities.performer_role,
        activities.seconds
    from activities
    inner join visit_days
        on
            activities.beneficiary_id = visit_days.beneficiary_id
            and activities.practitioner_npi = visit_days.practitioner_npi
            and activities.activity_date = visit_days.visit_date
    where activities.not_counted_reason is null and activities.performer_role = 'clinical_staff'

    union all

    select
        'planning_day' as reason,
        activities.beneficiary_id,
        activities.service_month,
        activities.practitioner_npi,
        activities.performer_role,
        activities.seconds
    from activities
    inner join planning_days
        on
            activities.beneficiary_id = planning_days.beneficiary_id
            and activities.practitioner_npi = planning_days.practitioner_npi
            and activities.activity_date = planning_days.from_date
    where activities.not_counted_reason is null and activities.performer_role = 'practitioner'
)

select
    reason,
    beneficiary_id,
    service_month,
    practitioner_npi,
    sum(seconds) as total_seconds,
    coalesce(sum(seconds) filter (where coalesce(performer_role, 'practitioner') = 'practitioner'), 0)
        as practitioner_seconds
from doubts
group by reason, beneficiary_id, service_month, practitioner_npi
{% endmacro %}
