-- Minutes that each practitioner's record holds for a person-month: seconds summed first, floored to minutes once.
-- What does not count is decided in one place (macro care_activities). Time by a performer whose credential is unknown counts
-- in the total only.
with activities as (
    select
        *,
        not_counted_reason is not null as is_excluded
    from
        (
            {{ care_activities() }}
        ) as every_activity
    where coalesce(not_counted_reason, '') not in ('other_programme', 'voided')
),

summed as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        min(practice_tin) as practice_tin,
        coalesce(sum(seconds) filter (where not is_excluded and performer_role = 'clinical_staff'), 0) as staff_seconds,
        coalesce(sum(seconds) filter (where not is_excluded and performer_role = 'practitioner'), 0) as practitioner_seconds,
        coalesce(sum(seconds) filter (where not is_excluded and performer_role is null), 0) as unknown_role_seconds,
        coalesce(sum(seconds) filter (where not is_excluded), 0) as total_seconds,
        coalesce(sum(seconds) filter (where is_excluded), 0) as excluded_seconds,
        min(activity_date) filter (where not is_excluded and seconds > 0) as first_counted_date,
        max(activity_date) filter (where not is_excluded and seconds > 0) as last_counted_date,
        max(level_rank) as level_rank
    from activities
    group by beneficiary_id, service_month, practitioner_npi
)

select
    summed.beneficiary_id,
    summed.service_month,
    summed.practitioner_npi,
    summed.practice_tin,
    cast(summed.staff_seconds as bigint) as staff_seconds,
    cast(summed.practitioner_seconds as bigint) as practitioner_seconds,
    cast(summed.unknown_role_seconds as bigint) as unknown_role_seconds,
    cast(summed.total_seconds as bigint) as total_seconds,
    cast(floor(summed.staff_seconds / 60.0) as integer) as staff_minutes,
    cast(floor(summed.practitioner_seconds / 60.0) as integer) as practitioner_minutes,
    cast(floor(summed.total_seconds / 60.0) as integer) as total_minutes,
    cast(summed.excluded_seconds as bigint) as excluded_seconds,
    summed.first_counted_date,
    summed.last_counted_date,
    levels.decision_making_level,
    coalesce(levels.is_complex, false) as is_complex
from summed
left join {{ ref('decision_making_levels') }} as levels
    on summed.level_rank = levels.level_rank and {{ in_force('levels', 'summed.service_month') }}
