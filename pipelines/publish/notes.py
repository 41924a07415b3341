"""Statuses and notes that practices write into their worklists: read back from the workbooks and kept in the ledger.

A workbook says in a hidden column which note was the newest when it was written, so that only what somebody has changed since counts:
an old copy that comes back late does not undo what was noted meanwhile.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.ledger import NOTES, TABLES, locked, place, prepare
from pipelines.settings import Settings

# A status, and whether it keeps the person off every worklist from the next run on.
STATUSES = {
    "to call": False,
    "left message": False,
    "called": False,
    "agreed": False,
    "declined": False,
    "do not contact": True,
    "served elsewhere": True,
}
SHEET = "Worklist"
PRACTICE, PERSON, STATUS, NOTE, KNOWN = "Practice", "Person", "Status", "Notes", "Note number"
WRITTEN = ".written.json"

Key = tuple[str, str]


@dataclass(frozen=True)
class Noted:
    """The last status and note of a practice on a person; `number` orders all notes."""

    number: int
    status: str
    note: str


@dataclass(frozen=True)
class ReadBack:
    """`added`: notes that were new; `unread`: workbooks that could not be read, kept under `ledger/worklists_not_read/`."""

    added: int
    unread: tuple[str, ...] = ()


def read_back(settings: Settings, *files: Path) -> ReadBack:
    """Read the workbooks that people have before them and that changed since they were written (or `files`), and add what is new to the ledger."""
    prepare(settings)
    chosen = files or changed(settings.standing_worklists)
    rows, unread = [], []
    for path in chosen:
        try:
            rows += sheet_rows(path)
        except Exception:  # whatever is wrong with a spreadsheet that somebody has edited
            unread.append(path.name)
            kept = settings.ledger / "worklists_not_read"
            kept.mkdir(exist_ok=True, mode=0o700)
            shutil.copy2(path, kept / path.name)
    return ReadBack(remember(settings, rows), tuple(unread))


def changed(folder: Path) -> list[Path]:
    """Workbooks that are not as the last run left them."""
    mark = folder / WRITTEN
    written = json.loads(mark.read_text()) if mark.exists() else {}
    return [
        path
        for path in sorted(folder.glob("*.xlsx"))
        # a spreadsheet program's lock file is no workbook
        if not path.name.startswith("~$") and written.get(path.name) != stamp(path)
    ]


def mark_written(folder: Path) -> None:
    """Remember how the workbooks look now, so that untouched ones are not read again."""
    mark = folder / WRITTEN
    mark.touch(mode=0o600)
    mark.write_text(json.dumps({path.name: stamp(path) for path in sorted(folder.glob("*.xlsx"))}))


def stamp(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def sheet_rows(path: Path) -> list[dict[str, Any]]:
    """Practice, person, status, note and the note known when the workbook was written, one a row of its worklist.

    Raises KeyError or ValueError where the sheet or a column is missing, and what openpyxl raises for what is no workbook.
    """
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    try:
        lines = book[SHEET].iter_rows(values_only=True)
        heads = [str(head) for head in next(lines)]
        places = [heads.index(name) for name in (PRACTICE, PERSON, STATUS, NOTE, KNOWN)]
        return [
            dict(zip((PRACTICE, PERSON, STATUS, NOTE, KNOWN), (line[place] for place in places), strict=True))
            for line in lines
            if line[places[1]] is not None
        ]
    finally:
        book.close()


def latest(settings: Settings, up_to: int | None = None) -> dict[Key, Noted]:
    """Practice and person -> the last note (with a number up to `up_to`)."""
    folder = settings.ledger / NOTES
    if not any(folder.glob("*.parquet")):
        return {}
    with duckdb.connect() as con:
        rows = con.execute(
            "select practice_id, beneficiary_id, max(note_number), max_by(status, note_number), max_by(note, note_number)"
            f" from read_parquet('{folder}/*.parquet') where note_number <= coalesce($up_to, note_number) group by all",
            {"up_to": up_to},
        ).fetchall()
    return {
        (practice, person): Noted(number, status or "", note or "")
        for practice, person, number, status, note in rows
    }


def remember(settings: Settings, rows: list[dict[str, Any]]) -> int:
    """Add rows whose status or note was changed since their workbook was written; returns how many."""
    if not rows:
        return 0
    with locked(settings):
        now = latest(settings)
        known = {number: latest(settings, number) for number in {whole(row[KNOWN]) for row in rows}}
        newest = max((noted.number for noted in now.values()), default=0)
        nothing = Noted(0, "", "")
        added: dict[Key, tuple[str, str]] = {}
        for row in rows:
            key = (text(row[PRACTICE]), text(row[PERSON]))
            said = (text(row[STATUS]).casefold(), text(row[NOTE]))
            before = known[whole(row[KNOWN])].get(key, nothing)
            holds = now.get(key, nothing)
            if said != (before.status, before.note) and said != (holds.status, holds.note):
                added[key] = said
        if not added:
            return 0
        made = [
            (
                newest + number,
                *key,
                status,
                note,
                STATUSES.get(status, False),
                datetime.now(UTC).replace(tzinfo=None),
            )
            for number, (key, (status, note)) in enumerate(sorted(added.items()), start=1)
        ]
        with duckdb.connect() as con:
            con.execute(f"create table notes ({TABLES[NOTES]})")
            con.executemany("insert into notes values (?, ?, ?, ?, ?, ?, ?)", made)
            place(
                con, "from notes order by note_number", settings.ledger / NOTES / f"{newest + 1:06d}.parquet"
            )
    return len(added)


def text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def whole(value: Any) -> int:
    """The note number of a cell; 0, as if nothing had been known, where it was lost on the way."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
