{# Groups that the disparity measures tell apart: each a column of fct_person_years. Those of `coded` are named by the seed
   stratum_codes, age by the seed age_bands, groups of `area` by the seed area_bands; states name themselves. #}
{% macro stratum_kinds() %}
{{ return(['age_band', 'state'] + coded_stratum_kinds() + area_stratum_kinds()) }}
{% endmacro %}

{% macro coded_stratum_kinds() %}
{{ return(['race_ethnicity', 'dual_status', 'low_income_subsidy', 'sex', 'entitlement', 'practice_type']) }}
{% endmacro %}

{# Groups of the place of residence, which are known where the user brought measures of areas. #}
{% macro area_stratum_kinds() %}
{{ return(['rurality', 'commuting_area', 'deprivation', 'vulnerability', 'shortage']) }}
{% endmacro %}

{# The age bands with a row a year of age: ages of person-months are looked up by equality. A range would sort all of them. #}
{% macro age_groups() -%}
(
    select
        group_value,
        effective_from,
        effective_to,
        {{ unnest_list(integer_list('from_age', 'to_age')) }} as age
    from {{ ref('age_bands') }}
)
{%- endmacro %}

{# Measures: name, numerator and denominator (columns of fct_measure_counts), and whether the numerator is a part of the
   denominator (share) or adds up to so many units for each of it (mean). #}
{% macro measures() %}
{{ return([
    ('eligible_share', 'eligible_months', 'assessable_months', 'share'),
    ('billed_months', 'billed_months', 'eligible_months', 'share'),
    ('coverage', 'paid_months', 'eligible_months', 'share'),
    ('retention', 'retained_months', 'continuable_months', 'share'),
    ('uptake', 'paid_people', 'eligible_people', 'share'),
    ('persistence', 'paid_months', 'paid_people', 'mean'),
    ('reached_eligible', 'eligible_people', 'enrolled_people', 'share'),
    ('reached_consented', 'consented_people', 'eligible_people', 'share'),
    ('reached_billed', 'billed_people', 'consented_people', 'share'),
    ('reached_paid', 'paid_people', 'billed_people', 'share'),
    ('reached_lasting', 'lasting_people', 'paid_people', 'share'),
]) }}
{% endmacro %}

{# Measures that a single month has: of person-months, so that a year is the sum of its months. #}
{% macro monthly_measures() %}
{{ return(['eligible_share', 'billed_months', 'coverage', 'retention']) }}
{% endmacro %}

{# What a person-month can count for; each has a column of months and one of people. #}
{% macro month_counts() %}
{{ return(['enrolled', 'assessable', 'eligible', 'consented', 'billed', 'paid', 'continuable', 'retained']) }}
{% endmacro %}
