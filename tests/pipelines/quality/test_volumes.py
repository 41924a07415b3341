"""Deliveries and warehouses that are too small, too large or not what their manifests counted."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations.declared import blocks, declared
from pipelines.quality import volumes
from pipelines.settings import Settings
from pipelines.window import RunWindow


def manifest(number: int, rows: int, *, kind: str = "practice", table: str = "claims") -> dict[str, Any]:
    return {
        "batch_id": f"batch-{number:02d}",
        "received_date": f"2026-{number:02d}-15",
        "format": kind,
        "tables": {table: {"rows_in": rows, "rows_landed": rows, "rows_quarantined": 0}},
    }


def told(rows: int, *earlier: int) -> dict[str, bool]:
    """Checks of a delivery of so many rows after `earlier` ones: name -> met."""
    known = [manifest(number + 1, count) for number, count in enumerate([*earlier, rows])]
    return {one.suite: one.success for one in volumes.of_delivery(known)}


@pytest.mark.parametrize(
    ("rows", "collapsed", "odd"),
    [(1000, False, False), (500, False, False), (499, False, True), (2000, False, False), (2001, False, True),
     (100, False, True), (99, True, False), (0, True, False)],
)  # fmt: skip
def test_each_side_of_each_limit(rows: int, collapsed: bool, odd: bool) -> None:
    assert told(rows, 900, 1000, 1100) == {"volume_collapse": not collapsed, "volume_of_delivery": not odd}


def test_too_little_history_says_nothing() -> None:
    assert told(1, 1000, 1000) == {}
    assert told(1, 99, 99, 99) == {}


def test_other_formats_are_no_history() -> None:
    known = [*(manifest(number, 1000, kind="rif") for number in (1, 2, 3)), manifest(4, 1)]
    assert volumes.of_delivery(known) == []


def test_a_table_that_stays_away_has_collapsed() -> None:
    known = [*(manifest(number, 1000) for number in (1, 2, 3)), manifest(4, 0)]
    (collapse, _) = volumes.of_delivery(known)
    assert not collapse.success and collapse.blocking == blocks("volume_collapse")


def test_files_that_lost_rows_are_told(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    for number in (1, 2):
        folder = settings.landing / f"batch-{number:02d}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(manifest(number, 5)))
        pl.DataFrame({"claim_id": range(5)}).write_parquet(folder / "claims.parquet")
    assert [one.success for one in volumes.of_landing(settings)] == [True]
    pl.DataFrame({"claim_id": range(3)}).write_parquet(settings.landing / "batch-01" / "claims.parquet")
    (lost,) = volumes.of_landing(settings)
    assert not lost.success and lost.unexpected == 2 and lost.blocking


def test_what_came_after_the_day_of_a_run_does_not_stop_it(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    for number, rows in enumerate((1000, 1000, 1000, 1000, 10), start=1):
        folder = settings.landing / f"batch-{number:02d}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(manifest(number, rows)))
        pl.DataFrame({"claim_id": range(rows)}).write_parquet(folder / "claims.parquet")

    def stops(as_of: date | None) -> bool:
        return any(not one.success and one.blocking for one in volumes.of_landing(settings, as_of))

    last = date.fromisoformat(manifest(5, 10)["received_date"])
    assert stops(None) and stops(last)
    assert not stops(last - timedelta(days=1))


def published(
    settings: Settings, name: str, as_of: str, through: str, rows: int, *, success: bool = True
) -> None:
    settings.run_records.mkdir(exist_ok=True)
    record = {"success": success, "as_of": as_of, "through": through, "rows": {"marts.capture_months": rows}}
    (settings.run_records / f"{name}.json").write_text(json.dumps(record))


def test_a_warehouse_is_held_against_the_last_published_run_of_no_later_window(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    window = RunWindow(as_of=date(2026, 3, 15), through=date(2026, 2, 1))
    assert volumes.of_warehouse(settings, window, {"marts.capture_months": 1}) == []
    published(settings, "1", "2026-02-15", "2026-01", 1000)
    published(settings, "2", "2026-04-15", "2026-03", 9000)
    published(settings, "3", "2026-03-15", "2026-02", 5000, success=False)
    (enough,) = volumes.of_warehouse(settings, window, {"marts.capture_months": 900})
    (too_few,) = volumes.of_warehouse(settings, window, {"marts.capture_months": 899})
    assert enough.success and not too_few.success
    (gone,) = volumes.of_warehouse(settings, window, {})
    assert not gone.success


def test_every_check_says_whether_it_warns_or_blocks() -> None:
    assert set(declared()["effects"].values()) == {"block", "warn"}
    assert all(isinstance(blocks(name), bool) for name in declared()["effects"])
    with pytest.raises(KeyError):
        blocks("a check that nobody declared")
