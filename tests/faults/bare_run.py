"""A run reduced to what must survive: lock, landing, publication, ledger. What dbt computes is one query over what is landed.

It shows the newest statement of each claim, and a finding a claim that paid more than a limit, so that what ought to stand can be
said in a few lines of Python.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines import lineage
from pipelines.extracts.landing import land
from pipelines.ledger import SIGHTINGS, TABLES, prepare, refuse_broken
from pipelines.publish import publication
from pipelines.run import catch_up, prepare_folders, remember
from pipelines.run_lock import only_writer
from pipelines.settings import Settings
from pipelines.window import window

MONTH = date(2025, 1, 1)
FINDING_ABOVE = 100
# What a finding holds beside what the ledger keeps of it; and what the ledger keeps of it in a table of its own.
OF_REVIEWS = ("review_state", "reviewed_as", "review_number", "reviewed_at", "reviewed_by", "review_note", "identified_on",
              "return_by", "first_seen_as_of", "last_seen_as_of", "reopened_as_of", "closed_as_of", "continued_by")  # fmt: skip
OF_RUN = ("kind", "as_of", "run_number", "through_month", "policy_version", "rules_version")
FACTS = ("evidence_facts", "claims_facts", "record_facts", "coverage_facts", "history_facts")
Claims = dict[str, int]


def write_delivery(folder: Path, claims: Claims) -> Path:
    """A delivery of claims with what each paid, in the contract's own tables."""
    folder.mkdir(parents=True)
    with (folder / "claims.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "claim_id",
                "claim_version",
                "beneficiary_id",
                "claim_type",
                "from_date",
                "through_date",
                "action",
                "paid_usd",
            ]
        )
        rows.writerows(
            [name, 1, "person", "carrier", MONTH, MONTH, "original", paid] for name, paid in claims.items()
        )
    with (folder / "enrollment_months.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["beneficiary_id", "service_month", "coverage_grain"])
        rows.writerow(["person", MONTH, "month"])
    return folder


def run(settings: Settings, delivery: Path | None, received: date | None, as_of: date | None = None) -> None:
    """The main job's order of things without Dagster."""
    with only_writer(settings, "run"):
        prepare_folders(settings)
        refuse_broken(settings)
        catch_up(settings)
        making = publication.begin(settings)
        if delivery is not None:
            land(delivery, making, format="practice", received=received)
        asked = window(making, as_of, None)
        made = lineage.lineage(making, asked)
        fill(making, asked.as_of)
        making.tables.mkdir()
        with duckdb.connect(str(making.warehouse), read_only=True) as con:
            con.execute(
                f"copy (from marts.shown order by all) to '{making.tables / 'shown.parquet'}' (format parquet)"
            )
        lineage.write(making.tables, made)
        publication.publish(making, {"as_of": made.as_of, "through": made.through})
        remember(settings)
        shutil.rmtree(settings.temporary)


def fill(making: Settings, as_of: date) -> None:
    """The warehouse that stands for dbt's."""
    prepare(making)
    with duckdb.connect(str(making.warehouse)) as con:
        for schema in ("marts", "flags", "reports"):
            con.execute(f"create schema {schema}")
        con.execute(
            "create table marts.shown as select claim_id, arg_max(paid_usd, received_date)::integer as paid"
            f" from read_parquet('{making.landing}/batch-*/claims.parquet') where received_date <= $1 group by claim_id",
            [as_of],
        )
        con.execute("create table flags.ledger_run as select $1::date as as_of, $2::date as through_month,"
                    " 'p' as policy_version, 'r' as rules_version", [as_of, MONTH])  # fmt: skip
        con.execute(f"create table flags.findings ({TABLES[SIGHTINGS]})")
        con.execute("insert into flags.findings by name select 'f-' || claim_id as finding_id, paid as amount_usd"
                    f" from marts.shown where paid > {FINDING_ABOVE}")  # fmt: skip
        for name in (*OF_RUN, *FACTS):
            con.execute(f"alter table flags.findings drop column {name}")
        for name in OF_REVIEWS:
            con.execute(
                f"alter table flags.findings add column {name} {'date' if name == 'closed_as_of' else 'varchar'}"
            )
        con.execute("update flags.findings set review_state = 'open'")
        facts = ", ".join(f"'' as {name}" for name in FACTS)
        con.execute(f"create table flags.ledger_facts as select finding_id, {facts} from flags.findings")
        con.execute("create table reports.shown_measure_counts as select count(*) as claims, $1::date as as_of from marts.shown",
                    [as_of])  # fmt: skip


class Killed(BaseException):
    """The process is dead; nothing that it would still do has an effect."""


# Calls that change what is on the disk under a name that somebody reads.
CALLS = ("rename", "replace", "symlink_to", "mkdir", "unlink", "touch", "write_text", "chmod")


@contextmanager
def dying_at(call: int) -> Iterator[None]:
    """Within the block the process dies before the call with this number, and with it all that would be put in order on the way out."""
    left = [call]
    real: dict[tuple[Any, str], Any] = {(Path, name): getattr(Path, name) for name in CALLS}
    real[shutil, "rmtree"] = shutil.rmtree

    def counted(original: Any) -> Any:
        def call_or_die(*given: Any, **named: Any) -> Any:
            if left[0] <= 0:
                raise Killed
            left[0] -= 1
            return original(*given, **named)

        return call_or_die

    for (owner, name), original in real.items():
        setattr(owner, name, counted(original))
    try:
        yield
    except Killed:
        pass
    finally:
        for (owner, name), original in real.items():
            setattr(owner, name, original)


def shown(settings: Settings) -> tuple[date, Claims] | None:
    """What stands, None before the first publication; raises AssertionError where its parts are of several runs."""
    standing = replace(settings, in_the_making=False)
    if publication.current(standing) is None:
        return None
    made = lineage.read(standing.tables)
    assert made is not None
    with duckdb.connect() as con:
        con.execute(f"attach '{standing.warehouse.resolve()}' as w (read_only)")
        (as_of,) = con.execute("select as_of from w.flags.ledger_run").fetchone() or (None,)
        in_warehouse = dict(con.execute("from w.marts.shown").fetchall())
        in_tables = dict(con.execute(f"from read_parquet('{standing.tables / 'shown.parquet'}')").fetchall())
    assert in_warehouse == in_tables, "tables and warehouse are of different runs"
    assert as_of is not None and as_of.isoformat() == made.as_of, "the lineage is of another run"
    return as_of, in_tables
