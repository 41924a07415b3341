"""Which person-months two warehouses tell otherwise, and what changed of what is known of the person in between.

Both warehouses hold what they were made from, so the reasons are found by comparing that, not by guessing from deliveries: a claim
sent again unchanged is no reason. Months after the last one of the earlier publication are new, not restated.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

# What changed in a person's data, nearest cause first; `_of_another_month` is added where only another month's data changed.
REASONS = (
    "cancelled_claim",
    "adjusted_claim",
    "new_claim",
    "enrolment_change",
    "record_change",
    "person_change",
)
ANOTHER = "_of_another_month"
# Where nothing of the person's own changed: what the whole run was made with, or other people's and practices' data.
GENERAL = ("policy_change", "model_change", "data_of_others")
# What it did, the farthest-reaching first: a person-month is counted under one.
EFFECTS = ("month_appeared", "month_went", "eligibility", "capture_state", "amounts", "findings")
# How a row came to be known, not what it says: a statement that only repeats an earlier one changes nothing.
PROVENANCE = ("batch_id", "received_date", "claim_version", "processed_date")
# Records of practices, and the month that each belongs to.
RECORDS = {
    "core_care_management_time": "service_month",
    "core_consents": "date_trunc('month', consent_date)::date",
    "core_care_plans": "date_trunc('month', created_date)::date",
    "core_encounters": "date_trunc('month', start_date)::date",
    "core_problems": "date_trunc('month', recorded_date)::date",
    "core_patient_charges": "service_month",
}
NEEDED = {
    "marts": ("eligibility_months", "capture_months"),
    "flags": ("findings", "ledger_run"),
    "core": (
        *(
            "core_claims",
            "core_claim_lines",
            "core_diagnoses",
            "core_enrollment_months",
            "core_beneficiaries",
        ),
        *RECORDS,
    ),
}

_CHANGED = """
    create or replace temp table changed_months as
    with bounds as (
        select least(now.through_month, earlier.through_month) as last_month
        from flags.ledger_run as now cross join before.flags.ledger_run as earlier
    ),

    {sides},

    paired as (
        select
            coalesce(now.beneficiary_id, earlier.beneficiary_id) as beneficiary_id,
            coalesce(now.service_month, earlier.service_month) as service_month,
            earlier.beneficiary_id is null as appeared,
            now.beneficiary_id is null as went,
            (now.screen_eligible, now.documented_eligible, now.failed_criteria, now.cannot_assess)
                is distinct from
                (earlier.screen_eligible, earlier.documented_eligible, earlier.failed_criteria, earlier.cannot_assess)
                as eligibility_changed,
            now.state is distinct from earlier.state as state_changed,
            (now.billed_codes, now.supported_codes, now.billed_usd, now.supported_usd, now.gap_usd)
                is distinct from
                (earlier.billed_codes, earlier.supported_codes, earlier.billed_usd, earlier.supported_usd, earlier.gap_usd)
                as amounts_changed,
            earlier.screen_eligible as screen_eligible_before,
            now.screen_eligible as screen_eligible_now,
            earlier.state as state_before,
            now.state as state_now,
            earlier.gap_usd as gap_usd_before,
            now.gap_usd as gap_usd_now,
            len(list_filter(coalesce(now.finding_ids, []), lambda one: not list_contains(coalesce(earlier.finding_ids, []), one)))
                as findings_opened,
            len(list_filter(coalesce(earlier.finding_ids, []), lambda one: not list_contains(coalesce(now.finding_ids, []), one)))
                as findings_closed
        from now_side as now
        full join before_side as earlier
            on now.beneficiary_id = earlier.beneficiary_id and now.service_month = earlier.service_month
    )

    select
        paired.*,
        case
            when appeared then 'month_appeared'
            when went then 'month_went'
            when eligibility_changed then 'eligibility'
            when state_changed then 'capture_state'
            when amounts_changed then 'amounts'
            else 'findings'
        end as effect
    from paired
    where appeared or went or eligibility_changed or state_changed or amounts_changed
        or findings_opened > 0 or findings_closed > 0
