{# Which published variant of "two or more chronic conditions" this build screens by, and whether the any-chronic-indicator is built
   beside the other definitions. The environment says so, as for what the rules are asked about; the headline is the default. #}
{% macro condition_variant() -%}
{{ return(env_var('CCM_CONDITIONS', 'ccm_default_ge2')) }}
{%- endmacro %}

{% macro headline_variant() -%}
{{ return('ccm_default_ge2') }}
{%- endmacro %}

{# Its codes double those of the conditions, so they are read only where somebody asks for them. #}
{% macro uses_chronic_indicator() -%}
{{ return(condition_variant() == 'ccir_ge2' or env_var('CCM_COMPARE_CONDITIONS', 'false') == 'true') }}
{%- endmacro %}
