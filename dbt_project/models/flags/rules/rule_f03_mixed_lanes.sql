-- F03: one practitioner was paid in two CCM lanes that exclude each other for a person and month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F03'
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

lanes as (
    select
        subject_id,
        service_month,
        lane,
        -- a lane with a base comes before one with add-ons only; then the one paid first
        row_number() over (
            partition by subject_id
            order by max(case when code_role = 'base' then 1 else 0 end) desc, min(payment_order)
        ) as place
    from ccm_lines
    group by subject_id, service_month, lane
),

excluded_lanes as (
    select
        later.subject_id,
        later.lane,
        kept.lane as kept_lane,
        conflict.confidence != 'recalled' as is_certain
    from lanes as later
    inner join lanes as kept on later.subject_id = kept.subject_id and later.place > kept.place
    inner join {{ ref('lane_conflicts') }} as conflict
        on
            {{ in_force('conflict', 'later.service_month') }}
            and (
                (later.lane = conflict.lane_a and kept.lane = conflict.lane_b)
                or (later.lane = conflict.lane_b and kept.lane = conflict.lane_a)
            )
),

counted as (
    select
        lanes.subject_id,
        count(distinct lanes.lane) as lanes,
        count(distinct excluded_lanes.lane) as excluded_lanes,
        coalesce(bool_or(excluded_lanes.is_certain), false) as is_certain
    from lanes
    left join excluded_lanes
        on lanes.subject_id = excluded_lanes.subject_id and lanes.lane = excluded_lanes.lane
    group by lanes.subject_id
),

at_fault as (
    select
        ccm_lines.subject_id,
        ccm_lines.claim_line_id,
        ccm_lines.paid_usd as amount_usd,
        ccm_lines.cost_share_usd
    from ccm_lines
    where exists (
        select 1
        from excluded_lanes
        where excluded_lanes.subject_id = ccm_lines.subject_id and excluded_lanes.lane = ccm_lines.lane
    )
),

related as (
    select
        ccm_lines.subject_id,
        ccm_lines.claim_line_id
    from ccm_lines
    where exists (
        select 1
        from excluded_lanes
        where excluded_lanes.subject_id = ccm_lines.subject_id and excluded_lanes.kept_lane = ccm_lines.lane
    )
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            fail='counted.excluded_lanes > 0',
            pass='counted.excluded_lanes = 0'
        ) }} as status,
        cast(counted.lanes as {{ dbt.type_string() }}) || ' lane(s)' as observed,
        'lanes that do not exclude each other' as required,
        counted.is_certain or counted.excluded_lanes = 0 as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
