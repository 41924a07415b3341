-- Unbroken months in which everything that Medicare pays for a person shows in claims: alive on the first, Parts A and B, no Medicare
-- Advantage plan. What a source cannot say does not end a span, but is counted. A study needs a span around its index month:
-- its months before are the look-back, its end is where follow-up is censored, and why.
with months as (
    select
        spine.beneficiary_id,
        spine.service_month,
        spine.is_alive_on_first
        and coalesce(enrollment.has_part_a, true)
        and coalesce(enrollment.has_part_b, true)
        and not coalesce(enrollment.is_medicare_advantage, false) as is_observed,
        spine.is_alive_on_first,
        coalesce(enrollment.is_medicare_advantage, false) as is_medicare_advantage,
        (
            enrollment.has_part_a is null or enrollment.has_part_b is null or enrollment.is_medicare_advantage is null
        ) as is_uncertain,
        extract(year from spine.service_month) * 12 + extract(month from spine.service_month) as month_number
    from {{ ref('core_person_months') }} as spine
    inner join {{ ref('core_enrollment_months') }} as enrollment
        on spine.beneficiary_id = enrollment.beneficiary_id and spine.service_month = enrollment.service_month
),

-- Neighbouring observed months share the difference of their number and their place.
placed as (
    select
        *,
        month_number - row_number() over (partition by beneficiary_id order by service_month) as island
    from months
    where is_observed
),

spans as (
    select
        beneficiary_id,
        min(service_month) as first_month,
        max(service_month) as last_month,
        cast(count(*) as integer) as observed_months,
        cast(sum(case when is_uncertain then 1 else 0 end) as integer) as uncertain_months
    from placed
    group by beneficiary_id, island
),

last_month_of_data as (
    select max(service_month) as service_month
    from {{ ref('core_person_months') }}
)

select
    spans.beneficiary_id,
    spans.first_month,
    spans.last_month,
    spans.observed_months,
    spans.uncertain_months,
    case
        when people.death_date < cast({{ dbt.dateadd('month', '1', 'spans.last_month') }} as date) then 'death'
        when spans.last_month = last_month_of_data.service_month then 'end_of_data'
        when following.is_medicare_advantage then 'medicare_advantage'
        when following.beneficiary_id is null then 'not_enrolled'
        when not following.is_alive_on_first then 'death'
        else 'lost_part_a_or_b'
    end as ended_by
from spans
cross join last_month_of_data
left join {{ ref('core_beneficiaries') }} as people on spans.beneficiary_id = people.beneficiary_id
left join months as following
    on
        spans.beneficiary_id = following.beneficiary_id
        and following.service_month = cast({{ dbt.dateadd('month', '1', 'spans.last_month') }} as date)
