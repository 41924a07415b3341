-- Rules that would flag a bill for what the record supports, month by month: who is held by one is not recommended.
-- Eligibility's own criteria need no word here: an unbilled month is only a candidate where screen_eligible is true.
with months as (
    select * from {{ ref('recommendable_months') }}
),

paid as (
    select *
    from {{ ref('fct_billed_lines') }}
    where not coalesce(is_denied, false)
),

-- what fails already for the practitioner's bill of the month
flagged as (
    select
        months.beneficiary_id,
        months.service_month,
        results.rule_id
    from months
    inner join {{ ref('rule_results') }} as results
        on
            months.beneficiary_id = results.beneficiary_id
            and months.service_month = results.service_month
            and months.practitioner_npi = results.practitioner_npi
            and results.status = 'fail'
    inner join {{ ref('rule_catalogue') }} as catalogue
        on results.rule_id = catalogue.rule_id and catalogue.severity != 'information'
    -- where CCM is not billed yet, what fails is another programme's
    where months.is_billed
),

-- an add-on is missing on a bill whose base was denied
baseless as (
    select
        months.beneficiary_id,
        months.service_month,
        'F10' as rule_id
    from months
    left join paid
        on
            months.beneficiary_id = paid.beneficiary_id
            and months.service_month = paid.service_month
            and months.practitioner_npi = paid.practitioner_npi
            and paid.family = 'CCM'
            and paid.code_role = 'base'
    where months.is_billed and paid.claim_line_id is null
),

-- services paid in the month that exclude CCM, and CCM of somebody else
beside as (
    select
        months.beneficiary_id,
        months.service_month,
        case
            when paid.family = 'CCM' then 'F02'
            when paid.family = 'CPO' then 'F04'
            when paid.family in ('ESRD_MONTHLY', 'ESRD_DAILY') then 'F05'
            when paid.family = 'PCM' then 'F07'
            else 'F08'
        end as rule_id
    from months
    inner join paid
        on
            months.beneficiary_id = paid.beneficiary_id
            and months.service_month = paid.service_month
    left join {{ ref('code_conflicts') }} as conflict
        on
            conflict.family = 'CCM'
            and paid.family = conflict.other_family
            and {{ in_force('conflict', 'months.service_month') }}
            and (
                (conflict.scope = 'practitioner_month' and months.practitioner_npi = paid.practitioner_npi)
                or (conflict.scope = 'practice_month' and months.practice_tin = paid.practice_tin)
            )
    where
        conflict.family is not null
        or (paid.family = 'CCM' and coalesce(paid.practitioner_npi, '') != months.practitioner_npi)
),

transitional as (
    select
        months.beneficiary_id,
        months.service_month,
        'F06' as rule_id
    from months
    inner join {{ ref('tcm_windows') }} as tcm
        on
            months.beneficiary_id = tcm.beneficiary_id
            and months.practitioner_npi = tcm.practitioner_npi
            and months.service_month <= tcm.window_end
            and months.month_end >= tcm.window_start
    inner join {{ ref('code_conflicts') }} as conflict
        on
            conflict.family = 'CCM'
            and conflict.other_family = 'TCM'
            and conflict.scope = 'practitioner_discharge'
            and {{ in_force('conflict', 'months.service_month') }}
),

doubtful as (
    select *
    from
        (
            {{ doubtful_minutes() }}
        ) as doubts
    where reason in ('used_twice', 'overlapping', 'visit_day', 'planning_day')
),

-- units that the record still supports without the seconds in doubt
weighed as (
    select
        months.beneficiary_id,
        months.service_month,
        doubtful.reason,
        readings.units,
        needs_complex.lane is not null as is_complex,
        ladder.first_minute,
        ladder.block_minutes,
        case
            when codes.performed_by = 'practitioner'
                then record.practitioner_seconds + record.unknown_role_seconds - doubtful.practitioner_seconds
            else record.total_seconds - doubtful.total_seconds
        end as seconds_without
    from months
    inner join doubtful
        on
            months.beneficiary_id = doubtful.beneficiary_id
            and months.service_month = doubtful.service_month
            and months.practitioner_npi = doubtful.practitioner_npi
    inner join {{ ref('fct_record_months') }} as record
        on
            months.beneficiary_id = record.beneficiary_id
            and months.service_month = record.service_month
            and months.practitioner_npi = record.practitioner_npi
    inner join {{ ref('fct_billable_readings') }} as readings
        on
            months.beneficiary_id = readings.beneficiary_id
            and months.service_month = readings.service_month
            and months.practitioner_npi = readings.practitioner_npi
            and months.supported_reading = readings.reading
    inner join {{ ref('time_ladder') }} as ladder
        on
            readings.hcpcs_code = ladder.hcpcs_code
            and {{ in_force('ladder', 'months.month_end') }}
    inner join {{ ref('care_management_codes') }} as codes
        on
            readings.hcpcs_code = codes.hcpcs_code
            and {{ in_force('codes', 'months.month_end') }}
    left join (
        select distinct lane
        from {{ ref('billable_readings') }}
        where needs_complex
    ) as needs_complex
        on readings.lane = needs_complex.lane
),

