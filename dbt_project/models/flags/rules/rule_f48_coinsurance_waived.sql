-- F48: a practice asked almost nobody for the patient's share of the year's CCM.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F48'
),

limits as (
    select
        subjects.subject_id,
        max(case when limits.limit_name = 'nothing_charged' then limits.limit_value end) as nothing_charged,
        max(case when limits.limit_name = 'nothing_charged_least' then limits.limit_value end) as nothing_charged_least
    from subjects
    inner join {{ ref('rule_limits') }} as limits
        on limits.rule_id = 'F48' and {{ in_force('limits', 'subjects.service_month') }}
    group by subjects.subject_id
),

-- months of which a share was left to the patient and may be asked for
owed_months as (
    select
        subjects.subject_id,
        lines.practice_tin,
        lines.beneficiary_id,
        lines.service_month,
        sum(lines.cost_share_usd) as owed_usd
    from subjects
    inner join {{ ref('subject_lines') }} as lines
        on
            subjects.practice_tin = lines.practice_tin
            and subjects.service_month = cast({{ dbt.date_trunc('year', 'lines.service_month') }} as date)
    left join {{ ref('core_enrollment_months') }} as enrollment
        on lines.beneficiary_id = enrollment.beneficiary_id and lines.service_month = enrollment.service_month
    left join {{ ref('dual_status_meanings') }} as meaning
        on
            enrollment.dual_status_code = meaning.dual_status_code
            and {{ in_force('meaning', 'lines.service_month') }}
    where lines.is_ccm and lines.cost_share_usd > 0 and not coalesce(meaning.is_qmb, false)
    group by subjects.subject_id, lines.practice_tin, lines.beneficiary_id, lines.service_month
),

charges as (
    select
        practice_tin,
        beneficiary_id,
        service_month,
        sum(charged_usd) as charged_usd,
        -- forgiven on hardship found, or after collection failed, is not waived as a habit
        sum(case when coalesce(waiver_reason, 'none') not in ('hardship', 'not_chargeable', 'not_collectable') then waived_usd end)
            as waived_usd,
        bool_or(coalesce(waiver_reason, 'none') in ('hardship', 'not_chargeable', 'not_collectable')) as has_reason
    from {{ ref('core_patient_charges') }}
    group by practice_tin, beneficiary_id, service_month
),

counted as (
    select
        owed_months.subject_id,
        count(charges.beneficiary_id) as known_months,
        count(*) filter (
            where not charges.has_reason
            and (charges.charged_usd = 0 or coalesce(charges.waived_usd, 0) >= charges.charged_usd)
        ) as unasked_months
    from owed_months
    left join charges
        on
            owed_months.practice_tin = charges.practice_tin
            and owed_months.beneficiary_id = charges.beneficiary_id
            and owed_months.service_month = charges.service_month
    group by owed_months.subject_id
),

at_fault as (
    select
        cast(null as {{ dbt.type_string() }}) as subject_id,
        cast(null as {{ dbt.type_string() }}) as claim_line_id,
        cast(null as decimal(14, 2)) as amount_usd,
        cast(null as decimal(14, 2)) as cost_share_usd
    where false
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null
                or (counted.known_months > 0 and counted.known_months < limits.nothing_charged_least)',
            fail='counted.known_months > 0 and counted.unasked_months * 100.0 >= limits.nothing_charged * counted.known_months',
            pass='counted.known_months > 0 and counted.unasked_months * 100.0 < limits.nothing_charged * counted.known_months'
        ) }} as status,
        case
            when counted.subject_id is null then 'no month with a share that the patient may be asked for'
            when counted.known_months = 0 then 'what patients were charged is not delivered'
            else concat(
                'nothing asked in ', cast(counted.unasked_months as {{ dbt.type_string() }}), ' of ',
                cast(counted.known_months as {{ dbt.type_string() }}), ' months with a share'
            )
        end as observed,
        'the share asked for as a rule, forgiven only for a reason found in the case' as required,
        false as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
    left join limits on subjects.subject_id = limits.subject_id
)

{{ rule_rows() }}
