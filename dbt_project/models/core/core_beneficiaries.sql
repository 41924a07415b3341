-- One row a person: the newest description, with a date of birth or death (or any other fact) kept where a newer description leaves
-- it out. A description delivered again replaces the earlier delivery of it as a whole, so a fact can be withdrawn.
with descriptions as (
    select
        ids.beneficiary_id,
        beneficiaries.beneficiary_id as delivered_id,
        beneficiaries.reference_date,
        beneficiaries.birth_date,
        beneficiaries.death_date,
        beneficiaries.sex,
        beneficiaries.race_ethnicity_code,
        beneficiaries.race_ethnicity_source,
        beneficiaries.state_code,
        beneficiaries.county_fips_code,
        beneficiaries.zip_code,
        beneficiaries.original_entitlement_code,
        beneficiaries.has_esrd
    from {{ ref('stg_landing__beneficiaries') }} as beneficiaries
    inner join {{ ref('core_deliveries') }} as deliveries
        on beneficiaries.batch_id = deliveries.batch_id
    inner join {{ ref('core_beneficiary_ids') }} as ids
        on beneficiaries.beneficiary_id = ids.delivered_id
    qualify row_number() over (
        partition by beneficiaries.beneficiary_id, beneficiaries.reference_date
        order by deliveries.delivery_order desc
    ) = 1
),

-- Of descriptions of one date under several identifiers, the one under the current identifier is the newest.
described as (
    select
        *,
        row_number() over (
            partition by beneficiary_id
            order by
                reference_date desc,
                case when delivered_id = beneficiary_id then 0 else 1 end,
                delivered_id desc
        ) as recency
    from descriptions
)

select
    beneficiary_id,
    min_by(birth_date, recency) filter (where birth_date is not null) as birth_date,
    min_by(death_date, recency) filter (where death_date is not null) as death_date,
    min_by(sex, recency) filter (where sex is not null) as sex,
    min_by(race_ethnicity_code, recency) filter (where race_ethnicity_code is not null) as race_ethnicity_code,
    min_by(race_ethnicity_source, recency) filter (where race_ethnicity_code is not null) as race_ethnicity_source,
    min_by(state_code, recency) filter (where state_code is not null) as state_code,
    min_by(county_fips_code, recency) filter (where county_fips_code is not null) as county_fips_code,
    min_by(zip_code, recency) filter (where zip_code is not null) as zip_code,
    min_by(original_entitlement_code, recency)
    filter (where original_entitlement_code is not null) as original_entitlement_code,
    min_by(has_esrd, recency) filter (where has_esrd is not null) as has_esrd
from described
group by beneficiary_id
