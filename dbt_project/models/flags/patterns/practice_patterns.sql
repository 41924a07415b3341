-- Figures of a practice's year beside the limit of each: how many new people came in one month, how many had never been seen, how
-- many months have one and the same time, how many people stayed one month, how much was processed on one day.
{%- set names = [
    'new_people_rise', 'new_people_months', 'new_people_least', 'no_visit_before', 'no_visit_before_months',
    'no_visit_before_least', 'same_seconds', 'same_seconds_least', 'one_month_only', 'one_month_only_months',
    'one_month_only_least', 'one_processing_day', 'one_processing_day_months', 'one_processing_day_least'
] %}
with years as (
    select
        subject_id,
        practice_tin,
        service_month as year_start
    from {{ ref('pattern_subjects') }}
    where subject_kind = 'practice_year'
),

limits as (
    select
        years.subject_id,
        {% for name in names %}
            max(case when limits.limit_name = '{{ name }}' then limits.limit_value end) as {{ name }},
        {% endfor %}
        years.practice_tin,
        years.year_start
    from years
    inner join {{ ref('rule_limits') }} as limits
        on limits.rule_id = 'F46' and {{ in_force('limits', 'years.year_start') }}
    group by years.subject_id, years.practice_tin, years.year_start
),

paid_months as (
    select
        practice_tin,
        beneficiary_id,
        service_month,
        min(from_date) as first_date
    from {{ ref('subject_lines') }}
    where is_ccm and code_role = 'base' and practice_tin is not null
    group by practice_tin, beneficiary_id, service_month
),

-- new is who was never paid for before by the practice; the first month of the data may hide an earlier one
people as (
    select
        practice_tin,
        beneficiary_id,
        min(service_month) as first_month,
        min(first_date) as first_date,
        count(*) as months,
        min(min(service_month)) over (partition by practice_tin) as practice_first_month
    from paid_months
    group by practice_tin, beneficiary_id
),

new_people as (
    select
        people.*,
        limits.subject_id,
        limits.no_visit_before_months,
        limits.one_month_only_months
    from people
    inner join limits
        on
            people.practice_tin = limits.practice_tin
            and limits.year_start = cast({{ dbt.date_trunc('year', 'people.first_month') }} as date)
),

months as (
    select
        subject_id,
        practice_tin,
        first_month,
        practice_first_month,
        count(*) as newcomers
    from new_people
    group by subject_id, practice_tin, first_month, practice_first_month
),

-- a month against the mean of those before it, empty ones included, once the practice has billed for all of them
rises as (
    select
        months.subject_id,
        months.newcomers,
        coalesce(sum(earlier.newcomers), 0) / cast(max(limits.new_people_months) as double) as mean_before
    from months
    inner join limits on months.subject_id = limits.subject_id
    left join months as earlier
        on
            months.practice_tin = earlier.practice_tin
            and months.first_month > earlier.first_month
            and earlier.first_month
            >= cast({{ dbt.dateadd('month', '-limits.new_people_months', 'months.first_month') }} as date)
    where
        months.practice_first_month
        <= cast({{ dbt.dateadd('month', '-limits.new_people_months', 'months.first_month') }} as date)
    group by months.subject_id, months.first_month, months.newcomers
),

steepest as (
    select *
    from rises
    qualify row_number() over (
        partition by subject_id order by newcomers / (mean_before + 0.001) desc, newcomers desc
    ) = 1
),

covered as (
    select
        new_people.subject_id,
        new_people.practice_tin,
        new_people.beneficiary_id,
        new_people.first_date,
        new_people.months,
        new_people.no_visit_before_months,
        new_people.one_month_only_months,
        count(*) filter (where enrollment.service_month < new_people.first_month) as months_before,
        count(*) filter (where enrollment.service_month > new_people.first_month) as months_after
    from new_people
    inner join {{ ref('core_enrollment_months') }} as enrollment
        on
            new_people.beneficiary_id = enrollment.beneficiary_id
            and enrollment.has_part_b and not enrollment.is_medicare_advantage
            and enrollment.service_month between
            cast({{ dbt.dateadd('month', '-new_people.no_visit_before_months', 'new_people.first_month') }} as date)
            and least(
                cast({{ dbt.dateadd('month', 'new_people.one_month_only_months', 'new_people.first_month') }} as date),
                cast('{{ var("through_month") }}' as date)
            )
    group by
        new_people.subject_id, new_people.practice_tin, new_people.beneficiary_id, new_people.first_date, new_people.months,
        new_people.no_visit_before_months, new_people.one_month_only_months
),

