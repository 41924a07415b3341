-- One row a person-month up to the last month asked for: the newest statement about the month. Few months are stated more than once,
-- and only their statements are put in order: all of them are as many as there are person-months.
{% set statements %}
(
    select
        enrollment.*,
        ids.beneficiary_id as current_beneficiary_id
    from {{ ref('stg_landing__enrollment_months') }} as enrollment
    inner join {{ ref('core_beneficiary_ids') }} as ids
        on enrollment.beneficiary_id = ids.delivered_id
    where enrollment.service_month <= cast('{{ var("through_month") }}' as date)
)
{% endset %}
with restated as (
    select
        statements.current_beneficiary_id,
        statements.service_month
    from {{ statements }} as statements
    group by statements.current_beneficiary_id, statements.service_month
    having count(*) > 1
),

ranked as (
    select
        statements.beneficiary_id,
        statements.service_month,
        statements.batch_id,
        row_number() over (
            partition by statements.current_beneficiary_id, statements.service_month
            order by
                deliveries.delivery_order desc,
                case when statements.beneficiary_id = statements.current_beneficiary_id then 0 else 1 end,
                statements.beneficiary_id desc
        ) as recency
    from {{ statements }} as statements
    inner join restated
        on
            statements.current_beneficiary_id = restated.current_beneficiary_id
            and statements.service_month = restated.service_month
    inner join {{ ref('core_deliveries') }} as deliveries
        on statements.batch_id = deliveries.batch_id
)

select
    enrollment.current_beneficiary_id as beneficiary_id,
    enrollment.service_month,
    enrollment.has_part_a,
    enrollment.has_part_b,
    enrollment.is_medicare_advantage,
    enrollment.dual_status_code,
    enrollment.low_income_subsidy_code,
    enrollment.medicare_status_code,
    enrollment.has_hospice_election,
    enrollment.coverage_grain
from {{ statements }} as enrollment
left join ranked
    on
        enrollment.beneficiary_id = ranked.beneficiary_id
        and enrollment.service_month = ranked.service_month
        and enrollment.batch_id = ranked.batch_id
where coalesce(ranked.recency, 1) = 1
