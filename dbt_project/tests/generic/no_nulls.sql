{# No column of the list is ever null: one reading of the table for all of them, where dbt's own `not_null` takes a node a column. #}
{% test no_nulls(model, columns) %}
select *
from {{ model }}
where
    {% for column in columns %}
    {{ 'or ' if not loop.first }}{{ column }} is null
    {% endfor %}
{% endtest %}
