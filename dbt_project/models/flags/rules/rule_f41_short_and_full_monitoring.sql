-- F41: codes of remote monitoring that exclude each other were paid to one practitioner for a person and month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F41'
),

pairs as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.hcpcs_code,
        lines.paid_usd,
        lines.cost_share_usd,
        other_lines.claim_line_id as other_claim_line_id,
        other_lines.hcpcs_code as other_hcpcs_code
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('exclusive_codes') }} as pair
        on
            lines.hcpcs_code = pair.hcpcs_code
            and pair.conflict_group = 'remote_monitoring'
            and {{ in_force('pair', 'lines.service_month') }}
    inner join {{ ref('subject_lines') }} as other_lines
        on
            lines.subject_id = other_lines.subject_id
            and pair.other_hcpcs_code = other_lines.hcpcs_code
),

counted as (
    select
        subject_id,
        min(hcpcs_code) || ' beside ' || min(other_hcpcs_code) as observed
    from pairs
    group by subject_id
),

at_fault as (
    select distinct
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from pairs
),

related as (
    select
        subject_id,
        other_claim_line_id as claim_line_id
    from pairs
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            fail='counted.subject_id is not null',
            pass='counted.subject_id is null'
        ) }} as status,
        coalesce(counted.observed, 'no codes that exclude each other') as observed,
        'one code or the other' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
