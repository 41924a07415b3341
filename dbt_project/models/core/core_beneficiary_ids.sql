-- Every identifier ever delivered and the one it stands for today. Replacements are followed as far as they go. A chain that runs in
-- a circle names no current identifier: its smallest member then stands for the circle and for all that leads into it, so nobody
-- is lost or doubled.
with recursive edges as (
    select
        xref.previous_beneficiary_id as delivered_id,
        xref.current_beneficiary_id as next_id
    from {{ ref('stg_landing__beneficiary_xref') }} as xref
    inner join {{ ref('core_deliveries') }} as deliveries
        on xref.batch_id = deliveries.batch_id
    where xref.previous_beneficiary_id <> xref.current_beneficiary_id
    qualify row_number() over (
        partition by xref.previous_beneficiary_id
        order by deliveries.delivery_order desc, xref.current_beneficiary_id desc
    ) = 1
),

-- An identifier is visited once a walk, so a circle ends the walk.
walked as (
    select
        delivered_id,
        next_id as reached_id,
        concat('|', delivered_id, '|', next_id, '|') as visited
    from edges
    union all
    select
        walked.delivered_id,
        edges.next_id as reached_id,
        concat(walked.visited, edges.next_id, '|') as visited
    from walked
    inner join edges on walked.reached_id = edges.delivered_id
    where position(concat('|', edges.next_id, '|') in walked.visited) = 0
),

circle_members as (
    select walked.delivered_id as member_id
    from walked
    inner join edges on walked.reached_id = edges.delivered_id
    where edges.next_id = walked.delivered_id
),

-- A walk ends at an identifier that nothing replaces, or meets a circle.
ends as (
    select
        walked.delivered_id,
        coalesce(
            min(case when edges.delivered_id is null then walked.reached_id end),
            least(min(circle_members.member_id), min(own.member_id))
        ) as beneficiary_id
    from walked
    left join edges on walked.reached_id = edges.delivered_id
    left join circle_members on walked.reached_id = circle_members.member_id
    left join circle_members as own on walked.delivered_id = own.member_id
    group by walked.delivered_id
),

delivered as (
    select beneficiary_id as delivered_id from {{ ref('stg_landing__beneficiaries') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__enrollment_months') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__claims') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__encounters') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__care_management_time') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__consents') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__care_plans') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__problems') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__do_not_contact') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__model_rosters') }}
    union
    select beneficiary_id as delivered_id from {{ ref('stg_landing__patient_charges') }}
    union
    select delivered_id from ends
    union
    select beneficiary_id as delivered_id from ends
)

select
    delivered.delivered_id,
    coalesce(ends.beneficiary_id, delivered.delivered_id) as beneficiary_id
from delivered
left join ends on delivered.delivered_id = ends.delivered_id
