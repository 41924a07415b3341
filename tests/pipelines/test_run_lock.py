"""Two runs never write one output folder; the second is told who holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.run_lock import Busy, only_writer
from pipelines.settings import REPOSITORY, Settings

HOLD = """
import sys
from pathlib import Path
from pipelines.run_lock import only_writer
from pipelines.settings import Settings
with only_writer(Settings(out=Path(sys.argv[1])), "run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(out=tmp_path / "out")


def held(settings: Settings) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert holder.stdout is not None and holder.stdout.readline().strip() == "held"
    return holder


def test_a_second_writer_is_refused_with_the_first_ones_process_and_start(settings: Settings) -> None:
    with held(settings) as holder:
        with (
            pytest.raises(Busy, match=rf"being written by run \(process {holder.pid}, since 20"),
            only_writer(settings, "run"),
        ):
            pass
        holder.communicate("done\n")


def test_the_lock_goes_with_a_killed_process(settings: Settings) -> None:
    with held(settings) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with only_writer(settings, "run"):
            pass


def test_who_waits_says_so_and_then_gets_it(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    with held(settings) as holder:
        assert holder.stdin is not None
        waiter = subprocess.Popen(
            [sys.executable, "-c", HOLD.replace('"run"', '"landing", wait=True'), str(settings.out)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        assert waiter.stderr is not None and f"process {holder.pid}" in waiter.stderr.readline()
        holder.communicate("done\n")
        assert "held" in waiter.communicate("done\n")[0]


def test_a_second_run_ends_with_one_line_and_status_1_and_touches_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    extracts = tmp_path / "extracts"
    extracts.mkdir()
    with held(settings) as holder:
        before = sorted(path.name for path in settings.out.iterdir())
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pipelines.cli",
                "run",
                "--extracts",
                str(extracts),
                "--out",
                str(settings.out),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("ccm: ") and f"process {holder.pid}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert sorted(path.name for path in settings.out.iterdir()) == before
        holder.communicate("done\n")
