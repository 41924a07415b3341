"""What must outlive a rebuild of the warehouse: what each run showed, and what reviewers said of it.

Both are folders of small Parquet files under `ledger/`. A file is written whole beside its place and then named, under a lock, so
that a reader never sees half of one; no file is ever changed. How a finding's state follows from them is decided in dbt.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.extracts.landed import rows_in
from pipelines.publish import publication
from pipelines.settings import Settings

REVIEWS = "finding_reviews"
SIGHTINGS = "finding_sightings"
NOTES = "worklist_notes"
TABLES = {
    REVIEWS: """
        review_number integer, finding_id varchar, review_state varchar, note varchar, reviewed_by varchar,
        reviewed_at timestamp""",
    SIGHTINGS: """
        kind varchar, as_of date, run_number integer, through_month date, policy_version varchar, rules_version varchar,
        finding_id varchar, rule_id varchar, severity varchar, certainty varchar, subject_kind varchar, subject_id varchar,
        beneficiary_id varchar, service_month date, practitioner_npi varchar, practice_tin varchar, staff_id varchar,
        observed varchar,
        required varchar, claim_line_ids varchar[], related_claim_line_ids varchar[], amount_usd decimal(14, 2),
        cost_share_usd decimal(14, 2), citation varchar, evidence_facts varchar, claims_facts varchar,
        record_facts varchar, coverage_facts varchar, history_facts varchar, closed_reason varchar,
        closed_observed varchar""",
    NOTES: """
        note_number integer, practice_id varchar, beneficiary_id varchar, status varchar, note varchar, keeps_off boolean,
        read_at timestamp""",
}
EMPTY = "000000.parquet"
# Folders whose files are numbered without a gap (sightings by day), so that one that is gone is noticed.
NUMBERED = (REVIEWS, SIGHTINGS, "measure_releases", "page_releases")


class LedgerDamaged(Exception):
    """A file of the ledger cannot be read or is gone; str() is one line that says what to do."""


# What a run showed, as rows of TABLES[SIGHTINGS] without run_number.
_SHOWN = """
    select
        'run' as kind, run.*
    from flags.ledger_run as run
    union all by name
    select
        'shown' as kind, run.*, findings.* exclude (
            review_state, reviewed_as, review_number, reviewed_at, reviewed_by, review_note, identified_on, return_by,
            first_seen_as_of, last_seen_as_of, reopened_as_of, closed_as_of, closed_reason, closed_observed, continued_by
        ), facts.* exclude (finding_id)
    from flags.findings as findings
    inner join flags.ledger_facts as facts on findings.finding_id = facts.finding_id
    cross join flags.ledger_run as run
    where findings.review_state <> 'closed'
    union all by name
    select
        'closed' as kind, run.*, findings.finding_id, findings.closed_reason, findings.closed_observed
    from flags.findings as findings
    inner join flags.ledger_run as run on findings.closed_as_of = run.as_of
    where findings.review_state = 'closed'
"""


def broken_files(settings: Settings) -> list[str]:
    """Files of the ledger, relative to the output folder, that cannot be read or that are gone while later ones are there."""
    found = []
    numbers: dict[tuple[Path, str], set[int]] = defaultdict(set)
    for path in sorted(settings.ledger.glob("*/*.parquet")):
        if rows_in(path) is None:
            found.append(path)
        named = re.fullmatch(r"(.*)(\d{6})\.parquet", path.name)
        if named and path.parent.name in NUMBERED:
            numbers[path.parent, named[1]].add(int(named[2]))
    for (folder, day), held in numbers.items():
        gone = set(range(1, max(held))) - held
        found += [folder / f"{day}{number:06d}.parquet" for number in gone]
    return sorted(str(path.relative_to(settings.out)) for path in found)


def is_lost(settings: Settings) -> bool:
    """Whether the ledger holds nothing of the publication that stands, although that was entered into it."""
    if not publication.is_remembered(settings) or publication.is_given_up(settings):
        return False
    try:
        as_of = json.loads(settings.published_record.read_text()).get("as_of")
    except (FileNotFoundError, ValueError):
        return False
    return as_of is not None and not any((settings.ledger / SIGHTINGS).glob(f"{as_of}.*.parquet"))


def refuse_broken(settings: Settings) -> None:
    """Nothing is built on a ledger that lacks what was written into it; raises LedgerDamaged."""
    if is_lost(settings):
        raise LedgerDamaged(
            "ledger/ does not hold what the last run showed: restore it from the backup, as first-seen dates and reviews cannot be made"
            " again; without a backup, copy landing/ and quarantine/ into a new --out folder"
        )
    broken = broken_files(settings)
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise LedgerDamaged(
            f"{broken[0]}{more} damaged or gone: restore ledger/ from the backup; it cannot be made again"
        )


def prepare(settings: Settings) -> None:
    """Make the ledger's folders, each with a file without rows that has every column of this version."""
    for name, columns in TABLES.items():
        folder = settings.ledger / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / EMPTY
        with duckdb.connect() as con:
            con.execute(f"create table empty_ledger ({columns})")
            if path.exists():
                known = con.execute(f"describe from read_parquet('{path}')").fetchall()
                if [row[0] for row in known] == _columns(con, "empty_ledger"):
                    continue
            with locked(settings):
                place(con, "from empty_ledger", path)


def remember_findings(settings: Settings) -> Path | None:
    """Add what this run showed; returns the new file, or None where the newest run as of the same day showed the same."""
    prepare(settings)
    folder = settings.ledger / SIGHTINGS
    with locked(settings), duckdb.connect() as con:
        con.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        con.execute("use warehouse")
        row = con.execute("select as_of from flags.ledger_run").fetchone()
        if row is None:
            raise ValueError("flags.ledger_run holds no run")
        as_of = row[0]
        con.execute(f"create temp table sightings ({TABLES[SIGHTINGS]})")
        con.execute(f"insert into sightings by name {_SHOWN}")
        before = sorted(folder.glob(f"{as_of}.*.parquet"))
        if before:
            # a file of an earlier version lacks the columns that were added since
            con.execute(
                "create temp view earlier as from sightings where false"
                f" union all by name from read_parquet('{before[-1]}')"
            )
            rows = "select * exclude (run_number) from"
            (different,) = con.execute(
                f"select (select count(*) from ({rows} sightings except all {rows} earlier))"
                f" + (select count(*) from ({rows} earlier except all {rows} sightings))"
            ).fetchone() or (1,)
            if not different:
                return None
        number = int(before[-1].name.split(".")[1]) + 1 if before else 1
        path = folder / f"{as_of}.{number:06d}.parquet"
        place(
            con, f"select * replace ({number} as run_number) from sightings order by kind, finding_id", path
        )
    return path


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe {table}").fetchall()]


def place(con: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    """Write the rows of a query as a new Parquet file at `path`: whole or not at all, readable by its owner only."""
    fresh = path.with_suffix(".incoming")
    con.execute(f"copy ({rows}) to '{fresh}' (format parquet, compression zstd)")
    fresh.chmod(0o600)
    fresh.rename(path)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """One writer of the ledger at a time; others wait."""
    settings.ledger.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.ledger / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
