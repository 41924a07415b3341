-- People eligible and people paid for by year, group and cell: what standardised rates and decompositions are made of. Cells are age
-- and sex, the number of conditions, the practice, or the county; the text of a cell sorts in its order. Not suppressed.
{% set cells = {
    'age_and_sex': "concat(years.sex, ' ', lpad(cast(coalesce(ages.from_age, 999) as " ~ dbt.type_string() ~ "), 3, '0'))",
    'conditions': "lpad(cast(coalesce(tiers.from_count, 0) as " ~ dbt.type_string() ~ "), 3, '0')",
    'practice': "coalesce(years.practice_id, 'none')",
    'county': 'years.county',
} %}
with years as (
    select
        people.*,
        make_date(people.service_year, 12, 31) as year_end
    from {{ ref('fct_person_years') }} as people
    where people.eligible_months > 0
),

celled as (
    select
        years.*,
        {% for name, expression in cells.items() %}
            {{ expression }} as {{ name }}_cell,
        {% endfor %}
        case when years.paid_months > 0 then 1 else 0 end as is_paid
    from years
    left join {{ ref('age_bands') }} as ages
        on years.age_band = ages.group_value and {{ in_force('ages', 'years.year_end') }}
    left join {{ ref('condition_tiers') }} as tiers
        on years.condition_count between tiers.from_count and tiers.to_count and {{ in_force('tiers', 'years.year_end') }}
)

{% for kind in ['everybody'] + stratum_kinds() %}
    {% set outer_loop = loop %}
    {% for cell in cells %}
        select
            service_year,
            '{{ kind }}' as group_kind,
            {{ "'everybody'" if kind == 'everybody' else kind }} as group_value,
            '{{ cell }}' as cell_kind,
            {{ cell }}_cell as cell,
            count(*) as eligible_people,
            cast(sum(is_paid) as bigint) as paid_people
        from celled
        group by service_year{{ '' if kind == 'everybody' else ', ' ~ kind }}, {{ cell }}_cell
        {{ 'union all' if not (loop.last and outer_loop.last) }}
    {% endfor %}
{% endfor %}
