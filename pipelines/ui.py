"""Dagster's own user interface and daemon over the main job, with their storage under the output folder."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from pipelines.settings import Settings, timetable


def start(settings: Settings) -> NoReturn:
    """Become `dagster dev` on loopback: whoever stops this process stops Dagster's, and all that it started."""
    os.execve(sys.executable, services(), prepared(settings))  # noqa: S606


def services(port: int = 3000) -> list[str]:
    """The command that runs pages, daemon and one code server for both: a daemon by itself loads the code anew every minute."""
    return [sys.executable, "-m", "dagster", "dev", "-m", "pipelines.definitions",
            "-h", "127.0.0.1", "-p", str(port)]  # fmt: skip


def prepared(settings: Settings) -> dict[str, str]:
    """The environment for Dagster's processes, once everything is there that they would else wait for while they start."""
    from pipelines.dagster_home import prepare_dagster
    from pipelines.warehouse import manifest

    prepare_dagster(settings)
    manifest(settings)
    timetable(settings).inbox.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {**os.environ, "DAGSTER_HOME": str(settings.dagster_home), "CCM_OUT": str(settings.out)}
