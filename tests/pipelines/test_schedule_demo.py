"""The parts of the demonstration of months that go through by themselves; the whole of it is `make schedule-demo`."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pipelines import schedule_demo, ui


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted and not waited for."""
    waited: list[float] = []
    monkeypatch.setattr(schedule_demo.time, "sleep", waited.append)
    return waited


def delivery(folder: Path, *files: str) -> Path:
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text(name)
    return folder


def test_a_delivery_is_half_there_while_the_sensor_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = delivery(tmp_path / "from", "a", "b", "c", "d"), tmp_path / "2025-01-31"
    there: list[int] = []
    monkeypatch.setattr(
        schedule_demo.time, "sleep", lambda seconds: there.append(len(list(target.iterdir())))
    )
    said: list[str] = []
    schedule_demo.copy(source, target, said.append)
    assert there == [3]
    assert sorted(path.name for path in target.iterdir()) == ["a", "b", "c", "d"]
    assert said == ["2025-01-31: 3 of 4 files are there", "2025-01-31: all 4 files are there"]


def test_what_runs_is_what_the_command_starts_on_loopback_and_a_free_port() -> None:
    port = schedule_demo.free_port()
    command = ui.services(port)
    assert command[:4] == [sys.executable, "-m", "dagster", "dev"]
    assert command[command.index("-h") + 1] == "127.0.0.1" and command[command.index("-p") + 1] == str(port)
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: list[float]) -> Path:
    """The demonstration with made-up deliveries and no services."""

    def simulate(people: int, months: int, seed: int, out: Path, deliveries: str) -> dict[str, Any]:
        days = ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"]
        for day in days:
            delivery(out / day, "claims.parquet")
        return {"deliveries": [{"folder": day, "received": day} for day in days]}

    monkeypatch.setattr(schedule_demo, "simulate", simulate)
    monkeypatch.setattr(schedule_demo, "daemon", lambda settings, inbox: nullcontext())
    return tmp_path / "demo"


def call(monkeypatch: pytest.MonkeyPatch, out: Path, *more: str) -> int:
    monkeypatch.setattr(sys, "argv", ["schedule_demo", "--out", str(out), *more])
    return schedule_demo.main()


def test_each_month_is_waited_for_before_the_next_arrives(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def newest(settings: Any, received: str) -> dict[str, Any]:
        days = sorted(path.name for path in (demo / "inbox").iterdir())
        return {"success": True, "as_of": days[-1], "through": days[-1][:7], "inputs": days}

    monkeypatch.setattr(schedule_demo, "record_of", newest)
    assert call(monkeypatch, demo) == 0
    said = capsys.readouterr().out
    assert [line.split("published: ")[1][:16] for line in said.splitlines() if "published" in line] == [
        "as of 2025-01-31", "as of 2025-02-28", "as of 2025-03-31",
    ]  # fmt: skip
    assert not (demo / "inbox" / "2025-04-30").exists()


def test_it_gives_up_when_the_time_is_up(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schedule_demo, "record_of", lambda settings, received: {})
    assert call(monkeypatch, demo, "--minutes", "0") == 1
    assert "time is up" in capsys.readouterr().out


def test_it_ends_when_a_run_stopped(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = {"as_of": "2025-01-31", "success": False, "failed": ["check one on two"], "fault": None}

    def told(record: dict[str, Any]) -> str:
        """What the demonstration says where the run of the first delivery leaves `record`."""
        place = demo / "out" / "run.json"
        monkeypatch.setattr(schedule_demo.time, "sleep", lambda seconds: written(place, record))
        assert call(monkeypatch, demo, "--minutes", "0.01") == 1
        return capsys.readouterr().out

    assert "the run stopped: check one on two" in told(stopped)
    # what may pass is tried again by itself, and the record of another delivery says nothing of this one
    assert "time is up" in told({**stopped, "fault": {"is_transient": True}})
    assert "time is up" in told({**stopped, "as_of": "2024-12-31"})


def written(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
