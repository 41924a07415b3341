{# A day between two rows of one group on which neither is in force. #}
{% test effective_periods_have_no_gap(model, group_columns) %}
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
where effective_from > previous_effective_to + 1
{% endtest %}