borrowing as (
    select
        beneficiary_id,
        service_month,
        case reason
            when 'used_twice' then 'F20'
            when 'overlapping' then 'F21'
            when 'visit_day' then 'F23'
            else 'F33'
        end as rule_id
    from weighed
    where
        (reason != 'visit_day' or is_complex)
        and units > greatest(0, floor((floor(seconds_without / 60.0) - first_minute) / block_minutes) + 1)
),

consents as (
    select
        months.beneficiary_id,
        months.service_month,
        coalesce(bool_and(practice.keeps_consents), false) as keeps_consents,
        count(consent.consent_id) as consents,
        coalesce(bool_or(consent.revoked_date is null or consent.revoked_date >= months.service_month), false) as is_in_force,
        coalesce(bool_or(
            coalesce(consent.practitioner_npi, months.practitioner_npi) = months.practitioner_npi
            and (consent.revoked_date is null or consent.revoked_date >= months.service_month)
        ), false) as names_practitioner,
        coalesce(bool_or(
            consent.consent_date <= months.first_counted_date
            and (consent.revoked_date is null or consent.revoked_date >= months.service_month)
            and (
                policy.required_mode = 'any'
                or coalesce(consent.consent_mode, policy.required_mode) = policy.required_mode
            )
        ), false) as is_in_time
    from months
    inner join {{ ref('consent_rules') }} as policy on {{ in_force('policy', 'months.service_month') }}
    left join {{ ref('core_practice_records') }} as practice on months.practice_tin = practice.practice_tin
    left join {{ ref('core_consents') }} as consent
        on
            months.beneficiary_id = consent.beneficiary_id
            and months.month_end >= consent.consent_date
            and (months.practitioner_npi = consent.practitioner_npi or months.practice_tin = consent.practice_tin)
    group by months.beneficiary_id, months.service_month
),

plans as (
    select
        months.beneficiary_id,
        months.service_month,
        coalesce(bool_and(practice.keeps_care_plans), false) as keeps_care_plans,
        count(plan.care_plan_id) as plans,
        coalesce(bool_or(
            case when plan.last_revised_date <= months.month_end then plan.last_revised_date else plan.created_date end
            >= cast({{ dbt.dateadd('month', '-limits.limit_value', 'months.service_month') }} as date)
            or plan.last_revised_date > months.month_end
        ), false) as may_be_current,
        coalesce(bool_or(
            plan.given_to_patient_date <= months.month_end
            or (plan.last_revised_date > months.month_end and plan.given_to_patient_date >= plan.last_revised_date)
        ), false) as may_be_given,
        coalesce(bool_or(
            plan.created_date >= months.service_month or plan.last_revised_date >= months.service_month
        ), false) as may_be_new,
        coalesce(bool_or(months.supported_reading = complex_readings.reading), false) as is_complex
    from months
    cross join (
        select limit_value
        from {{ ref('eligibility_limits') }}
        where criterion = 'care_plan_age'
    ) as limits
    left join (
        select distinct reading
        from {{ ref('billable_readings') }}
        where needs_complex
    ) as complex_readings
        on months.supported_reading = complex_readings.reading
    left join {{ ref('core_practice_records') }} as practice on months.practice_tin = practice.practice_tin
    left join {{ ref('core_care_plans') }} as plan
        on
            months.beneficiary_id = plan.beneficiary_id
            and months.practice_tin = plan.practice_tin
            and months.month_end >= plan.created_date
    group by months.beneficiary_id, months.service_month
),

