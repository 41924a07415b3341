"""Rows against history: a delivery against earlier ones, the warehouse against the run that published last."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from expectations.declared import blocks, declared
from expectations.run import Outcome
from pipelines import run_records
from pipelines.extracts.landed import manifests
from pipelines.settings import Settings


def of_landing(settings: Settings, as_of: date | None = None) -> list[Outcome]:
    """Files against their manifests, for every batch; volumes of the newest delivery against those before it.

    Of deliveries received after `as_of` a run reads nothing, so how much they brought does not stop it.
    """
    known = manifests(settings)
    read = [one for one in known if as_of is None or date.fromisoformat(one["received_date"]) <= as_of]
    return [*landed_rows(settings, known), *of_delivery(read)]


def landed_rows(settings: Settings, known: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Whether each table's files of all batches hold the rows that the manifests counted, by the files' own footers."""
    counted: dict[str, int] = {}
    for manifest in known:
        for table, counts in manifest["tables"].items():
            counted[table] = counted.get(table, 0) + counts["rows_landed"]
    found = []
    with duckdb.connect() as con:
        for table, rows in sorted(counted.items()):
            files = f"{settings.landing}/batch-*/{table}.parquet"
            (held,) = con.execute(
                "select sum(num_rows) from parquet_file_metadata($1)", [files]
            ).fetchone() or (0,)
            found.append(
                _outcome(
                    "landed_rows",
                    table,
                    "the files hold the rows that their manifests counted",
                    rows=int(held or 0),
                    unexpected=abs(int(held or 0) - rows),
                )
            )
    return found


def of_delivery(known: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """The newest delivery's rows by table against the median of earlier deliveries of its format.

    Whatever is too little for the lower of two limits is told by the stricter check only. Rows that came in count, whether they
    landed or not.
    """
    if not known:
        return []
    limits = declared()["volumes"]
    newest = max(known, key=lambda manifest: (manifest["received_date"], manifest["batch_id"]))
    earlier = sorted(
        (one for one in known if one is not newest and one["format"] == newest["format"]),
        key=lambda manifest: manifest["received_date"],
    )[-limits["deliveries"] :]
    found = []
    for table, counts in sorted(newest["tables"].items()):
        history = [one["tables"].get(table, {"rows_in": 0})["rows_in"] for one in earlier]
        usual = statistics.median(history) if len(history) >= limits["least"] else 0
        if usual < limits["rows"]:
            continue
        share = counts["rows_in"] / usual
        collapsed = share < limits["collapse"]
        found += [
            _outcome(
                "volume_collapse",
                table,
                f"a delivery brings at least {limits['collapse']:.0%} of the rows usual for its table",
                rows=counts["rows_in"],
                unexpected=int(collapsed),
            ),
            _outcome(
                "volume_of_delivery",
                table,
                f"a delivery brings {limits['low']:.0%} to {limits['high']:.0%} of the rows usual for its table",
                rows=counts["rows_in"],
                unexpected=int(not collapsed and not limits["low"] <= share <= limits["high"]),
            ),
        ]
    return found


def of_warehouse(settings: Settings, window: Any, held: Mapping[str, int]) -> list[Outcome]:
    """Rows of the warehouse's marts against those of the last published run whose window does not reach further.

    `held`: `schema.table` -> rows, as `run.json` has them.
    """
    low = declared()["volumes"]["warehouse_low"]
    through = f"{window.through:%Y-%m}"
    before = next(
        (
            record
            for record in run_records.published(settings, 12)
            if record.get("rows")
            and str(record["as_of"]) <= window.as_of.isoformat()
            and record["through"] <= through
        ),
        None,
    )
    if before is None:
        return []
    return [
        _outcome(
            "volume_of_warehouse",
            table,
            f"a run holds at least {low:.0%} of the rows of the run that published before",
            rows=held.get(table, 0),
            unexpected=int(held.get(table, 0) < low * rows),
        )
        for table, rows in sorted(before["rows"].items())
        if table.startswith("marts.") and rows >= declared()["volumes"]["rows"]
    ]


def _outcome(suite: str, table: str, says: str, *, rows: int, unexpected: int) -> Outcome:
    return Outcome(
        suite=suite,
        table=table,
        column="",
        expectation="rows",
        says=says,
        success=unexpected == 0,
        blocking=blocks(suite),
        rows=rows,
        unexpected=unexpected,
    )
