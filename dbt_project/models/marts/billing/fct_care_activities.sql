-- Every activity of the record and whether its time counts: what fct_record_months sums, one by one. Where the work was done and
-- under whose supervision are recorded by few; they do not decide here whether time counts.
{{ config(materialized='view') }}
with judged as (
    {{ care_activities() }}
)

select
    time.activity_id,
    time.beneficiary_id,
    time.service_month,
    time.practitioner_npi,
    time.practice_tin,
    time.staff_id,
    time.staff_credential,
    time.performer_role,
    time.activity,
    time.programme,
    time.started_at,
    time.activity_date,
    time.seconds,
    time.decision_making_level,
    judged.not_counted_reason,
    case when time.staff_country_code is not null then countries.country_code is null end as is_abroad,
    -- a practitioner's own work is nobody's to supervise
    case when time.performer_role = 'practitioner' then true else levels.is_enough end as is_supervised
from {{ ref('core_care_management_time') }} as time
inner join judged on time.activity_id = judged.activity_id
left join {{ ref('us_country_codes') }} as countries
    on
        time.staff_country_code = countries.country_code
        and {{ in_force('countries', 'time.activity_date') }}
left join {{ ref('core_practices') }} as practices on time.practice_tin = practices.practice_tin
left join {{ ref('supervision_levels') }} as levels
    on
        time.supervision = levels.supervision
        and levels.biller = case when practices.practice_type in ('rhc', 'fqhc') then 'clinic' else 'practice' end
        and {{ in_force('levels', 'time.activity_date') }}
