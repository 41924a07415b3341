-- F28: CCM was paid for a person whose claims show fewer chronic conditions than the programme asks for.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F28'
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from {{ ref('subject_lines') }}
    where is_ccm
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable="criterion.status = 'not_applicable'",
            fail="criterion.status = 'fail'",
            pass="criterion.status = 'pass'"
        ) }} as status,
        criterion.observed,
        criterion.required,
        false as is_certain
    from subjects
    left join {{ ref('fct_eligibility_criteria') }} as criterion
        on
            subjects.beneficiary_id = criterion.beneficiary_id
            and subjects.service_month = criterion.service_month
            and criterion.criterion = 'two_conditions'
)

{{ rule_rows() }}
