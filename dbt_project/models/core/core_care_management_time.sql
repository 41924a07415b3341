-- Activities with who performed them: the credential decides, by the policy seed; an unknown credential stays unknown.
with newest as (
    select delivered.*
    from {{ ref('stg_landing__care_management_time') }} as delivered
    inner join {{ ref('core_deliveries') }} as deliveries
        on delivered.batch_id = deliveries.batch_id
    qualify row_number() over (
        partition by delivered.activity_id
        order by deliveries.delivery_order desc
    ) = 1
)

select
    newest.activity_id,
    ids.beneficiary_id,
    newest.practitioner_npi,
    newest.practice_tin,
    newest.staff_id,
    newest.staff_credential,
    newest.staff_country_code,
    newest.supervision,
    credentials.performer_role,
    cast({{ dbt.date_trunc('month', 'newest.started_at') }} as date) as service_month,
    cast(newest.started_at as date) as activity_date,
    newest.started_at,
    newest.seconds,
    newest.activity,
    newest.programme,
    newest.decision_making_level,
    newest.is_voided
from newest
inner join {{ ref('core_beneficiary_ids') }} as ids
    on newest.beneficiary_id = ids.delivered_id
left join {{ ref('staff_credentials') }} as credentials
    on
        newest.staff_credential = credentials.credential
        and cast(newest.started_at as date) between credentials.effective_from and credentials.effective_to
