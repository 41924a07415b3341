-- F17: a line is dated before the day on which the month's record reached the minutes that it needs.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F17'
),

lines as (
    select
        *,
        -- a base that is paid twice is another rule's
        (first_minute + case when code_role = 'base' then 0 else (units_through - 1) * block_minutes end) * 60
            as seconds_needed
    from {{ ref('timed_lines') }}
),

days as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        activity_date,
        sum(sum(seconds)) over (
            partition by beneficiary_id, service_month, practitioner_npi order by activity_date
            rows between unbounded preceding and current row
        ) as total_seconds,
        -- time of unknown role may be the practitioner's
        sum(sum(case when coalesce(performer_role, 'practitioner') = 'practitioner' then seconds else 0 end)) over (
            partition by beneficiary_id, service_month, practitioner_npi order by activity_date
            rows between unbounded preceding and current row
        ) as practitioner_seconds
    from {{ ref('fct_care_activities') }}
    where not_counted_reason is null
    group by beneficiary_id, service_month, practitioner_npi, activity_date
),

reached as (
    select
        lines.subject_id,
        lines.claim_line_id,
        -- a line of several days is dated in time where its last day is
        coalesce(claim_lines.through_date, lines.from_date) as dated,
        lines.counted_minutes,
        lines.paid_usd,
        lines.cost_share_usd,
        -- Not in the join: on more than equality it would compare every line with every day of the record.
        min(
            case
                when
                    lines.seconds_needed
                    <= case when lines.performed_by = 'practitioner' then days.practitioner_seconds else days.total_seconds end
                    then days.activity_date
            end
        ) as reached_date
    from lines
    left join {{ ref('core_claim_lines') }} as claim_lines on lines.claim_line_id = claim_lines.claim_line_id
    left join days
        on
            lines.beneficiary_id = days.beneficiary_id
            and lines.service_month = days.service_month
            and lines.practitioner_npi = days.practitioner_npi
    group by
        lines.subject_id, lines.claim_line_id, lines.from_date, claim_lines.through_date, lines.counted_minutes, lines.paid_usd,
        lines.cost_share_usd
),

counted as (
    select
        subject_id,
        bool_and(counted_minutes is not null) as is_known,
        count(reached_date) as lines_reached,
        count(*) filter (where dated < reached_date) as lines_early,
        min(dated) filter (where dated < reached_date) as dated,
        max(reached_date) filter (where dated < reached_date) as reached_date
    from reached
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from reached
    where dated < reached_date
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null or (counted.is_known and counted.lines_reached = 0)',
            fail='counted.lines_early > 0',
            pass='counted.lines_early = 0 and counted.is_known'
        ) }} as status,
        case
            when counted.lines_early > 0 then 'dated ' || cast(counted.dated as {{ dbt.type_string() }})
            when counted.is_known then 'dated when the minutes were reached'
            else 'no time records'
        end as observed,
        coalesce(
            'on or after ' || cast(counted.reached_date as {{ dbt.type_string() }}), 'on or after the day of the last minute needed'
        ) as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
