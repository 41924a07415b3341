"""Parquet files as views, with the row number as `source_row`; a damaged file is one clear message."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines.extracts.delivery import ORIGIN, SourceFile, UnreadableExtract, sql_name, sql_text

DAMAGED = "the Parquet file is truncated or damaged"


def open_parquet(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    required: Sequence[str],
    view: str,
    name: str | None = None,
) -> SourceFile:
    """Make `view` on `con`: the file's columns with their own types, `source_file`, `source_row` (from 1).

    Nothing is copied. Raises `UnreadableExtract` for a file without a readable footer, one that lacks a
    required column or names one twice; damage inside the data shows when it is read (see `is_intact`).
    """
    label = name if name is not None else path.name
    location = sql_text(glob.escape(str(path)))
    if path.stat().st_size == 0:
        raise UnreadableExtract(label, "the file is empty", expected="a Parquet file")
    try:
        described = con.execute(f"describe select * from read_parquet({location})").fetchall()
        (rows,) = con.execute(f"select count(*) from read_parquet({location})").fetchall()[0]
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        raise UnreadableExtract(label, DAMAGED, expected="a complete Parquet file") from None
    columns = [str(row[0]) for row in described]
    seen = {column.lower() for column in columns}
    if len(seen) < len(columns):
        raise UnreadableExtract(label, "the file names a column twice")
    absent = [column for column in required if column.lower() not in seen]
    if absent:
        raise UnreadableExtract(
            label,
            "a required column is missing",
            column=", ".join(absent),
            expected=f"the columns {', '.join(required)}",
            actual=f"{len(columns)} columns",
        )
    own = "".join(f"{sql_name(column)}, " for column in columns if column.lower() not in ORIGIN)
    con.execute(f"""
        create or replace view {sql_name(view)} as
        select {own}{sql_text(label)} as source_file, file_row_number + 1 as source_row
        from read_parquet({location}, file_row_number = true)""")
    return SourceFile(path=path, name=label, rows_in=int(rows), encoding="parquet", columns=tuple(columns))


def is_intact(con: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether every page of every column can be read (reads the whole file)."""
    location = sql_text(glob.escape(str(path)))
    try:
        described = con.execute(f"describe select * from read_parquet({location})").fetchall()
        every = ", ".join(sql_name(str(row[0])) for row in described)
        con.execute(f"select bit_xor(hash({every})) from read_parquet({location})").fetchall()
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        return False
    return True
