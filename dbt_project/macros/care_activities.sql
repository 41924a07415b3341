{# Every activity of the record with whether its time counts and, where not, why: the first reason that holds.

   Not counted: other programmes, voided activities, days after death, and days inside a hospital or SNF stay (the day of
   discharge counts, the day of admission does not: see docs/decisions). A whole query; the record's months sum it and the
   explanation of a month lists it, so that both always say the same. #}
{% macro care_activities() %}
select
    time.activity_id,
    time.beneficiary_id,
    time.service_month,
    time.practitioner_npi,
    time.practice_tin,
    time.performer_role,
    time.activity_date,
    time.seconds,
    levels.level_rank,
    case
        when time.programme is null or time.programme <> 'CCM' then 'other_programme'
        when coalesce(time.is_voided, true) then 'voided'
        when time.activity_date > beneficiaries.death_date then 'after_death'
        when bool_or(
            time.activity_date >= stays.start_date
            and (time.activity_date < stays.end_date or time.activity_date = stays.start_date)
        ) then 'during_stay'
    end as not_counted_reason
from {{ ref('core_care_management_time') }} as time
left join {{ ref('core_beneficiaries') }} as beneficiaries
    on time.beneficiary_id = beneficiaries.beneficiary_id
left join {{ ref('core_stays') }} as stays
    on
        time.beneficiary_id = stays.beneficiary_id
        and time.activity_date between stays.start_date and stays.end_date
left join {{ ref('decision_making_levels') }} as levels
    on
        time.decision_making_level = levels.decision_making_level
        and {{ in_force('levels', 'time.activity_date') }}
group by
    time.activity_id,
    time.beneficiary_id,
    time.service_month,
    time.practitioner_npi,
    time.practice_tin,
    time.performer_role,
    time.activity_date,
    time.seconds,
    time.programme,
    time.is_voided,
    levels.level_rank,
    beneficiaries.death_date
{% endmacro %}
