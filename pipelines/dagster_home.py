"""Dagster's home under the output folder: its settings, its storage, and whether that can still be read."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from pipelines.settings import Settings

DAGSTER = """\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
run_monitoring:
  enabled: true
  start_timeout_seconds: 600
"""


def prepare_dagster(settings: Settings) -> None:
    """Make Dagster's home under the output folder: its storage, and one monthly run at a time."""
    for database in settings.dagster_home.rglob("*.db"):
        if not is_sound(database):
            print("ccm: Dagster's history is damaged and begins anew; no data are concerned", file=sys.stderr)
            shutil.rmtree(settings.dagster_home)
            break
    settings.dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (settings.dagster_home / "dagster.yaml").write_text(DAGSTER)


def is_sound(database: Path) -> bool:
    """Whether SQLite can read a database; one without tables may be in the making by a daemon that runs."""
    try:
        with closing(sqlite3.connect(database)) as con:
            return bool(con.execute("pragma quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True  # it is locked, or cannot be read just now: Dagster will say
    except sqlite3.Error:
        return False


def spare_the_disk() -> None:
    """Let this process write Dagster's history without waiting for the disk (docs/decisions/history-without-waiting.md).

    Dagster opens, commits and closes its databases for each of some thousand events of a run, and each waits until the disk has it.
    """
    if not event.contains(Engine, "connect", _spare):
        event.listen(Engine, "connect", _spare)


def _spare(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("pragma synchronous = off")
