"""Exports of practices' systems (CSV or Excel) as contract tables, by a mapping of their columns."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extracts import workbook
from pipelines.extracts.contract import Column, load_contracts
from pipelines.extracts.delimited import REJECTS, open_delimited, prepare_rejects, scratch_folder
from pipelines.extracts.delivery import SourceFile, UnreadableExtract, sql_name, sql_text
from pipelines.extracts.mappings import ENDING, FILLED, Mapping, Source, TableMapping, load, shipped

ENDINGS = (".csv", ".csv.gz", ".txt", ".xlsx")


@dataclass(frozen=True)
class Export:
    """An export that was opened: contract table -> view; `accounted_by` is the table with a row a row."""

    source: SourceFile
    tables: dict[str, str]
    accounted_by: str
    notes: tuple[str, ...]


def mapping_for(path: Path, own: Sequence[Mapping] | None = None) -> Mapping | None:
    """The mapping that fits the file's header, or None; those of the delivery go before the shipped ones.

    Raises `UnreadableExtract` where two fit equally well.
    """
    if not path.name.lower().endswith(ENDINGS) or path.name.startswith("~$"):
        return None
    own = own_mappings(path.parent) if own is None else own
    for candidates in (own, shipped()):
        fitting = [mapping for mapping in candidates if mapping.fits(_header(path, mapping))]
        most = max((len(mapping.recognised_by) for mapping in fitting), default=0)
        best = [mapping for mapping in fitting if len(mapping.recognised_by) == most]
        if len(best) > 1:
            names = " and ".join(mapping.path.name for mapping in best)
            raise UnreadableExtract(path, "two mappings fit", expected="one", actual=names)
        if best:
            return best[0]
    return None


def own_mappings(folder: Path) -> list[Mapping]:
    """The mappings that lie in a delivery (`*.mapping.yml`)."""
    return [load(path) for path in sorted(folder.iterdir()) if path.name.lower().endswith(ENDING)]


def open_export(con: duckdb.DuckDBPyConnection, path: Path, mapping: Mapping, place: int) -> Export:
    """Open `path` by `mapping`; views are named after `place`. Raises `UnreadableExtract`."""
    raw = f"export_raw_{place}"
    source, shift = _open(con, path, mapping, raw)
    spelt = {name.lower(): name for name in source.columns}
    _require(path, mapping, spelt)

    def column(name: str) -> str:
        return sql_name(spelt[name.lower()]) if name.lower() in spelt else "null::varchar"

    wanted = _condition(mapping, column)
    rows = f"export_rows_{place}"
    con.execute(f"""
        create or replace view {rows} as
        select * replace (source_row + {shift} as source_row) from {raw} where {wanted}""")
    ((left_out,),) = con.execute(f"select count(*) from {raw} where not ({wanted})").fetchall()
    if shift:
        prepare_rejects(con)
        con.execute(
            f"update {REJECTS} set source_row = source_row + {shift} where source_file = {sql_text(path.name)}"
        )
    tables: dict[str, str] = {}
    notes: list[str] = []
    for number, table in enumerate(mapping.tables):
        view = f"export_{table.table}_{place}"
        con.execute(f"create or replace view {view} as {_select(table, rows, column)}")
        if table.one_row_per:
            _set_repeats_aside(con, table, view, keep_reason=number == 0)
            view = f"{view}_once"
        tables[table.table] = view
        if table.table == "care_management_time":
            notes += _overlaps(con, path, view, table)
    missing = tuple(name for name in mapping.columns if name.lower() not in spelt)
    passed_over = {"not_wanted_by_the_mapping": int(left_out)} if left_out else {}
    return Export(
        source=dataclasses.replace(
            source,
            rows_in=source.rows_in - int(left_out),
            unknown_columns=tuple(
                name for name in source.columns if name.lower() not in {c.lower() for c in mapping.columns}
            ),
            missing_columns=missing,
            passed_over=passed_over,
        ),
        tables=tables,
        accounted_by=mapping.tables[0].table,
        notes=(f"{path.name}: read as {mapping.name} ({mapping.path.name})", *notes),
    )


def _open(con: duckdb.DuckDBPyConnection, path: Path, mapping: Mapping, view: str) -> tuple[SourceFile, int]:
    """The file's columns as text, and by how much its line numbers are to be moved."""
    if path.suffix.lower() != ".xlsx":
        source = open_delimited(
            con, path, delimiter=mapping.delimiter, required=[], view=view, columns=mapping.columns
        )
        return source, 0
    text = scratch_folder(con) / f"{view}.csv"
    workbook.as_text(path, mapping.sheet, mapping.header_row, text)
    try:
        source = open_delimited(
            con, text, delimiter=",", required=[], view=view, name=path.name, columns=mapping.columns
        )
    finally:
        text.unlink(missing_ok=True)
    return dataclasses.replace(source, path=path), mapping.header_row - 1