documents as (
    select
        beneficiary_id,
        service_month,
        {{ unnest_list(list_non_null([
            "case when keeps_consents and not is_in_time then 'F24' end",
            "case when consents > 0 and is_in_force and not names_practitioner then 'F25' end",
            "case when consents > 0 and not is_in_force then 'F50' end"])) }} as rule_id
    from consents

    union all

    select
        plans.beneficiary_id,
        plans.service_month,
        {{ unnest_list(list_non_null([
            "case when (plans.plans = 0 and plans.keeps_care_plans) "
            ~ "or (plans.plans > 0 and not (plans.may_be_current and plans.may_be_given)) then 'F30' end",
            "case when plans.is_complex and plans.keeps_care_plans and not plans.may_be_new and new_plan.rule_id is not null "
            ~ "then 'F31' end"])) }} as rule_id
    from plans
    left join {{ ref('rule_catalogue') }} as new_plan
        on new_plan.rule_id = 'F31' and {{ in_force('new_plan', 'plans.service_month') }}
),

visits as (
    select
        months.beneficiary_id,
        months.service_month,
        months.practitioner_npi,
        max(facts.observed_months) as observed_months,
        max(policy.lookback_months) as lookback_months,
        count(visit.visit_id) filter (where visit.is_initiating_visit) as initiating_visits,
        count(visit.visit_id) filter (
            where visit.is_initiating_visit or policy.requirement != 'before_first_bill'
        ) as enough_visits
    from months
    inner join {{ ref('initiating_visit_rules') }} as policy on {{ in_force('policy', 'months.service_month') }}
    inner join {{ ref('eligibility_months') }} as facts
        on months.beneficiary_id = facts.beneficiary_id and months.service_month = facts.service_month
    left join {{ ref('core_visits') }} as visit
        on
            months.beneficiary_id = visit.beneficiary_id
            and cast({{ dbt.dateadd('month', '-policy.lookback_months', 'months.service_month') }} as date) <= visit.visit_date
            and months.last_counted_date >= visit.visit_date
            and (months.practitioner_npi = visit.practitioner_npi or months.practice_tin = visit.practice_tin)
    where not months.is_billed
    group by months.beneficiary_id, months.service_month, months.practitioner_npi
),

beginnings as (
    select
        visits.beneficiary_id,
        visits.service_month,
        'F26' as rule_id
    from visits
    where visits.enough_visits = 0 and visits.observed_months >= visits.lookback_months

    union all

    -- a month shortly after one whose beginning is in question continues it
    select
        visits.beneficiary_id,
        visits.service_month,
        earlier.rule_id
    from visits
    inner join {{ ref('rule_results') }} as earlier
        on
            visits.beneficiary_id = earlier.beneficiary_id
            and visits.practitioner_npi = earlier.practitioner_npi
            and earlier.rule_id = 'F26'
            and earlier.status = 'fail'
            and visits.service_month > earlier.service_month
            and visits.service_month <= {{ dbt.dateadd('month', 'visits.lookback_months', 'earlier.service_month') }}

    union all

    -- seen, but only in ways that begin nothing
    select
        visits.beneficiary_id,
        visits.service_month,
        'F27' as rule_id
    from visits
    inner join months on visits.beneficiary_id = months.beneficiary_id and visits.service_month = months.service_month
    inner join {{ ref('core_claim_lines') }} as line
        on
            months.beneficiary_id = line.beneficiary_id
            and cast({{ dbt.dateadd('month', '-visits.lookback_months', 'months.service_month') }} as date) <= line.from_date
            and months.month_end >= line.from_date
            and not line.is_denied
            and (months.practitioner_npi = line.rendering_npi or months.practice_tin = line.practice_tin)
    inner join {{ ref('non_initiating_visit_codes') }} as codes
        on
            line.hcpcs_code = codes.hcpcs_code
            and {{ in_force('codes', 'line.from_date') }}
    where visits.initiating_visits = 0
),

licences as (
    select
        months.beneficiary_id,
        months.service_month,
        'F34' as rule_id
    from months
    inner join {{ ref('core_providers') }} as provider on months.practitioner_npi = provider.npi
    inner join {{ ref('limited_licence_specialties') }} as limited
        on
            provider.specialty_code = limited.specialty_code
            and {{ in_force('limited', 'months.service_month') }}
)

{% for source in ['flagged', 'baseless', 'beside', 'transitional', 'borrowing', 'documents', 'beginnings', 'licences'] -%}
    select
        beneficiary_id,
        service_month,
        rule_id
    from {{ source }}
    {{ 'union' if not loop.last }}
{% endfor %}
