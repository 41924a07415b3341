-- F38: a clinic was paid by a code that was not its own that month, by both ways at once, too often, or as a physician's office.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F38'
),

kinds as (
    select distinct
        hcpcs_code,
        kind
    from {{ ref('clinic_code_periods') }}
),

clinic_lines as (
    select
        lines.*,
        kinds.kind,
        periods.times,
        lines.claim_type = 'carrier' as is_professional,
        sum(lines.units) over (
            partition by lines.beneficiary_id, lines.service_month, lines.practice_tin, lines.hcpcs_code
            order by lines.payment_order
        ) as units_of_clinic
    from {{ ref('subject_lines') }} as lines
    inner join kinds on lines.hcpcs_code = kinds.hcpcs_code
    left join {{ ref('clinic_code_periods') }} as periods
        on
            lines.hcpcs_code = periods.hcpcs_code
            and {{ in_force('periods', 'lines.from_date') }}
    where lines.is_of_clinic
),

-- what the clinic itself was paid for the person and month
paid_as_clinic as (
    select distinct
        beneficiary_id,
        service_month,
        practice_tin
    from clinic_lines
    where not is_professional
),

-- individual codes paid to anybody for the person and month, beside which the general code stands
individual_lines as (
    select
        lines.beneficiary_id,
        lines.service_month,
        lines.practice_tin,
        lines.claim_line_id
    from {{ ref('subject_lines') }} as lines
    inner join kinds on lines.hcpcs_code = kinds.hcpcs_code and kinds.kind = 'individual'
    where lines.code_role = 'base' and lines.is_ccm
    union
    select
        beneficiary_id,
        service_month,
        practice_tin,
        claim_line_id
    from clinic_lines
    where kind = 'individual' and code_role = 'base'
),

beside as (
    select
        general.claim_line_id,
        general.subject_id,
        individual.claim_line_id as other_claim_line_id
    from clinic_lines as general
    inner join individual_lines as individual
        on
            general.beneficiary_id = individual.beneficiary_id
            and general.service_month = individual.service_month
    where general.kind = 'general' and not general.is_professional
),

-- what the clinic's record says was done: one programme is one service
recorded as (
    select
        beneficiary_id,
        service_month,
        practice_tin,
        count(distinct programme) as services
    from {{ ref('core_care_management_time') }}
    where not is_voided and seconds > 0
    group by beneficiary_id, service_month, practice_tin
),

judged as (
    select
        lines.*,
        coalesce(lines.is_professional and paid_as_clinic.beneficiary_id is not null, false) as is_paid_as_clinic,
        -- a code that Medicare paid nobody that day is another rule's
        coalesce(lines.is_in_force and not lines.is_professional and lines.times is null, false) as is_outside,
        lines.kind = 'general' and lines.times = 'once' and lines.units_of_clinic > 1 as is_repeated,
        lines.kind = 'general' and lines.times = 'distinct_services' and lines.units_of_clinic > 1 as is_several,
        coalesce(practice.keeps_time, false) as keeps_time,
        lines.units_of_clinic > coalesce(recorded.services, 0) as is_beyond_services,
        coalesce(lines.claim_line_id in (select beside.claim_line_id from beside), false) as is_beside
    from clinic_lines as lines
    left join paid_as_clinic
        on
            lines.beneficiary_id = paid_as_clinic.beneficiary_id
            and lines.service_month = paid_as_clinic.service_month
            and lines.practice_tin = paid_as_clinic.practice_tin
    left join {{ ref('core_practice_records') }} as practice on lines.practice_tin = practice.practice_tin
    left join recorded
        on
            lines.beneficiary_id = recorded.beneficiary_id
            and lines.service_month = recorded.service_month
            and lines.practice_tin = recorded.practice_tin
),

weighed as (
    select
        *,
        is_outside or (is_professional and is_paid_as_clinic) as is_certain_fault,
        is_professional or is_repeated or is_beside or (is_several and keeps_time and is_beyond_services) as is_likely_fault,
        is_several and not keeps_time as is_unknown
    from judged
),

counted as (
    select
        subject_id,
        bool_or(is_certain_fault) as is_certain,
        bool_or(is_certain_fault or is_likely_fault) as is_at_fault,
        bool_or(is_unknown) as is_unknown,
        {{ list_join(list_agg_distinct(
            "case
                when is_outside then hcpcs_code || ' outside the time in which clinics are paid by it'
                when is_professional and is_paid_as_clinic then hcpcs_code || ' on a professional claim beside the clinic''s own'
                when is_professional then hcpcs_code || ' on a professional claim of a clinic'
                when is_beside then hcpcs_code || ' beside an individual code'
                when is_repeated then hcpcs_code || ' more than once'
                when is_several then hcpcs_code || ' more than once, services told apart by the record only'
            end"
        ), '; ') }} as observed
    from weighed
    group by subject_id
),

-- what is certain is named alone: a doubt beside it must not lower it, nor be raised by it
at_fault as (
    select
        weighed.subject_id,
        weighed.claim_line_id,
        case
            when weighed.is_repeated or weighed.is_several
                then weighed.paid_usd * least(weighed.units, weighed.units_of_clinic - 1) / weighed.units
            else weighed.paid_usd
        end as amount_usd,
        case
            when weighed.is_repeated or weighed.is_several
                then weighed.cost_share_usd * least(weighed.units, weighed.units_of_clinic - 1) / weighed.units
            else weighed.cost_share_usd
        end as cost_share_usd
    from weighed
    inner join counted on weighed.subject_id = counted.subject_id
    where weighed.is_certain_fault or (weighed.is_likely_fault and not counted.is_certain)
),

related as (
    select
        beside.subject_id,
        beside.other_claim_line_id as claim_line_id
    from beside
    inner join at_fault on beside.claim_line_id = at_fault.claim_line_id
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.is_at_fault',
            pass='not counted.is_at_fault and not counted.is_unknown'
        ) }} as status,
        coalesce(nullif(counted.observed, ''), 'the codes of a clinic') as observed,
        'codes by which clinics are paid that month, on institutional claims, each service once' as required,
        coalesce(counted.is_certain or not counted.is_at_fault, true) as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
