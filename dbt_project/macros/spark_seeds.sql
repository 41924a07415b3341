{# How seeds are loaded on Spark. The adapter's own macros bind an empty cell as the text None and know no varchar without a length. #}

{# A seed's column type as Spark names it. #}
{% macro spark_seed_type(model, column_name) -%}
{{ (model['config'].get('column_types', {}).get(column_name, 'string') | lower) | replace('varchar', 'string') }}
{%- endmacro %}

{% macro spark__create_csv_table(model, agate_table) %}
    {%- set sql -%}
        create table {{ this.render() }} (
            {%- for name in agate_table.column_names %}
                {{ name }} {{ spark_seed_type(model, name) }}{{ ',' if not loop.last }}
            {%- endfor %}
        )
    {%- endset -%}
    {%- call statement('_') -%}{{ sql }}{%- endcall -%}
    {{ return(sql) }}
{% endmacro %}

{# One insert a seed: a row a tuple of literals, cast once for the whole table. #}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set sql -%}
        insert into {{ this.render() }}
        select
            {%- for name in agate_table.column_names %}
                cast({{ name }} as {{ spark_seed_type(model, name) }}) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from values
            {% for row in agate_table.rows -%}
                ({%- for cell in row -%}{{ spark_literal(cell) }}{{ ', ' if not loop.last }}{%- endfor -%}){{ ',' if not loop.last }}
            {% endfor -%}
        as rows ({{ agate_table.column_names | join(', ') }})
    {%- endset -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{% endmacro %}

{% macro spark_literal(cell) -%}
{%- if cell is none -%}null
{%- else -%}'{{ cell | string | replace('\\', '\\\\') | replace("'", "\\'") }}'
{%- endif -%}
{%- endmacro %}
