"""What each model of the main job makes the engine do, held as counts in `work.json`; where a model means to do more:

ccm simulate --people 1000 --months 12 --seed 3 --out SIMULATED
ccm run --extracts SIMULATED/extracts --received 2026-03-31 --out OUT
python -m tests.engines.held_work OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.plans import Work, stored_models, work_of

HELD = Path(__file__).with_name("work.json")
# Tables of fewer rows than this cost nothing to read twice.
SMALL_TABLE = 1_000
# A change of the simulation moves the counts by a few in a hundred; a fan-out at least doubles them.
SLACK = 1.4
FEW_ROWS = 5_000
# What any model may do: read no table twice, pass on no more rows than it reads, compare few pairs.
ANY = {"reads": {}, "rows": 1.0, "widest": 1.0, "pairs": 10.0}


def held() -> dict[str, dict[str, Any]]:
    """Model -> what it does, of the models that do more than any may."""
    found: dict[str, dict[str, Any]] = json.loads(HELD.read_text())
    return found


def table_rows(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of every table, by schema.table."""
    told = con.execute("select schema_name, table_name, estimated_size from duckdb_tables()").fetchall()
    return {f"{schema}.{table}": count for schema, table, count in told}


def told(work: Work, rows: dict[str, int]) -> dict[str, Any]:
    """What is held of a model: how often it reads each table that is not small; rows that it gives, the most rows that one operator
    gives and pairs that it compares, each per row read."""
    read = max(work.rows_scanned, 1)
    return {
        "reads": {
            table: times
            for table, times in sorted(work.scans.items())
            if rows.get(table, SMALL_TABLE) >= SMALL_TABLE
        },
        "rows": round(work.rows / read, 3),
        "widest": round(work.widest / read, 3),
        "pairs": round(work.pairs / read, 3),
    }


def worse(known: dict[str, Any] | None, work: Work, rows: dict[str, int]) -> list[str]:
    """What a model does more than it is known to; of a model that is not known, more than any may."""
    limits, now = known or ANY, told(work, rows)
    found = [
        f"reads {table} {times} times, not {limits['reads'].get(table, 1)}"
        for table, times in now["reads"].items()
        if times > limits["reads"].get(table, 1)
    ]
    counted = {"rows": work.rows, "widest": work.widest, "pairs": work.pairs}
    allowed = {
        "rows": limits["rows"],
        # The engine estimates before it chooses what to join first, and does not always choose the same: what any model may do is no fault.
        "widest": max(limits["widest"], ANY["widest"]),
        "pairs": max(limits["pairs"], ANY["pairs"]),
    }
    found += [
        f"{what}: {now[what]} per row read, not {allowed[what]}"
        for what, count in counted.items()
        if count > FEW_ROWS and now[what] > allowed[what] * SLACK
    ]
    return found


def works(out: Path) -> tuple[list[Work], dict[str, int]]:
    """The work of every stored model of a run, and the rows of its tables. One thread, so that equal inputs do equal work."""
    with duckdb.connect(str(out / "warehouse.duckdb"), read_only=True) as con:
        con.execute("set threads = 1")
        return [work_of(con, *model) for model in stored_models(out / "dbt").items()], table_rows(con)


def hold(out: Path) -> None:
    """Write `work.json` from a run; models that stay within what any may do are left out."""
    done, rows = works(out)
    found = {work.model: told(work, rows) for work in done if worse(None, work, rows)}
    HELD.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    hold(Path(sys.argv[1]))
