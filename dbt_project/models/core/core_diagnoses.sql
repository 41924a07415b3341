-- Diagnoses of final-action claims that were not denied as a whole (header denied, or every line denied).
with payable_claims as (
    select
        claims.claim_id,
        claims.claim_version,
        claims.batch_id,
        claims.beneficiary_id,
        claims.claim_class,
        claims.from_date
    from {{ ref('core_claims') }} as claims
    left join
        (
            select
                claim_id,
                bool_and(is_denied) as is_wholly_denied
            from {{ ref('core_claim_lines') }}
            group by claim_id
        ) as denials
        on claims.claim_id = denials.claim_id
    where
        claims.is_final
        and not claims.is_denied
        and not coalesce(denials.is_wholly_denied, false)
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
