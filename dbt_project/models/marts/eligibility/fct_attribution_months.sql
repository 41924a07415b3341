-- The practitioner who gave a person most of their primary-care visit days in the 12 months before each month.
-- Ties: the latest visit, then the lowest NPI. Visits without a practitioner attribute nobody.
with visit_days as (
    select
        beneficiary_id,
        practitioner_npi,
        cast({{ dbt.date_trunc('month', 'visit_date') }} as date) as visit_month,
        count(distinct visit_date) as visit_days,
        max(visit_date) as last_visit_date,
        -- Two practices on one day: the higher number, so that the choice never depends on row order.
        max_by(practice_tin, concat(cast(visit_date as {{ dbt.type_string() }}), practice_tin))
        filter (where practice_tin is not null) as practice_tin
    from {{ ref('core_visits') }}
    where is_primary_care and practitioner_npi is not null
    group by 1, 2, 3
),

months_ahead as (
    select {{ unnest_list(integer_list(1, 'limit_value')) }} as months
    from {{ ref('eligibility_limits') }}
    where criterion = 'attribution_window'
),

in_window as (
    select
        visit_days.beneficiary_id,
        visit_days.practitioner_npi,
        cast({{ dbt.dateadd('month', 'months_ahead.months', 'visit_days.visit_month') }} as date) as service_month,
        sum(visit_days.visit_days) as visit_days,
        max(visit_days.last_visit_date) as last_visit_date,
        max_by(visit_days.practice_tin, visit_days.last_visit_date)
        filter (where visit_days.practice_tin is not null) as practice_tin
    from visit_days
    cross join months_ahead
    group by 1, 2, 3
)

select
    in_window.beneficiary_id,
    in_window.service_month,
    in_window.practitioner_npi,
    in_window.practice_tin,
    cast(in_window.visit_days as integer) as visit_days,
    cast(in_window.visit_days as double) / sum(in_window.visit_days) over (
        partition by in_window.beneficiary_id, in_window.service_month
    ) as share,
    in_window.last_visit_date
from in_window
inner join {{ ref('core_person_months') }} as months
    on
        in_window.beneficiary_id = months.beneficiary_id
        and in_window.service_month = months.service_month
qualify row_number() over (
    partition by in_window.beneficiary_id, in_window.service_month
    order by in_window.visit_days desc, in_window.last_visit_date desc, in_window.practitioner_npi asc
) = 1
