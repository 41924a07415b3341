-- What may be billed in addition, and what may not because a rule would flag it: upside and downside share one rule set.
with holds as (
    select
        beneficiary_id,
        service_month,
        {{ list_agg_distinct('rule_id') }} as held_by
    from {{ ref('recommendation_holds') }}
    group by beneficiary_id, service_month
)

select
    months.beneficiary_id,
    months.service_month,
    months.practice_tin as practice_id,
    months.practitioner_npi,
    months.state,
    holds.held_by is null as is_recommended,
    coalesce(holds.held_by, {{ empty_list() }}) as held_by,
    eligibility.cannot_assess as not_known,
    months.supported_codes,
    months.billed_codes,
    months.last_counted_date as bill_from_date,
    months.gap_usd,
    cast(case when holds.held_by is null then months.gap_usd else 0 end as decimal(12, 2)) as recommended_usd
from {{ ref('recommendable_months') }} as months
inner join {{ ref('eligibility_months') }} as eligibility
    on months.beneficiary_id = eligibility.beneficiary_id and months.service_month = eligibility.service_month
left join holds
    on months.beneficiary_id = holds.beneficiary_id and months.service_month = holds.service_month
