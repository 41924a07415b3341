{# One text that changes when any of the expressions changes; a null differs from every value. #}
{% macro fingerprint(expressions) -%}
md5(concat(
    {%- for expression in expressions %}
    coalesce(cast({{ expression }} as {{ dbt.type_string() }}), '?'){{ ", '|', " if not loop.last }}
    {%- endfor %}
))
{%- endmacro %}

{# The checksums of the project's seeds or models (`resource_type`) as one text, known when dbt compiles. #}
{% macro project_version(resource_type) -%}
{%- set checksums = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values() | sort(attribute='name') -%}
        {%- if node.resource_type == resource_type -%}{%- do checksums.append(node.name ~ node.checksum.checksum) -%}{%- endif -%}
    {%- endfor -%}
{%- endif -%}
{{ return(local_md5(checksums | join('|'))) }}
{%- endmacro %}
