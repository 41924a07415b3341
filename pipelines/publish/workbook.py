"""A practice's worklist as an Excel workbook: filters, a frozen head, typed columns, and a status and notes to write into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from pipelines.publish import notes
from pipelines.publish.notes import KNOWN, NOTE, PERSON, PRACTICE, SHEET, STATUS
from pipelines.publish.worklist_changes import NAMES

# Column of the worklist -> its head, its width in characters, and its format. Those that a run does not have are left out.
COLUMNS: dict[str, tuple[str, int, str]] = {
    "rank": ("Rank", 6, "whole"),
    "beneficiary_id": (PERSON, 16, "text"),
    "status": (STATUS, 16, "entry"),
    "note": (NOTE, 36, "entry"),
    "is_asked_now": ("Ask", 11, "turn"),
    "reason": ("Stands out by", 38, "wrapped"),
    "reasons": ("Why", 46, "lines"),
    "missing_to_start": ("Missing to start", 22, "joined"),
    "last_visit_date": ("Last visit", 12, "date"),
    "expected_monthly_usd": ("Expected a month, $ (estimated)", 14, "money"),
    "conditions": ("Conditions", 52, "joined"),
    "condition_count": ("Number of conditions", 11, "whole"),
    "score": ("Need foretold", 9, "share"),
    "likely_to_start": ("Likely to start", 9, "share"),
    "practitioner_npi": ("Practitioner", 13, "text"),
    "practice_id": (PRACTICE, 13, "text"),
    "service_month": ("Eligible in", 11, "month"),
}
CHANGES: dict[str, tuple[str, int, str]] = {
    "change": ("Change", 10, "text"),
    "beneficiary_id": (PERSON, 16, "text"),
    "reason": ("Why", 60, "wrapped"),
    "practitioner_npi": ("Practitioner", 13, "text"),
}
FORMATS: dict[str, dict[str, Any]] = {
    "head": {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#f1f5f8", "bottom": 1},
    "whole": {"num_format": "0", "valign": "top"},
    "text": {"valign": "top"},
    "turn": {"valign": "top"},
    "wrapped": {"text_wrap": True, "valign": "top"},
    "lines": {"text_wrap": True, "valign": "top"},
    "joined": {"text_wrap": True, "valign": "top"},
    "entry": {
        "text_wrap": True,
        "valign": "top",
        "bg_color": "#fff9e8",
        "border": 1,
        "border_color": "#e0d3a8",
    },
    "date": {"num_format": "yyyy-mm-dd", "align": "left", "valign": "top"},
    "month": {"num_format": "yyyy-mm", "align": "left", "valign": "top"},
    "money": {"num_format": "#,##0.00", "valign": "top"},
    "share": {"num_format": "0.0%", "valign": "top"},
}
MANY = 100_000
HELP = (
    "Patients' data: keep this file where patients' data may lie.",
    "Rank 1 first: those to ask this month, within capacity, then the others; greatest need first. Need foretold: the chance of an avoidable"
    " hospital admission or emergency visit within half a year; empty where too little is known and a rule ranks.",
    "Sort and filter as you like; the yellow columns are yours.",
    "Status: choose from the list. Notes: anything. Save the file where it is ({place}): the next run reads both back and keeps them."
    " A file that was sent on comes back by `ccm worklist --read FILE`.",
    f"{', '.join(repr(name) for name, keeps_off in notes.STATUSES.items() if keeps_off)}: the person is on no worklist from the next run on.",
    "Expected a month: the national amount of the first block of staff time; estimated.",
    "All evidence of a person: ccm explain --beneficiary PERSON --month YYYY-MM.",
)


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of a worklist that its workbook shows, as it shows them."""
    return rows.select([name for name in COLUMNS if name in rows.columns])


def named(changes: pl.DataFrame) -> pl.DataFrame:
    """The practice and what its workbook shows of who came and went (rows of `worklist_changes`), in its words."""
    return changes.select("practice_id", *CHANGES).with_columns(pl.col("change").replace(NAMES))


def write(path: Path, rows: pl.DataFrame, changes: pl.DataFrame, newest_note: int) -> None:
    """Write one workbook, readable by its owner only.

    `rows`: the worklist of a practice with `status` and `note`; `changes`: as of `named`; `newest_note`: the number of
    the newest note when the rows were read, which comes back with the workbook.
    """
    path.touch(mode=0o600)
    # Text is always written as text: nothing in data becomes a formula or a link.
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        # Rows of patients pass through a file of their own only where they are too many to hold.
        "constant_memory": rows.height > MANY,
        "in_memory": rows.height <= MANY,
    }
    with xlsxwriter.Workbook(path, options) as book:
        formats = {name: book.add_format(look) for name, look in FORMATS.items()}
        sheet = book.add_worksheet(SHEET)
        heads = fill(sheet, formats, COLUMNS, rows, {KNOWN: newest_note})
        status = heads.index(STATUS)
        if rows.height:
            choice = {
                "validate": "list",
                "source": list(notes.STATUSES),
                "ignore_blank": True,
                "error_type": "warning",
            }
            sheet.data_validation(1, status, rows.height, status, choice)
        fill(book.add_worksheet("Since last month"), formats, CHANGES, changes, {})
        page = book.add_worksheet("How to use")
        page.set_column(0, 0, 110, formats["wrapped"])
        for number, line in enumerate(HELP):
            page.write_string(number, 0, line.format(place=path.name), formats["wrapped"])


def fill(
    sheet: Any,
    formats: dict[str, Any],
    columns: dict[str, tuple[str, int, str]],
    rows: pl.DataFrame,
    hidden: dict[str, int],
) -> list[str]:
    """Write rows under a frozen head with filters; `hidden` columns hold one number in every row. Returns the heads."""
    chosen = {name: spec for name, spec in columns.items() if name in rows.columns}
    heads = [head for head, _, _ in chosen.values()]
    for place, (_, width, kind) in enumerate(chosen.values()):
        sheet.set_column(place, place, width, formats[kind])
    for place, name in enumerate(hidden, start=len(heads)):
        sheet.set_column(place, place, None, None, {"hidden": True})
        heads.append(name)
    for place, head in enumerate(heads):
        sheet.write_string(0, place, head, formats["head"])
    writers = [(writer(sheet, kind), formats[kind]) for _, _, kind in chosen.values()]
    in_order = rows if rows.columns == list(chosen) else rows.select(list(chosen))
    for number, row in enumerate(in_order.iter_rows(), start=1):
        for place, (value, (put, look)) in enumerate(zip(row, writers, strict=True)):
            if value is None:
                sheet.write_blank(number, place, None, look)
            else:
                put(number, place, value, look)
        for place, known in enumerate(hidden.values(), start=len(chosen)):
            sheet.write_number(number, place, known)
    sheet.freeze_panes(1, 2)
    if heads and rows.height:
        sheet.autofilter(0, 0, rows.height, len(chosen) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    return heads


def writer(sheet: Any, kind: str) -> Any:
    """How a value of this kind is put into a cell."""
    if kind in ("whole", "money", "share"):
        return sheet.write_number
    if kind in ("date", "month"):
        return sheet.write_datetime
    if kind == "turn":
        return lambda row, column, value, look: sheet.write_string(
            row, column, "this month" if value else "later", look
        )
    if kind in ("lines", "joined"):
        separator = "\n" if kind == "lines" else "; "
        return lambda row, column, value, look: sheet.write_string(row, column, separator.join(value), look)
    return lambda row, column, value, look: sheet.write_string(row, column, str(value), look)
