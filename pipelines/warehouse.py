"""dbt as Dagster assets, its arguments, and its manifest."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import packaging.version
from dagster_dbt import DbtCliResource, dbt_assets

from pipelines.settings import DBT_PROJECT, Settings

# dbt's own unit tests try the models on made-up rows: they belong to the test suite, not to a run.
BUILD = ["build", "--exclude-resource-type", "unit_test"]


class InstalledDbt(DbtCliResource):
    """dagster-dbt asks `dbt --version` in a new process before each command; the installed version says the same at once."""

    @property
    def _cli_version(self) -> packaging.version.Version:
        return packaging.version.parse(importlib.metadata.version("dbt-core"))


@dataclass(frozen=True)
class RunWindow:
    """What a run is asked for: landing rows received up to `as_of`, service months up to `through` (its first day)."""

    as_of: date
    through: date

    def as_vars(self) -> dict[str, str]:
        return {"as_of": self.as_of.isoformat(), "through_month": self.through.isoformat()}


def window(settings: Settings, as_of: date | None, through: date | None) -> RunWindow:
    """The window of a run; what is not given comes from landing and never from the clock.

    `as_of` defaults to the newest delivery's date, `through` to the last enrolment month known by then that is not after
    `as_of`'s own month. Raises ValueError when nothing was received by `as_of`.
    """
    con = duckdb.connect()
    batches = f"{settings.landing}/batch-*"
    newest = con.execute(
        f"select max(received_date) from read_parquet('{batches}/batch_files.parquet')"
    ).fetchone()
    if newest is None or newest[0] is None:
        raise ValueError("nothing has been landed yet")
    chosen = as_of or newest[0]
    last = con.execute(
        f"select max(service_month) from read_parquet('{batches}/enrollment_months.parquet')"
        " where received_date <= $as_of and service_month <= $as_of",
        {"as_of": chosen},
    ).fetchone()
    con.close()
    if last is None or last[0] is None:
        raise ValueError(f"no enrolment months were received by {chosen}")
    return RunWindow(as_of=chosen, through=through or last[0])


def project_fingerprint() -> str:
    """SHA-256 over the dbt project's files: the version of policy, models and rules that a run used."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.is_file() and path.suffix in {".sql", ".yml", ".csv", ".md"} and "target" not in path.parts:
            digest.update(path.relative_to(DBT_PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def manifest(settings: Settings) -> Path:
    """Path of dbt's manifest for the project as it stands, parsed anew only when a file of it changed."""
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    path, mark = settings.dbt_target / "manifest.json", settings.dbt_target / "project.sha256"
    fingerprint = project_fingerprint()
    if path.exists() and mark.exists() and mark.read_text() == fingerprint:
        return path
    from dbt.cli.main import dbtRunner

    os.environ.update(settings.dbt_environment())
    result = dbtRunner().invoke(["--quiet", "parse", *arguments(settings)])
    if not result.success:
        raise RuntimeError(f"dbt cannot parse the project: {result.exception}")
    mark.write_text(fingerprint)
    return path


def arguments(settings: Settings) -> list[str]:
    """Where dbt finds its project and writes its artifacts."""
    folder = str(settings.dbt_target)
    return ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", folder,
            "--log-path", folder]  # fmt: skip


def resource() -> InstalledDbt:
    return InstalledDbt(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT))


def assets(settings: Settings, context: Any) -> dg.AssetsDefinition:
    """Every seed and model as an asset, every data test as a check, built in one dbt process after landing.

    `context` is the run's `RunContext` (its window is known once landing is done).
    """

    @dbt_assets(manifest=manifest(settings), name="warehouse", exclude="resource_type:unit_test")
    def warehouse(context_: dg.AssetExecutionContext, dbt: InstalledDbt) -> Iterator[Any]:
        os.environ.update(settings.dbt_environment())
        with context.progress.step("warehouse"):
            command = [*BUILD, "--vars", json.dumps(context.window().as_vars())]
            yield from dbt.cli(command, context=context_, target_path=settings.dbt_target).stream()

    return warehouse
