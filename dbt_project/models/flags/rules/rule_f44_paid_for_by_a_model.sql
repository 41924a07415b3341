-- F44: a practice was paid for a programme for a person for whom a payment model pays it in another way.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F44'
),

lines as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.beneficiary_id,
        lines.practice_tin,
        lines.from_date,
        lines.paid_usd,
        lines.cost_share_usd,
        overlay.model,
        overlay.effect,
        overlay.confidence != 'recalled' as is_known_effect
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('payment_model_overlays') }} as overlay
        on
            lines.family = overlay.family
            and {{ in_force('overlay', 'lines.from_date') }}
    where lines.is_in_force
),

models_with_roster as (
    select distinct model
    from {{ ref('core_model_rosters') }}
),

aligned as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.model,
        lines.paid_usd,
        lines.cost_share_usd,
        -- a roster that names no practice does not say who is paid
        roster.practice_tin is not null and lines.is_known_effect as is_certain
    from lines
    inner join {{ ref('core_model_rosters') }} as roster
        on
            lines.beneficiary_id = roster.beneficiary_id
            and lines.model = roster.model
            and lines.from_date between roster.aligned_from and coalesce(roster.aligned_through, date '9999-12-31')
    where
        lines.effect = 'paid_by_model'
        and coalesce(roster.practice_tin, lines.practice_tin, '') = coalesce(lines.practice_tin, '')
),

-- Known is who is aligned where a roster of every model in force is there; one whose effect is recalled is not waited for beside others.
known as (
    select
        lines.subject_id,
        bool_or(models_with_roster.model is not null) as has_roster,
        bool_and(models_with_roster.model is not null or not lines.is_known_effect) as has_every_known_roster,
        {{ list_join(list_agg_distinct("case when models_with_roster.model is null then lines.model end"), ', ') }} as missing
    from lines
    left join models_with_roster on lines.model = models_with_roster.model
    where lines.effect = 'paid_by_model'
    group by lines.subject_id
),

counted as (
    select
        subject_id,
        bool_or(is_certain) as is_certain,
        {{ list_join(list_agg_distinct('model'), ', ') }} as models
    from aligned
    group by subject_id
),

-- what is certain is named alone
at_fault as (
    select distinct
        aligned.subject_id,
        aligned.claim_line_id,
        aligned.paid_usd as amount_usd,
        aligned.cost_share_usd
    from aligned
    inner join counted on aligned.subject_id = counted.subject_id
    where aligned.is_certain or not counted.is_certain
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='known.subject_id is null',
            fail='counted.subject_id is not null',
            pass='known.has_roster and known.has_every_known_roster'
        ) }} as status,
        case
            when counted.subject_id is not null then concat('aligned to ', counted.models)
            when known.has_roster and known.has_every_known_roster then 'on no roster delivered'
            else concat_ws('', 'no roster of ', known.missing)
        end as observed,
        'nobody who is aligned to a payment model that pays for the programme' as required,
        coalesce(counted.is_certain, true) as is_certain
    from subjects
    left join known on subjects.subject_id = known.subject_id
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
