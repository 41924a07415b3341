-- Groups of the places where people live, by month: what the measures of areas that the user brought say of each ZIP code and
-- county. A ZIP code's value goes before its county's, a preferred measure before both. unknown where nothing is known.
with places as (
    select distinct
        coalesce(zip_code, '') as zip_code,
        coalesce(county_fips_code, '') as county_fips_code
    from {{ ref('core_beneficiaries') }}
),

months as (
    select distinct service_month
    from {{ ref('core_person_months') }}
),

-- What is published for missing values (GQ, QDI, -999) is no number or in no band.
grouped as (
    select
        areas.area_kind,
        areas.area_code,
        bands.group_kind,
        bands.group_value,
        bands.preference,
        months.service_month
    from {{ ref('core_area_measures') }} as areas
    inner join {{ ref('area_bands') }} as bands
        on
            areas.measure = bands.measure
            and try_cast(areas.measure_value as double) >= bands.from_value
            and try_cast(areas.measure_value as double) < bands.below_value
    inner join months
        on
            months.service_month between areas.effective_from and areas.effective_to
            and {{ in_force('bands', 'months.service_month') }}
),

found as (
    select
        places.zip_code,
        places.county_fips_code,
        grouped.service_month,
        grouped.group_kind,
        grouped.group_value,
        grouped.preference,
        1 as coarseness
    from places
    inner join grouped on grouped.area_kind = 'zip_code' and places.zip_code = grouped.area_code
    union all
    select
        places.zip_code,
        places.county_fips_code,
        grouped.service_month,
        grouped.group_kind,
        grouped.group_value,
        grouped.preference,
        2 as coarseness
    from places
    inner join grouped on grouped.area_kind = 'county' and places.county_fips_code = grouped.area_code
),

chosen as (
    select
        zip_code,
        county_fips_code,
        service_month,
        group_kind,
        group_value
    from found
    qualify row_number() over (
        partition by zip_code, county_fips_code, service_month, group_kind
        order by preference, coarseness
    ) = 1
)

select
    {% for kind in area_stratum_kinds() %}
        coalesce(max(case when chosen.group_kind = '{{ kind }}' then chosen.group_value end), 'unknown') as {{ kind }},
    {% endfor %}
    places.zip_code,
    places.county_fips_code,
    months.service_month
from places
cross join months
left join chosen
    on
        places.zip_code = chosen.zip_code
        and places.county_fips_code = chosen.county_fips_code
        and months.service_month = chosen.service_month
group by places.zip_code, places.county_fips_code, months.service_month
