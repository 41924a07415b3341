-- Acute hospital episodes: claims of acute-care hospitals whose next admission is on the day of discharge or the day after are one
-- episode (a transfer, or an interim bill). A claim without a facility number is kept as acute and says so.
-- Readmission: an episode that is not planned, within the window after the discharge of the episode before it, which ended alive, not
-- against advice, not by transfer, with fee-for-service Part A in both months. What is planned is told by diagnosis only.
{{ config(materialized='table') }}
with limits as (
    select
        max(case when limit_name = 'readmission_window' then limit_value end) as readmission_days,
        max(case when limit_name = 'transfer_gap' then limit_value end) as gap_days
    from {{ ref('acute_stay_limits') }}
),

claims as (
    select
        claims.beneficiary_id,
        claims.claim_id,
        claims.facility_ccn,
        claims.discharge_status_code,
        claims.discharge_date,
        coalesce(claims.admission_date, claims.from_date) as start_date,
        greatest(
            coalesce(claims.discharge_date, claims.through_date), coalesce(claims.admission_date, claims.from_date)
        ) as end_date
    from {{ ref('core_claims') }} as claims
    left join {{ ref('facility_number_ranges') }} as kinds
        on
            substr(claims.facility_ccn, 3, 4) between kinds.first_number and kinds.last_number
            and {{ in_force('kinds', 'claims.from_date') }}
    where
        claims.is_final
        and not claims.is_denied
        and claims.claim_type = 'inpatient'
        and (claims.facility_ccn is null or coalesce(kinds.is_acute, false))
),

