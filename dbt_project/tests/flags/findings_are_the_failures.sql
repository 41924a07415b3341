-- Every failure is a finding and nothing else is, but for those closed; no dollar is lost on the way.
with failures as (
    select
        count(*) as findings,
        coalesce(sum(amount_usd), 0) as amount_usd
    from {{ ref('rule_results') }}
    where status = 'fail'
),

ledger as (
    select
        count(*) as findings,
        coalesce(sum(amount_usd), 0) as amount_usd
    from {{ ref('findings') }}
    where review_state != 'closed'
)

select
    failures.findings as failed,
    ledger.findings as found
from failures
cross join ledger
where failures.findings != ledger.findings or failures.amount_usd != ledger.amount_usd
