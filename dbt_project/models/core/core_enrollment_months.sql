-- One row a person-month up to the last month asked for: the newest statement about the month.
select
    ids.beneficiary_id,
    enrollment.service_month,
    enrollment.has_part_a,
    enrollment.has_part_b,
    enrollment.is_medicare_advantage,
    enrollment.dual_status_code,
    enrollment.low_income_subsidy_code,
    enrollment.medicare_status_code,
    enrollment.has_hospice_election,
    enrollment.coverage_grain
from {{ ref('stg_landing__enrollment_months') }} as enrollment
inner join {{ ref('core_beneficiary_ids') }} as ids
    on enrollment.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on enrollment.batch_id = deliveries.batch_id
where enrollment.service_month <= cast('{{ var("through_month") }}' as date)
qualify row_number() over (
    partition by ids.beneficiary_id, enrollment.service_month
    order by
        deliveries.delivery_order desc,
        case when enrollment.beneficiary_id = ids.beneficiary_id then 0 else 1 end,
        enrollment.beneficiary_id desc
) = 1
