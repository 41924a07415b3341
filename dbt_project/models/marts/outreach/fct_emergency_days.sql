-- Days on which a person was in an emergency department or under observation, by claim or by the practice's record, whether or not the
-- person was admitted. Preventable: the principal diagnosis counts in the overall composite of the prevention quality indicators.
with departments as (
    select distinct
        lines.beneficiary_id,
        lines.claim_id,
        lines.from_date as visit_date
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('revenue_center_meanings') }} as centers
        on
            lines.revenue_center_code between centers.first_code and centers.last_code
            and centers.meaning in ('emergency', 'observation')
            and {{ in_force('centers', 'lines.from_date') }}
    where lines.claim_type = 'outpatient' and not lines.is_denied
),

principal_diagnoses as (
    select
        departments.claim_id,
        departments.visit_date,
        diagnoses.diagnosis_code,
        floor((
            (extract(year from departments.visit_date) - extract(year from people.birth_date)) * 12
            + extract(month from departments.visit_date) - extract(month from people.birth_date)
            - case when extract(day from departments.visit_date) < extract(day from people.birth_date) then 1 else 0 end
        ) / 12) as age
    from departments
    inner join {{ ref('core_diagnoses') }} as diagnoses
        on departments.claim_id = diagnoses.claim_id and diagnoses.role = 'principal'
    inner join {{ ref('core_beneficiaries') }} as people on departments.beneficiary_id = people.beneficiary_id
),

-- Prefixes are looked for once a code, not once a visit.
preventable_codes as (
    select
        told.diagnosis_code,
        codes.from_age,
        codes.to_age,
        codes.effective_from,
        codes.effective_to
    from (select distinct diagnosis_code from principal_diagnoses) as told
    inner join {{ ref('preventable_admission_codes') }} as codes
        on told.diagnosis_code like concat(codes.diagnosis_prefix, '%')
    inner join {{ ref('preventable_admission_groups') }} as composites
        on codes.indicator = composites.indicator and composites.composite = 'overall'
),

preventable_claims as (
    select distinct principal_diagnoses.claim_id
    from principal_diagnoses
    inner join preventable_codes as codes
        on
            principal_diagnoses.diagnosis_code = codes.diagnosis_code
            and principal_diagnoses.age between codes.from_age and codes.to_age
            and {{ in_force('codes', 'principal_diagnoses.visit_date') }}
),

days as (
    select
        departments.beneficiary_id,
        departments.visit_date,
        preventable_claims.claim_id is not null as is_preventable
    from departments
    left join preventable_claims on departments.claim_id = preventable_claims.claim_id
    union all
    select
        beneficiary_id,
        admission_date as visit_date,
        is_preventable_overall as is_preventable
    from {{ ref('fct_acute_stays') }}
    where came_through_emergency
    union all
    select
        beneficiary_id,
        start_date as visit_date,
        false as is_preventable
    from {{ ref('core_encounters') }}
    where encounter_class in ('emergency', 'observation')
)

select
    beneficiary_id,
    visit_date,
    bool_or(is_preventable) as is_preventable
from days
group by beneficiary_id, visit_date
