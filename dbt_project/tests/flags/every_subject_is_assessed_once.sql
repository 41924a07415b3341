-- A missing or doubled assessment is an error, never an absence.
select
    coalesce(subjects.rule_id, results.rule_id) as rule_id,
    coalesce(subjects.subject_id, results.subject_id) as subject_id,
    count(results.subject_id) as assessments
from {{ ref('rule_subjects') }} as subjects
full outer join {{ ref('rule_results') }} as results
    on subjects.rule_id = results.rule_id and subjects.subject_id = results.subject_id
group by 1, 2
having count(results.subject_id) != 1 or count(subjects.subject_id) != 1
