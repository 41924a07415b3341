"""Which months a backfill builds, as of which days, and what is left of them when a run fails."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from pipelines import backfill as backfills
from pipelines.backfill import CannotBackfill, Month, backfill, planned, share_of
from pipelines.settings import Settings

JANUARY, FEBRUARY, MARCH = (dt.date(2025, month, 1) for month in (1, 2, 3))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Three deliveries: January and February, March with February told again, and nothing of April."""
    made = Settings(out=tmp_path / "out")
    told = {"a": ("2025-02-28", [JANUARY, FEBRUARY]), "b": ("2025-03-31", [FEBRUARY, MARCH])}
    for name, (received, months) in told.items():
        folder = made.landing / f"batch-{name}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        rows = ", ".join(f"(date '{month}', date '{received}')" for month in months)
        duckdb.sql(
            f"copy (select * from (values {rows}) as rows(service_month, received_date))"
            f" to '{folder}/enrollment_months.parquet' (format parquet)"
        )
    made.quarantine.mkdir()
    return made


def test_each_month_is_built_as_of_the_day_it_was_first_covered(settings: Settings) -> None:
    assert planned(settings, JANUARY, MARCH, None) == [
        Month(JANUARY, dt.date(2025, 2, 28)),
        Month(FEBRUARY, dt.date(2025, 2, 28)),
        Month(MARCH, dt.date(2025, 3, 31)),
    ]


def test_all_months_are_built_as_of_one_day_where_asked(settings: Settings) -> None:
    day = dt.date(2025, 3, 31)
    assert {month.as_of for month in planned(settings, JANUARY, MARCH, day)} == {day}


def test_a_month_that_nothing_covers_by_then_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CannotBackfill, match="no delivery covers 2025-04"):
        planned(settings, MARCH, dt.date(2025, 4, 1), None)
    with pytest.raises(CannotBackfill, match="no delivery by 2025-02-28 covers 2025-03"):
        planned(settings, MARCH, MARCH, dt.date(2025, 2, 28))
    with pytest.raises(CannotBackfill, match="nothing is landed"):
        planned(Settings(out=tmp_path / "nowhere"), MARCH, MARCH, None)


def test_months_that_fail_leave_the_others_and_what_was_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (settings.backfill / "2025-02" / "tables").mkdir(parents=True)
    seen: list[tuple[str, bool]] = []

    def fake(of: Settings, work: Path, month: Month, stretches: int) -> bool:
        seen.append((month.name, (work / "landing").resolve() == settings.landing))
        (work / "tables").mkdir(exist_ok=True)
        (work / "tables" / "t.parquet").write_text(month.name)
        return month.through != FEBRUARY

    monkeypatch.setattr(backfills, "run", fake)
    assert backfill(settings, JANUARY, MARCH, jobs=2) == 1
    assert sorted(seen) == [("2025-01", True), ("2025-02", True), ("2025-03", True)]
    left = {path.name for path in settings.backfill.iterdir() if path.is_dir()}
    assert left == {"2025-01", "2025-02", "2025-03"}
    assert (settings.backfill / "2025-03" / "tables" / "t.parquet").read_text() == "2025-03"
    assert list((settings.backfill / "2025-02" / "tables").iterdir()) == []
    assert "failed: 2025-02" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "parts", "share"), [("6GB", 2, "3GB"), ("1.5 GiB", 3, "0.5GiB"), ("4000MB", 1, "4000MB")]
)
def test_memory_is_divided(limit: str, parts: int, share: str) -> None:
    assert share_of(limit, parts) == share
