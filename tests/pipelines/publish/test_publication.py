"""What is shown changes all at once: at every step where a publication can be cut off, one run's files are whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipelines.publish import publication
from pipelines.settings import Settings

SHOWN = ("tables/a.parquet", "reports/index.html", "worklists/all.csv", "warehouse.duckdb")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(out=tmp_path)


def make(settings: Settings, what: str, *, plain: bool = False) -> None:
    """A run's files, `what` in each of them; `plain` as an earlier version left them."""
    making = replace(settings, in_the_making=not plain)
    for name in SHOWN:
        path = {"warehouse.duckdb": making.warehouse}.get(name, making.tables.parent / name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path)) as con:
                con.execute(f"create table said as select '{what}' as what")
        else:
            path.write_text(what)


def said(settings: Settings) -> set[str]:
    """What the files that are shown say; one element where they are of one run."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        (what,) = con.execute("select what from said").fetchone() or ("",)
    texts = {(settings.out / name).read_text() for name in SHOWN if name != "warehouse.duckdb"}
    return texts | {what}


def publish(settings: Settings, what: str) -> None:
    publication.begin(settings)
    make(settings, what)
    publication.publish(settings, {"as_of": what})


def test_a_publication_replaces_the_last_one_as_a_whole(settings: Settings) -> None:
    publish(settings, "one")
    assert said(settings) == {"one"} and publication.current(settings) == "000001"
    publish(settings, "two")
    assert said(settings) == {"two"} and publication.current(settings) == "000002"
    assert '"as_of": "two"' in settings.published_record.read_text()


def test_what_is_being_made_is_not_shown_and_is_cleared_by_the_next_run(settings: Settings) -> None:
    publish(settings, "one")
    publication.begin(settings)
    make(settings, "half")
    assert said(settings) == {"one"}
    publication.begin(settings)
    assert list(settings.building.iterdir()) == [] and said(settings) == {"one"}


def test_who_reads_the_earlier_publication_can_end(settings: Settings) -> None:
    publish(settings, "one")
    with duckdb.connect(str(settings.warehouse), read_only=True) as reader:
        earlier = (settings.out / "tables").resolve()
        publish(settings, "two")
        assert reader.execute("select what from said").fetchone() == ("one",)
        assert (earlier / "a.parquet").read_text() == "one"
    publication.begin(settings)
    assert not earlier.exists() and said(settings) == {"two"}


def test_plain_folders_of_an_earlier_version_become_a_publication(settings: Settings) -> None:
    make(settings, "old", plain=True)
    publication.begin(settings)
    assert said(settings) == {"old"}
    make(settings, "new")
    publication.publish(settings, {})
    assert said(settings) == {"new"} and settings.tables.is_symlink()


def test_a_run_that_changes_part_starts_from_a_copy_of_the_published_warehouse(settings: Settings) -> None:
    publish(settings, "one")
    making = publication.begin(settings, keep_warehouse=True)
    with duckdb.connect(str(making.warehouse)) as con:
        con.execute("update said set what = 'changed'")
    assert said(settings) == {"one"}


def test_what_is_not_in_the_ledger_yet_is_known_until_it_is(settings: Settings) -> None:
    assert publication.is_remembered(settings)
    publish(settings, "one")
    assert not publication.is_remembered(settings)
    publication.remembered(settings)
    assert publication.is_remembered(settings)


class Cut(BaseException):
    """Stands for the end of the process."""


CALLS = ("rename", "replace", "symlink_to", "mkdir", "unlink")


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Ends the process, as it were, before the call whose number is in the list (counted down)."""
    left: list[int] = []

    def counted(name: str):  # type: ignore[no-untyped-def]
        real = getattr(Path, name)

        def call(self: Path, *given: object, **named: object) -> object:
            if left:
                if left[0] == 0:
                    raise Cut
                left[0] -= 1
            return real(self, *given, **named)

        return call

    for name in CALLS:
        monkeypatch.setattr(Path, name, counted(name))
    yield left


@pytest.mark.parametrize("plain", [False, True], ids=["after a publication", "after an earlier version"])
def test_cut_off_at_any_step_what_is_shown_is_of_one_run(
    tmp_path: Path, cut_off: list[int], plain: bool
) -> None:
    steps = 0
    for steps in range(60):
        settings = Settings(out=tmp_path / str(steps))
        settings.out.mkdir()
        if plain:
            make(settings, "one", plain=True)
        else:
            publish(settings, "one")
        publication.begin(settings)
        make(settings, "two")
        cut_off[:] = [steps]
        try:
            publication.publish(settings, {})
            break
        except Cut:
            cut_off.clear()
        publication.begin(settings)
        assert said(settings) in ({"one"}, {"two"}), steps
        make(settings, "three")
        publication.publish(settings, {})
        assert said(settings) == {"three"}, steps
    cut_off.clear()
    assert 5 < steps < 59
    shutil.rmtree(tmp_path)
    assert not os.path.lexists(tmp_path / "0")
