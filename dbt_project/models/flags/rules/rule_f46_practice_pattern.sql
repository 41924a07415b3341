-- F46: a practice's year shows a pattern that the inspector general looks for: many at once, unseen, alike, briefly, or filed in one go.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F46'
),

figures as (
    select
        subject_id,
        figure,
        is_enough,
        is_beyond,
        cast(cast(cases as integer) as {{ dbt.type_string() }}) as cases,
        cast(cast(round(of_all) as integer) as {{ dbt.type_string() }}) as of_all,
        cast(round(of_all, 1) as {{ dbt.type_string() }}) as mean_before
    from {{ ref('practice_patterns') }}
),

worded as (
    select
        subject_id,
        is_enough,
        is_beyond,
        case figure
            when 'no_visit_before' then concat_ws('', cases, ' of ', of_all, ' new people never seen before')
            when 'one_month_only' then concat_ws('', cases, ' of ', of_all, ' new people for one month only')
            when 'same_seconds' then concat_ws('', cases, ' of ', of_all, ' months with one and the same time')
            when 'one_processing_day' then concat_ws('', cases, ' of ', of_all, ' bills of several months processed on one day')
            else concat_ws('', cases, ' new people in a month after ', mean_before, ' a month')
        end as words
    from figures
),

counted as (
    select
        subject_id,
        bool_or(is_enough) as is_enough,
        bool_or(is_beyond) as is_beyond,
        {{ list_join(list_agg_distinct('case when is_beyond then words end'), '; ') }} as beyond,
        count(*) filter (where is_enough) as figures
    from worded
    group by subject_id
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
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='not coalesce(counted.is_enough, false)',
            fail='counted.is_beyond',
            pass='not counted.is_beyond'
        ) }} as status,
        case
            when counted.is_beyond then counted.beyond
            when counted.is_enough
                then concat(cast(counted.figures as {{ dbt.type_string() }}), ' figure(s) looked at, none beyond its limit')
            else 'too few people to show a pattern'
        end as observed,
        'no figure beyond the limit that is set for it' as required,
        false as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
