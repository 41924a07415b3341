-- The practice whose record is asked about a person-month: who billed care management, else who recorded time, else who is attributed.
with billed as (
    select
        beneficiary_id,
        service_month,
        max_by(practitioner_npi, fee_schedule_usd) filter (where practitioner_npi is not null) as practitioner_npi,
        max_by(practice_tin, fee_schedule_usd) filter (where practice_tin is not null) as practice_tin
    from
        (
            select
                beneficiary_id,
                service_month,
                practitioner_npi,
                min(practice_tin) as practice_tin,
                -- A total order: dollars first, then the practitioner, so that the choice never depends on row order.
                concat_ws(
                    '',
                    lpad(cast(cast(coalesce(sum(fee_schedule_usd), 0) * 100 as bigint) as {{ dbt.type_string() }}), 12, '0'),
                    practitioner_npi
                ) as fee_schedule_usd
            from {{ ref('fct_billed_lines') }}
            where family = 'CCM'
            group by beneficiary_id, service_month, practitioner_npi
        ) as by_practitioner
    group by beneficiary_id, service_month
),

recorded as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        practice_tin
    from {{ ref('fct_record_months') }}
    qualify row_number() over (
        partition by beneficiary_id, service_month
        order by total_seconds desc, practitioner_npi asc
    ) = 1
)

select
    months.beneficiary_id,
    months.service_month,
    case
        when billed.beneficiary_id is not null then 'billed'
        when recorded.beneficiary_id is not null then 'recorded'
        when attributed.beneficiary_id is not null then 'attributed'
        else 'nobody'
    end as served_by,
    coalesce(billed.practitioner_npi, recorded.practitioner_npi, attributed.practitioner_npi) as practitioner_npi,
    case
        when billed.beneficiary_id is not null then billed.practice_tin
        when recorded.beneficiary_id is not null then recorded.practice_tin
        else attributed.practice_tin
    end as practice_tin,
    attributed.last_visit_date
from {{ ref('core_person_months') }} as months
left join billed
    on months.beneficiary_id = billed.beneficiary_id and months.service_month = billed.service_month
left join recorded
    on months.beneficiary_id = recorded.beneficiary_id and months.service_month = recorded.service_month
left join {{ ref('fct_attribution_months') }} as attributed
    on months.beneficiary_id = attributed.beneficiary_id and months.service_month = attributed.service_month
