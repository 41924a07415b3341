{# Two rows of one group that are in force on one day, or a row that ends before it starts. #}
{% test effective_periods_do_not_overlap(model, group_columns) %}
select *
from (
    select
        *,
        lag(effective_to) over (
            {% if group_columns %}partition by {{ group_columns | join(', ') }}{% endif %}
            order by effective_from, effective_to
        ) as previous_effective_to
    from {{ model }}
)
where effective_from <= previous_effective_to or effective_to < effective_from
{% endtest %}
