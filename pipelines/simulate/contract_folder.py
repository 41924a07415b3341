"""A folder of contract tables as Parquet, opened for writing it out in another format."""

from __future__ import annotations

import contextlib
import glob
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from pipelines.extracts.contract import load_contracts
from pipelines.extracts.delivery import sql_text

# A character that no text holds: a line is written as it stands.
NO_DELIMITER = "\x01"


@contextlib.contextmanager
def opened(
    extracts: Path, tables: Sequence[str], out: Path, memory_limit: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view a table of `tables`, empty where `extracts` lacks it; it spills beside `out`.

    ValueError: `extracts` holds none of them.
    """
    found = {table: _files(extracts, table) for table in tables}
    if not any(found.values()):
        raise ValueError(f"{extracts} holds none of the tables {', '.join(tables)}")
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        with duckdb.connect(
            str(scratch / "tables.duckdb"),
            config={"memory_limit": memory_limit, "temp_directory": str(scratch / "spill")},
        ) as con:
            for table, files in found.items():
                con.execute(f"create view {table} as select * from {files or _empty(table)}")
            yield con
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def leave_the_rest(extracts: Path, carried: Sequence[str]) -> None:
    """Remove the tables that were written in another format; move the others to the folder `practice`."""
    rest = extracts / "practice"
    for path in sorted(extracts.glob("*.parquet")):
        if path.stem.split("-")[0] in carried:
            path.unlink()
        else:
            rest.mkdir(exist_ok=True)
            path.rename(rest / path.name)


def holds_any(extracts: Path, tables: Sequence[str]) -> bool:
    """Whether `extracts` has a file of one of `tables`."""
    return any(_files(extracts, table) for table in tables)


def write_lines(con: duckdb.DuckDBPyConnection, select: str, target: Path) -> int:
    """Write `select` of one text column, a line a row and nothing else; the number of rows."""
    (rows,) = con.execute(f"""
        copy ({select}) to {sql_text(str(target))}
        (format csv, header false, quote '', escape '', delimiter '{NO_DELIMITER}')""").fetchall()[0]
    return int(rows)


def _files(extracts: Path, table: str) -> str:
    found = sorted((*extracts.glob(f"{table}.parquet"), *extracts.glob(f"{table}-*.parquet")))
    listed = ", ".join(sql_text(glob.escape(str(path))) for path in found)
    return f"read_parquet([{listed}])" if found else ""


def _empty(table: str) -> str:
    columns = ", ".join(
        f'null::{column.duckdb_type} as "{column.name}"' for column in load_contracts()[table].columns
    )
    return f"(select {columns} where false)"
