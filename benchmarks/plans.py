"""What each model makes DuckDB do, as counts that do not depend on the machine: rows scanned, tables read twice, pairs compared.

Each model that a build stored is asked for again with `explain analyze`, over the tables that it was built from. By hand:

    .venv/bin/python -m benchmarks.plans OUT

prints the models of an output folder, the most CPU seconds first.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

# Joins that look at every pair of rows.
COMPARING = {"BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN"}
READING = {"TABLE_SCAN", "SEQ_SCAN", "READ_PARQUET", "PARQUET_SCAN"}


@dataclass
class Work:
    """One model's work. `scans`: table -> times it is read; `rows_scanned`: of all of them together; `widest`: the most rows that
    one operator passes on; `pairs`: pairs of rows compared by joins that are not on equality; `cpu_seconds` of all threads,
    `peak_bytes` of the engine's memory and `spilled_bytes` are for people to read.
    """

    model: str
    rows: int = 0
    rows_scanned: int = 0
    widest: int = 0
    pairs: int = 0
    scans: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    spilled_bytes: int = 0


def stored_models(artifacts: Path) -> dict[str, str]:
    """Name -> compiled SQL of every model of a dbt target folder that is stored as a table."""
    nodes = json.loads((artifacts / "manifest.json").read_text())["nodes"]
    results = json.loads((artifacts / "run_results.json").read_text())["results"]
    return {
        nodes[result["unique_id"]]["name"]: result["compiled_code"]
        for result in results
        if result["unique_id"].startswith("model.")
        and nodes[result["unique_id"]]["config"]["materialized"] == "table"
    }


def work_of(con: duckdb.DuckDBPyConnection, model: str, sql: str) -> Work:
    """Run a model's query without keeping its rows and count what it does."""
    (told,) = con.execute(f"explain (analyze, format json) {sql}").fetchall()
    profile = json.loads(told[1])
    (analysis,) = profile["children"]
    work = Work(
        model,
        rows=_rows_given(analysis["children"][0]),
        cpu_seconds=profile["cpu_time"],
        peak_bytes=profile["system_peak_buffer_memory"],
        spilled_bytes=profile["system_peak_temp_dir_size"],
    )
    for operator in _operators(analysis):
        kind = operator["operator_name"].strip()
        work.widest = max(work.widest, operator["operator_cardinality"])
        if kind in READING:
            work.scans[_table(operator["extra_info"])] += 1
            # of Parquet only the rows that pass the filter are told
            work.rows_scanned += max(operator["operator_rows_scanned"], operator["operator_cardinality"])
        if kind in COMPARING:
            left, right = (child["operator_cardinality"] for child in operator["children"])
            work.pairs += left * right
    return work


def _rows_given(top: dict[str, Any]) -> int:
    # an operator that only holds a common table expression counts no rows; the query that reads it is its last child
    while top["operator_name"].strip() == "CTE":
        top = top["children"][-1]
    return int(top["operator_cardinality"])


def _operators(operator: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for child in operator["children"]:
        yield child
        yield from _operators(child)


def _table(told: dict[str, Any]) -> str:
    """A table as schema.table, a landed file by its table's name."""
    if "Table" in told:
        return ".".join(str(told["Table"]).replace('"', "").split(".")[-2:])
    return f"landing.{Path(str(told.get('Filename(s)', 'file')).split(',')[0]).stem}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="output folder of a run")
    parser.add_argument("--memory-limit", default="6GB")
    parser.add_argument("--models", nargs="*", help="these alone")
    chosen = parser.parse_args()
    with duckdb.connect(str(chosen.out / "warehouse.duckdb"), read_only=True) as con:
        con.execute(f"set memory_limit = '{chosen.memory_limit}'")
        con.execute("set preserve_insertion_order = false")
        found = [
            work_of(con, name, sql)
            for name, sql in stored_models(chosen.out / "dbt").items()
            if not chosen.models or name in chosen.models
        ]
    print(
        f"{'model':48}{'CPU s':>8}{'MiB':>8}{'spilt':>8}{'rows':>12}{'scanned':>13}{'widest':>13}{'pairs':>16}  read twice"
    )
    for one in sorted(found, key=lambda one: -one.cpu_seconds):
        twice = {table: times for table, times in one.scans.items() if times > 1}
        print(
            f"{one.model:48}{one.cpu_seconds:8.2f}{one.peak_bytes / 2**20:8.0f}{one.spilled_bytes / 2**20:8.0f}{one.rows:12,}"
            f"{one.rows_scanned:13,}{one.widest:13,}{one.pairs:16,}  {twice or ''}"
        )


if __name__ == "__main__":
    main()
