-- Every rule in force for every practitioner-month with paid CCM: one row, one status.
with results as (
    select * from {{ ref('rule_f01_duplicate_base_same_practitioner') }}
    union all
    select * from {{ ref('rule_f02_duplicate_base_other_practitioner') }}
    union all
    select * from {{ ref('rule_f03_mixed_lanes') }}
    union all
    select * from {{ ref('rule_f04_overlap_care_plan_oversight') }}
    union all
    select * from {{ ref('rule_f05_overlap_esrd_capitation') }}
    union all
    select * from {{ ref('rule_f06_overlap_transitional_care') }}
    union all
    select * from {{ ref('rule_f07_overlap_principal_care') }}
    union all
    select * from {{ ref('rule_f08_overlap_advanced_primary_care') }}
    union all
    select * from {{ ref('rule_f09_advanced_primary_care_twice') }}
    union all
    select * from {{ ref('rule_f10_add_on_without_base') }}
    union all
    select * from {{ ref('rule_f11_add_on_units_over_cap') }}
    union all
    select * from {{ ref('rule_f12_base_units_over_limit') }}
    union all
    select * from {{ ref('rule_f13_code_not_in_force') }}
    union all
    select * from {{ ref('rule_f14_minutes_below_threshold') }}
    union all
    select * from {{ ref('rule_f15_units_beyond_minutes') }}
    union all
    select * from {{ ref('rule_f24_no_consent_before_first_minute') }}
    union all
    select * from {{ ref('rule_f26_no_initiating_visit') }}
    union all
    select * from {{ ref('rule_f28_fewer_than_two_conditions') }}
    union all
    select * from {{ ref('rule_f35_service_outside_coverage') }}
)

select
    results.rule_id,
    results.subject_id,
    subjects.beneficiary_id,
    subjects.service_month,
    subjects.practitioner_npi,
    results.status,
    results.observed,
    results.required,
    results.is_certain,
    results.evidence_claim_line_ids,
    results.related_claim_line_ids,
    results.amount_usd,
    results.cost_share_usd
from results
left join {{ ref('rule_subjects') }} as subjects
    on results.rule_id = subjects.rule_id and results.subject_id = subjects.subject_id
