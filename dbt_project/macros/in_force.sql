{# Whether a policy row (by its alias) is in force on a date. #}
{% macro in_force(policy, on_date) -%}
    {{ on_date }} between {{ policy }}.effective_from and {{ policy }}.effective_to
{%- endmacro %}
