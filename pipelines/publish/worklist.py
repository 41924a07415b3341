"""Worklists as CSV: one a practice and one of all, safe to open in a spreadsheet. Person-level."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import IO

import polars as pl

from pipelines.publish.spreadsheets import harmless
from pipelines.settings import Settings


class UnknownPractice(Exception):
    """No worklist names this practice."""


def frame(settings: Settings) -> pl.DataFrame:
    """The published worklist with lists as text, every text cell made harmless; ordered by practice and rank."""
    table = pl.read_parquet(settings.tables / "worklist.parquet").sort("practice_id", "rank")
    return harmless(table)


def write(settings: Settings) -> int:
    """Write `worklists/all.csv` and one file a practice, readable by their owner only; returns the number of practices.

    The folder is made anew, so that no list of an earlier run stays behind.
    """
    table = frame(settings)
    shutil.rmtree(settings.worklists, ignore_errors=True)
    settings.worklists.mkdir(parents=True, mode=0o700)
    save(table, settings.worklists / "all.csv")
    practices = table.partition_by("practice_id", as_dict=True)
    for (practice,), rows in practices.items():
        save(rows, settings.worklists / file_name(str(practice)))
    return len(practices)


def file_name(practice: str) -> str:
    """A name of plain characters, since the identifier comes from data; two practices never share one."""
    return f"practice_{re.sub(r'[^0-9A-Za-z]', lambda match: f'_{ord(match[0]):x}_', practice)}.csv"


def save(table: pl.DataFrame, path: Path) -> None:
    path.touch(mode=0o600)
    table.write_csv(path)


def print_csv(settings: Settings, stream: IO[str], *, practice: str | None, top: int | None) -> None:
    """Write the chosen rows as CSV to `stream`; raises UnknownPractice when no row names `practice`."""
    table = frame(settings)
    if practice is not None:
        table = table.filter(pl.col("practice_id") == practice)
        if table.is_empty():
            raise UnknownPractice(f"no worklist for practice {practice}")
    if top is not None:
        table = table.filter(pl.col("rank") <= top)
    stream.write(table.write_csv())
