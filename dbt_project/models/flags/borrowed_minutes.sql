-- What each paid, timed CCM line stands on with and without minutes that are in doubt or that belong elsewhere, by reason.
-- `needs_them` is true where the line stands only with those minutes: such a bill borrows them.
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
    having count(distinct concat_ws('', beneficiary_id, '|', programme)) > 1
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

    union all

    select
        'unsupported_staff' as reason,
        beneficiary_id,
        service_month,
        practitioner_npi,
        performer_role,
        seconds
    from activities
    where not_counted_reason is null and (is_abroad or not is_supervised)
),

summed as (
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
),

lines as (
    select
        lines.*,
        -- a base that is paid twice is another rule's: it needs the minutes of one
        case when lines.code_role = 'base' then 1 else lines.units_through end as units_needed,
        case
            when lines.performed_by = 'practitioner'
                then coalesce(record.practitioner_seconds, 0) + coalesce(record.unknown_role_seconds, 0)
            else coalesce(record.total_seconds, 0)
        end as own_seconds,
        coalesce(record.total_seconds, 0) as total_seconds
    from {{ ref('timed_lines') }} as lines
    left join {{ ref('fct_record_months') }} as record
        on
            lines.beneficiary_id = record.beneficiary_id
            and lines.service_month = record.service_month
            and lines.practitioner_npi = record.practitioner_npi
    where lines.counted_minutes is not null
),

billed_months as (
    select distinct
        beneficiary_id,
        service_month,
        practitioner_npi
    from {{ ref('subject_lines') }}
    where is_ccm
),

-- time of the month before or after, where that month was not itself paid
neighbours as (
    select
        lines.claim_line_id,
        max(
            case
                when lines.performed_by = 'practitioner' then record.practitioner_seconds + record.unknown_role_seconds
                else record.total_seconds
            end
        ) as seconds
    from lines
    inner join {{ ref('fct_record_months') }} as record
        on
            lines.beneficiary_id = record.beneficiary_id
            and lines.practitioner_npi = record.practitioner_npi
            and record.service_month in (
                cast({{ dbt.dateadd('month', -1, 'lines.service_month') }} as date),
                cast({{ dbt.dateadd('month', 1, 'lines.service_month') }} as date)
            )
    left join billed_months
        on
            record.beneficiary_id = billed_months.beneficiary_id
            and record.practitioner_npi = billed_months.practitioner_npi
            and record.service_month = billed_months.service_month
    where billed_months.beneficiary_id is null
    group by lines.claim_line_id
),

weighed as (
    select
        lines.*,
        summed.reason,
        case when summed.reason = 'during_stay' then lines.own_seconds + summed.seconds else lines.own_seconds end as seconds_with,
        case when summed.reason = 'during_stay' then lines.own_seconds else lines.own_seconds - summed.seconds end as seconds_without
    from lines
    inner join (
        select
            lines.claim_line_id,
            doubt.reason,
            case when lines.performed_by = 'practitioner' then doubt.practitioner_seconds else doubt.total_seconds end as seconds
        from lines
        inner join summed as doubt
            on
                lines.beneficiary_id = doubt.beneficiary_id
                and lines.service_month = doubt.service_month
                and lines.practitioner_npi = doubt.practitioner_npi
    ) as summed
        on lines.claim_line_id = summed.claim_line_id

    union all

    select
        lines.*,
        'other_month' as reason,
        lines.own_seconds + neighbours.seconds as seconds_with,
        lines.own_seconds as seconds_without
    from lines
    inner join neighbours on lines.claim_line_id = neighbours.claim_line_id

    union all

    select
        lines.*,
        'staff_time' as reason,
        lines.total_seconds as seconds_with,
        lines.own_seconds as seconds_without
    from lines
    where lines.performed_by = 'practitioner' and lines.total_seconds > lines.own_seconds
),

in_units as (
    select
        *,
        cast(floor(seconds_with / 60) as integer) as minutes_with,
        cast(floor(seconds_without / 60) as integer) as minutes_without,
        greatest(0, floor((floor(seconds_with / 60) - first_minute) / block_minutes) + 1) as units_with,
        greatest(0, floor((floor(seconds_without / 60) - first_minute) / block_minutes) + 1) as units_without
    from weighed
)

select
    subject_id,
    claim_line_id,
    reason,
    lane,
    minutes_with,
    minutes_without,
    units_needed > units_without and units_needed <= units_with as needs_them,
    {{ part_of_usd('paid_usd', 'least(units, greatest(0, units_needed - units_without))', 'units') }} as amount_usd,
    {{ part_of_usd('cost_share_usd', 'least(units, greatest(0, units_needed - units_without))', 'units') }} as cost_share_usd
from in_units
