{# Whether this build asks the rules about proposed bills and not about paid ones: the environment says so, for the rules' models are
   built twice, into schemas of their own. #}
{% macro is_about_proposals() -%}
{{ return(env_var('CCM_RULES_ABOUT', 'paid_bills') == 'proposals') }}
{%- endmacro %}
