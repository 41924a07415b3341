"""The contract's own tables as files, and exports of practices' systems by a mapping of their columns.

`<table>.csv`, `<table>.csv.gz` or `<table>.parquet`, any subset of the tables; a table may be split over
files named `<table>-<anything>.csv` and so on. Text is comma-separated with a header line. Any other CSV or
Excel file is read where a mapping fits its header: one that lies beside it (`*.mapping.yml`) or a shipped one.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from pathlib import Path

import duckdb

from pipelines.extracts import exports
from pipelines.extracts.columnar import open_parquet
from pipelines.extracts.contract import Contract, load_contracts
from pipelines.extracts.delimited import open_delimited
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name
from pipelines.extracts.mappings import ENDING

NAME = "practice"
LOOKS_FOR = (
    "files called after a contract table (claims.csv, claims.csv.gz, claims.parquet, claims-2.csv), "
    "or exports that a mapping fits"
)
FILE_NAME = re.compile(r"(?P<table>[a-z_]+)(-[^/]*)?\.(csv|csv\.gz|parquet)", re.IGNORECASE)


def sources(folder: Path) -> list[Path]:
    """Files named after a contract table, exports that a mapping fits, and the delivery's own mappings."""
    own = exports.own_mappings(folder)
    found = [
        path
        for path in folder.iterdir()
        if path.is_file()
        and (_table(path) is not None or _is_mapping(path) or exports.mapping_for(path, own) is not None)
    ]
    return sorted(found)


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and _has_a_column_of_its_table(path):
            return f"{path.name} is named after a contract table"
    for path in sources(folder):
        mapping = exports.mapping_for(path)
        if mapping is not None:
            return f"{path.name} has the columns of {mapping.name} ({mapping.path.name})"
    return None


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`."""
    contracts = load_contracts()
    files: list[SourceFile] = []
    views: dict[str, list[str]] = defaultdict(list)
    accounting: dict[str, str] = {}
    notes: list[str] = []
    own = exports.own_mappings(folder)
    for place, path in enumerate(sources(folder)):
        table = _table(path)
        if table is not None:
            view = f"practice_{table}_{place}"
            files.append(_open(con, path, contracts[table], view))
            views[table].append(view)
            accounting[path.name] = table
        elif (mapping := exports.mapping_for(path, own)) is not None:
            export = exports.open_export(con, path, mapping, place)
            files.append(export.source)
            for filled, view in export.tables.items():
                views[filled].append(view)
            accounting[path.name] = export.accounted_by
            notes += export.notes
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
            str(path.relative_to(folder)): "a mapping of an export's columns"
            if _is_mapping(path)
            else "not named after a contract table, and no mapping fits its header"
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in accounting
        },
        notes=notes,
    )


def _has_a_column_of_its_table(path: Path) -> bool:
    """Whether a file named after a table is one: others have claims.csv too. What cannot be read may be one."""
    table = _table(path)
    if table is None:
        return False
    if path.suffix.lower() != ".csv":
        return True
    with path.open("rb") as content:
        line = content.readline(65_536).decode("utf-8-sig", "replace")
    words = set(re.findall("[a-z0-9_]+", line.lower()))
    return not words or bool(words & {column.name for column in load_contracts()[table].columns})


def _is_mapping(path: Path) -> bool:
    return path.name.lower().endswith(ENDING)


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