def _header(path: Path, mapping: Mapping) -> list[str]:
    if path.suffix.lower() == ".xlsx":
        try:
            return workbook.header(path, mapping.sheet, mapping.header_row)
        except UnreadableExtract:
            return []
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as content:
            line = content.readline(65_536).decode("utf-8-sig", "replace")
        return next(csv.reader([line], delimiter=mapping.delimiter), [])
    except (OSError, EOFError, zlib.error, csv.Error):
        return []


def _require(path: Path, mapping: Mapping, spelt: dict[str, str]) -> None:
    needed = list(mapping.only_where)
    for table in mapping.tables:
        required = load_contracts()[table.table].required
        needed += [table.list_column] if table.list_column else []
        for name, source in table.columns.items():
            is_found = any(column.lower() in spelt for column in source.columns)
            if name in required and source.columns and not is_found:
                needed.append(source.columns[0])
    absent = [name for name in dict.fromkeys(needed) if name.lower() not in spelt]
    if absent:
        raise UnreadableExtract(
            path,
            f"a column that {mapping.path.name} needs is missing",
            line=mapping.header_row,
            column=", ".join(absent),
            expected="it in the header, or a mapping of your own that says where it comes from",
        )


def _condition(mapping: Mapping, column: Callable[[str], str]) -> str:
    parts = [
        f"coalesce(upper({column(name)}), '') in ({', '.join(sql_text(value) for value in values)})"
        for name, values in mapping.only_where.items()
    ]
    return " and ".join(parts) or "true"


def _select(table: TableMapping, rows: str, column: Callable[[str], str]) -> str:
    """SQL of the contract's columns for `table`; with a list, one row a different code of it."""
    contract = load_contracts()[table.table]
    values = ", ".join(
        f"{_value(contract.column(name), source, column)} as {sql_name(name)}"
        for name, source in table.columns.items()
    )
    if table.list_column is None:
        return f"select {values}, source_file, source_row from {rows}"
    codes = f"string_split({column(table.list_column)}, {sql_text(table.list_separator)})"
    told = f"list_filter(list_transform({codes}, lambda one: trim(one)), lambda one: one <> '')"
    # The same code again is one more unit of it; the first stands where it was written first.
    return f"""
        select {values}, source_file, source_row
        from (
            select *, unnest(list_transform(list_distinct(told), lambda one: struct_pack(
                       code := one, count := len(list_filter(told, lambda other: other = one)),
                       place := list_position(told, one)))) as listed
            from (select *, {told} as told from {rows})
        )"""


def _value(column: Column, source: Source, at: Callable[[str], str]) -> str:
    if source.value is not None:
        return sql_text(source.value)
    if source.listed is not None:
        return f"listed.{source.listed}::varchar"
    if source.checksum_of:
        # Lengths keep apart what runs together otherwise.
        parts = ", ".join(
            f"length(coalesce({at(name)}, '')), coalesce({at(name)}, '')" for name in source.checksum_of
        )
        return f"left(md5(concat_ws('|', {parts})), 24)"
    texts = [at(name) for name in source.columns]
    if source.is_joined:
        text = f"nullif(concat_ws(' ', {', '.join(texts)}), '')"
    else:
        text = texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"
    if source.true_when is not None:
        if source.true_when == (FILLED.upper(),):
            return f"({text} is not null)::varchar"
        listed = ", ".join(sql_text(value) for value in source.true_when)
        return f"coalesce(upper({text}) in ({listed}), false)::varchar"
    if source.codes or source.otherwise is not None:
        known = " ".join(
            f"when {sql_text(key)} then {sql_text(value)}" for key, value in source.codes.items()
        )
        rest = text if source.otherwise is None else sql_text(source.otherwise)
        return f"case upper({text}) {known} else {rest} end" if known else rest
    if source.unit is not None:
        return _seconds(text, source.unit)
    if column.type in ("date", "timestamp"):
        return _moment(column, text, source)
    return text


