-- Diagnoses of final-action claims that were not denied as a whole (header denied, or every line denied).
-- Few claims have a denied line: only these are asked whether every line is.
with claims_with_a_denied_line as (
    select distinct claim_id
    from {{ ref('core_claim_lines') }}
    where is_denied
),

wholly_denied as (
    select lines.claim_id
    from {{ ref('core_claim_lines') }} as lines
    inner join claims_with_a_denied_line as denied on lines.claim_id = denied.claim_id
    group by lines.claim_id
    having bool_and(lines.is_denied)
),

payable_claims as (
    select
        claims.claim_id,
        claims.claim_version,
        claims.batch_id,
        claims.beneficiary_id,
        claims.claim_class,
        claims.from_date
    from {{ ref('core_claims') }} as claims
    left join wholly_denied on claims.claim_id = wholly_denied.claim_id
    where
        claims.is_final
        and not claims.is_denied
        and wholly_denied.claim_id is null
)

select
    diagnoses.claim_id,
    claims.beneficiary_id,
    claims.claim_class,
    claims.from_date,
    diagnoses.line_number,
    diagnoses.role,
    diagnoses.position,
    diagnoses.diagnosis_code,
    diagnoses.icd_version
from {{ ref('stg_landing__claim_diagnoses') }} as diagnoses
inner join payable_claims as claims
    on
        diagnoses.claim_id = claims.claim_id
        and diagnoses.claim_version = claims.claim_version
        and diagnoses.batch_id = claims.batch_id