ordered as (
    select
        *,
        max(end_date) over (
            partition by beneficiary_id
            order by start_date, end_date, claim_id
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from claims
),

numbered as (
    select
        ordered.*,
        sum(
            case
                when ordered.latest_end_before is null or ordered.start_date > ordered.latest_end_before + limits.gap_days then 1
                else 0
            end
        ) over (
            partition by ordered.beneficiary_id
            order by ordered.start_date, ordered.end_date, ordered.claim_id
            rows between unbounded preceding and current row
        ) as episode_number
    from ordered
    cross join limits
),

emergencies as (
    select distinct lines.claim_id
    from {{ ref('core_claim_lines') }} as lines
    inner join {{ ref('revenue_center_meanings') }} as centers
        on
            lines.revenue_center_code between centers.first_code and centers.last_code
            and centers.meaning = 'emergency'
            and {{ in_force('centers', 'lines.from_date') }}
    where lines.claim_type = 'inpatient' and not lines.is_denied
),

principal as (
    select
        diagnoses.claim_id,
        min(diagnoses.diagnosis_code) as diagnosis_code
    from {{ ref('core_diagnoses') }} as diagnoses
    inner join claims on diagnoses.claim_id = claims.claim_id
    where diagnoses.role = 'principal'
    group by diagnoses.claim_id
),

episodes as (
    select
        numbered.beneficiary_id,
        numbered.episode_number,
        min(numbered.start_date) as admission_date,
        max(numbered.end_date) as end_date,
        min_by(numbered.claim_id, concat(cast(numbered.start_date as {{ dbt.type_string() }}), numbered.claim_id)) as first_claim_id,
        max_by(
            coalesce(numbered.discharge_status_code, 'none'),
            concat(cast(numbered.end_date as {{ dbt.type_string() }}), numbered.claim_id)
        ) as discharge_status_code,
        bool_or(numbered.facility_ccn is null) as is_kind_unknown,
        bool_or(emergencies.claim_id is not null) as came_through_emergency,
        {{ list_agg_distinct('numbered.claim_id') }} as claim_ids
    from numbered
    left join emergencies on numbered.claim_id = emergencies.claim_id
    group by numbered.beneficiary_id, numbered.episode_number
),

nursed as (
    select distinct
        episodes.beneficiary_id,
        episodes.episode_number
    from episodes
    inner join {{ ref('core_stays') }} as stays
        on
            episodes.beneficiary_id = stays.beneficiary_id
            and stays.stay_kind = 'snf'
            and episodes.admission_date > stays.start_date
            and episodes.admission_date <= stays.end_date + 1
),

aged as (
    select
        episodes.*,
        principal.diagnosis_code as principal_diagnosis_code,
        coalesce(endings.meaning, 'discharged') as ended_as,
        nursed.beneficiary_id is not null as came_from_nursing_stay,
        cast(floor((
            (extract(year from episodes.admission_date) - extract(year from people.birth_date)) * 12
            + extract(month from episodes.admission_date) - extract(month from people.birth_date)
            - case when extract(day from episodes.admission_date) < extract(day from people.birth_date) then 1 else 0 end
        ) / 12) as integer) as age
    from episodes
    left join principal on episodes.first_claim_id = principal.claim_id
    left join nursed
        on episodes.beneficiary_id = nursed.beneficiary_id and episodes.episode_number = nursed.episode_number
    left join {{ ref('core_beneficiaries') }} as people on episodes.beneficiary_id = people.beneficiary_id
    left join {{ ref('discharge_meanings') }} as endings
        on
            episodes.discharge_status_code = endings.discharge_status_code
            and {{ in_force('endings', 'episodes.end_date') }}
),

preventable as (
    select
        aged.beneficiary_id,
        aged.episode_number,
        {% for composite in ['overall', 'acute', 'chronic', 'diabetes'] %}
            bool_or(composites.composite = '{{ composite }}') as is_{{ composite }},
        {% endfor %}
        min(codes.indicator) as indicator
    from aged
    inner join {{ ref('preventable_admission_codes') }} as codes
        on
            aged.principal_diagnosis_code like concat(codes.diagnosis_prefix, '%')
            and aged.age between codes.from_age and codes.to_age
            and {{ in_force('codes', 'aged.admission_date') }}
    inner join {{ ref('preventable_admission_groups') }} as composites on codes.indicator = composites.indicator
    where not aged.came_from_nursing_stay
    group by aged.beneficiary_id, aged.episode_number
),

planned as (
    select distinct
        aged.beneficiary_id,
        aged.episode_number
    from aged
    inner join {{ ref('planned_stay_codes') }} as codes
        on
            aged.principal_diagnosis_code like concat(codes.diagnosis_prefix, '%')
            and {{ in_force('codes', 'aged.admission_date') }}
),

controls as (
    select
        aged.beneficiary_id,
        aged.episode_number,
        min(codes.outcome) as negative_control
    from aged
    inner join {{ ref('negative_control_codes') }} as codes
        on
            codes.evidence = 'stay'
            and aged.principal_diagnosis_code like concat(codes.code_prefix, '%')
            and {{ in_force('codes', 'aged.admission_date') }}
    group by aged.beneficiary_id, aged.episode_number
),

covered as (
    select
        beneficiary_id,
        service_month
    from {{ ref('core_enrollment_months') }}
    where coalesce(has_part_a, true) and not coalesce(is_medicare_advantage, false)
),

followed as (
    select
        aged.beneficiary_id,
        aged.episode_number,
        aged.ended_as = 'discharged'
        and discharge_month.beneficiary_id is not null
        and window_month.beneficiary_id is not null as is_index_discharge
    from aged
    cross join limits
    left join covered as discharge_month
        on
            aged.beneficiary_id = discharge_month.beneficiary_id
            and cast({{ dbt.date_trunc('month', 'aged.end_date') }} as date) = discharge_month.service_month
    left join covered as window_month
        on
            aged.beneficiary_id = window_month.beneficiary_id
            and cast({{ dbt.date_trunc('month', 'aged.end_date + limits.readmission_days') }} as date) = window_month.service_month
)

select
    aged.beneficiary_id,
    cast(aged.episode_number as integer) as episode_number,
    cast({{ dbt.date_trunc('month', 'aged.admission_date') }} as date) as service_month,
    aged.admission_date,
    aged.end_date,
    aged.claim_ids,
    aged.principal_diagnosis_code,
    aged.discharge_status_code,
    aged.ended_as,
    aged.is_kind_unknown,
    aged.came_through_emergency,
    aged.came_from_nursing_stay,
    preventable.indicator as preventable_indicator,
    {% for composite in ['overall', 'acute', 'chronic', 'diabetes'] %}
        coalesce(preventable.is_{{ composite }}, false) as is_preventable_{{ composite }},
    {% endfor %}
    planned.beneficiary_id is not null as is_planned,
    controls.negative_control,
    followed.is_index_discharge,
    planned.beneficiary_id is null
    and coalesce(
        lag(followed.is_index_discharge) over (partition by aged.beneficiary_id order by aged.episode_number)
        and aged.admission_date
        <= lag(aged.end_date) over (partition by aged.beneficiary_id order by aged.episode_number) + limits.readmission_days,
        false
    ) as is_readmission
from aged
cross join limits
inner join followed
    on aged.beneficiary_id = followed.beneficiary_id and aged.episode_number = followed.episode_number
left join preventable
    on aged.beneficiary_id = preventable.beneficiary_id and aged.episode_number = preventable.episode_number
left join planned
    on aged.beneficiary_id = planned.beneficiary_id and aged.episode_number = planned.episode_number
left join controls
    on aged.beneficiary_id = controls.beneficiary_id and aged.episode_number = controls.episode_number
