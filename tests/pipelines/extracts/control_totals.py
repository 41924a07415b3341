"""Control totals of the public sample files, and what a landed batch says about the same measures."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb

from pipelines.extracts.delimited import open_delimited
from pipelines.extracts.delivery import sql_name
from pipelines.extracts.landing import LandedBatch

CARE_MANAGEMENT = "hcpcs_code in ('99487', '99489', '99490', '99491', '99437', '99439', 'G0506', 'G0511')"


def control_totals(folder: Path, name: str) -> dict[str, float]:
    """Measure -> value for the set of files called `name`."""
    with (folder / "CONTROL_TOTALS.csv").open(encoding="utf-8", newline="") as content:
        return {row["measure"]: float(row["value"]) for row in csv.DictReader(content) if row["set"] == name}


class Landed:
    """Questions to a batch's Parquet files (`claims`, `claim_lines`, ...) and to raw files."""

    def __init__(self, batch: LandedBatch) -> None:
        self.con = duckdb.connect()
        for path in batch.folder.glob("*.parquet"):
            self.con.execute(f"create view {path.stem} as select * from read_parquet('{path}')")

    def value(self, select: str) -> float:
        """The single value of `select`; null counts as 0."""
        (row,) = self.con.execute(f"select {select}").fetchall()
        return float(row[0] or 0)

    def raw(self, path: Path, view: str, *, delimiter: str, required: list[str]) -> int:
        """Open a file that no table holds as `view`; its number of rows."""
        return open_delimited(
            self.con, path, delimiter=delimiter, required=required, view=sql_name(view)[1:-1]
        ).rows_in
