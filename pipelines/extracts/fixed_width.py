"""Fixed-width text files as DuckDB views: fields cut by position, every line accounted for and numbered.

DuckDB reads a line as one value and cuts it, so the work is columnar and in parallel; a file with other than
one kind of line end, or not in UTF-8, is first copied line for line into one that is.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipelines.extracts.delimited import PARSE_ERRORS, REJECTS, prepare_rejects, scratch_folder
from pipelines.extracts.delivery import SourceFile, UnreadableExtract, sql_name, sql_text
from pipelines.extracts.plain_text import open_text, survey

# Stands in no text: a line that holds it is set aside as unreadable.
NO_DELIMITER = "\x1f"


def open_fixed_width(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    fields: Mapping[str, tuple[int, int]],
    length: int,
    view: str,
    nothing: str = "~",
) -> SourceFile:
    """Make `view` on `con`: the `fields` as VARCHAR, `source_file`, `source_row` (the line number, from 1).

    `fields`: name -> first and last position, from 1. Fields that end after `length`, the length of the
    file's records, are null, and so are blank ones and those that hold only `nothing`. Lines may be shorter
    (trailing spaces cut off); a longer one goes to the table `unreadable_lines`. Blank lines are no rows. A
    file without a byte is one without rows. Raises `UnreadableExtract` for faults of the file as a whole.
    """
    prepare_rejects(con)
    label = path.name
    if path.stat().st_size == 0:
        none = ", ".join(f"null::varchar as {sql_name(name)}" for name in fields)
        con.execute(f"""
            create or replace view {sql_name(view)} as
            select {none}, {sql_text(label)} as source_file, null::bigint as source_row where false""")
        return SourceFile(path=path, name=label, rows_in=0, columns=tuple(fields))
    found = survey(path, label, NO_DELIMITER)
    source = path
    parsed = scratch_folder(con) / f"{view}.parquet"
    if not found.is_plain:
        source = parsed.with_suffix(".plain")
        with open_text(path, found.encoding) as lines, source.open("w", encoding="utf-8") as sink:
            sink.writelines(lines)
    cut = ", ".join(
        f"nullif(nullif(trim(substr(line, {first}, {last - first + 1})), ''), {sql_text(nothing)}) "
        f"as {sql_name(name)}"
        if last <= length
        else f"null::varchar as {sql_name(name)}"
        for name, (first, last) in fields.items()
    )
    for leftover in (PARSE_ERRORS, f"{PARSE_ERRORS}_scans"):
        con.execute(f"drop table if exists {leftover}")
    compression = "gzip" if source.suffix.lower() == ".gz" else "none"
    (lines_read,) = con.execute(f"""
        copy (
            select {cut}, coalesce(trim(line), '') = '' as is_blank,
                   case when length(rtrim(line)) > {length} then line end as long_line
            from read_csv({sql_text(glob.escape(str(source)))}, columns = {{'line': 'VARCHAR'}},
                auto_detect = false, header = false, delim = {sql_text(NO_DELIMITER)}, quote = '', escape = '',
                compression = '{compression}', store_rejects = true, rejects_table = '{PARSE_ERRORS}',
                rejects_scan = '{PARSE_ERRORS}_scans')
        ) to {sql_text(str(parsed))} (format parquet, compression zstd)""").fetchall()[0]
    if source != path:
        source.unlink()
    if lines_read != found.lines:
        raise UnreadableExtract(
            label,
            "the lines cannot all be read (control characters, or a line of megabytes?)",
            line=_first_broken_line(con),
            expected=f"{found.lines} lines of up to {length} characters",
            actual=f"{lines_read} lines",
        )
    rows = f"read_parquet({sql_text(glob.escape(str(parsed)))}, file_row_number = true)"
    con.execute(f"""
        insert into {REJECTS}
        select {sql_text(label)}, file_row_number + 1, 'line_too_long',
               'a line of up to {length} characters', long_line
        from {rows} where long_line is not null""")
    names = ", ".join(sql_name(name) for name in fields)
    con.execute(f"""
        create or replace view {sql_name(view)} as
        select {names}, {sql_text(label)} as source_file, file_row_number + 1 as source_row
        from {rows} where not is_blank and long_line is null""")
    filled, rejected = con.execute(
        f"select count(*) filter (where not is_blank), count(long_line) from {rows}"
    ).fetchall()[0]
    return SourceFile(
        path=path,
        name=label,
        rows_in=int(filled),
        rows_rejected=int(rejected),
        encoding=found.encoding,
        columns=tuple(fields),
        missing_columns=tuple(name for name, (_, last) in fields.items() if last > length),
    )


def _first_broken_line(con: duckdb.DuckDBPyConnection) -> int | None:
    (line,) = con.execute(f"select min(line) from {PARSE_ERRORS}").fetchall()[0]
    return None if line is None else int(line)
