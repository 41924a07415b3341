"""Delimited text files as DuckDB tables, every line accounted for and numbered as in the file.

DuckDB parses; this module decides what is safe to hand to it. One pass over the bytes finds the encoding,
line ends, blank lines and quotes. A file that is plain (UTF-8, one kind of line end, every quote closed on
its line) is parsed where it lies. Any other is first copied, line for line, into a plain one, so line numbers
stay true and no parser mode is relied upon beyond the common one.
"""

from __future__ import annotations

import csv
import glob
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extracts.delivery import ORIGIN, SET_ASIDE, SourceFile, UnreadableExtract, sql_name, sql_text
from pipelines.extracts.plain_text import PlainCopy, Survey, plain_copy, survey

REJECTS = "unreadable_lines"
PARSE_ERRORS = "parse_errors"
# Names of the numbering while it is worked out; no source column is called so.
LINE = "ccm_line_in_file"
BLOCK = 1024
OTHER_DELIMITERS = {",": "a comma", "|": "a pipe", "\t": "a tab", ";": "a semicolon"}
REASONS = {
    "MISSING COLUMNS": "too_few_columns",
    "TOO MANY COLUMNS": "too_many_columns",
    "UNQUOTED VALUE": "broken_quoting",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}


def open_delimited(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    delimiter: str,
    required: Sequence[str],
    view: str,
    name: str | None = None,
    columns: Sequence[str] | None = None,
) -> SourceFile:
    """Make `view` on `con`: the file's columns as VARCHAR by header name, `source_file`, `source_row`.

    Values are trimmed and blank ones null. `source_row` is the line number in the file (header = 1). Lines
    that cannot be split into the header's columns go to the table `unreadable_lines` with their number.
    Header names are matched to `required` without regard to case and keep the file's spelling. `columns`
    limits what is kept (any case; absent ones are passed over). `name` is what the file is called in
    `source_file` (default: its file name). Raises `UnreadableExtract` for faults of the file as a whole.
    """
    label = name if name is not None else path.name
    found = survey(path, label, delimiter)
    header = _header(found, label, delimiter, required)
    loaded = _load(con, path, label, delimiter, header, view, found, columns)
    # Trimmed when read: a value that repeats is then trimmed once for each of its pages.
    trimmed = ", ".join(f"nullif(trim({sql_name(c)}), '') as {sql_name(c)}" for c in loaded.columns)
    con.execute(f"""
        create or replace view {sql_name(view)} as
        select {trimmed},
               {sql_text(label)} as source_file, {loaded.row_number} as source_row
        from {loaded.relation}""")
    return SourceFile(
        path=path,
        name=label,
        rows_in=loaded.rows + loaded.rejected,
        rows_rejected=loaded.rejected,
        encoding=found.encoding,
        columns=tuple(header),
    )


