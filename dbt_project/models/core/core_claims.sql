-- Final action is decided here and nowhere else.
-- 1. Of all statements about a claim the newest wins as a whole (its lines and diagnoses come from the same statement).
-- 2. A cancellation removes the claim that it states, and the claim named in adjusted_claim_id too.
-- 3. A replacement removes the claim named in adjusted_claim_id.
--    Where it names only its own family there (claim feeds), it takes back one claim of that family and person: they are paired
--    off, equal amounts first, then in order of processing, and what is left over on either side stands.
-- 4. A claim that the source itself marks as not final is not final.
-- 5. Of the claims of one family that the source calls final, those of an older delivery give way to those of a newer one:
--    the source did not repeat the old claim to unmark it.
-- Claims are the widest of the large inputs, and few are stated twice, cancelled or one of a family: these few are worked out from the
-- columns that they need, and looked up while all claims go by once.
{% set statements %}
(
    select
        claims.*,
        ids.beneficiary_id as current_beneficiary_id,
        deliveries.delivery_order,
        coalesce(ranked.recency, 1) as recency
    from {{ ref('stg_landing__claims') }} as claims
    inner join {{ ref('core_deliveries') }} as deliveries
        on claims.batch_id = deliveries.batch_id
    inner join {{ ref('core_beneficiary_ids') }} as ids
        on claims.beneficiary_id = ids.delivered_id
    left join ranked
        on
            claims.claim_id = ranked.claim_id
            and claims.claim_version = ranked.claim_version
            and claims.batch_id = ranked.batch_id
)
{% endset %}
with restated as (
    select claim_id
    from {{ ref('stg_landing__claims') }}
    group by claim_id
    having count(*) > 1
),

ranked as (
    select
        claims.claim_id,
        claims.claim_version,
        claims.batch_id,
        row_number() over (
            partition by claims.claim_id
            order by deliveries.delivery_order desc, claims.claim_version desc
        ) as recency
    from {{ ref('stg_landing__claims') }} as claims
    inner join restated on claims.claim_id = restated.claim_id
    inner join {{ ref('core_deliveries') }} as deliveries
        on claims.batch_id = deliveries.batch_id
),

adjusting as (
    select
        statements.claim_id,
        statements.adjusted_claim_id,
        statements.action,
        statements.is_final_action
    from {{ statements }} as statements
    where
        statements.recency = 1
        and statements.adjusted_claim_id is not null
        and statements.adjusted_claim_id <> statements.claim_id
        and statements.action in ('cancellation', 'replacement')
),

-- Only a newest statement can adjust another claim, and one that the source withdrew adjusts nothing; but a link of a chain
-- that is not final because the next link replaced it still stands for what it replaced.
adjusted as (
    select
        adjusting.adjusted_claim_id as claim_id,
        max(case when adjusting.action = 'cancellation' then 1 else 0 end) as is_cancelled
    from adjusting
    left join (select distinct adjusted_claim_id from adjusting) as later
        on adjusting.claim_id = later.adjusted_claim_id
    where coalesce(adjusting.is_final_action, true) or later.adjusted_claim_id is not null
    group by adjusting.adjusted_claim_id
),

-- Claims of families that hold a cancellation without a name, and those cancellations, in the order in which they are paired.
-- Amounts of cancellations may be delivered with either sign.
families_to_pair as (
    select distinct
        statements.current_beneficiary_id,
        statements.claim_group_id
    from {{ statements }} as statements
    where
        statements.recency = 1
        and statements.action = 'cancellation'
        and statements.adjusted_claim_id = statements.claim_group_id
),

