"""The manifests of what is landed, and whether the files that they tell of are there."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from pipelines.settings import Settings


def manifests(settings: Settings) -> list[dict[str, Any]]:
    """Every batch's manifest, in the order of the batches' names."""
    return [json.loads(path.read_text()) for path in sorted(settings.landing.glob("batch-*/manifest.json"))]


def broken_files(settings: Settings, *, to_the_end: bool = False) -> list[str]:
    """Landed files, relative to the output folder, that are gone or are not what their manifest says.

    Their rows are counted at the end of each file, where Parquet keeps that; `to_the_end` compares the checksum of every byte, as an
    engine reads half of all damage within a file without noticing it.
    """
    found = []
    for batch in manifests(settings):
        folder = settings.landing / batch["batch_id"]
        checksums = batch.get("sha256", {}) if to_the_end else {}  # batches of earlier versions have none
        for table, counts in batch["tables"].items():
            file = folder / f"{table}.parquet"
            if rows_in(file) != counts["rows_landed"] or checksums.get(file.name, "") not in (
                "",
                sha256(file),
            ):
                found.append(str(file.relative_to(settings.out)))
    return found


def rows_in(file: Path) -> int | None:
    """Rows of a Parquet file as its end counts them, None where it is damaged or gone."""
    try:
        return int(parquet.read_metadata(file).num_rows)
    except pyarrow.ArrowInvalid:
        return None
    except OSError as problem:
        # what cannot be read as Parquet has no number; every other fault is of the machine, and the file may be whole
        if problem.errno not in (None, errno.ENOENT):
            raise
        return None


def sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