def prepare_rejects(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty tables `unreadable_lines` and `rows_set_aside` unless they are there."""
    con.execute(f"""
        create table if not exists {REJECTS} (
            source_file varchar, source_row bigint, reason varchar, detail varchar, source_text varchar)""")
    con.execute(f"""
        create table if not exists {SET_ASIDE} (
            table_name varchar, source_file varchar, source_row bigint, column_name varchar, reason varchar,
            expected varchar, source_text varchar)""")


def _header(found: Survey, label: str, delimiter: str, required: Sequence[str]) -> list[str]:
    try:
        cells = next(csv.reader([found.first_line], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        raise UnreadableExtract(
            label, "the header line is not closed properly", line=1, expected="balanced quotes"
        ) from None
    names = [cell.strip() or f"unnamed_{place}" for place, cell in enumerate(cells, 1)]
    if len(names) == 1:
        other = [text for mark, text in OTHER_DELIMITERS.items() if mark != delimiter and mark in names[0]]
        if other:
            raise UnreadableExtract(
                label,
                "wrong delimiter",
                line=1,
                expected=f"{OTHER_DELIMITERS.get(delimiter, repr(delimiter))} between columns",
                actual=other[0],
            )
    seen: set[str] = set()
    for column in names:
        if column.lower() in seen:
            raise UnreadableExtract(label, "the header names this column twice", line=1, column=column)
        seen.add(column.lower())
    absent = [column for column in required if column.lower() not in seen]
    if absent:
        raise UnreadableExtract(
            label,
            "a required column is missing",
            line=1,
            column=", ".join(absent),
            expected=f"a header with {', '.join(required)}",
            actual=f"{len(names)} columns",
        )
    return names


@dataclass(frozen=True)
class _Loaded:
    relation: str
    columns: list[str]
    row_number: str
    rows: int
    rejected: int


def _load(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    delimiter: str,
    header: list[str],
    view: str,
    found: Survey,
    columns: Sequence[str] | None,
) -> _Loaded:
    wanted = None if columns is None else {column.lower() for column in columns}
    kept = [
        column
        for column in header
        if (wanted is None or column.lower() in wanted) and column.lower() not in ORIGIN
    ] or header[:1]
    # A line of a one-column file cannot be told from a blank one; a second, empty column makes it plain.
    single = len(header) == 1
    parsed = [*header, "unnamed_2"] if single else header
    parsed_file = scratch_folder(con) / f"{view}.parquet"
    source, copied = path, PlainCopy(lines=found.lines, skipped=found.blank_lines)
    # Most files need no copy. The last resort takes every quoted line apart, not only the suspicious ones.
    attempts = (
        ("in place", "copied", "rewritten") if found.is_plain and not single else ("copied", "rewritten")
    )
    for attempt in attempts:
        if attempt != "in place":
            source = parsed_file.with_suffix(".plain")
            copied = plain_copy(
                path,
                source,
                found,
                delimiter=delimiter,
                column_count=len(header),
                suffix=f"{delimiter}." if single else "",
                rewrite_quotes=attempt == "rewritten",
            )
        rows, broken = _parse(con, source, delimiter, parsed, kept, parsed_file)
        if copied.lines == found.lines and rows + len(broken) == copied.lines - 1 - len(copied.skipped):
            break
    else:
        raise UnreadableExtract(
            label,
            "the lines cannot all be accounted for (quotes in unexpected places?)",
            expected=f"{copied.lines - 1 - len(copied.skipped)} rows",
            actual=f"{rows} rows and {len(broken)} unreadable lines",
        )
    if source != path:
        source.unlink()
    _keep_rejects(con, label, copied.unclosed)
    relation, row_number = _numbered(con, view, parsed_file, sorted({*copied.skipped, *broken}))
    return _Loaded(relation, kept, row_number, rows, len(broken) + len(copied.unclosed))


def _parse(
    con: duckdb.DuckDBPyConnection,
    source: Path,
    delimiter: str,
    header: list[str],
    kept: list[str],
    target: Path,
) -> tuple[int, list[int]]:
    """Parse `source` into `target` in file order; the number of rows and the lines left out.

    Parquet is the cheapest place: small, read by column, and the engine numbers its rows.
    """
    types = ", ".join(f"{sql_text(column)}: 'VARCHAR'" for column in header)
    compression = "gzip" if source.suffix == ".gz" else "none"
    for leftover in (PARSE_ERRORS, f"{PARSE_ERRORS}_scans"):
        con.execute(f"drop table if exists {leftover}")
    statement = f"""copy (
        select {", ".join(sql_name(column) for column in kept)}
        from read_csv({sql_text(glob.escape(str(source)))}, columns = {{{types}}}, auto_detect = false,
            delim = {sql_text(delimiter)}, quote = '"', escape = '"', header = true,
            compression = '{compression}', store_rejects = true,
            rejects_table = '{PARSE_ERRORS}', rejects_scan = '{PARSE_ERRORS}_scans')
        ) to {sql_text(str(target))} (format parquet, compression zstd)"""
    (rows,) = con.execute(statement).fetchall()[0]
    lines = con.execute(f"select distinct line from {PARSE_ERRORS} order by line").fetchall()
    return int(rows), [int(line) for (line,) in lines]


def _keep_rejects(con: duckdb.DuckDBPyConnection, label: str, unclosed: list[tuple[int, str]]) -> None:
    prepare_rejects(con)
    reasons = " ".join(f"when '{kind}' then '{reason}'" for kind, reason in REASONS.items())
    con.execute(f"""
        insert into {REJECTS}
        select {sql_text(label)}, line, any_value(reason), 'a line with the columns of the header',
               any_value(source_text)
        from (
            select line, ltrim(csv_line, chr(10) || chr(13)) as source_text,
                   case error_type::varchar {reasons} else 'unparsable_line' end as reason
            from {PARSE_ERRORS}
            qualify row_number() over (partition by line order by column_idx, error_type) = 1
        )
        group by line""")
    if unclosed:
        con.executemany(
            f"insert into {REJECTS} values (?, ?, 'broken_quoting', 'every quote closed', ?)",
            [(label, number, text) for number, text in unclosed],
        )


def _numbered(con: duckdb.DuckDBPyConnection, view: str, parsed: Path, gaps: list[int]) -> tuple[str, str]:
    """Relation and expression that give each row its line: its place, the header, the gaps before it."""
    rows = f"read_parquet({sql_text(glob.escape(str(parsed)))}, file_row_number = true)"
    if not gaps:
        return rows, "file_row_number + 2"
    shifts = {line - 2 - before: before + 1 for before, line in enumerate(gaps)}
    lookup = sql_name(f"{view}_gaps")
    # Rows find their shift by block of rows: a hash join that streams, where a range join would sort all.
    con.execute(
        f"""create or replace table {lookup} as
            with gaps as (select unnest(?::bigint[]) as first_row, unnest(?::bigint[]) as shift),
            gap_blocks as (
                select first_row // {BLOCK} as block, max(shift) as last_shift,
                       list(first_row order by first_row) as first_rows, list(shift order by shift) as shifts
                from gaps group by block
            ),
            blocks as (select unnest(range(max(block) + 1)) as block from gap_blocks)
            select block, first_rows, shifts,
                   coalesce(max(last_shift) over (
                       order by block rows between unbounded preceding and 1 preceding), 0) as shift_before
            from blocks left join gap_blocks using (block)""",
        [list(shifts), list(shifts.values())],
    )
    relation = f"""(
        select parsed.*, parsed.file_row_number + 2 + case
                   when known.block is null then {len(gaps)}
                   when known.first_rows is null then known.shift_before
                   else coalesce(
                       known.shifts[len(list_filter(
                           known.first_rows, lambda first_row: first_row <= parsed.file_row_number))],
                       known.shift_before)
               end as {LINE}
        from {rows} as parsed
        left join {lookup} as known on parsed.file_row_number // {BLOCK} = known.block)"""
    return relation, LINE


_FOLDERS: weakref.WeakKeyDictionary[duckdb.DuckDBPyConnection, tempfile.TemporaryDirectory[str]] = (
    weakref.WeakKeyDictionary()
)


def scratch_folder(con: duckdb.DuckDBPyConnection) -> Path:
    """Where parsed text may lie while `con` lives: beside its database, else a private temporary folder."""
    (database,) = con.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchall()[0]
    if database:
        return Path(database).parent
    if con not in _FOLDERS:
        _FOLDERS[con] = tempfile.TemporaryDirectory(prefix="ccm-extract-")
    return Path(_FOLDERS[con].name)
