-- The spine of everything monthly: one row a person and month that the payer said anything about.
select
    enrollment.beneficiary_id,
    enrollment.service_month,
    cast({{ dbt.last_day('enrollment.service_month', 'month') }} as date) as month_end,
    (beneficiaries.death_date is null or beneficiaries.death_date >= enrollment.service_month) as is_alive_on_first,
    beneficiaries.death_date
from {{ ref('core_enrollment_months') }} as enrollment
left join {{ ref('core_beneficiaries') }} as beneficiaries
    on enrollment.beneficiary_id = beneficiaries.beneficiary_id
