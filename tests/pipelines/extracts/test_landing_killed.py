"""A landing that is killed at any step leaves nothing that a run would read, and the next one is as if first."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.settings import REPOSITORY

# Each step is a function of the landing; the process ends, as by kill -9, before or after it.
STEPS = {
    "after reading": ("pipelines.extracts.practice", "read", "after"),
    "in the middle of the tables": ("pipelines.extracts.batch.BatchWriter", "write_files", "before"),
    "before the quarantine is written": (
        "pipelines.extracts.batch.BatchWriter",
        "write_quarantine",
        "before",
    ),
    "before anything is moved": ("pathlib.Path", "replace", "before"),
    "between quarantine and batch": ("pathlib.Path", "replace", "after"),
    "before the batch appears": ("pathlib.Path", "rename", "before"),
}
LANDING = """
import datetime, importlib, os, signal
from pathlib import Path
place, name, when = {step!r}
try:
    owner = importlib.import_module(place)
except ModuleNotFoundError:
    module, _, inner = place.rpartition(".")
    owner = getattr(importlib.import_module(module), inner)
real = getattr(owner, name)
def killed(*given, **named):
    # Files are also replaced inside a table; the step meant is the one that publishes the quarantine.
    if name == "replace" and "quarantine" not in str(given[0]):
        return real(*given, **named)
    if when == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, killed)
from pipelines.extracts.landing import land
from pipelines.settings import Settings
land(Path({folder!r}), Settings(out=Path({out!r}), memory_limit="1GB", threads=1),
     received=datetime.date(2024, 6, 30))
"""


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_killed_landing_leaves_nothing_and_can_be_repeated(
    delivery: Any, new_delivery: Callable[[], Any], step: tuple[str, str, str]
) -> None:
    delivery.give("providers", "123,T9,Eva,MD")
    code = textwrap.dedent(LANDING).format(
        step=step, folder=str(delivery.folder), out=str(delivery.settings.out)
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False, capture_output=True)
    assert ended.returncode == -9, ended.stderr.decode()
    assert list(delivery.settings.landing.glob("batch-*")) == []

    batch = delivery.land()
    assert not batch.already_landed
    assert batch.counts["providers"] == {"rows_in": 3, "rows_landed": 2, "rows_quarantined": 1}
    names = {path.name for path in delivery.settings.landing.iterdir()}
    assert names == {".lock", batch.batch_id}
    assert [path.stem for path in delivery.settings.quarantine.iterdir()] == [batch.batch_id]

    undisturbed = new_delivery()
    undisturbed.give("providers", "123,T9,Eva,MD")
    again = undisturbed.land()
    assert content(again.folder) == content(batch.folder)


def content(folder: Path) -> dict[str, list[tuple]]:
    return {
        path.name: duckdb.sql(f"select * from read_parquet('{path}') order by all").fetchall()
        for path in sorted(folder.glob("*.parquet"))
    }


def test_a_quarantine_without_its_batch_is_cleared_by_the_next_landing(
    delivery: Any, new_delivery: Callable[[], Any]
) -> None:
    delivery.give("providers", "123,T9,Eva,MD")
    batch = delivery.land()
    batch.folder.rename(delivery.settings.out / "taken away")
    later = new_delivery()
    later.settings = delivery.settings
    later.give("claims")
    kept = later.land()
    assert [path.stem for path in delivery.settings.quarantine.iterdir()] == [kept.batch_id]
