-- Conditions on the problem lists of practices, by every definition: what the record documents where claims show too little.
-- One entry is enough: a list is kept by the practice, it is no screen over claims. A code may stand for several conditions.
select distinct
    problems.beneficiary_id,
    problems.problem_id,
    problems.practice_tin,
    codes.definition,
    codes.condition,
    problems.recorded_date,
    problems.resolved_date
from {{ ref('core_problems') }} as problems
inner join {{ ref('condition_codes') }} as codes
    on
        problems.diagnosis_code = codes.diagnosis_code
        and problems.icd_version = codes.icd_version
        and codes.role = 'include'
