-- The list of rules, derived from the `meta` that stands beside each rule's SQL; never typed.
{%- set rules = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values() | sort(attribute='name') -%}
        {%- if node.resource_type == 'model' and node.config.meta.rule_id is defined -%}
            {%- do rules.append(node) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endif -%}
{%- set text_columns = [
    'rule_id', 'families', 'subjects', 'title', 'citation', 'severity', 'certainty', 'determinism', 'confidence', 'rests_on',
    'evidence', 'optional_evidence', 'does_not_cover', 'reviewed'
] %}
{#- what most rules are: asked of every practitioner-month, on evidence that every bill must have #}
{%- set defaults = {'subjects': 'practitioner_month', 'optional_evidence': 'none'} %}

{% for rule in rules %}
select
    {% for column in text_columns -%}
    cast('{{ dbt.escape_single_quotes(rule.config.meta.get(column, defaults.get(column)) | string) }}' as {{ dbt.type_string() }}) as {{ column }},
    {% endfor -%}
    cast('{{ rule.config.meta.effective_from }}' as date) as effective_from,
    cast('{{ rule.config.meta.effective_to }}' as date) as effective_to,
    cast('{{ rule.name }}' as {{ dbt.type_string() }}) as model_name
{{ "union all" if not loop.last }}
{% else %}
select
    {% for column in text_columns -%}
    cast(null as {{ dbt.type_string() }}) as {{ column }},
    {% endfor -%}
    cast(null as date) as effective_from,
    cast(null as date) as effective_to,
    cast(null as {{ dbt.type_string() }}) as model_name
where false
{% endfor %}
