"""A delivery is taken when it is complete and not before, however it is copied."""

from __future__ import annotations

import hashlib
import os
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines import inbox
from pipelines.inbox import arrivals, day_in
from pipelines.schedule import next_delivery
from pipelines.settings import Settings, Timetable

SETTLE = 60


@pytest.fixture
def timetable(tmp_path: Path) -> Timetable:
    (tmp_path / "inbox").mkdir()
    return Timetable(inbox=tmp_path / "inbox", settle_seconds=SETTLE)


class Watch:
    """The sensor's looks at an inbox, one after the other, with what it remembers between them."""

    def __init__(self, settings: Settings, timetable: Timetable) -> None:
        self.settings, self.timetable = settings, timetable
        self.seen: dict[str, Any] = {}
        self.now = 1_700_000_000.0

    def look(self, after: float = 30, *, busy: bool = False) -> dg.RunRequest | None:
        self.now += after
        asked, self.seen, says = next_delivery(self.settings, self.timetable, self.seen, self.now, busy)
        assert (asked is None) == bool(says)
        return asked


@pytest.fixture
def watch(tmp_path: Path, timetable: Timetable) -> Watch:
    return Watch(Settings(out=tmp_path / "out"), timetable)


def deliver(timetable: Timetable, name: str, *files: str) -> Path:
    folder = timetable.inbox / name
    folder.mkdir(exist_ok=True)
    for file in files:
        (folder / file).write_text(f"rows of {file}")
    return folder


def test_a_folder_that_still_grows_is_left_alone_until_it_has_settled(
    watch: Watch, timetable: Timetable
) -> None:
    folder = deliver(timetable, "2026-03-15", "claims.csv")
    assert watch.look() is None
    for step in range(4):
        (folder / "claims.csv").write_text("more rows " * (step + 2))
        assert watch.look(SETTLE) is None, "it changed since the last look"
    (folder / "providers.csv").write_text("a further file")
    assert watch.look(SETTLE) is None
    assert watch.look(SETTLE - 1) is None
    assert watch.look(1) is not None
    assert watch.look(SETTLE) is None, "it was handed over already"


def test_a_file_rewritten_with_the_same_size_counts_as_changed(watch: Watch, timetable: Timetable) -> None:
    file = deliver(timetable, "2026-03-15", "claims.csv") / "claims.csv"
    watch.look()
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1_000_000))
    assert watch.look(SETTLE) is None
    assert watch.look(SETTLE) is not None


def test_a_mark_makes_it_complete_at_the_first_look(watch: Watch, timetable: Timetable) -> None:
    deliver(timetable, "2026-03-15", "claims.csv", inbox.MARK)
    assert watch.look() is not None


@pytest.mark.parametrize("name", ["claims.csv.part", "claims.csv.filepart", "x.tmp"])
def test_a_file_under_its_name_of_the_way_is_waited_for(
    watch: Watch, timetable: Timetable, name: str
) -> None:
    folder = deliver(timetable, "2026-03-15", name, inbox.MARK)
    assert watch.look() is None and watch.look(SETTLE * 10) is None
    (folder / name).rename(folder / "claims.csv")
    assert watch.look() is not None, "it is seen for the first time, and marked"


def test_checksums_decide_over_the_mark_and_over_time(watch: Watch, timetable: Timetable) -> None:
    folder = deliver(timetable, "2026-03-15", "claims.csv", inbox.MARK)
    whole = "the whole file"
    checksum = hashlib.sha256(whole.encode()).hexdigest()
    (folder / inbox.SUMS).write_text(f"{checksum}  claims.csv\n{checksum} *providers.csv\n")
    for _ in range(3):
        assert watch.look(SETTLE * 2) is None
    (folder / "claims.csv").write_text(whole)
    assert watch.look(SETTLE * 2) is None and watch.look(SETTLE * 2) is None, "the second file is missing"
    (folder / "providers.csv").write_text(whole)
    assert watch.look(1) is None, "it has just changed"
    assert watch.look(1) is not None


