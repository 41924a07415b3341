-- Every rule in force for the month, for every practitioner-month with paid CCM.
with subjects as (
    select distinct
        subject_id,
        beneficiary_id,
        service_month,
        practitioner_npi
    from {{ ref('subject_lines') }}
)

select
    catalogue.rule_id,
    subjects.subject_id,
    subjects.beneficiary_id,
    subjects.service_month,
    subjects.practitioner_npi
from {{ ref('rule_catalogue') }} as catalogue
inner join subjects
    on {{ in_force('catalogue', 'subjects.service_month') }}
