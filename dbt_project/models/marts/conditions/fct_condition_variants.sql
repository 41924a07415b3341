-- The published variants of "two or more chronic conditions" side by side, for the people of each December and of the last month:
-- what holds on the eve of the month, and how many conditions are left when each code may stand for one only.
-- One code can name two or three conditions. The most that distinct codes can stand for is the number of conditions less the
-- greatest shortage of codes among those that share some: over all subsets of them, conditions of the subset less codes that name
-- any of it (the deficiency version of Hall's theorem), so no matching has to be searched.
with months as (
    select distinct service_month
    from {{ ref('core_person_months') }}
),

told_months as (
    select service_month
    from months
    where
        extract(month from service_month) = 12
        or service_month = (select max(every_month.service_month) from months as every_month)
),

variants as (
    select
        told_months.service_month,
        variants.variant,
        variants.definition,
        variants.counting_set,
        variants.is_headline
    from told_months
    inner join {{ ref('condition_variants') }} as variants
        on {{ in_force('variants', 'told_months.service_month') }}
    {% if not uses_chronic_indicator() %}
        where variants.definition in (select codes.definition from {{ ref('condition_codes') }} as codes)
    {% endif %}
),

people as (
    select
        spine.beneficiary_id,
        spine.service_month
    from {{ ref('core_person_months') }} as spine
    inner join told_months on spine.service_month = told_months.service_month
),

held as (
    select
        people.beneficiary_id,
        people.service_month,
        variants.variant,
        definitions.condition_key,
        definitions.lookback_months
    from people
    inner join {{ ref('condition_intervals') }} as intervals
        on
            people.beneficiary_id = intervals.beneficiary_id
            and people.service_month > intervals.start_date
            and people.service_month <= intervals.end_date + 1
    inner join variants
        on
            people.service_month = variants.service_month
            and intervals.definition = variants.definition
    inner join {{ ref('condition_counting_sets') }} as sets
        on
            variants.counting_set = sets.counting_set
            and intervals.definition = sets.definition
            and intervals.condition = sets.condition
    inner join {{ ref('condition_definitions') }} as definitions
        on
            intervals.definition = definitions.definition
            and intervals.condition = definitions.condition
),

counted as (
    select
        beneficiary_id,
        service_month,
        variant,
        count(*) as n_conditions
    from held
    group by beneficiary_id, service_month, variant
),

-- conditions of a variant that share a code with another of it, numbered from 0
shared_codes as (
    select
        named.variant,
        codes.icd_version,
        codes.diagnosis_code
    from (
        select distinct variant, definition, counting_set
        from variants
    ) as named
    inner join {{ ref('condition_counting_sets') }} as sets
        on named.counting_set = sets.counting_set and named.definition = sets.definition
    inner join {{ ref('condition_codes') }} as codes
        on sets.definition = codes.definition and sets.condition = codes.condition
    where codes.role = 'include'
    group by named.variant, codes.icd_version, codes.diagnosis_code
    having count(distinct codes.condition) > 1
),

sharing as (
    select
        shared_codes.variant,
        definitions.condition_key,
        cast(power(2, row_number() over (
            partition by shared_codes.variant order by definitions.condition_key
        ) - 1) as integer) as bit
    from shared_codes
    inner join {{ ref('condition_variants') }} as variants on shared_codes.variant = variants.variant
    inner join {{ ref('condition_counting_sets') }} as sets
        on variants.counting_set = sets.counting_set and variants.definition = sets.definition
    inner join {{ ref('condition_codes') }} as codes
        on
            sets.definition = codes.definition
            and sets.condition = codes.condition
            and shared_codes.icd_version = codes.icd_version
            and shared_codes.diagnosis_code = codes.diagnosis_code
            and codes.role = 'include'
    inner join {{ ref('condition_definitions') }} as definitions
        on sets.definition = definitions.definition and sets.condition = definitions.condition
    group by shared_codes.variant, definitions.condition_key
),

-- of each person, the codes that stand behind such conditions, with the conditions that each may stand for
coded as (
    select
        held.beneficiary_id,
        held.service_month,
        held.variant,
        evidence.diagnosis_code,
        cast(sum(distinct sharing.bit) as integer) as bits
    from held
    inner join sharing on held.variant = sharing.variant and held.condition_key = sharing.condition_key
    inner join {{ ref('fct_condition_evidence') }} as evidence
        on
            held.beneficiary_id = evidence.beneficiary_id
            and held.condition_key = evidence.condition_key
            and held.service_month > evidence.evidence_date
            and cast({{ dbt.dateadd('month', '-held.lookback_months', 'held.service_month') }} as date)
            <= evidence.evidence_date
    group by held.beneficiary_id, held.service_month, held.variant, evidence.diagnosis_code
),

held_bits as (
    select
        coded.beneficiary_id,
        coded.service_month,
        coded.variant,
        max(held_together.bits) as bits
    from coded
    inner join (
        select
            held.beneficiary_id,
            held.service_month,
            held.variant,
            cast(sum(sharing.bit) as integer) as bits
        from held
        inner join sharing on held.variant = sharing.variant and held.condition_key = sharing.condition_key
        group by held.beneficiary_id, held.service_month, held.variant
    ) as held_together
        on
            coded.beneficiary_id = held_together.beneficiary_id
            and coded.service_month = held_together.service_month
            and coded.variant = held_together.variant
    group by coded.beneficiary_id, coded.service_month, coded.variant
    -- codes that name one condition each leave no shortage
    having bool_or(bit_count(coded.bits) > 1)
),

subsets as (
    select
        variant,
        {{ unnest_list(integer_list(1, 'bits')) }} as bits
    from (
        select
            variant,
            cast(sum(bit) as integer) as bits
        from sharing
        group by variant
    ) as universes
),

shortages as (
    select
        held_bits.beneficiary_id,
        held_bits.service_month,
        held_bits.variant,
        subsets.bits,
        max(bit_count(cast(subsets.bits as integer))) - count(*) filter (
            where (coded.bits & cast(subsets.bits as integer)) != 0
        ) as shortage
    from held_bits
    inner join subsets
        on
            held_bits.variant = subsets.variant
            and (cast(subsets.bits as integer) & held_bits.bits) = cast(subsets.bits as integer)
    inner join coded
        on
            held_bits.beneficiary_id = coded.beneficiary_id
            and held_bits.service_month = coded.service_month
            and held_bits.variant = coded.variant
    group by held_bits.beneficiary_id, held_bits.service_month, held_bits.variant, subsets.bits
),

greatest_shortages as (
    select
        beneficiary_id,
        service_month,
        variant,
        greatest(0, max(shortage)) as shortage
    from shortages
    group by beneficiary_id, service_month, variant
),

limits as (
    select max(case when criterion = 'two_conditions' then limit_value end) as conditions_required
    from {{ ref('eligibility_limits') }}
)

select
    people.beneficiary_id,
    people.service_month,
    variants.variant,
    variants.definition,
    variants.counting_set,
    variants.is_headline,
    cast(coalesce(counted.n_conditions, 0) as integer) as n_conditions,
    cast(coalesce(counted.n_conditions, 0) - coalesce(greatest_shortages.shortage, 0) as integer)
        as n_conditions_distinct_code,
    coalesce(counted.n_conditions, 0) >= limits.conditions_required as is_met,
    coalesce(counted.n_conditions, 0) - coalesce(greatest_shortages.shortage, 0) >= limits.conditions_required
        as is_met_by_distinct_codes
from people
inner join variants on people.service_month = variants.service_month
cross join limits
left join counted
    on
        people.beneficiary_id = counted.beneficiary_id
        and people.service_month = counted.service_month
        and variants.variant = counted.variant
left join greatest_shortages
    on
        people.beneficiary_id = greatest_shortages.beneficiary_id
        and people.service_month = greatest_shortages.service_month
        and variants.variant = greatest_shortages.variant
