"""Dagster's own user interface over the main job, with its storage under the output folder."""

from __future__ import annotations

import os
import subprocess
import sys

from pipelines.settings import Settings


def start(settings: Settings) -> int:
    """Run `dagster dev` on loopback until it is stopped; returns its exit status."""
    from pipelines.run import prepare_dagster

    prepare_dagster(settings)
    environment = {**os.environ, "DAGSTER_HOME": str(settings.dagster_home), "CCM_OUT": str(settings.out)}
    command = [sys.executable, "-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", "127.0.0.1"]
    return subprocess.run(command, env=environment, check=False).returncode
