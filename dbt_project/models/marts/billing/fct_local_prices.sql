-- Prices that differ from the national ones: by locality, where the user brought its indices, and by the factor of qualifying
-- participants. A locality's price is the sum of relative values times indices, times the factor, rounded once.
with factors as (
    select
        participants.participation,
        factors.conversion_factor,
        greatest(participants.effective_from, factors.effective_from) as effective_from,
        least(participants.effective_to, factors.effective_to) as effective_to
    from {{ ref('fee_schedule_groups') }} as participants
    inner join {{ ref('conversion_factors') }} as factors
        on
            participants.conversion_factor_group = factors.conversion_factor_group
            and participants.effective_from <= factors.effective_to
            and participants.effective_to >= factors.effective_from
),

by_locality as (
    select
        indices.pricing_locality as price_region,
        factors.participation,
        rvus.hcpcs_code,
        factors.conversion_factor,
        rvus.work_rvu * indices.work_gpci as work_value,
        rvus.nonfacility_practice_rvu * indices.practice_gpci as nonfacility_practice_value,
        rvus.facility_practice_rvu * indices.practice_gpci as facility_practice_value,
        rvus.malpractice_rvu * indices.malpractice_gpci as malpractice_value,
        greatest(rvus.effective_from, factors.effective_from, indices.effective_from) as effective_from,
        least(rvus.effective_to, factors.effective_to, indices.effective_to) as effective_to
    from {{ ref('relative_values') }} as rvus
    inner join factors
        on rvus.effective_from <= factors.effective_to and rvus.effective_to >= factors.effective_from
    inner join {{ ref('core_locality_indices') }} as indices
        on rvus.effective_from <= indices.effective_to and rvus.effective_to >= indices.effective_from
)

select
    price_region,
    participation,
    hcpcs_code,
    effective_from,
    effective_to,
    cast(round(
        (work_value + nonfacility_practice_value + malpractice_value) * conversion_factor, 2
    ) as decimal(12, 2)) as nonfacility_usd,
    cast(round(
        (work_value + facility_practice_value + malpractice_value) * conversion_factor, 2
    ) as decimal(12, 2)) as facility_usd
from by_locality
where effective_from <= effective_to
union all
select
    'national' as price_region,
    participants.participation,
    prices.hcpcs_code,
    greatest(participants.effective_from, prices.effective_from) as effective_from,
    least(participants.effective_to, prices.effective_to) as effective_to,
    prices.nonfacility_usd,
    prices.facility_usd
from {{ ref('fee_schedule_groups') }} as participants
inner join {{ ref('fee_schedule_groups') }} as usual
    on
        usual.participation = 'unknown'
        and participants.conversion_factor_group != usual.conversion_factor_group
        and participants.effective_from <= usual.effective_to
        and participants.effective_to >= usual.effective_from
inner join {{ ref('fee_schedule') }} as prices
    on
        participants.conversion_factor_group = prices.conversion_factor_group
        and greatest(participants.effective_from, usual.effective_from) <= prices.effective_to
        and least(participants.effective_to, usual.effective_to) >= prices.effective_from
