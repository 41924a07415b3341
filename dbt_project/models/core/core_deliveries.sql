-- Deliveries in the order in which they speak: a later one corrects an earlier one. Of deliveries received on one day (a backlog
-- loaded at once) the one with the later processed claims is newer; the identifier decides only what nothing else can.
select
    deliveries.batch_id,
    deliveries.received_date,
    row_number() over (
        order by deliveries.received_date, claims.last_processed_date nulls first, deliveries.batch_id
    ) as delivery_order
from
    (
        select distinct
            batch_id,
            received_date
        from {{ ref('stg_landing__batch_files') }}
    ) as deliveries
left join
    (
        select
            batch_id,
            max(processed_date) as last_processed_date
        from {{ ref('stg_landing__claims') }}
        group by batch_id
    ) as claims
    on deliveries.batch_id = claims.batch_id
