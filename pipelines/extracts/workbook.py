"""Sheets of Excel workbooks as delimited text, read row by row; a row's line is its number in the sheet."""

from __future__ import annotations

import csv
import datetime
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from pipelines.extracts.archive import MOST_GROWTH, SMALL
from pipelines.extracts.delivery import UnreadableExtract

DAMAGED = "the workbook is truncated or damaged"
# Past this many columns a sheet is formatting, not data.
MOST_COLUMNS = 1_000


def header(path: Path, sheet: str | None, row: int) -> list[str]:
    """Texts of row `row` (from 1) of `sheet` (default: the first); raises `UnreadableExtract`."""
    with _rows(path, sheet) as rows:
        for number, cells in enumerate(rows, 1):
            if number == row:
                return [_text(cell) for cell in _trimmed(cells)]
    return []


def as_text(path: Path, sheet: str | None, header_row: int, target: Path) -> None:
    """Write `sheet` from its header row on to `target` as comma-separated text, a line a row.

    Dates and times are ISO, durations H:MM:SS, whole numbers without a point; line ends inside a cell become
    spaces. A row without a value is a blank line. Raises `UnreadableExtract`.
    """
    with _rows(path, sheet) as rows, target.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        width = 0
        for number, cells in enumerate(rows, 1):
            if number < header_row:
                continue
            texts = [_text(cell) for cell in _trimmed(cells)]
            width = width or len(texts)
            if not any(texts):
                sink.write("\n")
            else:
                # Cells after the last one with a value may be missing.
                writer.writerow(texts + [""] * (width - len(texts)))


@contextmanager
def _rows(path: Path, sheet: str | None) -> Iterator[Iterator[tuple[Any, ...]]]:
    book = None
    try:
        with zipfile.ZipFile(path) as content:
            size = sum(member.file_size for member in content.infolist())
        if size > SMALL and size > MOST_GROWTH * path.stat().st_size:
            raise UnreadableExtract(path, "unpacks to far more than a workbook would")
        book = load_workbook(path, read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            raise UnreadableExtract(
                path, "has no such sheet", column=sheet, actual=f"{len(book.sheetnames)} other sheets"
            )
        chosen = book[sheet] if sheet is not None else book.worksheets[0]
        chosen.reset_dimensions()
        yield chosen.iter_rows(values_only=True)
    except UnreadableExtract:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        InvalidFileException,
        ParseError,
        KeyError,
        NotImplementedError,
        ValueError,
        EOFError,
        OSError,
        IndexError,
        TypeError,
        AttributeError,
    ):
        raise UnreadableExtract(path, DAMAGED, expected="an .xlsx workbook") from None
    finally:
        if book is not None:
            book.close()


def _trimmed(cells: tuple[Any, ...]) -> list[Any]:
    kept = list(cells[:MOST_COLUMNS])
    while kept and kept[-1] is None:
        kept.pop()
    return kept


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        is_day = cell.time() == datetime.time()
        return cell.date().isoformat() if is_day else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, datetime.timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).split())
