{# Schemas are named for their layer alone (core, marts, flags ...), whatever the target's default schema. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
