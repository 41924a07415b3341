"""Alignment reports of accountable care organisations: who was aligned from when to when, as CSV.

A file is one when its name says so (ALR, BAR, alignment) and its header has a beneficiary identifier, a start
and an end, under any of the names below.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines.extracts.delimited import REJECTS, open_delimited, prepare_rejects
from pipelines.extracts.delivery import SourceFile, sql_name

FILE_NAME = re.compile(r"(^|.*[^a-z])(alr|bar|alignment|assignment)([^a-z].*)?\.csv(\.gz)?", re.IGNORECASE)
IDENTIFIERS = ("bene_mbi_id", "bene_mbi", "mbi", "mbi_num", "beneficiary_id")
STARTS = ("start_date", "alignment_start_date", "bene_alignment_start_date", "effective_date")
ENDS = ("end_date", "alignment_end_date", "bene_alignment_end_date", "expiration_date")
OPEN_END = "9999-12-31"


def reports(folder: Path) -> list[Path]:
    """Alignment reports of `folder` that can be read: named and headed like one."""
    return [path for path in _candidates(folder) if _columns(path) is not None]


def open_reports(
    con: duckdb.DuckDBPyConnection, folder: Path
) -> tuple[str | None, list[SourceFile], dict[str, str]]:
    """View of all spans (None without a report), the files read, and why others were passed over.

    Columns: beneficiary_id, start_date, end_date (dates; an open end is 9999-12-31), source_file, source_row.
    Rows without a readable identifier, start or end are set aside. Raises `UnreadableExtract`.
    """
    files: list[SourceFile] = []
    selects: list[str] = []
    for place, path in enumerate(reports(folder)):
        columns = _columns(path)
        if columns is None:
            continue
        view = f"alignment_raw_{place}"
        files.append(open_delimited(con, path, delimiter=",", required=columns, view=view, columns=columns))
        spelt = {name.lower(): name for name in files[-1].columns}
        person, start, end = (sql_name(spelt[name]) for name in columns)
        selects.append(f"""
            select {person} as beneficiary_id, {_day(start)} as start_date,
                   case when {end} is null then date '{OPEN_END}' else {_day(end)} end as end_date,
                   source_file, source_row
            from {view}""")
    passed_over = {
        path.name: "named like an alignment report, but its header has no identifier, start and end"
        for path in _candidates(folder)
        if _columns(path) is None
    }
    if not selects:
        return None, files, passed_over
    con.execute(f"create or replace view alignment_rows as {' union all '.join(selects)}")
    is_whole = "beneficiary_id is not null and start_date is not null and end_date >= start_date"
    con.execute(f"create or replace view alignment_spans as select * from alignment_rows where {is_whole}")
    prepare_rejects(con)
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row, 'not_a_span',
               'an identifier, a start as YYYY-MM-DD or MM/DD/YYYY, and an end not before it',
               json_object('beneficiary_id', beneficiary_id)::varchar
        from alignment_rows where coalesce(not ({is_whole}), true)""")
    return "alignment_spans", files, passed_over


def _day(value: str) -> str:
    return f"coalesce(try_cast({value} as date), try_strptime({value}, '%m/%d/%Y')::date)"


def _candidates(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and FILE_NAME.fullmatch(path.name))


def _columns(path: Path) -> list[str] | None:
    """Names of the identifier, start and end columns in lower case, or None."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as content:
            header = content.readline(65_536).decode("utf-8-sig", "replace")
    except (OSError, EOFError, zlib.error):
        return None
    try:
        names = {cell.strip().lower() for cell in next(csv.reader([header]), [])}
    except csv.Error:
        return None

    def first(wanted: Sequence[str]) -> str | None:
        return next((name for name in wanted if name in names), None)

    person, start, end = first(IDENTIFIERS), first(STARTS), first(ENDS)
    return [person, start, end] if person and start and end else None
