{# Makes the landed files known by the names of their sources. DuckDB reads a source's files where the source stands in a query
   (`external_location`); on Spark each source becomes a view on its files, made before anything is built. #}
{% macro register_landed_files() %}{{ return(adapter.dispatch('register_landed_files')()) }}{% endmacro %}
{% macro default__register_landed_files() %}{% endmacro %}
{% macro spark__register_landed_files() %}
{%- if execute -%}
    {%- for source in graph.sources.values() if source.config.external_location -%}
        {%- set files = spark_files(source.config.external_location) | replace('{name}', source.name) -%}
        {%- do run_query('create schema if not exists ' ~ source.schema) -%}
        {%- do run_query('create or replace view ' ~ source.schema ~ '.' ~ source.name ~ ' as select * from parquet.`' ~ files ~ '`') -%}
    {%- endfor -%}
{%- endif -%}
{% endmacro %}

{# The files of a source: what DuckDB is told as `read_parquet('files', union_by_name=true)` is the path alone, for Spark puts together
   the columns of files of several versions wherever it reads (spark.sql.parquet.mergeSchema). #}
{% macro spark_files(location) -%}
{{ return(location.split("'")[1] if location.startswith('read_parquet(') else location) }}
{%- endmacro %}
