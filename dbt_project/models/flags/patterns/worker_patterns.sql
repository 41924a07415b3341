-- Figures of a worker's year beside the limit of each: people with an entry of one duration on one day, the share of entries at night
-- or on a federal holiday, the hours of the longest day.
{%- set names = ['same_entries', 'odd_hours', 'odd_hours_least', 'night_begins', 'night_ends', 'hours_a_day'] %}
with years as (
    select
        subject_id,
        practice_tin,
        staff_id,
        service_month as year_start
    from {{ ref('pattern_subjects') }}
    where subject_kind = 'worker_year'
),

limits as (
    select
        years.subject_id,
        {% for name in names %}
            max(case when limits.limit_name = '{{ name }}' then limits.limit_value end) as {{ name }},
        {% endfor %}
        years.practice_tin,
        years.staff_id,
        years.year_start
    from years
    inner join {{ ref('rule_limits') }} as limits
        on limits.rule_id = 'F47' and {{ in_force('limits', 'years.year_start') }}
    group by years.subject_id, years.practice_tin, years.staff_id, years.year_start
),

entries as (
    select
        limits.subject_id,
        limits.night_begins,
        limits.night_ends,
        time.beneficiary_id,
        time.activity_date,
        time.started_at,
        time.seconds,
        -- midnight sharp is how sources write a day without an hour
        time.started_at != {{ dbt.date_trunc('day', 'time.started_at') }} as is_clocked,
        holidays.holiday_date is not null as is_holiday
    from {{ ref('core_care_management_time') }} as time
    inner join limits
        on
            time.practice_tin = limits.practice_tin
            and time.staff_id = limits.staff_id
            and limits.year_start = cast({{ dbt.date_trunc('year', 'time.service_month') }} as date)
    left join {{ ref('federal_holidays') }} as holidays on time.activity_date = holidays.holiday_date
    where not time.is_voided and time.seconds > 0
),

alike as (
    select
        subject_id,
        max(people) as people
    from (
        select
            subject_id,
            activity_date,
            seconds,
            count(distinct beneficiary_id) as people
        from entries
        group by subject_id, activity_date, seconds
    ) as days
    group by subject_id
),

long_days as (
    select
        subject_id,
        cast(max(seconds) as double) / 3600 as hours
    from (
        select
            subject_id,
            activity_date,
            sum(seconds) as seconds
        from entries
        group by subject_id, activity_date
    ) as days
    group by subject_id
),

odd as (
    select
        subject_id,
        count(*) filter (
            where is_holiday
            or extract(hour from started_at) >= night_begins
            or extract(hour from started_at) < night_ends
        ) as odd_entries,
        count(*) as clocked_entries
    from entries
    where is_clocked
    group by subject_id
)

select
    limits.subject_id,
    alike.people as people_alike,
    long_days.hours as longest_day_hours,
    coalesce(odd.odd_entries, 0) as odd_entries,
    coalesce(odd.clocked_entries, 0) as clocked_entries,
    coalesce(alike.people >= limits.same_entries, false) as has_same_entries,
    coalesce(long_days.hours > limits.hours_a_day, false) as has_long_day,
    coalesce(
        odd.clocked_entries >= limits.odd_hours_least and odd.odd_entries * 100.0 >= limits.odd_hours * odd.clocked_entries, false
    ) as has_odd_hours
from limits
left join alike on limits.subject_id = alike.subject_id
left join long_days on limits.subject_id = long_days.subject_id
left join odd on limits.subject_id = odd.subject_id
