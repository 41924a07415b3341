-- Person, condition and date of every claim that counts towards a condition, for all definitions in one pass over the diagnoses.
-- A claim counts once a condition however often it carries the code. Carrier claims with an excluded BETOS line (equipment,
-- ambulance) are no evidence. A claim that also carries one of the condition's exclude codes is dropped; some codes exclude
-- in the principal place only. Read are the header's numbered list and the lines: admitting diagnoses and reasons for a visit
-- are suspicions, external causes are no conditions.
with equipment_claims as (
    select distinct lines.claim_id
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('excluded_betos') }} as excluded
        on
            lines.betos_code = excluded.betos_code
            and lines.from_date between excluded.effective_from and excluded.effective_to
),

codes as (
    select
        codes.definition,
        codes.condition,
        codes.role,
        codes.icd_version,
        codes.diagnosis_code,
        definitions.one_claim_classes,
        definitions.two_claim_classes,
        definitions.diagnosis_positions
    from {{ ref('condition_codes') }} as codes
    inner join {{ ref('condition_definitions') }} as definitions
        on
            codes.definition = definitions.definition
            and codes.condition = definitions.condition
),

matched as (
    select
        diagnoses.beneficiary_id,
        diagnoses.claim_id,
        diagnoses.claim_class,
        diagnoses.from_date,
        codes.definition,
        codes.condition,
        bool_or(
            codes.role = 'exclude'
            or (codes.role = 'exclude_principal' and diagnoses.role = 'principal')
        ) as is_excluded,
        bool_or(
            codes.role = 'include'
            and case codes.diagnosis_positions
                when 'any' then true
                when 'principal' then diagnoses.role = 'principal'
                when 'first_two' then diagnoses.role in ('principal', 'other') and diagnoses.position <= 2
                else false
            end
        ) as is_included,
        -- The classes are read as a whole word between bars: IP in |IP|SNF|.
        bool_or(position(concat('|', diagnoses.claim_class, '|') in concat('|', codes.one_claim_classes, '|')) > 0)
            as is_one_claim_evidence,
        bool_or(position(concat('|', diagnoses.claim_class, '|') in concat('|', codes.two_claim_classes, '|')) > 0)
            as is_two_claim_evidence
    from {{ ref('core_diagnoses') }} as diagnoses
    inner join codes
        on
            diagnoses.diagnosis_code = codes.diagnosis_code
            and diagnoses.icd_version = codes.icd_version
    where
        diagnoses.claim_class is not null
        and diagnoses.role in ('principal', 'other', 'line')
    group by
        diagnoses.beneficiary_id,
        diagnoses.claim_id,
        diagnoses.claim_class,
        diagnoses.from_date,
        codes.definition,
        codes.condition
)

select
    matched.beneficiary_id,
    matched.definition,
    matched.condition,
    matched.from_date as evidence_date,
    matched.claim_id,
    matched.claim_class,
    matched.is_one_claim_evidence,
    matched.is_two_claim_evidence
from matched
left join equipment_claims on matched.claim_id = equipment_claims.claim_id
where
    matched.is_included
    and not matched.is_excluded
    and (matched.is_one_claim_evidence or matched.is_two_claim_evidence)
    and not (matched.claim_class = 'CAR' and equipment_claims.claim_id is not null)
