-- Every rule in force for every subject that it is asked of: one row, one status.
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
    select * from {{ ref('rule_f16_billed_below_record') }}
    union all
    select * from {{ ref('rule_f17_billed_before_threshold') }}
    union all
    select * from {{ ref('rule_f18_minutes_of_another_month') }}
    union all
    select * from {{ ref('rule_f19_staff_minutes_for_practitioner_code') }}
    union all
    select * from {{ ref('rule_f20_minutes_used_twice') }}
    union all
    select * from {{ ref('rule_f21_overlapping_minutes') }}
    union all
    select * from {{ ref('rule_f22_minutes_during_a_stay') }}
    union all
    select * from {{ ref('rule_f23_staff_minutes_on_visit_day') }}
    union all
    select * from {{ ref('rule_f24_no_consent_before_first_minute') }}
    union all
    select * from {{ ref('rule_f25_consent_of_another_practitioner') }}
    union all
    select * from {{ ref('rule_f26_no_initiating_visit') }}
    union all
    select * from {{ ref('rule_f27_only_visits_that_do_not_initiate') }}
    union all
    select * from {{ ref('rule_f28_fewer_than_two_conditions') }}
    union all
    select * from {{ ref('rule_f29_complex_without_decision_making') }}
    union all
    select * from {{ ref('rule_f30_care_plan_missing_or_old') }}
    union all
    select * from {{ ref('rule_f31_complex_without_new_plan') }}
    union all
    select * from {{ ref('rule_f32_planning_code_repeated_or_alone') }}
    union all
    select * from {{ ref('rule_f33_planning_minutes_reused') }}
    union all
    select * from {{ ref('rule_f34_limited_licence') }}
    union all
    select * from {{ ref('rule_f35_service_outside_coverage') }}
    union all
    select * from {{ ref('rule_f36_facility_without_professional') }}
    union all
    select * from {{ ref('rule_f37_office_price_in_a_facility') }}
    union all
    select * from {{ ref('rule_f38_clinic_code_at_fault') }}
    union all
    select * from {{ ref('rule_f39_primary_care_add_on_at_fault') }}
    union all
    select * from {{ ref('rule_f40_level_without_its_patient') }}
    union all
    select * from {{ ref('rule_f41_short_and_full_monitoring') }}
    union all
    select * from {{ ref('rule_f42_general_and_collaborative_care') }}
    union all
    select * from {{ ref('rule_f43_transitional_care_at_fault') }}
    union all
    select * from {{ ref('rule_f44_paid_for_by_a_model') }}
    union all
    select * from {{ ref('rule_f45_community_care_without_visit_or_minutes') }}
    union all
    select * from {{ ref('rule_f46_practice_pattern') }}
    union all
    select * from {{ ref('rule_f47_worker_pattern') }}
    union all
    select * from {{ ref('rule_f48_coinsurance_waived') }}
    union all
    select * from {{ ref('rule_f49_paid_above_the_fee_schedule') }}
    union all
    select * from {{ ref('rule_f50_after_withdrawal_or_death') }}
    union all
    select * from {{ ref('rule_f52_staff_abroad_or_unsupervised') }}
)

select
    results.rule_id,
    results.subject_id,
    subjects.subject_kind,
    subjects.beneficiary_id,
    subjects.service_month,
    subjects.practitioner_npi,
    subjects.practice_tin,
    subjects.staff_id,
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