"""

_SIDE = """
    {name}_findings as (
        select beneficiary_id, service_month, list(finding_id order by finding_id) as finding_ids
        from {place}flags.findings
        where review_state <> 'closed' and beneficiary_id is not null and service_month is not null
        group by all
    ),

    {name}_side as (
        select
            capture.beneficiary_id, capture.service_month, capture.state, capture.billed_codes, capture.supported_codes,
            capture.billed_usd, capture.supported_usd, capture.gap_usd,
            eligibility.screen_eligible, eligibility.documented_eligible, eligibility.failed_criteria,
            eligibility.cannot_assess, findings.finding_ids
        from {place}marts.capture_months as capture
        cross join bounds
        left join {place}marts.eligibility_months as eligibility using (beneficiary_id, service_month)
        left join {name}_findings as findings using (beneficiary_id, service_month)
        where capture.service_month <= bounds.last_month
    )"""

# One row a person, month (null: any) and reason, of everybody with a changed month.
_CLAIMS = """
    with now_claims as (
        select claims.*, {now_hash} as content
        from core.core_claims as claims
        semi join changed_months using (beneficiary_id)
        left join now_lines as lines using (claim_id)
        left join now_diagnoses as diagnoses using (claim_id)
    ),

    earlier_claims as (
        select claims.*, {before_hash} as content
        from before.core.core_claims as claims
        semi join changed_months using (beneficiary_id)
        left join before_lines as lines using (claim_id)
        left join before_diagnoses as diagnoses using (claim_id)
    ),

    -- every claim that stood before or stands now, by what became of it
    compared as (
        select
            coalesce(now.beneficiary_id, earlier.beneficiary_id) as beneficiary_id,
            least(now.from_date, earlier.from_date) as from_date,
            greatest(now.through_date, earlier.through_date, now.from_date, earlier.from_date) as through_date,
            case
                when earlier.claim_id is null and now.action = 'original'
                    and not exists (select 1 from before.core.core_claims as any_statement where any_statement.claim_id = now.claim_id)
                    then 'new_claim'
                when now.claim_id is null and exists (
                    select 1 from core.core_claims as statement
                    where statement.claim_id = earlier.claim_id
                        and statement.not_final_reason in ('cancellation', 'cancelled_by_another_claim')
                ) then 'cancelled_claim'
                else 'adjusted_claim'
            end as reason
        from (from now_claims where is_final) as now
        full join (from earlier_claims where is_final) as earlier using (claim_id)
        where now.content is distinct from earlier.content
    )

    select beneficiary_id, unnest(generate_series(
        date_trunc('month', from_date), date_trunc('month', through_date), interval 1 month))::date as month, reason
    from compared
"""

_REASONED = """
    create or replace table reports.restated_months as
    with joined as (
        select
            changed.beneficiary_id, changed.service_month,
            touched.reason || case
                when touched.month = changed.service_month or touched.month is null then '' else '{another}'
            end as reason
        from changed_months as changed
        inner join touched using (beneficiary_id)
    ),

    own as (
        select joined.beneficiary_id, joined.service_month,
            list(distinct joined.reason) as reasons,
            arg_min(joined.reason, ranks.place) as main_reason
        from joined inner join ranks on joined.reason = ranks.reason
        group by all
    )

    select
        changed.beneficiary_id, changed.service_month, changed.effect,
        coalesce(own.main_reason, $general) as main_reason,
        list_sort(list_distinct(coalesce(own.reasons, []) || $with_all)) as reasons,
        changed.eligibility_changed, changed.state_changed, changed.amounts_changed,
        changed.findings_opened, changed.findings_closed,
        changed.screen_eligible_before, changed.screen_eligible_now, changed.state_before, changed.state_now,
        changed.gap_usd_before, changed.gap_usd_now
    from changed_months as changed
    left join own using (beneficiary_id, service_month)
    order by changed.beneficiary_id, changed.service_month
"""


def lacking(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables that a comparison needs and one of the two warehouses has not."""
    held = set(con.execute("select database_name, schema_name, table_name from duckdb_tables()").fetchall())
    (own,) = con.execute("select current_database()").fetchone() or ("",)
    return [
        f"{schema}.{name}"
        for schema, names in NEEDED.items()
        for name in names
        if any((database, schema, name) not in held for database in (own, "before"))
    ]


