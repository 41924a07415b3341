-- Every activity of the record and whether its time counts: what fct_record_months sums, one by one.
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
    judged.not_counted_reason
from {{ ref('core_care_management_time') }} as time
inner join judged on time.activity_id = judged.activity_id
