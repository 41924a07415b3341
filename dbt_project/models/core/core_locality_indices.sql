-- Price indices of localities: the newest row of each locality and first day, ended by the locality's next row, so that no day
-- has two.
with newest as (
    select
        delivered.pricing_locality,
        delivered.locality_name,
        delivered.effective_from,
        delivered.effective_to,
        delivered.work_gpci,
        delivered.practice_gpci,
        delivered.malpractice_gpci
    from {{ ref('stg_landing__locality_gpci') }} as delivered
    inner join {{ ref('core_deliveries') }} as deliveries
        on delivered.batch_id = deliveries.batch_id
    qualify row_number() over (
        partition by delivered.pricing_locality, delivered.effective_from
        order by deliveries.delivery_order desc
    ) = 1
)

select
    pricing_locality,
    locality_name,
    effective_from,
    least(
        effective_to,
        coalesce(lead(effective_from) over (partition by pricing_locality order by effective_from) - 1, effective_to)
    ) as effective_to,
    work_gpci,
    practice_gpci,
    malpractice_gpci
from newest
