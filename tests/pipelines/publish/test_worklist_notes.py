"""What practices write into their workbooks comes back, once, and is never undone by an older copy."""

from __future__ import annotations

import shutil
import stat
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from openpyxl import load_workbook

from pipelines.ledger import NOTES
from pipelines.publish import notes, worklist
from pipelines.publish.notes import KNOWN, NOTE, PERSON, SHEET, STATUS
from pipelines.settings import Settings
from tests.pipelines.publish.test_worklist_files import person

FORMULA = '=HYPERLINK("x")'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(out=tmp_path)
    made.tables.mkdir()
    rows = [person("P1", 1, "A"), person("P1", 2, "B"), person("P1", 3, FORMULA), person("P2", 1, "C")]
    pl.DataFrame(rows).write_parquet(made.tables / "worklist.parquet")
    worklist.write(made)
    return made


def book_of(settings: Settings, practice: str) -> Path:
    return settings.worklists / worklist.file_name(practice, "xlsx")


def write_into(path: Path, who: str, status: str, note: str = "") -> None:
    """What somebody does in a spreadsheet program: type into the two columns of one person and save."""
    book = load_workbook(path)
    sheet = book[SHEET]
    heads = [cell.value for cell in sheet[1]]
    for line in sheet.iter_rows(min_row=2):
        if line[heads.index(PERSON)].value == who:
            line[heads.index(STATUS)].value = status
            line[heads.index(NOTE)].value = note or None
    book.save(path)


def noted(settings: Settings) -> dict[str, tuple[str, str]]:
    return {who: (one.status, one.note) for (_, who), one in notes.latest(settings).items()}


def test_what_was_written_is_kept_and_stands_in_the_next_workbook(settings: Settings) -> None:
    write_into(book_of(settings, "P1"), "B", "Called", "wife answers; call after 5")
    assert notes.read_back(settings).added == 1
    worklist.write(settings)
    assert noted(settings) == {"B": ("called", "wife answers; call after 5")}
    sheet = load_workbook(book_of(settings, "P1"))[SHEET]
    heads = [cell.value for cell in sheet[1]]
    found = {line[heads.index(PERSON)]: line for line in sheet.iter_rows(min_row=2, values_only=True)}
    assert found["B"][heads.index(NOTE)] == "wife answers; call after 5"
    assert found["A"][heads.index(STATUS)] is None


def test_what_was_written_just_before_the_lists_are_made_anew_is_not_lost(settings: Settings) -> None:
    write_into(book_of(settings, "P2"), "C", "agreed")
    worklist.write(settings)
    assert noted(settings) == {"C": ("agreed", "")}


def test_reading_twice_adds_nothing_and_untouched_workbooks_are_not_read(settings: Settings) -> None:
    assert notes.changed(settings.worklists) == []
    write_into(book_of(settings, "P1"), "A", "declined")
    assert [path.name for path in notes.changed(settings.worklists)] == [book_of(settings, "P1").name]
    assert notes.read_back(settings).added == 1
    assert notes.read_back(settings).added == 0
    assert len(list((settings.ledger / NOTES).glob("*.parquet"))) == 2


def test_an_old_copy_that_comes_back_late_does_not_undo_what_was_noted_meanwhile(
    settings: Settings, tmp_path: Path
) -> None:
    copy = tmp_path / "sent.xlsx"
    shutil.copy(book_of(settings, "P1"), copy)
    write_into(book_of(settings, "P1"), "A", "agreed", "starts in May")
    worklist.write(settings)
    write_into(copy, "B", "declined")
    assert notes.read_back(settings, copy).added == 1
    assert noted(settings) == {"A": ("agreed", "starts in May"), "B": ("declined", "")}


def test_a_note_can_be_taken_back(settings: Settings) -> None:
    write_into(book_of(settings, "P1"), "A", "do not contact", "said so")
    worklist.write(settings)
    write_into(book_of(settings, "P1"), "A", "", "")
    worklist.write(settings)
    assert noted(settings) == {"A": ("", "")}
    with duckdb.connect() as con:
        kept = con.execute(
            f"select note_number, keeps_off from read_parquet('{settings.ledger}/{NOTES}/*.parquet') order by 1"
        ).fetchall()
    assert kept == [(1, True), (2, False)]


@pytest.mark.parametrize(("status", "keeps_off"), notes.STATUSES.items())
def test_only_wishes_and_service_elsewhere_keep_a_person_off(
    settings: Settings, status: str, keeps_off: bool
) -> None:
    write_into(book_of(settings, "P1"), "A", status.upper())
    notes.read_back(settings)
    with duckdb.connect() as con:
        (found,) = (
            con.execute(
                f"select keeps_off from read_parquet('{settings.ledger}/{NOTES}/*.parquet')"
            ).fetchone()
            or ()
        )
    assert found is keeps_off


def test_a_workbook_that_cannot_be_read_is_kept_aside(settings: Settings) -> None:
    book_of(settings, "P1").write_bytes(b"no workbook")
    made = notes.read_back(settings)
    assert made.unread == (book_of(settings, "P1").name,)
    assert (settings.ledger / "worklists_not_read" / made.unread[0]).read_bytes() == b"no workbook"


def test_columns_are_typed_filtered_and_frozen_and_formulas_are_text(settings: Settings) -> None:
    sheet = load_workbook(book_of(settings, "P1"))[SHEET]
    heads = {cell.value: cell.column - 1 for cell in sheet[1]}
    rows = list(sheet.iter_rows(min_row=2))
    first = rows[0]
    assert first[heads["Rank"]].value == 1 and first[heads["Rank"]].data_type == "n"
    assert first[heads["Last visit"]].value == datetime.combine(date(2025, 10, 2), datetime.min.time())
    assert Decimal(str(first[heads["Expected a month, $ (estimated)"]].value)) == Decimal("60.49")
    assert first[heads["Why"]].value == "Has 3 chronic conditions on claims\nLast seen 2025-10-02"
    assert sheet.freeze_panes == "C2" and sheet.auto_filter.ref is not None
    assert sheet.column_dimensions[sheet.cell(1, heads[KNOWN] + 1).column_letter].hidden
    hostile = rows[2][heads[PERSON]]
    assert (hostile.value, hostile.data_type) == (FORMULA, "s")
    (choice,) = sheet.data_validations.dataValidation
    assert "do not contact" in choice.formula1


def test_workbooks_are_readable_by_their_owner_only(settings: Settings) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in settings.worklists.glob("*.xlsx")} == {0o600}
