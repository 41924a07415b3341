-- Months that each person-year counts for in the measures, and the groups of its last month: one group of a kind a year, so that
-- groups add up to everybody. Person-level.
{% set coded = coded_stratum_kinds() %}
{% set areas = area_stratum_kinds() %}
{% set of_person = ['race_ethnicity', 'sex', 'entitlement', 'state', 'county'] %}
with years as (
    select
        beneficiary_id,
        extract(year from service_month) as service_year,
        -- The same in all months of a person: core_beneficiaries has one description of each.
        {% for kind in of_person %}
            max({{ kind }}) as {{ kind }},
        {% endfor %}
        {% for kind in ['dual_status', 'low_income_subsidy', 'practice_type', 'practice_id', 'age'] + areas %}
            max_by({{ kind }}, service_month) filter (where {{ kind }} is not null) as {{ kind }},
        {% endfor %}
        {% for name in month_counts() %}
            sum({{ name }}) as {{ name }}_months,
        {% endfor %}
        max(case when eligible = 1 then condition_count end) as condition_count,
        max(service_month) as last_month
    from {{ ref('fct_person_months') }}
    group by beneficiary_id, extract(year from service_month)
)

select
    years.beneficiary_id,
    cast(years.service_year as integer) as service_year,
    {% for kind in coded %}
        coalesce({{ kind }}_codes.group_value, 'unknown') as {{ kind }},
    {% endfor %}
    coalesce(ages.group_value, 'unknown') as age_band,
    coalesce(years.state, 'unknown') as state,
    coalesce(years.county, 'unknown') as county,
    {% for kind in areas %}
        coalesce(years.{{ kind }}, 'unknown') as {{ kind }},
    {% endfor %}
    {% for name in month_counts() %}
        cast(years.{{ name }}_months as integer) as {{ name }}_months,
    {% endfor %}
    cast(years.condition_count as integer) as condition_count,
    years.practice_id
from years
{% for kind in coded %}
    left join {{ ref('stratum_codes') }} as {{ kind }}_codes
        on
            {{ kind }}_codes.group_kind = '{{ kind }}'
            and years.{{ kind }} = {{ kind }}_codes.source_code
            and {{ in_force(kind ~ '_codes', 'years.last_month') }}
{% endfor %}
left join {{ age_groups() }} as ages
    on
        years.age = ages.age
        and {{ in_force('ages', 'years.last_month') }}