def test_checksums_of_files_elsewhere_never_hold(tmp_path: Path, timetable: Timetable) -> None:
    outside = tmp_path / "inbox" / "outside.csv"
    outside.write_text("x")
    folder = deliver(timetable, "2026-03-15", "claims.csv")
    checksum = hashlib.sha256(b"x").hexdigest()
    for line in (f"{checksum}  ../outside.csv\n", f"{checksum}  {outside}\n", "no checksum\n", ""):
        (folder / inbox.SUMS).write_text(line)
        assert not inbox.sums_hold(folder)


def test_a_list_that_cannot_be_read_keeps_no_other_delivery_waiting(
    watch: Watch, timetable: Timetable
) -> None:
    folder = deliver(timetable, "2026-03-15", "claims.csv")
    (folder / inbox.SUMS).write_bytes(b"\xff\xfe\x00\x01\n")
    deliver(timetable, "2026-04-15", "claims.csv", inbox.MARK)
    asked = watch.look() or watch.look(SETTLE)
    assert asked is not None and asked.partition_key == "2026-03"


def test_a_half_copied_archive_has_no_end_yet(watch: Watch, timetable: Timetable) -> None:
    place = timetable.inbox / "2026-03-15.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("claims.csv", "rows " * 1000)
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    assert watch.look() is None and watch.look(SETTLE * 5) is None
    place.write_bytes(whole)
    assert watch.look() is None
    assert watch.look(SETTLE) is not None


def test_deliveries_go_one_at_a_time_in_the_order_of_their_days(watch: Watch, timetable: Timetable) -> None:
    for name in ("claims_2026-04-15", "2026-02-15", "no day", "2026-03-15"):
        deliver(timetable, name, "claims.csv", inbox.MARK)
    months = []
    for _ in range(4):
        asked = watch.look()
        assert asked is not None and watch.look(busy=True) is None
        months.append(asked.partition_key)
    assert months == ["2026-01", "2026-02", "2026-03", "2023-10"]
    assert watch.look() is None


def test_a_delivery_that_changes_after_its_run_is_handed_over_again(
    watch: Watch, timetable: Timetable
) -> None:
    folder = deliver(timetable, "2026-03-15", "claims.csv", inbox.MARK)
    first = watch.look()
    (folder / "claims.csv").write_text("a corrected file, sent again")
    assert watch.look() is None
    second = watch.look(SETTLE)
    assert first is not None and second is not None and first.run_key != second.run_key


def test_a_clock_set_back_starts_the_wait_again(watch: Watch, timetable: Timetable) -> None:
    deliver(timetable, "2026-03-15", "claims.csv")
    assert watch.look() is None
    assert watch.look(-86_400) is None and watch.look(SETTLE - 1) is None
    assert watch.look(1) is not None


def test_neither_names_of_deliveries_nor_of_files_go_to_dagster(watch: Watch, timetable: Timetable) -> None:
    deliver(timetable, "2026-03-15 CANARY Smith", "claims-CANARY.csv", inbox.MARK)
    asked = watch.look()
    assert asked is not None
    assert "CANARY" not in f"{asked} {asked.run_config} {asked.run_key} {watch.seen}"


def test_hidden_and_unfinished_folders_are_no_deliveries(timetable: Timetable) -> None:
    for name in (".hidden", "_done", "2026-01-15.part", "empty"):
        deliver(timetable, name, *(["claims.csv"] if name != "empty" else []))
    (timetable.inbox / "notes.txt").write_text("not a delivery")
    assert arrivals(timetable.inbox) == []
    assert arrivals(timetable.inbox / "nowhere") == []


def test_a_day_is_read_only_where_it_is_one() -> None:
    assert day_in("claims_2026-03-15.zip") == date(2026, 3, 15)
    assert day_in("2026-13-45") is None and day_in("12026-03-151") is None and day_in("claims") is None
