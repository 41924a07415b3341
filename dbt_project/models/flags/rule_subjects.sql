-- Every rule in force for the month, for every practitioner-month that was paid for a programme the rule is about.
with subjects as (
    select
        subject_id,
        beneficiary_id,
        service_month,
        practitioner_npi,
        family
    from {{ ref('subject_lines') }}
    group by subject_id, beneficiary_id, service_month, practitioner_npi, family
)

select distinct
    catalogue.rule_id,
    subjects.subject_id,
    subjects.beneficiary_id,
    subjects.service_month,
    subjects.practitioner_npi
from {{ ref('rule_catalogue') }} as catalogue
inner join subjects
    on
        {{ in_force('catalogue', 'subjects.service_month') }}
        and {{ is_among('subjects.family', 'catalogue.families') }}