def compare(con: duckdb.DuckDBPyConnection, *, policy_changed: bool, models_changed: bool) -> int:
    """Write `reports.restated_months`, a row a person-month told otherwise; returns how many.

    `con` holds the new warehouse, and the published one attached as `before`. Raises duckdb.Error where a table of NEEDED has not
    the columns of this version.
    """
    sides = ",".join(
        _SIDE.format(name=name, place=place) for name, place in (("now", ""), ("before", "before."))
    )
    con.execute(_CHANGED.format(sides=sides))
    con.execute("create or replace temp table touched (beneficiary_id varchar, month date, reason varchar)")
    _touched_by_claims(con)
    _touched_by_rows(con, "core_enrollment_months", "service_month", "enrolment_change")
    for table, month in RECORDS.items():
        _touched_by_rows(con, table, month, "record_change")
    _touched_by_rows(con, "core_beneficiaries", "null::date", "person_change")
    ranked = [*REASONS, *(reason + ANOTHER for reason in REASONS)]
    con.execute("create or replace temp table ranks (reason varchar, place integer)")
    con.executemany(
        "insert into ranks values (?, ?)", [[reason, place] for place, reason in enumerate(ranked)]
    )
    of_all = [name for name, holds in zip(GENERAL, (policy_changed, models_changed), strict=False) if holds]
    con.execute("create schema if not exists reports")
    con.execute(
        _REASONED.format(another=ANOTHER),
        {"general": of_all[0] if of_all else GENERAL[-1], "with_all": of_all or [""]},
    )
    # where neither policy nor models changed, a month without a reason of its own has what is general
    con.execute("update reports.restated_months set reasons = list_filter(reasons, lambda one: one <> '')")
    con.execute("update reports.restated_months set reasons = [main_reason] where len(reasons) = 0")
    row = con.execute("select count(*) from reports.restated_months").fetchone()
    return int(row[0]) if row else 0


def nothing_to_compare(con: duckdb.DuckDBPyConnection) -> None:
    """An empty `reports.restated_months`: there is no earlier publication, or none that can be compared with."""
    con.execute("create schema if not exists reports")
    con.execute("""
        create or replace table reports.restated_months (
            beneficiary_id varchar, service_month date, effect varchar, main_reason varchar, reasons varchar[],
            eligibility_changed boolean, state_changed boolean, amounts_changed boolean,
            findings_opened bigint, findings_closed bigint, screen_eligible_before boolean, screen_eligible_now boolean,
            state_before varchar, state_now varchar, gap_usd_before decimal(12, 2), gap_usd_now decimal(12, 2))""")


def _touched_by_claims(con: duckdb.DuckDBPyConnection) -> None:
    for side, place in (("now", ""), ("before", "before.")):
        for name, table in (("lines", "core_claim_lines"), ("diagnoses", "core_diagnoses")):
            con.execute(
                f"create or replace temp table {side}_{name} as"
                f" select claim_id, sum(hash({_content(con, table, 'rows')})) as content from {place}core.{table} as rows"
                " semi join changed_months using (beneficiary_id) group by claim_id"
            )
    of_claim = _content(con, "core_claims", "claims")
    whole = f"hash({of_claim}, lines.content, diagnoses.content)"
    con.execute(f"insert into touched {_CLAIMS.format(now_hash=whole, before_hash=whole)}")


def _touched_by_rows(con: duckdb.DuckDBPyConnection, table: str, month: str, reason: str) -> None:
    """Rows of `table` that came or went, for everybody with a changed month."""
    columns = ", ".join(_columns(con, table))
    of_people = "semi join changed_months using (beneficiary_id)"
    now, before = (f"select {columns} from {place}core.{table} {of_people}" for place in ("", "before."))
    con.execute(
        f"insert into touched select distinct beneficiary_id, {month}, '{reason}' from ("
        f"(({now}) except all ({before})) union all (({before}) except all ({now})))"
    )


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> Sequence[str]:
    """Columns that both warehouses' tables have, without those that only say how a row came to be known."""
    (own,) = con.execute("select current_database()").fetchone() or ("",)
    return [
        name
        for (name,) in con.execute(
            "select column_name from duckdb_columns() where schema_name = 'core' and table_name = ?"
            " and database_name in (?, 'before') group by all having count(*) = 2 order by 1",
            [table, own],
        ).fetchall()
        if name not in PROVENANCE
    ]


def _content(con: duckdb.DuckDBPyConnection, table: str, alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _columns(con, table))
