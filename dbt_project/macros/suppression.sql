{# Disclosure control. Two shapes of published table, two macros; both read the limit from the policy seed.

   What an outsider is taken to know: everything published, that a hidden number is never 0 (zeros are shown), and these
   rules. What must not be knowable: that a hidden number, or a difference of two shown ones, is 1 to the limit. #}

{# Largest count that may not be shown. #}
{% macro largest_small_cell() -%}
(select max(limit_value) from {{ ref('disclosure_limits') }} where limit_name = 'largest_small_cell')
{%- endmacro %}

{# Cells of lines that add up to a known total.

   A cell of 1 to the limit is hidden. Its line is then safe only if the hidden cells could be otherwise: with one hidden cell
   the value follows by subtraction, and where the hidden sum is so low that no hidden cell could exceed the limit (each being
   at least 1) smallness follows. In both cases the smallest other cell that is not zero is hidden as well. Where there is no
   such cell the total itself must go: `hides_total`.

   relation: one row a cell; line: columns that name the line; count: the additive column; people: the column that decides
   smallness (distinct people, where one person can be counted several times); order: columns that make cells' order total.
   Returns the relation's columns with limit_value, is_suppressed and hides_total. #}
{% macro suppress_lines(relation, line, count, order, people=none) %}
{%- set people = people or count %}
{%- set is_small = 'cells.' ~ people ~ ' between 1 and limits.limit_value' %}
{%- set is_partner = 'not marked.is_small and marked.' ~ count ~ ' > 0' %}
select
    judged.*,
    (judged.is_small or (judged.needs_partner and judged.is_partner and judged.partner_order = 1)) as is_suppressed,
    (judged.needs_partner and judged.partners = 0) as hides_total
from
    (
        select
            marked.*,
            ({{ is_partner }}) as is_partner,
            (
                marked.hidden_cells = 1
                or (marked.hidden_cells > 1 and marked.hidden_sum - (marked.hidden_cells - 1) <= marked.limit_value)
            ) as needs_partner,
            sum(case when {{ is_partner }} then 1 else 0 end) over (partition by {{ line | join(', ') }}) as partners,
            row_number() over (
                partition by {{ line | join(', ') }}, case when {{ is_partner }} then 1 else 0 end
                order by marked.{{ count }} asc, {{ order | join(', ') }}
            ) as partner_order
        from
            (
                select
                    cells.*,
                    limits.limit_value,
                    ({{ is_small }}) as is_small,
                    sum(case when {{ is_small }} then 1 else 0 end) over (partition by {{ line | join(', ') }}) as hidden_cells,
                    sum(case when {{ is_small }} then cells.{{ count }} else 0 end) over (
                        partition by {{ line | join(', ') }}
                    ) as hidden_sum
                from {{ relation }} as cells
                cross join (select {{ largest_small_cell() }} as limit_value) as limits
            ) as marked
    ) as judged
{% endmacro %}

{# Whether hidden cells of one line may be told apart from the rest of it: none of them, or enough to protect each other. #}
{% macro hidden_part_is_safe(cells, total, limit_value) -%}
({{ cells }} = 0 or ({{ cells }} > 1 and {{ total }} - ({{ cells }} - 1) > {{ limit_value }}))
{%- endmacro %}

{# Steps of a chain in which every step is part of the one before.

   A step is shown when it is 0 or above the limit, and so is its distance from the shown steps on either side. Steps of rank 1
   are decided first, from the first down, then those of rank 2 between them, then rank 3: where steps are too close to be shown
   together, the more important one stays. Other published tables are kept in mind: the line whose hidden cells the chain cuts in
   two (`hidden_before`, `hidden_sum_before` of the cells that end before the step; their totals `hidden_cells`, `hidden_sum`),
   the smallest shown number of a wider chain that contains the step (`wider_people`, null for none), and whatever else speaks
   against a step (`is_barred`).

   One call decides one rank, in a model of its own: Spark computes a common table expression wherever it is named, and here each rank
   would be named by every step of the next.

   steps: relation with chain, step, step_rank, people and the six columns just named; rank: from 1; earlier: what the rank before
   decided, none for the first. A whole query: chain, step, is_shown, of the steps up to this rank. #}
{% macro show_chain(steps, rank, earlier=none) %}
with recursive limits as (
    select {{ largest_small_cell() }} as limit_value
),

placed as (
    select
        steps.chain,
        steps.step,
        steps.people,
        steps.hidden_before,
        steps.hidden_sum_before,
        {% set decided = 'earlier.is_shown' if earlier else 'cast(null as boolean)' %}
        {{ decided }} as decided,
        row_number() over (partition by steps.chain order by steps.step) as place,
        min(case when {{ decided }} then steps.step end) over (
            partition by steps.chain order by steps.step rows between 1 following and unbounded following
        ) as next_step,
        (
            not steps.is_barred
            and (steps.people = 0 or steps.people > limits.limit_value)
            and (
                steps.wider_people is null
                or steps.wider_people = steps.people
                or steps.wider_people - steps.people > limits.limit_value
            )
            and {{ hidden_part_is_safe('steps.hidden_before', 'steps.hidden_sum_before', 'limits.limit_value') }}
            and {{ hidden_part_is_safe(
                '(steps.hidden_cells - steps.hidden_before)', '(steps.hidden_sum - steps.hidden_sum_before)', 'limits.limit_value') }}
        ) as is_fit
    from {{ steps }} as steps
    cross join limits
    {% if earlier -%}
        left join {{ earlier }} as earlier
            on steps.chain = earlier.chain and steps.step = earlier.step
    {% endif -%}
    where steps.step_rank <= {{ rank }}
),

judged as (
    select
        placed.*,
        (
            placed.is_fit
            and (
                below.step is null
                or (
                    (below.people = placed.people or placed.people - below.people > limits.limit_value)
                    and {{ hidden_part_is_safe(
                        '(below.hidden_before - placed.hidden_before)',
                        '(below.hidden_sum_before - placed.hidden_sum_before)',
                        'limits.limit_value') }}
                )
            )
        ) as is_fit_below
    from placed
    cross join limits
    left join {{ steps }} as below
        on placed.chain = below.chain and placed.next_step = below.step
),
{% set is_shown -%}
coalesce(
            judged.decided,
            judged.is_fit_below
            and (
                walk.last_people is null
                or (
                    (walk.last_people = judged.people or walk.last_people - judged.people > limits.limit_value)
                    and {{ hidden_part_is_safe(
                        '(judged.hidden_before - walk.last_hidden)',
                        '(judged.hidden_sum_before - walk.last_hidden_sum)',
                        'limits.limit_value') }}
                )
            )
        )
{%- endset %}
walk as (
    select
        judged.chain,
        judged.step,
        judged.place,
        coalesce(judged.decided, judged.is_fit_below) as is_shown,
        case when coalesce(judged.decided, judged.is_fit_below) then judged.people end as last_people,
        case when coalesce(judged.decided, judged.is_fit_below) then judged.hidden_before end as last_hidden,
        case when coalesce(judged.decided, judged.is_fit_below) then judged.hidden_sum_before end as last_hidden_sum
    from judged
    where judged.place = 1
    union all
    select
        judged.chain,
        judged.step,
        judged.place,
        {{ is_shown }} as is_shown,
        case when {{ is_shown }} then judged.people else walk.last_people end as last_people,
        case when {{ is_shown }} then judged.hidden_before else walk.last_hidden end as last_hidden,
        case when {{ is_shown }} then judged.hidden_sum_before else walk.last_hidden_sum end as last_hidden_sum
    from walk
    inner join judged
        on walk.chain = judged.chain and judged.place = walk.place + 1
    cross join limits
)

select
    chain,
    step,
    is_shown
from walk
{% endmacro %}
