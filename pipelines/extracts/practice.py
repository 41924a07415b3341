"""The contract's own tables as files: what a practice, a registry or the simulator delivers.

`<table>.csv`, `<table>.csv.gz` or `<table>.parquet`, any subset of the tables; a table may be split over
files named `<table>-<anything>.csv` and so on. Text is comma-separated with a header line.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from pathlib import Path

import duckdb

from pipelines.extracts.columnar import open_parquet
from pipelines.extracts.contract import Contract, load_contracts
from pipelines.extracts.delimited import open_delimited
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name

NAME = "practice"
LOOKS_FOR = "files called after a contract table (claims.csv, claims.csv.gz, claims.parquet, claims-2.csv)"
FILE_NAME = re.compile(r"(?P<table>[a-z_]+)(-[^/]*)?\.(csv|csv\.gz|parquet)", re.IGNORECASE)


def sources(folder: Path) -> list[Path]:
    """Files of `folder` that are named after a contract table."""
    return sorted(path for path in folder.iterdir() if path.is_file() and _table(path) is not None)


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    found = sources(folder)
    return f"{found[0].name} is named after a contract table" if found else None


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`."""
    contracts = load_contracts()
    files: list[SourceFile] = []
    views: dict[str, list[str]] = defaultdict(list)
    accounting: dict[str, str] = {}
    for place, path in enumerate(sources(folder)):
        table = _table(path)
        if table is None:
            continue
        view = f"practice_{table}_{place}"
        files.append(_open(con, path, contracts[table], view))
        views[table].append(view)
        accounting[path.name] = table
    if not files:
        raise UnreadableExtract(str(folder), "no file to read", expected=LOOKS_FOR)
    for table, parts in views.items():
        together = " union all by name ".join(f"select * from {sql_name(view)}" for view in parts)
        con.execute(f"create or replace view {sql_name(f'practice_{table}')} as {together}")
    return Delivery(
        tables={table: f"practice_{table}" for table in views},
        files=files,
        accounting=accounting,
        ignored={
            str(path.relative_to(folder)): "not named after a contract table"
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in accounting
        },
    )


def _open(con: duckdb.DuckDBPyConnection, path: Path, contract: Contract, view: str) -> SourceFile:
    names = [column.name for column in contract.columns]
    raw = f"{view}_raw"
    if path.suffix.lower() == ".parquet":
        opened = open_parquet(con, path, required=contract.required, view=raw)
    else:
        opened = open_delimited(con, path, delimiter=",", required=contract.required, view=raw, columns=names)
    spelt = {column.lower(): column for column in opened.columns}
    present = [name for name in names if name in spelt]
    kept = ", ".join(f"{sql_name(spelt[name])} as {sql_name(name)}" for name in present)
    con.execute(f"""
        create or replace view {sql_name(view)} as
        select {kept}, source_file, source_row from {sql_name(raw)}""")
    return dataclasses.replace(
        opened,
        unknown_columns=tuple(column for column in opened.columns if column.lower() not in names),
        missing_columns=tuple(name for name in names if name not in spelt),
    )


def _table(path: Path) -> str | None:
    match = FILE_NAME.fullmatch(path.name)
    table = match["table"].lower() if match else None
    return table if table in load_contracts() else None
