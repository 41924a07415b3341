{# The few expressions that DuckDB and Spark write differently. Each is named for what it does. #}

{# Aggregate: the distinct non-null values, sorted; null where there is none. Made distinct once a list is whole: a distinct
   aggregate keeps a hash table a group, which costs several times as much. #}
{% macro list_agg_distinct(expression) %}{{ return(adapter.dispatch('list_agg_distinct')(expression)) }}{% endmacro %}
{% macro default__list_agg_distinct(expression) %}list_sort(list_distinct(list({{ expression }}) filter (where {{ expression }} is not null))){% endmacro %}
{% macro spark__list_agg_distinct(expression) %}case when count({{ expression }}) > 0 then array_sort(collect_set({{ expression }})) end{% endmacro %}

{# A list of text without elements. #}
{% macro empty_list() %}{{ return(adapter.dispatch('empty_list')()) }}{% endmacro %}
{% macro default__empty_list() %}cast([] as varchar[]){% endmacro %}
{% macro spark__empty_list() %}cast(array() as array<string>){% endmacro %}

{# The elements of a list of text in one text. #}
{% macro list_join(list, separator) %}{{ return(adapter.dispatch('list_join')(list, separator)) }}{% endmacro %}
{% macro default__list_join(list, separator) %}array_to_string({{ list }}, '{{ separator }}'){% endmacro %}
{% macro spark__list_join(list, separator) %}array_join({{ list }}, '{{ separator }}'){% endmacro %}

{# In a select list: one row an element of a list. #}
{% macro unnest_list(list) %}{{ return(adapter.dispatch('unnest_list')(list)) }}{% endmacro %}
{% macro default__unnest_list(list) %}unnest({{ list }}){% endmacro %}
{% macro spark__unnest_list(list) %}explode({{ list }}){% endmacro %}

{# Two lists one after the other. #}
{% macro list_concat(left, right) %}{{ return(adapter.dispatch('list_concat')(left, right)) }}{% endmacro %}
{% macro default__list_concat(left, right) %}list_concat({{ left }}, {{ right }}){% endmacro %}
{% macro spark__list_concat(left, right) %}concat({{ left }}, {{ right }}){% endmacro %}

{# Aggregate: the distinct elements of many lists, sorted. #}
{% macro list_flatten_distinct(list) %}{{ return(adapter.dispatch('list_flatten_distinct')(list)) }}{% endmacro %}
{% macro default__list_flatten_distinct(list) %}list_sort(list_distinct(flatten(list({{ list }})))){% endmacro %}
{% macro spark__list_flatten_distinct(list) %}array_sort(array_distinct(flatten(collect_list({{ list }})))){% endmacro %}

{# The whole numbers from one to another, both included, as a list. #}
{% macro integer_list(first, last) %}{{ return(adapter.dispatch('integer_list')(first, last)) }}{% endmacro %}
{% macro default__integer_list(first, last) %}range({{ first }}, {{ last }} + 1){% endmacro %}
{% macro spark__integer_list(first, last) %}sequence({{ first }}, {{ last }}){% endmacro %}

{# A list of the expressions that are not null, in their order. #}
{% macro list_non_null(expressions) %}{{ return(adapter.dispatch('list_non_null')(expressions)) }}{% endmacro %}
{% macro default__list_non_null(expressions) -%}
list_filter([{{ expressions | join(', ') }}], item -> item is not null)
{%- endmacro %}
{% macro spark__list_non_null(expressions) -%}
filter(array({{ expressions | join(', ') }}), item -> item is not null)
{%- endmacro %}

{# Dates on Spark. The adapter's own versions go through text and Unix seconds: they give nulls for dates and lose days at the ends of
   months. These say what DuckDB's do: a month later is the same day, or the last of a shorter month; differences in months count the
   months' ends that lie between. #}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
{%- if datepart == 'month' -%}add_months({{ from_date_or_timestamp }}, cast({{ interval }} as int))
{%- elif datepart == 'day' -%}date_add({{ from_date_or_timestamp }}, cast({{ interval }} as int))
{%- else -%}timestampadd({{ datepart }}, {{ interval }}, {{ from_date_or_timestamp }})
{%- endif -%}
{%- endmacro %}

{% macro spark__datediff(first_date, second_date, datepart) -%}
{%- if datepart == 'month' -%}
((year({{ second_date }}) - year({{ first_date }})) * 12 + month({{ second_date }}) - month({{ first_date }}))
{%- elif datepart == 'day' -%}datediff({{ second_date }}, {{ first_date }})
{%- else -%}timestampdiff({{ datepart }}, {{ first_date }}, {{ second_date }})
{%- endif -%}
{%- endmacro %}

{% macro spark__last_day(date, datepart) -%}
{%- if datepart != 'month' -%}{{ exceptions.raise_compiler_error('last_day of a ' ~ datepart ~ ' is not written for Spark') }}{%- endif -%}
last_day({{ date }})
{%- endmacro %}

{% macro spark__date_trunc(datepart, date) -%}
date_trunc('{{ datepart }}', {{ date }})
{%- endmacro %}

{# A number of 64 bits that is the same for the same values; different values seldom share one. #}
{% macro row_hash(columns) %}{{ return(adapter.dispatch('row_hash')(columns)) }}{% endmacro %}
{% macro default__row_hash(columns) %}hash({{ columns | join(', ') }}){% endmacro %}
{% macro spark__row_hash(columns) %}xxhash64({{ columns | join(', ') }}){% endmacro %}
