"""A row that is lost or doubled between two layers fails its expectation, and blocks."""

from __future__ import annotations

from pathlib import Path

import duckdb

from expectations.run import Outcome, run
from expectations.suites.reconciliation import NEWEST_OF_EACH, suites


def warehouse(place: Path) -> Path:
    """A warehouse of three rows a table, in which every count agrees."""
    path = place / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        for schema in ("staging", "core", "marts", "reports"):
            con.execute(f"create schema {schema}")
        for table in ("stg_landing__claims", "stg_landing__claim_lines"):
            con.execute(f"create table staging.{table} as select range as id from range(3)")
        con.execute("create table core.core_claims as from staging.stg_landing__claims")
        con.execute("create table core.core_claim_lines as select range as id from range(2)")
        con.execute("create table core.core_superseded_claim_lines as select 2 as id")
        con.execute("create table core.core_person_months as select range as id from range(3)")
        con.execute("create table marts.eligibility_months as from core.core_person_months")
        con.execute(
            "create table marts.capture_months as select id, true as has_coverage_row from core.core_person_months"
        )
        # a month of which the payer said nothing is no month of the spine, and none too many
        con.execute("insert into marts.capture_months values (3, false)")
        con.execute(
            "create table core.core_quarantined_rows as"
            " select 'a' as batch_id, 'claims' as table_name, unnest(['one', 'one', 'two']) as reason"
        )
        con.execute("create table reports.quarantine_summary as select unnest(['one', 'two']) as reason")
        for table, (identifier, staged) in NEWEST_OF_EACH.items():
            # delivered twice: the core keeps one row of each identifier
            con.execute(f"create table staging.{staged} as select range % 3 as {identifier} from range(6)")
            con.execute(f"create table core.{table} as select range as {identifier} from range(3)")
    return path


def failed(path: Path) -> list[Outcome]:
    return [one for one in run(path, suites(), {}) if not one.success]


def test_counts_that_agree_pass_and_each_lost_or_doubled_row_is_told(tmp_path: Path) -> None:
    path = warehouse(tmp_path)
    assert failed(path) == []
    spoilt = ["core_claims", "core_claim_lines", *NEWEST_OF_EACH]
    with duckdb.connect(str(path)) as con:
        for table in spoilt:
            con.execute(f"delete from core.{table} where rowid = 0")
        con.execute("insert into marts.eligibility_months values (9)")
        con.execute("insert into marts.capture_months values (9, true)")
        con.execute("insert into reports.quarantine_summary values ('three')")
    told = failed(path)
    assert {one.table for one in told} == {
        *spoilt,
        "eligibility_months",
        "capture_months",
        "quarantine_summary",
    }
    assert all(one.blocking and one.unexpected == 1 for one in told)