to_pair as (
    select
        statements.claim_id,
        statements.current_beneficiary_id,
        statements.claim_group_id,
        statements.action = 'cancellation' as is_cancellation,
        coalesce(abs(statements.paid_usd), 0) as amount_usd,
        statements.processed_date
    from {{ statements }} as statements
    inner join families_to_pair
        on
            statements.current_beneficiary_id = families_to_pair.current_beneficiary_id
            and statements.claim_group_id = families_to_pair.claim_group_id
    left join adjusted on statements.claim_id = adjusted.claim_id
    where
        statements.recency = 1
        and adjusted.claim_id is null
        and coalesce(statements.is_final_action, true)
        and (statements.action <> 'cancellation' or statements.adjusted_claim_id = statements.claim_group_id)
),

in_order_of_amount as (
    select
        *,
        row_number() over (
            partition by current_beneficiary_id, claim_group_id, amount_usd, is_cancellation
            order by processed_date, claim_id
        ) as place
    from to_pair
),

-- A place in this order is taken on both sides or on one only.
of_equal_amount as (
    select
        *,
        count(*) over (partition by current_beneficiary_id, claim_group_id, amount_usd, place) = 2 as is_paired
    from in_order_of_amount
),

left_over as (
    select
        claim_id,
        current_beneficiary_id,
        claim_group_id,
        is_cancellation,
        row_number() over (
            partition by current_beneficiary_id, claim_group_id, is_cancellation
            order by processed_date, claim_id
        ) as place
    from of_equal_amount
    where not is_paired
),

of_any_amount as (
    select
        *,
        count(*) over (partition by current_beneficiary_id, claim_group_id, place) = 2 as is_paired
    from left_over
),

paired as (
    select claim_id from of_equal_amount
    where is_paired and not is_cancellation
    union all
    select claim_id from of_any_amount
    where is_paired and not is_cancellation
),

-- A family whose claims are all of one delivery replaces none of them.
families as (
    select
        statements.current_beneficiary_id,
        statements.claim_group_id,
        max(statements.delivery_order) as newest_delivery
    from {{ statements }} as statements
    where
        statements.recency = 1
        and statements.is_final_action
        and statements.action <> 'cancellation'
        and statements.claim_group_id is not null
    group by statements.current_beneficiary_id, statements.claim_group_id
    having min(statements.delivery_order) < max(statements.delivery_order)
),

decided as (
    select
        statements.*,
        case
            when statements.recency > 1 then 'superseded_statement'
            when statements.action = 'cancellation' then 'cancellation'
            when statements.is_final_action = false then 'source_says_not_final'
            when adjusted.is_cancelled = 1 or paired.claim_id is not null then 'cancelled_by_another_claim'
            when adjusted.is_cancelled = 0 then 'replaced_by_another_claim'
            when statements.is_final_action and statements.delivery_order < families.newest_delivery
                then 'replaced_in_its_family'
        end as not_final_reason
    from {{ statements }} as statements
    left join adjusted on statements.claim_id = adjusted.claim_id
    left join paired on statements.claim_id = paired.claim_id
    left join families
        on
            statements.current_beneficiary_id = families.current_beneficiary_id
            and statements.claim_group_id = families.claim_group_id
)

select
    decided.claim_id,
    decided.claim_version,
    decided.batch_id,
    decided.claim_group_id,
    decided.current_beneficiary_id as beneficiary_id,
    decided.claim_type,
    decided.nch_claim_type_code,
    classes.claim_class,
    decided.from_date,
    decided.through_date,
    decided.admission_date,
    decided.discharge_date,
    decided.discharge_status_code,
    decided.bill_type_code,
    decided.facility_ccn,
    decided.billing_npi,
    decided.billing_tin,
    decided.action,
    decided.adjusted_claim_id,
    decided.not_final_reason is null as is_final,
    decided.not_final_reason,
    coalesce(decided.is_denied, false) as is_denied,
    decided.paid_usd,
    decided.processed_date,
    decided.received_date
from decided
left join {{ ref('claim_classes') }} as classes
    on
        coalesce(decided.nch_claim_type_code, decided.claim_type) = classes.claim_type_code
        and decided.from_date between classes.effective_from and classes.effective_to
