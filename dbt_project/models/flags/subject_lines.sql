-- Every care-management line that was paid to a practitioner in a month in which the practitioner was paid for a programme
-- that some rule is about. Asked about proposals (`is_about_proposals`), the same for people with a proposed bill, as if it
-- had been sent and paid: rules are written once and read both.
with accepted_lines as (
    -- columns in the order of fct_proposed_lines
    select
        claim_line_id,
        claim_id,
        claim_type,
        beneficiary_id,
        service_month,
        from_date,
        practitioner_npi,
        practice_tin,
        hcpcs_code,
        family,
        lane,
        code_role,
        performed_by,
        is_in_force,
        units,
        place_of_service_code,
        setting,
        allowed_usd,
        paid_usd,
        deductible_usd,
        coinsurance_usd,
        processed_date
    from {{ ref('fct_billed_lines') }}
    where not coalesce(is_denied, false)
),

{% if is_about_proposals() %}
    proposed_months as (
        select distinct
            beneficiary_id,
            service_month,
            practitioner_npi
        from {{ ref('fct_proposed_lines') }}
    ),

    lines as (
        select accepted.*
        from accepted_lines as accepted
        left join proposed_months as months
            on
                accepted.beneficiary_id = months.beneficiary_id
                and accepted.service_month = months.service_month
                and accepted.practitioner_npi = months.practitioner_npi
        where
            accepted.beneficiary_id in (select people.beneficiary_id from proposed_months as people)
            -- the proposed bill stands in place of the practitioner's own of that month
            and (accepted.family != 'CCM' or months.beneficiary_id is null)
        union all
        select *
        from {{ ref('fct_proposed_lines') }}
    ),
{% else %}
    lines as (
        select *
        from accepted_lines
    ),
{% endif %}

paid_lines as (
    select
        *,
        md5(
            beneficiary_id || '|' || cast(service_month as {{ dbt.type_string() }})
            || '|' || coalesce(practitioner_npi, '')
        ) as subject_id,
        family = 'CCM' as is_ccm
    from lines
),

families as (
    select distinct paid_lines.family
    from paid_lines
    inner join {{ ref('rule_catalogue') }} as catalogue
        on {{ is_among('paid_lines.family', 'catalogue.families') }}
),

subjects as (
    select distinct paid_lines.subject_id
    from paid_lines
    inner join families on paid_lines.family = families.family
),

-- Rural health clinics and health centres are told by their practice's type or by their type of bill.
clinic_claims as (
    select distinct claims.claim_id
    from {{ ref('core_claims') }} as claims
    inner join {{ ref('clinic_bill_types') }} as clinics
        on
            substr(trim(leading '0' from claims.bill_type_code), 1, 2) = clinics.bill_type_prefix
            and {{ in_force('clinics', 'claims.from_date') }}
    where claims.is_final and claims.claim_type = 'outpatient'
)

select
    lines.subject_id,
    lines.beneficiary_id,
    lines.service_month,
    lines.practitioner_npi,
    lines.practice_tin,
    lines.claim_line_id,
    lines.claim_id,
    lines.claim_type,
    lines.from_date,
    lines.hcpcs_code,
    lines.family,
    lines.lane,
    lines.code_role,
    lines.performed_by,
    lines.is_ccm,
    lines.is_in_force,
    lines.units,
    lines.place_of_service_code,
    lines.setting,
    clinic_claims.claim_id is not null or coalesce(practices.practice_type, 'unknown') in ('rhc', 'fqhc') as is_of_clinic,
    lines.allowed_usd,
    -- units of this code in the practitioner-month up to and including this line, in order of payment
    sum(lines.units) over (
        partition by lines.subject_id, lines.hcpcs_code
        order by lines.processed_date nulls last, lines.claim_id, lines.claim_line_id
        rows between unbounded preceding and current row
    ) as units_through,
    -- who was paid first; the claim identifier decides between equal days (an assumption of ours, not Medicare's)
    row_number() over (
        partition by lines.beneficiary_id, lines.service_month
        order by lines.processed_date nulls last, lines.claim_id, lines.claim_line_id
    ) as payment_order,
    coalesce(lines.paid_usd, 0) as paid_usd,
    coalesce(lines.deductible_usd, 0) + coalesce(lines.coinsurance_usd, 0) as cost_share_usd
from paid_lines as lines
inner join subjects on lines.subject_id = subjects.subject_id
left join clinic_claims on lines.claim_id = clinic_claims.claim_id
left join {{ ref('core_practices') }} as practices on lines.practice_tin = practices.practice_tin
