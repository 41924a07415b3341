"""What a reader hands to landing, and how a file that cannot be read is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Where a row came from; a source's own columns of these names are not read.
ORIGIN = ("source_file", "source_row")
# Rows that the reader itself sets aside: table_name, source_file, source_row, column_name, reason, expected,
# source_text. (Lines without columns, which belong to no table, go to `unreadable_lines`.)
SET_ASIDE = "rows_set_aside"


class UnreadableExtract(Exception):
    """A delivery that cannot be read at all; `str()` is one line: file, line, column, expected, found.

    Never holds a value from a row: it is shown on terminals and kept in logs.
    """

    def __init__(
        self,
        file: str | Path,
        problem: str,
        *,
        line: int | None = None,
        column: str | None = None,
        expected: str | None = None,
        actual: str | None = None,
    ) -> None:
        self.file = Path(file).name if isinstance(file, Path) else file
        self.problem, self.line, self.column = problem, line, column
        self.expected, self.actual = expected, actual
        place = self.file
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column {column}"
        message = f"{place}: {problem}"
        if expected is not None:
            message += f"; expected {expected}"
        if actual is not None:
            message += f"; found {actual}"
        super().__init__(message)


@dataclass(frozen=True)
class SourceFile:
    """One file that was read.

    `rows_in` counts every data row of the file, `rows_rejected` those of them that could not be split into
    columns (their lines, numbers and reasons are in the table `unreadable_lines` on the connection).
    `passed_over` counts, by reason, what stands in the file beside them and belongs to no contract table.
    """

    path: Path
    name: str
    rows_in: int
    rows_rejected: int = 0
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """The contract tables found in a folder, as views on the reader's connection.

    `tables`: contract table -> view with contract columns (VARCHAR or already typed; a nullable column may be
    absent), `source_file` and `source_row`. `accounting`: source file name -> the contract table that holds
    exactly one row for each of the file's readable rows, or the tables that do so together. `joined_rows`: view
    of the rows for which that is not so, because their content is in another row of that table (source_file,
    source_row and that one's head_file, head_row); they share its fate. `spread_rows`: table -> view of the
    rows whose content is in any number of its rows (source_file, head_file, head_row): landed if a row of that
    place is. `ignored`: file name -> why it was not read. `notes`: what a person who looks after deliveries
    should know, one line each, never a value of a row.
    """

    tables: Mapping[str, str]
    files: Sequence[SourceFile]
    accounting: Mapping[str, str | Sequence[str]]
    joined_rows: str | None = None
    spread_rows: Mapping[str, str] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def accounting_tables(self, name: str) -> tuple[str, ...]:
        """The tables that account for the file called `name`."""
        tables = self.accounting[name]
        return (tables,) if isinstance(tables, str) else tuple(tables)


def sql_text(value: str) -> str:
    """`value` as a SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def sql_name(value: str) -> str:
    """`value` as a quoted SQL identifier (headers of source files are arbitrary text)."""
    return '"' + value.replace('"', '""') + '"'
