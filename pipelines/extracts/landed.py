"""The manifests of what is landed, and whether the files that they tell of are there."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from pipelines.settings import Settings


def manifests(settings: Settings) -> list[dict[str, Any]]:
    """Every batch's manifest, in the order of the batches' names."""
    return [json.loads(path.read_text()) for path in sorted(settings.landing.glob("batch-*/manifest.json"))]


def broken_files(settings: Settings) -> list[str]:
    """Landed files, relative to the output folder, that are gone or whose own count of rows is not their manifest's.

    Only the end of each file is read, where Parquet keeps its counts: damage within a file shows when it is read.
    """
    found = []
    for batch in manifests(settings):
        folder = settings.landing / batch["batch_id"]
        for table, counts in batch["tables"].items():
            file = folder / f"{table}.parquet"
            try:
                rows = pl.scan_parquet(file, glob=False).select(pl.len()).collect().item()
            except (OSError, pl.exceptions.PolarsError):
                rows = None
            if rows != counts["rows_landed"]:
                found.append(str(file.relative_to(settings.out)))
    return found
