-- Every rule in force for every subject that it is asked of: a practitioner-month that was paid for a programme the rule is about,
-- for patterns the year of a practice or of a worker.
with subjects as (
    select
        subject_id,
        beneficiary_id,
        service_month,
        practitioner_npi,
        family,
        bool_or(is_of_clinic) as is_of_clinic
    from {{ ref('subject_lines') }}
    group by subject_id, beneficiary_id, service_month, practitioner_npi, family
)

select distinct
    catalogue.rule_id,
    'practitioner_month' as subject_kind,
    subjects.subject_id,
    subjects.beneficiary_id,
    subjects.service_month,
    subjects.practitioner_npi,
    cast(null as {{ dbt.type_string() }}) as practice_tin,
    cast(null as {{ dbt.type_string() }}) as staff_id
from {{ ref('rule_catalogue') }} as catalogue
inner join subjects
    on
        {{ in_force('catalogue', 'subjects.service_month') }}
        and {{ is_among('subjects.family', 'catalogue.families') }}
        and (catalogue.subjects = 'practitioner_month' or (catalogue.subjects = 'clinic_month' and subjects.is_of_clinic))

union all

select
    catalogue.rule_id,
    patterns.subject_kind,
    patterns.subject_id,
    cast(null as {{ dbt.type_string() }}) as beneficiary_id,
    patterns.service_month,
    cast(null as {{ dbt.type_string() }}) as practitioner_npi,
    patterns.practice_tin,
    patterns.staff_id
from {{ ref('rule_catalogue') }} as catalogue
inner join {{ ref('pattern_subjects') }} as patterns
    on
        {{ in_force('catalogue', 'patterns.service_month') }}
        and {{ is_among('patterns.subject_kind', 'catalogue.subjects') }}
