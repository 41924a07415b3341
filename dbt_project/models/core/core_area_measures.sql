-- Measures of areas: the newest row of each area, measure and first day, ended by the next row, so that no day has two.
with newest as (
    select
        delivered.area_kind,
        delivered.area_code,
        delivered.measure,
        delivered.measure_value,
        delivered.edition,
        delivered.effective_from,
        delivered.effective_to
    from {{ ref('stg_landing__area_measures') }} as delivered
    inner join {{ ref('core_deliveries') }} as deliveries
        on delivered.batch_id = deliveries.batch_id
    qualify row_number() over (
        partition by delivered.area_kind, delivered.area_code, delivered.measure, delivered.effective_from
        order by deliveries.delivery_order desc
    ) = 1
)

select
    area_kind,
    area_code,
    measure,
    measure_value,
    edition,
    effective_from,
    least(
        effective_to,
        coalesce(
            lead(effective_from) over (partition by area_kind, area_code, measure order by effective_from) - 1,
            effective_to
        )
    ) as effective_to
from newest
