"""Worklists as files: one a practice, private, and harmless to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import stat
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from openpyxl import load_workbook

from pipelines.publish import worklist
from pipelines.settings import Settings


def person(practice: str, rank: int, beneficiary: str, condition: str = "Diabetes") -> dict[str, object]:
    return {
        "practice_id": practice,
        "rank": rank,
        "beneficiary_id": beneficiary,
        "practitioner_npi": "1000000001",
        "reasons": ["Has 3 chronic conditions on claims", "Last seen 2025-10-02"],
        "conditions": [condition, "Hypertension"],
        "last_visit_date": date(2025, 10, 2),
        "missing_to_start": ["consent", "care plan"],
        "expected_monthly_usd": Decimal("60.49"),
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(out=tmp_path)
    made.tables.mkdir()
    pl.DataFrame(
        [
            person("12-3", 2, "=HYPERLINK(1)"),
            person("12-3", 1, "B1", condition="@SUM(A1)"),
            person("12_3", 1, "  +1"),
            person("99", 1, "-2", condition="\tx"),
        ]
    ).write_parquet(made.tables / "worklist.parquet")
    return made


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_practice_has_its_own_file_and_all_stand_in_one(settings: Settings) -> None:
    assert worklist.write(settings) == 3
    written = sorted(path.name for path in settings.worklists.glob("*.csv") if path.name != worklist.CHANGES)
    assert len(written) == 4 and "all.csv" in written
    assert len(list(settings.worklists.glob("*.xlsx"))) == 3
    each = [row for name in written if name != "all.csv" for row in read(settings.worklists / name)]
    everybody = read(settings.worklists / "all.csv")
    assert len(each) == len(everybody) == 4
    for name in written:
        assert name == "all.csv" or len({row["practice_id"] for row in read(settings.worklists / name)}) == 1


def test_practices_whose_names_differ_in_signs_only_keep_files_of_their_own() -> None:
    names = {worklist.file_name(practice, "csv") for practice in ("12-3", "12_3", "12.3", "12/3", "123")}
    assert len(names) == 5
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.") for name in names)


def test_rows_stand_in_the_order_of_their_rank(settings: Settings) -> None:
    worklist.write(settings)
    rows = read(settings.worklists / worklist.file_name("12-3", "csv"))
    assert [row["rank"] for row in rows] == ["1", "2"]


def test_no_cell_is_run_as_a_formula(settings: Settings) -> None:
    worklist.write(settings)
    cells = [cell for row in read(settings.worklists / "all.csv") for cell in row.values()]
    assert not [
        cell for cell in cells if cell.strip()[:1] in set("=+-@＝＋－＠") or (cell and cell[0] in "\t\r\n")
    ]
    assert "'=HYPERLINK(1)" in cells and "'  +1" in cells and "'-2" in cells
    assert "'@SUM(A1); Hypertension" in cells


def shown(folder: Path) -> dict[str, object]:
    """Name of each file -> what a reader sees of it."""
    files: dict[str, object] = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.csv")}
    for path in folder.glob("*.xlsx"):
        book = load_workbook(path)
        files[path.name] = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}
    return files


def test_several_processes_write_what_one_writes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("practice_id", "change", "beneficiary_id", "reason", "practitioner_npi", "is_provisional")
    left = [
        ("12-3", "gone", "B7", "Died", None, False),
        ("only movements", "started", "B8", "Billed", None, False),
    ]
    moved = pl.DataFrame(left, schema=columns, orient="row")
    monkeypatch.setattr(worklist, "changed", lambda settings: moved)
    asked = worklist.write(settings)
    alone = shown(settings.worklists)
    assert len(list(settings.worklists.glob("*.xlsx"))) == 4
    monkeypatch.setattr(worklist, "PRACTICES_AT_ONCE", 1)
    assert worklist.write(settings) == asked == 3
    assert shown(settings.worklists) == alone
    assert {stat.S_IMODE(path.stat().st_mode) for path in settings.worklists.iterdir()} == {0o600}


def test_rows_of_no_practice_stop_the_files_and_do_not_fall_out(settings: Settings) -> None:
    path = settings.tables / "worklist.parquet"
    rows = pl.read_parquet(path)
    nowhere = rows[:1].with_columns(practice_id=pl.lit(None, pl.String))
    pl.concat([rows, nowhere]).write_parquet(path)
    with pytest.raises(TypeError):
        worklist.write(settings)


def test_files_are_readable_by_their_owner_only(settings: Settings) -> None:
    worklist.write(settings)
    assert stat.S_IMODE(settings.worklists.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in settings.worklists.iterdir()} == {0o600}


def test_a_list_of_an_earlier_run_does_not_stay_behind(settings: Settings) -> None:
    worklist.write(settings)
    (settings.worklists / "practice_gone.csv").write_text("old")
    worklist.write(settings)
    assert not (settings.worklists / "practice_gone.csv").exists()


def test_one_practice_and_its_first_rows_can_be_printed(settings: Settings) -> None:
    stream = io.StringIO()
    worklist.print_csv(settings, stream, practice="12-3", top=1)
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (row["beneficiary_id"], row["missing_to_start"]) == ("B1", "consent; care plan")


def test_an_unknown_practice_is_said_to_be_one(settings: Settings) -> None:
    with pytest.raises(worklist.UnknownPractice, match="no worklist for practice 7"):
        worklist.print_csv(settings, io.StringIO(), practice="7", top=None)
