{# Rows that share one key. #}
{% test unique_combination(model, columns) %}
{{ repeated_keys(model, columns) }}
{% endtest %}

{# dbt's own test of one column (nulls are left out), asked in the same way. #}
{% test unique(model, column_name) %}
{{ repeated_keys('(select * from ' ~ model ~ ' where ' ~ column_name ~ ' is not null)', [column_name]) }}
{% endtest %}
