"""What must outlive a rebuild of the warehouse: when each finding was first seen, and what reviewers said of it."""

from __future__ import annotations

import duckdb

from pipelines.settings import Settings

TABLES = {
    "findings_seen": "finding_id varchar, first_seen_as_of date",
    "finding_reviews": "finding_id varchar, review_state varchar, note varchar, reviewed_on date",
}


def prepare(settings: Settings) -> None:
    """Make the ledger's files, empty, where they are missing."""
    settings.ledger.mkdir(parents=True, exist_ok=True, mode=0o700)
    with duckdb.connect() as con:
        for name, columns in TABLES.items():
            path = settings.ledger / f"{name}.parquet"
            if not path.exists():
                con.execute(f"create or replace table empty_ledger ({columns})")
                con.execute(f"copy empty_ledger to '{path}' (format parquet)")
                path.chmod(0o600)


def remember_findings(settings: Settings) -> None:
    """Add this run's findings with the as_of they were first seen at; the earliest date wins whatever the order of runs."""
    path, fresh = settings.ledger / "findings_seen.parquet", settings.ledger / "findings_seen.incoming"
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        con.execute(
            f"copy (select finding_id, min(first_seen_as_of) as first_seen_as_of from ("
            f"  select finding_id, first_seen_as_of from read_parquet('{path}')"
            f"  union all select finding_id, first_seen_as_of from flags.findings)"
            f" group by finding_id order by finding_id) to '{fresh}' (format parquet)"
        )
    fresh.chmod(0o600)
    fresh.replace(path)
