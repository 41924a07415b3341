-- Every identifier ever delivered and the one it stands for today. Replacements are followed as far as they go; a chain that runs
-- in a circle names no current identifier, so its smallest member stands for all of it (and nobody is lost or doubled).
with recursive edges as (
    select
        previous_beneficiary_id as delivered_id,
        current_beneficiary_id as next_id
    from {{ ref('stg_landing__beneficiary_xref') }}
    where previous_beneficiary_id <> current_beneficiary_id
    qualify row_number() over (
        partition by previous_beneficiary_id
        order by received_date desc, batch_id desc, current_beneficiary_id desc
    ) = 1
),

walked as (
    select
        delivered_id,
        next_id as reached_id,
        1 as steps
    from edges
    union all
    select
        walked.delivered_id,
        edges.next_id as reached_id,
        walked.steps + 1 as steps
    from walked
    inner join edges on walked.reached_id = edges.delivered_id
    -- A circle comes back to its start, or runs past any real history of replacements.
    where walked.reached_id <> walked.delivered_id and walked.steps < 50
),

ends as (
    select
        walked.delivered_id,
        coalesce(
            min(case when edges.delivered_id is null then walked.reached_id end),
            least(walked.delivered_id, min(walked.reached_id))
        ) as beneficiary_id
    from walked
    left join edges on walked.reached_id = edges.delivered_id
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
    select delivered_id from ends
    union
    select beneficiary_id as delivered_id from ends
)

select
    delivered.delivered_id,
    coalesce(ends.beneficiary_id, delivered.delivered_id) as beneficiary_id
from delivered
left join ends on delivered.delivered_id = ends.delivered_id
