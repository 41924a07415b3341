{# Small cells of a line whose cells add up to a published total.

   A cell of 1 to the limit is hidden. Where that leaves one hidden cell, or hidden cells whose sum is itself small, the hidden
   value could be had by subtraction, so the smallest other cell that is not zero is hidden too. A zero may be shown. A line
   that cannot be protected so (no other cell) loses its total as well: `hides_total`.

   relation: one row a cell; line: columns that name the line; count: the column that counts people; order: columns that
   make the order of cells total. Returns the relation's columns with is_suppressed and hides_total added. #}
{% macro suppress_lines(relation, line, count, order) %}
select
    judged.*,
    (judged.is_small or (judged.needs_partner and judged.partner_order = 1)) as is_suppressed,
    (judged.needs_partner and judged.partners = 0) as hides_total
from
    (
        select
            marked.*,
            (marked.hidden_cells = 1 or (marked.hidden_cells > 1 and marked.hidden_sum <= marked.limit_value)) as needs_partner,
            sum(case when not marked.is_small and marked.{{ count }} > 0 then 1 else 0 end) over (
                partition by {{ line | join(', ') }}
            ) as partners,
            case when not marked.is_small and marked.{{ count }} > 0 then
                row_number() over (
                    partition by
                        {{ line | join(', ') }},
                        case when not marked.is_small and marked.{{ count }} > 0 then 1 else 0 end
                    order by marked.{{ count }} asc, {{ order | join(', ') }}
                )
            end as partner_order
        from
            (
                select
                    cells.*,
                    limits.limit_value,
                    (cells.{{ count }} between 1 and limits.limit_value) as is_small,
                    sum(case when cells.{{ count }} between 1 and limits.limit_value then 1 else 0 end) over (
                        partition by {{ line | join(', ') }}
                    ) as hidden_cells,
                    sum(
                        case when cells.{{ count }} between 1 and limits.limit_value then cells.{{ count }} else 0 end
                    ) over (partition by {{ line | join(', ') }}) as hidden_sum
                from {{ relation }} as cells
                cross join {{ ref('disclosure_limits') }} as limits
                where limits.limit_name = 'largest_small_cell'
            ) as marked
    ) as judged
{% endmacro %}

{# Walks the steps of a funnel from the first down: `shown` says of each whether it may be shown, given the last one shown.
   counted: CTE of period, step, people; limits: CTE with limit_value; steps: how many steps there are. #}
{% macro shown_steps(counted, limits, steps) %}
shown_1 as (
    select
        counted.period,
        counted.step,
        (counted.people = 0 or counted.people > limits.limit_value) as is_shown,
        case when counted.people = 0 or counted.people > limits.limit_value then counted.people end as last_shown
    from {{ counted }} as counted
    cross join {{ limits }} as limits
    where counted.step = 1
),
{% for step in range(2, steps + 1) %}
shown_{{ step }} as (
    select
        counted.period,
        counted.step,
        (
            (counted.people = 0 or counted.people > limits.limit_value)
            and (
                before.last_shown is null
                or before.last_shown = counted.people
                or before.last_shown - counted.people > limits.limit_value
            )
        ) as is_shown,
        case
            when
                (counted.people = 0 or counted.people > limits.limit_value)
                and (
                    before.last_shown is null
                    or before.last_shown = counted.people
                    or before.last_shown - counted.people > limits.limit_value
                )
                then counted.people
            else before.last_shown
        end as last_shown
    from {{ counted }} as counted
    inner join shown_{{ step - 1 }} as before on counted.period = before.period
    cross join {{ limits }} as limits
    where counted.step = {{ step }}
),
{% endfor %}
shown as (
    {% for step in range(1, steps + 1) %}
    select period, step, is_shown from shown_{{ step }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)
{% endmacro %}
