-- F45: community health integration or navigation was paid without the visit that comes first, or without its minutes.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F45'
),

lines as (
    select
        lines.*,
        -- navigation by peers is recorded as navigation
        case when lines.family = 'CHI' then 'CHI' else 'PIN' end as programme,
        case when lines.code_role = 'base' then 1 else lines.units_through end as units_needed,
        ladder.first_minute,
        ladder.block_minutes
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('time_ladder') }} as ladder
        on
            lines.hcpcs_code = ladder.hcpcs_code
            and {{ in_force('ladder', 'lines.service_month') }}
    where lines.family in ('CHI', 'PIN', 'PIN_PS') and lines.is_in_force
),

-- absence of minutes says something only where the practice keeps time of the programme at all
programmes_kept as (
    select distinct
        practice_tin,
        programme
    from {{ ref('core_care_management_time') }}
    where programme in ('CHI', 'PIN')
),

recorded as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        programme,
        cast(floor(sum(seconds) / 60) as integer) as minutes
    from {{ ref('core_care_management_time') }}
    where not is_voided and programme in ('CHI', 'PIN')
    group by beneficiary_id, service_month, practitioner_npi, programme
),

starts as (
    select
        lines.beneficiary_id,
        lines.practitioner_npi,
        min(lines.from_date) as start_date,
        min(lines.service_month) as start_month,
        max(limits.limit_value) as lookback_months,
        cast({{ dbt.dateadd('month', '-max(limits.limit_value)', 'min(lines.service_month)') }} as date) as earliest_date
    from lines
    inner join {{ ref('rule_limits') }} as limits
        on
            limits.rule_id = 'F45'
            and limits.limit_name = 'visit_lookback'
            and {{ in_force('limits', 'lines.service_month') }}
    group by lines.beneficiary_id, lines.practitioner_npi
),

practices as (
    select distinct
        beneficiary_id,
        practitioner_npi,
        practice_tin
    from lines
),

visits as (
    select
        starts.beneficiary_id,
        starts.practitioner_npi,
        max(visit.visit_date) as last_visit_date
    from starts
    inner join {{ ref('core_visits') }} as visit
        on
            starts.beneficiary_id = visit.beneficiary_id
            and visit.visit_date between starts.earliest_date and starts.start_date
            and visit.is_initiating_visit
    left join practices
        on
            starts.beneficiary_id = practices.beneficiary_id
            and starts.practitioner_npi = practices.practitioner_npi
            and visit.practice_tin = practices.practice_tin
    where visit.practitioner_npi = starts.practitioner_npi or practices.practice_tin is not null
    group by starts.beneficiary_id, starts.practitioner_npi
),

seen_months as (
    select
        starts.beneficiary_id,
        starts.practitioner_npi,
        count(*) as months_seen
    from starts
    inner join {{ ref('core_enrollment_months') }} as enrollment
        on
            starts.beneficiary_id = enrollment.beneficiary_id
            and starts.earliest_date <= enrollment.service_month
            and starts.start_month > enrollment.service_month
    where enrollment.has_part_b and not enrollment.is_medicare_advantage
    group by starts.beneficiary_id, starts.practitioner_npi
),

judged as (
    select
        lines.*,
        visits.last_visit_date,
        visits.last_visit_date is null and coalesce(seen_months.months_seen, 0) >= starts.lookback_months as has_no_visit,
        programmes_kept.practice_tin is not null or recorded.minutes is not null as is_recorded,
        coalesce(recorded.minutes, 0) as minutes,
        greatest(
            0, floor((coalesce(recorded.minutes, 0) - lines.first_minute) / cast(lines.block_minutes as double)) + 1
        ) as units_earned
    from lines
    left join starts
        on lines.beneficiary_id = starts.beneficiary_id and lines.practitioner_npi = starts.practitioner_npi
    left join visits
        on lines.beneficiary_id = visits.beneficiary_id and lines.practitioner_npi = visits.practitioner_npi
    left join seen_months
        on lines.beneficiary_id = seen_months.beneficiary_id and lines.practitioner_npi = seen_months.practitioner_npi
    left join programmes_kept
        on lines.practice_tin = programmes_kept.practice_tin and lines.programme = programmes_kept.programme
    left join recorded
        on
            lines.beneficiary_id = recorded.beneficiary_id
            and lines.service_month = recorded.service_month
            and lines.practitioner_npi = recorded.practitioner_npi
            and lines.programme = recorded.programme
),

counted as (
    select
        subject_id,
        bool_or(is_recorded and units_needed > units_earned) as is_short,
        bool_and(is_recorded) as is_recorded,
        bool_or(has_no_visit) as has_no_visit,
        max(last_visit_date) as last_visit_date,
        max(minutes) as minutes
    from judged
    group by subject_id
),

-- missing minutes are certain; that a visit must lie within a year is recalled, so it is named where minutes do not fail alone
at_fault as (
    select
        judged.subject_id,
        judged.claim_line_id,
        case
            when counted.is_short
                then judged.paid_usd * least(judged.units, judged.units_needed - judged.units_earned) / judged.units
            else judged.paid_usd
        end as amount_usd,
        case
            when counted.is_short
                then judged.cost_share_usd * least(judged.units, judged.units_needed - judged.units_earned) / judged.units
            else judged.cost_share_usd
        end as cost_share_usd
    from judged
    inner join counted on judged.subject_id = counted.subject_id
    where
        (counted.is_short and judged.is_recorded and judged.units_needed > judged.units_earned)
        or (not counted.is_short and counted.has_no_visit)
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.is_short or counted.has_no_visit',
            pass='counted.is_recorded and not counted.is_short and counted.last_visit_date is not null'
        ) }} as status,
        concat(
            case
                when counted.is_recorded
                    then concat(cast(counted.minutes as {{ dbt.type_string() }}), ' minutes recorded')
                else 'no time records of the programme'
            end,
            ', ',
            case
                when counted.last_visit_date is not null
                    then concat('visit on ', cast(counted.last_visit_date as {{ dbt.type_string() }}))
                when counted.has_no_visit then 'no visit in the year before the first month'
                else 'no visit seen, and not all of the year before is in the claims'
            end
        ) as observed,
        'an initiating visit before the first month, and minutes of the programme for every unit' as required,
        coalesce(counted.is_short, false) or not coalesce(counted.has_no_visit, false) as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
