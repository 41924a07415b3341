{# Schemas are named for their layer alone (core, marts, flags ...), whatever the target's default schema. What the rules say about
   proposed bills stands beside what they say about paid ones. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name == 'flags' and is_about_proposals() -%}
    flags_proposals
    {%- else -%}
    {{ (custom_schema_name or target.schema) | trim }}
    {%- endif -%}
{%- endmacro %}