def _seconds(text: str, unit: str) -> str:
    """Whole seconds; text that is no duration stays, for validation."""
    if unit == "seconds":
        return text
    if unit == "minutes":
        return f"coalesce(round(try_cast({text} as decimal(18, 6)) * 60)::bigint::varchar, {text})"
    hours = "3600" if unit == "hh:mm:ss" else "60"
    minutes = "60" if unit == "hh:mm:ss" else "1"
    parts = f"string_split({text}, ':')"
    last = f"case when len({parts}) = 3 then try_cast({parts}[3] as bigint) else 0 end"
    pattern = "[0-9]+:[0-5][0-9](:[0-5][0-9])?" if unit == "hh:mm:ss" else "[0-9]+:[0-5][0-9]"
    return f"""case when regexp_full_match({text}, '{pattern}')
        then (try_cast({parts}[1] as bigint) * {hours} + try_cast({parts}[2] as bigint) * {minutes}
              + {last if unit == "hh:mm:ss" else "0"})::varchar else {text} end"""


def _moment(column: Column, text: str, source: Source) -> str:
    """ISO text of a date or time; of an instant with `utc_to`, the wall clock there."""
    formats = ", ".join(sql_text(form) for form in source.formats)
    parsed = f"try_strptime({text}, [{formats}])" if formats else "null::timestamp"
    if source.utc_to is not None:
        # Text without an offset is taken for UTC: so is the session's time zone.
        instant = f"coalesce({parsed}::timestamptz, try_cast({text} as timestamptz))"
        return f"coalesce(({instant} at time zone {sql_text(source.utc_to)})::timestamp::varchar, {text})"
    if not formats:
        return text
    kind = "date" if column.type == "date" else "timestamp"
    return f"coalesce({parsed}::{kind}::varchar, {text})"


def _set_repeats_aside(
    con: duckdb.DuckDBPyConnection, table: TableMapping, view: str, *, keep_reason: bool
) -> None:
    """View `<view>_once` without rows that repeat the columns of `one_row_per`; the others are set aside."""
    keys = ", ".join(sql_name(name) for name in table.one_row_per)
    con.execute(f"""
        create or replace view {view}_counted as
        select *, row_number() over (partition by {keys} order by source_row) as occurrence from {view}""")
    con.execute(
        f"create or replace view {view}_once as select * exclude (occurrence) from {view}_counted where occurrence = 1"
    )
    if keep_reason:
        prepare_rejects(con)
        named = ", ".join(table.one_row_per)
        con.execute(f"""
            insert into {REJECTS}
            select source_file, source_row, 'sent_twice', {sql_text(f"one row for each {named}")},
                   to_json(struct_pack({keys}))::varchar
            from {view}_counted where occurrence > 1""")


def _overlaps(con: duckdb.DuckDBPyConnection, path: Path, view: str, table: TableMapping) -> list[str]:
    """How many activities begin while another of the same staff member still runs; they are kept."""
    if "staff_id" not in table.columns:
        return []
    voided = "coalesce(try_cast(is_voided as boolean), false)"
    ((rows,),) = con.execute(f"""
        select count(*) filter (where started < ended_before)
        from (
            select try_cast(started_at as timestamp) as started,
                   max(try_cast(started_at as timestamp) + to_seconds(try_cast(seconds as integer))) over (
                       partition by staff_id order by try_cast(started_at as timestamp), source_row
                       rows between unbounded preceding and 1 preceding) as ended_before
            from {view} where staff_id is not null and not {voided}
        )""").fetchall()
    if not rows:
        return []
    return [f"{path.name}: {rows} activities begin while another of the same staff member runs (kept)"]
