-- F47: a worker's time entries of a year could not well have been made as written: alike in bulk, by night, or longer than a day allows.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F47'
),

named as (
    select
        practice_tin,
        service_month,
        count(*) as workers
    from {{ ref('pattern_subjects') }}
    where subject_kind = 'worker_year'
    group by practice_tin, service_month
),

judged as (
    select
        subjects.rule_id,
        subjects.subject_id,
        subjects.subject_kind,
        subjects.subject_kind = 'practice_year' and coalesce(named.workers, 0) > 0 as has_workers,
        patterns.has_same_entries or patterns.has_long_day or patterns.has_odd_hours as is_beyond,
        patterns.clocked_entries > 0 as is_clocked,
        {{ list_join(list_non_null([
            "case when patterns.has_same_entries then concat(cast(patterns.people_alike as " ~ dbt.type_string() ~ "), ' people with an entry of one duration on one day') end",
            "case when patterns.has_long_day then concat(cast(round(patterns.longest_day_hours, 1) as " ~ dbt.type_string() ~ "), ' hours on one day') end",
            "case when patterns.has_odd_hours then concat(cast(patterns.odd_entries as " ~ dbt.type_string() ~ "), ' of ', cast(patterns.clocked_entries as " ~ dbt.type_string() ~ "), ' entries at night or on a holiday') end"
        ]), '; ') }} as beyond
    from subjects
    left join {{ ref('worker_patterns') }} as patterns on subjects.subject_id = patterns.subject_id
    left join named
        on
            subjects.practice_tin = named.practice_tin
            and subjects.service_month = named.service_month
),

at_fault as (
    select
        cast(null as {{ dbt.type_string() }}) as subject_id,
        cast(null as {{ dbt.type_string() }}) as claim_line_id,
        cast(null as decimal(14, 2)) as amount_usd,
        cast(null as decimal(14, 2)) as cost_share_usd
    where false
),

assessed as (
    select
        rule_id,
        subject_id,
        {{ rule_status(
            not_applicable="subject_kind = 'practice_year' and has_workers",
            fail='is_beyond',
            pass='is_clocked and not is_beyond'
        ) }} as status,
        case
            when subject_kind = 'practice_year' and has_workers then 'judged by worker'
            when subject_kind = 'practice_year' then 'no time record names a worker'
            when is_beyond then beyond
            when is_clocked then 'entries of a usual kind'
            else 'entries without an hour'
        end as observed,
        'entries of different people, by day, within the hours that a worker has' as required,
        false as is_certain
    from judged
)

{{ rule_rows() }}
