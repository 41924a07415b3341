-- F26: CCM by this practitioner began without the visit that must come first.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F26'
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

months as (
    select
        subjects.rule_id,
        subjects.subject_id,
        subjects.beneficiary_id,
        subjects.practitioner_npi,
        subjects.service_month,
        min(ccm_lines.from_date) as first_billed_date,
        lag(subjects.service_month) over (
            partition by subjects.beneficiary_id, subjects.practitioner_npi order by subjects.service_month
        ) as previous_month
    from subjects
    inner join ccm_lines on subjects.subject_id = ccm_lines.subject_id
    group by
        subjects.rule_id, subjects.subject_id, subjects.beneficiary_id, subjects.practitioner_npi,
        subjects.service_month
),

-- CCM begins with the first month billed, and again after a gap as long as the look-back
marked as (
    select
        months.*,
        previous_month is null
        or {{ dbt.dateadd('month', 'policy.lookback_months', 'previous_month') }} < months.service_month as is_start
    from months
    inner join {{ ref('initiating_visit_rules') }} as policy
        on {{ in_force('policy', 'months.service_month') }}
),

episodes as (
    select
        rule_id,
        subject_id,
        beneficiary_id,
        practitioner_npi,
        max(case when is_start then service_month end) over (
            partition by beneficiary_id, practitioner_npi order by service_month
            rows between unbounded preceding and current row
        ) as start_month,
        max(case when is_start then first_billed_date end) over (
            partition by beneficiary_id, practitioner_npi order by service_month
            rows between unbounded preceding and current row
        ) as start_date
    from marked
),

starts as (
    select distinct
        episodes.beneficiary_id,
        episodes.practitioner_npi,
        episodes.start_month,
        episodes.start_date,
        cast({{ dbt.dateadd('month', '-policy.lookback_months', 'episodes.start_month') }} as date) as earliest_date,
        policy.lookback_months,
        policy.requirement = 'before_first_bill' as is_always_required
    from episodes
    inner join {{ ref('initiating_visit_rules') }} as policy
        on {{ in_force('policy', 'episodes.start_month') }}
),

practices as (
    select distinct
        beneficiary_id,
        practitioner_npi,
        practice_tin
    from ccm_lines
),

-- where a visit was not always required, having seen the person at all is enough
visits as (
    select
        starts.beneficiary_id,
        starts.practitioner_npi,
        starts.start_month,
        max(visit.visit_date) as last_visit_date
    from starts
    inner join {{ ref('core_visits') }} as visit
        on
            starts.beneficiary_id = visit.beneficiary_id
            and visit.visit_date between starts.earliest_date and starts.start_date
            and (visit.is_initiating_visit or not starts.is_always_required)
    left join practices
        on
            starts.beneficiary_id = practices.beneficiary_id
            and starts.practitioner_npi = practices.practitioner_npi
            and visit.practice_tin = practices.practice_tin
    where visit.practitioner_npi = starts.practitioner_npi or practices.practice_tin is not null
    group by starts.beneficiary_id, starts.practitioner_npi, starts.start_month
),

-- months of the look-back in which fee-for-service claims would have shown a visit
seen_months as (
    select
        starts.beneficiary_id,
        starts.practitioner_npi,
        starts.start_month,
        count(*) as months_seen
    from starts
    inner join {{ ref('core_enrollment_months') }} as enrollment
        on
            starts.beneficiary_id = enrollment.beneficiary_id
            and starts.earliest_date <= enrollment.service_month
            and starts.start_month > enrollment.service_month
    where enrollment.has_part_b and not enrollment.is_medicare_advantage
    group by starts.beneficiary_id, starts.practitioner_npi, starts.start_month
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from ccm_lines
),

assessed as (
    select
        episodes.rule_id,
        episodes.subject_id,
        {{ rule_status(
            fail='visits.last_visit_date is null and seen_months.months_seen >= starts.lookback_months',
            pass='visits.last_visit_date is not null'
        ) }} as status,
        case
            when visits.last_visit_date is not null then 'visit on ' || cast(visits.last_visit_date as {{ dbt.type_string() }})
            else 'no visit in ' || cast(coalesce(seen_months.months_seen, 0) as {{ dbt.type_string() }}) || ' month(s) of claims'
        end as observed,
        case when starts.is_always_required then 'an initiating visit' else 'a visit' end
        || ' from ' || cast(starts.earliest_date as {{ dbt.type_string() }})
        || ' to ' || cast(starts.start_date as {{ dbt.type_string() }}) as required,
        true as is_certain
    from episodes
    inner join starts
        on
            episodes.beneficiary_id = starts.beneficiary_id
            and episodes.practitioner_npi = starts.practitioner_npi
            and episodes.start_month = starts.start_month
    left join visits
        on
            starts.beneficiary_id = visits.beneficiary_id
            and starts.practitioner_npi = visits.practitioner_npi
            and starts.start_month = visits.start_month
    left join seen_months
        on
            starts.beneficiary_id = seen_months.beneficiary_id
            and starts.practitioner_npi = seen_months.practitioner_npi
            and starts.start_month = seen_months.start_month
)

{{ rule_rows() }}
