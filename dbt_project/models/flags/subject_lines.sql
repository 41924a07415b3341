-- Every care-management line that was paid to a practitioner in a month in which the practitioner was paid for a programme
-- that some rule is about.
with paid_lines as (
    select
        billed.*,
        md5(
            billed.beneficiary_id || '|' || cast(billed.service_month as {{ dbt.type_string() }})
            || '|' || coalesce(billed.practitioner_npi, '')
        ) as subject_id,
        billed.family = 'CCM' as is_ccm
    from {{ ref('fct_billed_lines') }} as billed
    where not coalesce(billed.is_denied, false)
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
