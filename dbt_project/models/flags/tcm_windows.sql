-- Paid transitional-care lines with the discharge they belong to and the days that they cover.
-- The discharge is the last one on or before the day of service whose days (its own is the first) reach that day.
with lines as (
    select
        lines.*,
        period.days as period_days,
        visit.days as visit_days
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('service_windows') }} as period
        on
            lines.family = period.service
            and period.measure = 'period_after_discharge'
            and {{ in_force('period', 'lines.from_date') }}
    left join {{ ref('service_windows') }} as visit
        on
            lines.hcpcs_code = visit.service
            and visit.measure = 'visit_after_discharge'
            and {{ in_force('visit', 'lines.from_date') }}
),

discharges as (
    select
        lines.claim_line_id,
        max(stay.end_date) as discharge_date
    from lines
    inner join {{ ref('core_stays') }} as stay
        on
            lines.beneficiary_id = stay.beneficiary_id
            and lines.from_date >= stay.end_date
            and stay.end_date >= {{ dbt.dateadd('day', '1 - lines.period_days', 'lines.from_date') }}
    group by lines.claim_line_id
)

select
    lines.subject_id,
    lines.beneficiary_id,
    lines.service_month,
    lines.practitioner_npi,
    lines.claim_line_id,
    lines.hcpcs_code,
    lines.from_date,
    lines.payment_order,
    lines.paid_usd,
    lines.cost_share_usd,
    lines.visit_days,
    discharges.discharge_date,
    -- without a discharge, the latest day on which it can have been for the visit to be in time
    cast(coalesce(
        discharges.discharge_date, {{ dbt.dateadd('day', '-lines.visit_days', 'lines.from_date') }}
    ) as date) as window_start,
    cast({{ dbt.dateadd('day', 'lines.period_days - 1', 'coalesce(
        discharges.discharge_date, ' ~ dbt.dateadd('day', '-lines.visit_days', 'lines.from_date') ~ '
    )') }} as date) as window_end
from lines
left join discharges on lines.claim_line_id = discharges.claim_line_id
