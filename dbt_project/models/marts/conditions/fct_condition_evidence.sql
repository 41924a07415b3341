-- Diagnoses that count towards a condition, for all definitions in one pass. Carrier claims with an excluded BETOS line
-- (equipment, ambulance) are no evidence. A claim that also carries one of the condition's exclude codes is dropped; some codes
-- exclude in the principal place only. Read are the header's numbered list and the lines: admitting diagnoses and reasons for
-- a visit are suspicions, external causes are no conditions.
-- A view: its rows are several times the diagnoses, and writing them takes longer than making them again.
{{ config(materialized='view') }}
with equipment_claims as (
    select distinct
        lines.beneficiary_id,
        lines.claim_id,
        'CAR' as claim_class
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('excluded_betos') }} as excluded
        on
            lines.betos_code = excluded.betos_code
            and lines.from_date between excluded.effective_from and excluded.effective_to
),

classes as (
    select distinct claim_class
    from {{ ref('claim_classes') }}
),

-- What a code is worth on a claim of each class, worked out once a code instead of once a diagnosis.
-- The classes are read as a whole word between bars: IP in |IP|SNF|.
codes as (
    select
        definitions.condition_key,
        codes.definition,
        codes.condition,
        codes.role,
        codes.icd_version,
        codes.diagnosis_code,
        definitions.diagnosis_positions,
        classes.claim_class,
        position(concat('|', classes.claim_class, '|') in concat_ws('', '|', definitions.one_claim_classes, '|')) > 0
            as is_one_claim_evidence,
        position(concat('|', classes.claim_class, '|') in concat_ws('', '|', definitions.two_claim_classes, '|')) > 0
            as is_two_claim_evidence
    from {% if uses_chronic_indicator() %}(
        select definition, condition, role, icd_version, diagnosis_code
        from {{ ref('condition_codes') }}
        union all
        select definition, condition, 'include' as role, icd_version, diagnosis_code
        from {{ ref('chronic_indicator_codes') }}
    ) as codes{% else %}{{ ref('condition_codes') }} as codes{% endif %}

    inner join {{ ref('condition_definitions') }} as definitions
        on
            codes.definition = definitions.definition
            and codes.condition = definitions.condition
    cross join classes
),

exclusions as (
    select
        diagnoses.beneficiary_id,
        diagnoses.claim_id,
        {{ list_agg_distinct('codes.condition_key') }} as condition_keys
    from {{ ref('core_diagnoses') }} as diagnoses
    inner join codes
        on
            diagnoses.diagnosis_code = codes.diagnosis_code
            and diagnoses.icd_version = codes.icd_version
            and diagnoses.claim_class = codes.claim_class
    where
        diagnoses.role in ('principal', 'other', 'line')
        and (codes.role = 'exclude' or (codes.role = 'exclude_principal' and diagnoses.role = 'principal'))
    group by diagnoses.beneficiary_id, diagnoses.claim_id
),

-- Claims are looked up before codes multiply the rows; with their person, so that a question about one person reads only that one's.
diagnoses as (
    select
        diagnoses.beneficiary_id,
        diagnoses.claim_id,
        diagnoses.claim_class,
        diagnoses.from_date,
        diagnoses.role,
        diagnoses.position,
        diagnoses.diagnosis_code,
        diagnoses.icd_version,
        exclusions.condition_keys as excluded_keys
    from {{ ref('core_diagnoses') }} as diagnoses
    left join exclusions
        on
            diagnoses.beneficiary_id = exclusions.beneficiary_id
            and diagnoses.claim_id = exclusions.claim_id
    left join equipment_claims
        on
            diagnoses.beneficiary_id = equipment_claims.beneficiary_id
            and diagnoses.claim_id = equipment_claims.claim_id
            and diagnoses.claim_class = equipment_claims.claim_class
    where
        diagnoses.role in ('principal', 'other', 'line')
        and equipment_claims.claim_id is null
)

select
    diagnoses.beneficiary_id,
    codes.condition_key,
    codes.definition,
    codes.condition,
    diagnoses.from_date as evidence_date,
    diagnoses.claim_id,
    diagnoses.claim_class,
    diagnoses.diagnosis_code,
    codes.is_one_claim_evidence,
    codes.is_two_claim_evidence
from diagnoses
inner join codes
    on
        diagnoses.diagnosis_code = codes.diagnosis_code
        and diagnoses.icd_version = codes.icd_version
        and diagnoses.claim_class = codes.claim_class
where
    codes.role = 'include'
    and (codes.is_one_claim_evidence or codes.is_two_claim_evidence)
    and (diagnoses.excluded_keys is null or not array_contains(diagnoses.excluded_keys, codes.condition_key))
    and case codes.diagnosis_positions
        when 'any' then true
        when 'principal' then diagnoses.role = 'principal'
        when 'first_two' then diagnoses.role in ('principal', 'other') and diagnoses.position <= 2
        else false
    end