seen as (
    select distinct
        covered.subject_id,
        covered.beneficiary_id
    from covered
    inner join {{ ref('core_visits') }} as visits
        on
            covered.beneficiary_id = visits.beneficiary_id
            and covered.practice_tin = visits.practice_tin
            and covered.first_date > visits.visit_date
            and visits.visit_date
            >= cast({{ dbt.dateadd('month', '-covered.no_visit_before_months', 'covered.first_date') }} as date)
),

same_times as (
    select
        limits.subject_id,
        record.total_seconds,
        count(*) as record_months
    from {{ ref('fct_record_months') }} as record
    inner join limits
        on
            record.practice_tin = limits.practice_tin
            and limits.year_start = cast({{ dbt.date_trunc('year', 'record.service_month') }} as date)
    where record.total_seconds > 0
    group by limits.subject_id, record.total_seconds
),

processed as (
    select
        limits.subject_id,
        billed.processed_date,
        count(*) as base_lines,
        count(distinct billed.service_month) as service_months
    from {{ ref('fct_billed_lines') }} as billed
    inner join limits
        on
            billed.practice_tin = limits.practice_tin
            and limits.year_start = cast({{ dbt.date_trunc('year', 'billed.service_month') }} as date)
    where billed.family = 'CCM' and billed.code_role = 'base' and not coalesce(billed.is_denied, false)
    group by limits.subject_id, billed.processed_date
),

figures as (
    select
        subject_id,
        'no_visit_before' as figure,
        count(*) filter (where not is_seen) as cases,
        count(*) as of_all
    from (
        select
            covered.subject_id,
            seen.beneficiary_id is not null as is_seen
        from covered
        left join seen on covered.subject_id = seen.subject_id and covered.beneficiary_id = seen.beneficiary_id
        where covered.months_before >= covered.no_visit_before_months
    ) as newcomers
    group by subject_id
    union all
    select
        subject_id,
        'one_month_only' as figure,
        count(*) filter (where months = 1) as cases,
        count(*) as of_all
    from covered
    where months_after >= one_month_only_months
    group by subject_id
    union all
    select
        subject_id,
        'same_seconds' as figure,
        max(record_months) as cases,
        sum(record_months) as of_all
    from same_times
    group by subject_id
    union all
    select
        processed.subject_id,
        'one_processing_day' as figure,
        coalesce(max(processed.base_lines) filter (
            where processed.processed_date is not null and processed.service_months >= limits.one_processing_day_months
        ), 0) as cases,
        sum(processed.base_lines) as of_all
    from processed
    inner join limits on processed.subject_id = limits.subject_id
    group by processed.subject_id
),

shares as (
    select
        figures.subject_id,
        figures.figure,
        figures.cases,
        figures.of_all,
        case figures.figure
            when 'no_visit_before' then limits.no_visit_before
            when 'one_month_only' then limits.one_month_only
            when 'same_seconds' then limits.same_seconds
            else limits.one_processing_day
        end as limit_value,
        case figures.figure
            when 'no_visit_before' then limits.no_visit_before_least
            when 'one_month_only' then limits.one_month_only_least
            when 'same_seconds' then limits.same_seconds_least
            else limits.one_processing_day_least
        end as least
    from figures
    inner join limits on figures.subject_id = limits.subject_id
)

select
    subject_id,
    figure,
    cast(cases as double) as cases,
    cast(of_all as double) as of_all,
    limit_value,
    of_all >= least as is_enough,
    of_all >= least and cases * 100.0 >= limit_value * of_all as is_beyond
from shares

union all

select
    steepest.subject_id,
    'new_people_rise' as figure,
    cast(steepest.newcomers as double) as cases,
    steepest.mean_before as of_all,
    limits.new_people_rise as limit_value,
    steepest.newcomers >= limits.new_people_least as is_enough,
    steepest.newcomers >= limits.new_people_least
    and steepest.newcomers >= steepest.mean_before * (1 + limits.new_people_rise / 100.0) as is_beyond
from steepest
inner join limits on steepest.subject_id = limits.subject_id
