"""Who came onto the worklist, started, lapsed or left since the month before, and why. Person-level."""

from __future__ import annotations

import duckdb
import polars as pl

from pipelines.publish.vocabulary import FAILED

NAMES = {"new": "New", "started": "Started", "lapsed": "Lapsed", "gone": "Gone"}
SERVED = "('served_below_threshold', 'billable_not_billed', 'billed_below_record', 'billed_as_supported', 'billed_beyond_record', 'billed_record_missing')"
COLUMNS = ("practice_id", "change", "beneficiary_id", "reason", "practitioner_npi", "is_provisional")

# The last two months of everybody who was or is unserved, beside who is on the list now.
_CHANGES = f"""
    with latest as (
        select max(service_month) as now, cast(max(service_month) - interval 1 month as date) as before from marts.capture_months
    ),
    months as (
        select
            coalesce(now.beneficiary_id, before.beneficiary_id) as beneficiary_id,
            now.state as state,
            before.state as state_before,
            coalesce(listed.practice_id, now.practice_id, before.practice_id) as practice_id,
            coalesce(listed.practitioner_npi, now.practitioner_npi, before.practitioner_npi) as practitioner_npi,
            before.practice_id as practice_before,
            now.practice_id as practice_now,
            listed.beneficiary_id is not null as is_listed,
            now.run_out_state is distinct from 'complete' as is_provisional,
            eligibility.failed_criteria[1] as failed,
            eligibility.cannot_assess[1] as undecided,
            eligibility_before.failed_criteria[1] as failed_before,
            eligibility_before.cannot_assess[1] as undecided_before
        from (select * from marts.capture_months where service_month = (select now from latest)) as now
        full join (select * from marts.capture_months where service_month = (select before from latest)) as before
            on now.beneficiary_id = before.beneficiary_id
        left join reports.worklist as listed on listed.beneficiary_id = coalesce(now.beneficiary_id, before.beneficiary_id)
        left join marts.eligibility_months as eligibility
            on now.beneficiary_id = eligibility.beneficiary_id and now.service_month = eligibility.service_month
        left join marts.eligibility_months as eligibility_before
            on
                before.beneficiary_id = eligibility_before.beneficiary_id
                and before.service_month = eligibility_before.service_month
        where before.beneficiary_id is not null or listed.beneficiary_id is not null
    ),
    changed as (
        select
            *,
            case
                when state_before in {SERVED} and state = 'eligible_not_served' then 'lapsed'
                when is_listed and state_before is distinct from 'eligible_not_served' then 'new'
                when is_listed and practice_before is distinct from practice_id then 'new'
                when state_before = 'eligible_not_served' and state in {SERVED} then 'started'
                when state_before = 'eligible_not_served' and practice_before is not null and not is_listed
                    and (state is distinct from 'eligible_not_served' or practice_now is null or is_kept_off) then 'gone'
            end as change
        from months
        left join (select beneficiary_id as kept_off, true as is_kept_off from reports_internal.int_not_to_contact) as wishes
            on months.beneficiary_id = wishes.kept_off
    )
    select
        changed.practice_id,
        changed.change,
        changed.beneficiary_id,
        case
            when changed.change = 'lapsed' then 'Care management of the month before has not gone on'
            when changed.change = 'started' and changed.state = 'served_below_threshold' then 'Time is recorded'
            when changed.change = 'started' and changed.state = 'billable_not_billed' then 'Time is recorded, enough to bill'
            when changed.change = 'started' then 'Billed'
            when changed.change = 'new' and changed.state_before is null then 'Not enrolled the month before'
            when changed.change = 'new' and changed.state_before = 'eligible_not_served' then 'Sees this practice most now'
            when changed.change = 'new' and changed.state_before = 'not_eligible' then 'No longer: ' || coalesce(was.says, changed.failed_before)
            when changed.change = 'new' then 'Enough months of claims are seen now'
            when people.death_date is not null then 'Died'
            when changed.is_kept_off then 'Not to be contacted, or served elsewhere by the practice''s note'
            when changed.state is null then 'No longer enrolled'
            when changed.state = 'not_eligible' then coalesce(is_now.says, changed.failed)
            when changed.practice_now is null then 'No practice sees the person most any more'
            else 'Eligibility cannot be assessed any more'
        end as reason,
        changed.practitioner_npi,
        changed.is_provisional
    from changed
    left join core.core_beneficiaries as people on changed.beneficiary_id = people.beneficiary_id
    left join says as was on changed.failed_before = was.criterion
    left join says as is_now on changed.failed = is_now.criterion
    where changed.change is not null and changed.practice_id is not null
    order by changed.practice_id, changed.change, changed.beneficiary_id
"""


def changes(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row a person whose place changed between the last month and the one before (columns: COLUMNS)."""
    says = pl.DataFrame({"criterion": list(FAILED), "says": list(FAILED.values())})
    con.register("says", says)
    try:
        return con.sql(_CHANGES).pl()
    finally:
        con.unregister("says")
