{# The criteria of eligibility in the order in which attrition is told; the first eight are what claims can show. #}
{% macro screen_criteria() %}{{ return([
    'programme_in_force', 'part_b', 'fee_for_service', 'alive', 'two_conditions',
    'not_institutionalised_all_month', 'no_esrd_capitation', 'no_hospice_conflict']) }}{% endmacro %}
{% macro record_criteria() %}{{ return(['initiating_visit', 'consent', 'care_plan']) }}{% endmacro %}

{# One conclusion from several statuses: false on any fail, unknown on any cannot_assess, else true. #}
{% macro conclude(criteria) -%}
case
    when {% for name in criteria %}{{ name }}_status = 'fail'{{ ' or ' if not loop.last }}{% endfor %} then false
    when {% for name in criteria %}{{ name }}_status = 'cannot_assess'{{ ' or ' if not loop.last }}{% endfor %} then null
    else true
end
{%- endmacro %}

{# The names of the criteria that have a status, as a list in the order of attrition. #}
{% macro list_of_statuses(criteria, status) -%}
{%- set items = [] -%}
{%- for name in criteria -%}{%- do items.append("case when " ~ name ~ "_status = '" ~ status ~ "' then '" ~ name ~ "' end") -%}{%- endfor -%}
{{ list_non_null(items) }}
{%- endmacro %}
