-- How many conditions of the counting set in force hold on the last day of the month before: known when the month begins.
-- Counted as a running sum of interval starts and ends, so cost grows with intervals, not with intervals x months.
{% set variant = condition_variant() %}
with sets_in_force as (
    {% if variant == headline_variant() %}
        select
            effective_from,
            effective_to,
            definition,
            counting_set
        from {{ ref('condition_set_in_force') }}
    {% else %}
        select
            sets.effective_from,
            sets.effective_to,
            sets.definition,
            sets.counting_set
        from {{ ref('condition_set_in_force') }} as sets
        inner join {{ ref('condition_variants') }} as variants
            on variants.variant = '{{ variant }}' and sets.effective_to < variants.effective_from
        union all
        select
            effective_from,
            effective_to,
            definition,
            counting_set
        from {{ ref('condition_variants') }}
        where variant = '{{ variant }}'
    {% endif %}
),

spine as (
    select
        months.beneficiary_id,
        months.service_month,
        in_force.definition,
        in_force.counting_set
    from {{ ref('core_person_months') }} as months
    left join sets_in_force as in_force
        on months.service_month between in_force.effective_from and in_force.effective_to
),

-- An interval counts in the months whose eve lies inside it: from the month after its start to the month after its end,
-- except that an interval that ends before its month's last day no longer holds on that eve.
changes as (
    select
        intervals.beneficiary_id,
        intervals.definition,
        sets.counting_set,
        cast({{ dbt.date_trunc('month', dbt.dateadd('month', 1, 'intervals.start_date')) }} as date) as service_month,
        1 as change
    from {{ ref('condition_intervals') }} as intervals
    inner join {{ ref('condition_counting_sets') }} as sets
        on
            intervals.definition = sets.definition
            and intervals.condition = sets.condition
    union all
    select
        intervals.beneficiary_id,
        intervals.definition,
        sets.counting_set,
        -- The first month whose eve is after the end: the month after the end's own, or two on when it ends on its last day.
        cast({{ dbt.date_trunc('month', dbt.dateadd('month', 1, 'intervals.end_date + 1')) }} as date) as service_month,
        -1 as change
    from {{ ref('condition_intervals') }} as intervals
    inner join {{ ref('condition_counting_sets') }} as sets
        on
            intervals.definition = sets.definition
            and intervals.condition = sets.condition
),

sets_used as (
    select distinct definition, counting_set
    from sets_in_force
),

events as (
    select
        changes.beneficiary_id,
        changes.definition,
        changes.counting_set,
        changes.service_month,
        sum(changes.change) as change,
        0 as is_spine
    from changes
    inner join sets_used
        on
            changes.definition = sets_used.definition
            and changes.counting_set = sets_used.counting_set
    group by changes.beneficiary_id, changes.definition, changes.counting_set, changes.service_month
    union all
    select
        beneficiary_id,
        definition,
        counting_set,
        service_month,
        0 as change,
        1 as is_spine
    from spine
),

counted as (
    select
        beneficiary_id,
        definition,
        counting_set,
        service_month,
        is_spine,
        sum(change) over (
            partition by beneficiary_id, definition, counting_set
            order by service_month
            range between unbounded preceding and current row
        ) as condition_count
    from events
)

select
    beneficiary_id,
    service_month,
    definition,
    counting_set,
    cast(condition_count as integer) as condition_count
from counted
where is_spine = 1
