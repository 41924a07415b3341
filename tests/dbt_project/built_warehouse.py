"""A delivery landed and built into a warehouse of its own, with what dbt said about it."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines import ledger, warehouse
from pipelines.dbt_process import PARSED
from pipelines.extracts.landing import LandedBatch, land
from pipelines.parsed import take
from pipelines.settings import DBT_PROJECT, REPOSITORY, Settings


@dataclass(frozen=True)
class Built:
    """`results` are dbt's results, one a node; the warehouse is opened read-only."""

    warehouse: Path
    batch: LandedBatch
    results: list[dict[str, Any]]

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as con:
            return con.execute(sql, parameters).fetchall()

    @property
    def failures(self) -> list[str]:
        """Nodes that did not build and tests that did not pass."""
        return [
            f"{result['unique_id']}: {result['status']} {result['message']}"
            for result in self.results
            if result["status"] not in {"success", "pass"}
        ]


def build(
    out: Path, delivery: Path, received: dt.date, through: str, *options: str, also: Sequence[Path] = ()
) -> Built:
    """Land `delivery` and the deliveries `also`, and run `dbt build` over them; `options` go to dbt."""
    settings = Settings(out=out)
    batch = land(delivery, settings, received=received)
    for other in also:
        land(other, settings, received=received)
    ledger.prepare(settings)
    results = _dbt(settings, ["build", *options], received, through)
    return Built(settings.warehouse, batch, results)


def propose(built: Built, received: dt.date, through: str) -> list[dict[str, Any]]:
    """Ask the rules about proposed bills, as a run does; dbt's results."""
    settings = Settings(out=built.warehouse.parent)
    return _dbt(settings, warehouse.PROPOSALS, received, through, **warehouse.ABOUT_PROPOSALS)


def _dbt(
    settings: Settings, command: Sequence[str], received: dt.date, through: str, **environment: str
) -> list[dict[str, Any]]:
    parsed = take(settings, settings.dbt_target / "parsed_project", environment)
    # dbt in its own process: it holds the warehouse as the only writer and lets go of it when it ends
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pipelines.dbt_process", *command),
            *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", str(settings.dbt_target), "--log-path", str(settings.dbt_target)),
            *("--vars", json.dumps({"as_of": received.isoformat(), "through_month": f"{through}-01"})),
        ],
        cwd=REPOSITORY,
        env={**os.environ, **settings.dbt_environment(), **environment, PARSED: str(parsed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    record = settings.dbt_target / "run_results.json"
    assert record.exists(), run.stdout[-4000:] + run.stderr[-4000:]
    results: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))["results"]
    return results
