"""Data faults planted in the extracts: rows that the contract must hold back, and codes that need tidying.

Bad rows are added, never made of good ones, so what is held back does not change any truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.streams import stream

DUPLICATED = {
    "claim_lines": ["claim_id", "claim_version", "line_number"],
    "enrollment_months": ["beneficiary_id", "service_month"],
    "care_management_time": ["activity_id"],
}
YEAR_ONE = np.datetime64("0001-01-01").astype("datetime64[D]").astype(np.int64)
FAR_FUTURE = np.datetime64("2099-06-01").astype("datetime64[D]").astype(np.int64)


@dataclass(frozen=True)
class Planted:
    """Tables with their faults, and one row a fault: table_name, fault, row_key, is_held_back."""

    tables: dict[str, pl.DataFrame]
    faults: pl.DataFrame


def plant_faults(
    parameters: dict[str, Any], tables: dict[str, pl.DataFrame], seed: int, chunk: int
) -> Planted:
    """Add faulty rows to a chunk's tables by the rates of the parameter file."""
    f = parameters["faults"]
    scale = float(f["scale"])
    minimum = int(f["minimum_each"]) if chunk == 0 and scale > 0 else 0
    tables, notes = dict(tables), []

    def some(name: str, rate: str, table: pl.DataFrame) -> pl.DataFrame:
        random = stream(seed, f"faults {name}", chunk)
        wanted = (
            max(minimum, int(random.binomial(len(table), min(1.0, f[rate] * scale)))) if len(table) else 0
        )
        rows = np.sort(random.choice(len(table), size=min(wanted, len(table)), replace=False))
        return table[rows]

    def note(table: str, fault: str, keys: pl.Series, held_back: bool) -> None:
        notes.append(
            pl.DataFrame({"row_key": keys.cast(pl.String)}).select(
                table_name=pl.lit(table),
                fault=pl.lit(fault),
                row_key="row_key",
                is_held_back=pl.lit(held_back),
            )
        )

    codes = tables["claim_diagnoses"]
    untidy = some("untidy codes", "untidy_codes", codes.with_row_index("at"))
    code = pl.col("diagnosis_code")
    dotted = pl.when(code.str.len_chars() > 3).then(code.str.slice(0, 3) + pl.lit(".") + code.str.slice(3))
    changed = pl.Series(np.isin(np.arange(len(codes)), untidy["at"].to_numpy()))
    odd = pl.int_range(pl.len()) % 2 == 1
    tables["claim_diagnoses"] = codes.with_columns(
        diagnosis_code=pl.when(changed)
        .then(pl.when(odd).then(dotted.otherwise(code)).otherwise(code.str.to_lowercase()))
        .otherwise(code)
    )
    key = untidy["claim_id"] + pl.Series(["|"]) + untidy["position"].cast(pl.String)
    note("claim_diagnoses", "untidy_code", key, False)

    for name, columns in DUPLICATED.items():
        copies = some(f"duplicates {name}", "duplicate_rows", tables[name])
        tables[name] = pl.concat([tables[name], copies])
        note(name, "duplicate_row", copies.select(pl.concat_str(columns, separator="|")).to_series(), True)

    originals = tables["claims"].filter(pl.col("action") == "original")
    dated = some("year one", "impossible_dates", originals).with_columns(
        claim_id=pl.lit("X") + pl.col("claim_id"),
        claim_group_id=pl.lit(None, dtype=pl.String),
        from_date=pl.lit(int(YEAR_ONE), dtype=pl.Int32).cast(pl.Date),
    )
    tables["claims"] = pl.concat([tables["claims"], dated])
    note("claims", "year_one", dated["claim_id"], True)
    future = some("future", "impossible_dates", tables["encounters"]).with_columns(
        encounter_id=pl.lit("X") + pl.col("encounter_id"),
        start_date=pl.lit(int(FAR_FUTURE), dtype=pl.Int32).cast(pl.Date),
    )
    tables["encounters"] = pl.concat([tables["encounters"], future])
    note("encounters", "future_date", future["encounter_id"], True)
    orphans = some("orphans", "orphan_lines", tables["claim_lines"]).with_columns(
        claim_id=pl.lit("Y") + pl.col("claim_id")
    )
    orphans = orphans.unique("claim_id", keep="first", maintain_order=True)
    tables["claim_lines"] = pl.concat([tables["claim_lines"], orphans])
    keys = orphans.select(pl.concat_str(DUPLICATED["claim_lines"], separator="|")).to_series()
    note("claim_lines", "orphan_line", keys, True)
    return Planted(tables=tables, faults=pl.concat(notes))
