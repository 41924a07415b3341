"""Worklists as files: a workbook and a CSV a practice, and all of them in one CSV; safe to open in a spreadsheet. Person-level."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import IO

import duckdb
import polars as pl

from pipelines import engine
from pipelines.processes import pool
from pipelines.publish import notes, workbook
from pipelines.publish.spreadsheets import harmless
from pipelines.publish.worklist_changes import COLUMNS as CHANGE_COLUMNS
from pipelines.publish.worklist_changes import changes
from pipelines.settings import Settings

CHANGES = "changes.csv"
# Practices whose files one process writes at a time: a workbook is some 10 ms of Python, starting a process a second.
PRACTICES_AT_ONCE = 500


class UnknownPractice(Exception):
    """No worklist names this practice."""


@dataclass(frozen=True)
class Share:
    """Practices that are written together: their rows as workbooks show them, as CSVs do (`of`: the practice itself, as its name may
    have been made harmless), and who came and went."""

    shown: pl.DataFrame
    texts: pl.DataFrame
    moved: pl.DataFrame


def listed(settings: Settings) -> pl.DataFrame:
    """The published worklist with the last status and note of each row; ordered by practice and rank."""
    return with_notes(
        settings, pl.read_parquet(settings.tables / "worklist.parquet").sort("practice_id", "rank")
    )


def with_notes(settings: Settings, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, in their order, with `status` and `note` as the ledger has them last."""
    known = notes.latest(settings)
    noted = pl.DataFrame(
        [(*key, one.status or None, one.note or None) for key, one in known.items()],
        schema=dict.fromkeys(("practice_id", "beneficiary_id", "status", "note"), pl.String),
        orient="row",
    )
    return rows.join(noted, on=["practice_id", "beneficiary_id"], how="left", maintain_order="left")


def changed(settings: Settings) -> pl.DataFrame:
    """Who came, started, lapsed or left since the month before; empty without a warehouse of this version."""
    if settings.warehouse.exists():
        with (
            contextlib.suppress(duckdb.CatalogException),
            engine.connect(settings, settings.warehouse, read_only=True) as con,
        ):
            return changes(con)
    return pl.DataFrame(schema=dict.fromkeys(CHANGE_COLUMNS, pl.String))


def write(settings: Settings) -> int:
    """Write a workbook and a CSV a practice, `all.csv` and `changes.csv`, readable by their owner only; returns the number of practices.

    What practices wrote into the workbooks that stand there is read first. The folder is then made anew, so that no list of an
    earlier run stays behind.
    """
    notes.read_back(settings)
    rows, moved = listed(settings), changed(settings)
    table = harmless(rows)
    newest = max((one.number for one in notes.latest(settings).values()), default=0)
    shutil.rmtree(settings.worklists, ignore_errors=True)
    settings.worklists.mkdir(parents=True, mode=0o700)
    save(table, settings.worklists / "all.csv")
    save(harmless(moved), settings.worklists / CHANGES)
    shares = list(
        shared_out(
            workbook.ordered(rows), table.with_columns(rows["practice_id"].alias("of")), workbook.named(moved)
        )
    )
    processes = min(settings.threads, len(shares))
    if processes > 1:
        with pool(processes) as several:
            list(several.map(write_share, repeat(settings.worklists), shares, repeat(newest)))
    else:
        for share in shares:
            write_share(settings.worklists, share, newest)
    notes.mark_written(settings.worklists)
    return rows["practice_id"].n_unique()


def shared_out(shown: pl.DataFrame, texts: pl.DataFrame, moved: pl.DataFrame) -> Iterator[Share]:
    """Everything, PRACTICES_AT_ONCE practices at a time. A practice can have nobody left to ask and still want to know who started."""
    practices = pl.concat([shown["practice_id"], moved["practice_id"]]).unique().sort()
    numbers = pl.DataFrame({"practice_id": practices}).with_row_index("share")
    numbers = numbers.with_columns(pl.col("share") // PRACTICES_AT_ONCE)

    def parts(rows: pl.DataFrame, practice: str) -> dict[tuple[object, ...], pl.DataFrame]:
        # No practice at all is one too: its rows must not fall out here, and have no name for a file later.
        numbered = rows.join(
            numbers,
            left_on=practice,
            right_on="practice_id",
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        return numbered.partition_by("share", as_dict=True, include_key=False)

    lists, tables, movements = parts(shown, "practice_id"), parts(texts, "of"), parts(moved, "practice_id")
    for number in numbers["share"].unique().sort():
        key = (number,)
        yield Share(
            lists.get(key, shown.clear()), tables.get(key, texts.clear()), movements.get(key, moved.clear())
        )


def write_share(folder: Path, share: Share, newest: int) -> None:
    """Write the workbook and the CSV of each practice of a share; `newest`: the number of the newest note that its rows hold."""
    lists = share.shown.partition_by("practice_id", as_dict=True)
    tables = share.texts.partition_by("of", as_dict=True, include_key=False)
    movements = share.moved.partition_by("practice_id", as_dict=True, include_key=False)
    nobody, nothing = share.moved.drop("practice_id").clear(), share.shown.clear()
    nowhere = share.texts.drop("of").clear()
    for key in {**lists, **movements}:
        (practice,) = key
        save(tables.get(key, nowhere), folder / file_name(practice, "csv"))
        workbook.write(
            folder / file_name(practice, "xlsx"), lists.get(key, nothing), movements.get(key, nobody), newest
        )


def file_name(practice: str, ending: str) -> str:
    """A name of plain characters, since the identifier comes from data; two practices never share one."""
    return f"practice_{re.sub(r'[^0-9A-Za-z]', lambda match: f'_{ord(match[0]):x}_', practice)}.{ending}"


def save(table: pl.DataFrame, path: Path) -> None:
    path.touch(mode=0o600)
    table.write_csv(path)


def chosen(rows: pl.DataFrame, practice: str | None, top: int | None) -> pl.DataFrame:
    """The rows of one practice, and of each practice the first so many; raises UnknownPractice when no row names `practice`."""
    if practice is not None:
        rows = rows.filter(pl.col("practice_id") == practice)
        if rows.is_empty():
            raise UnknownPractice(f"no worklist for practice {practice}")
    return rows if top is None else rows.filter(pl.col("rank") <= top)


def print_csv(settings: Settings, stream: IO[str], *, practice: str | None, top: int | None) -> None:
    """Write the chosen rows as CSV to `stream`; raises UnknownPractice."""
    stream.write(harmless(chosen(listed(settings), practice, top)).write_csv())


def save_workbook(settings: Settings, path: Path, *, practice: str | None, top: int | None) -> int:
    """Write the chosen rows as one workbook at `path`; returns their number. Raises UnknownPractice."""
    rows = chosen(listed(settings), practice, top)
    moved = changed(settings)
    if practice is not None:
        moved = moved.filter(pl.col("practice_id") == practice)
    workbook.write(
        path,
        rows,
        workbook.named(moved),
        max((one.number for one in notes.latest(settings).values()), default=0),
    )
    return rows.height
