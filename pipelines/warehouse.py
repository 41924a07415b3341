"""dbt as Dagster assets, its arguments, and its manifest."""

# No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.

import contextlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import dagster as dg
import packaging.version
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from pipelines import dbt_artifacts, faults, ledger, spark
from pipelines.dbt_process import PARENT, PARSED
from pipelines.parsed import PARSED_FILE, take, temporary_environment
from pipelines.publish import notes
from pipelines.run_outcome import row_counts
from pipelines.settings import DBT_PROJECT, Settings

# Sources of the dbt project that landing writes.
LANDED = ("landing", "quarantine")
# dbt's own unit tests try the models on made-up rows: they belong to the test suite, not to a run.
BUILD = ["build", "--exclude-resource-type", "unit_test"]
# The rules once more, asked about bills that could be sent; what they say goes to a schema of its own.
ABOUT_PROPOSALS = {"CCM_RULES_ABOUT": "proposals"}
PROPOSALS = [
    *("build", "--select", "+rule_results,path:models/flags tag:proposals"),
    *("--exclude", "path:models/flags,resource_type:test", "--exclude-resource-type", "unit_test"),
]


class InstalledDbt(DbtCliResource):
    """dagster-dbt asks `dbt --version` in a new process before each command; the installed version says the same at once."""

    @property
    def _cli_version(self) -> packaging.version.Version:
        return packaging.version.parse(importlib.metadata.version("dbt-core"))


def manifest(settings: Settings) -> Path:
    """Path of dbt's manifest for the project as it stands."""
    return take(settings, settings.dbt_target).with_name(dbt_artifacts.MANIFEST)


def resource(
    executable: str = sys.executable, first: Sequence[str] = ("-m", "pipelines.dbt_process")
) -> InstalledDbt:
    # This Python's dbt, whatever PATH says, in a process that does not outlive the run.
    return InstalledDbt(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=executable,
        global_config_flags=list(first),
    )


class LandedSources(DagsterDbtTranslator):
    """dbt's sources are what landing wrote: the dbt step waits for landing and its blocking checks."""

    def __init__(self, landing: dg.AssetKey) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))
        self.landing = landing

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source" and dbt_resource_props["source_name"] in LANDED:
            return self.landing
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer: policy seeds, staging, core, marts, flags or reports."""
        layer = str(dbt_resource_props["fqn"][1])
        return "policy" if dbt_resource_props["resource_type"] == "seed" else layer

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What its YAML says; the SQL is one click away in the code and would drown it."""
        return " ".join((dbt_resource_props.get("description") or "").split())

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Where the code is, and of a rule what it rests on; never a row."""
        meta = dbt_resource_props.get("config", {}).get("meta", {})
        told = {name: meta[name] for name in ("rule_id", "severity", "certainty", "citation") if name in meta}
        path = DBT_PROJECT / dbt_resource_props["original_file_path"]
        return {**super().get_metadata(dbt_resource_props), **told, "code": dg.MetadataValue.path(path)}


def assets(settings: Settings, run: Any, landing: dg.AssetKey) -> dg.AssetsDefinition:
    """Every seed and model as an asset, every data test as a check, built in one dbt process after landing.

    `run` is the run's `RunContext` (its window is known once landing is done); `landing` the asset that its sources are.
    """

    @dbt_assets(
        manifest=manifest(settings),
        name="warehouse",
        exclude="resource_type:unit_test tag:proposals",
        dagster_dbt_translator=LandedSources(landing),
    )
    def warehouse(context: dg.AssetExecutionContext, dbt: InstalledDbt) -> Iterator[Any]:
        os.environ.update(settings.dbt_environment())
        ledger.prepare(settings)
        # what practices wrote into the last run's worklists decides who is on the next ones
        unread = notes.read_back(settings).unread
        if unread:
            context.log.warning(
                f"{len(unread)} worklists could not be read back; copies are under ledger/worklists_not_read"
            )
        with (
            run.step("warehouse"),
            without_texts(run, settings.dbt_target, settings.dbt_target / "build.log") as log,
        ):
            window = ["--vars", json.dumps(run.window().as_vars())]
            # dbt's own lines go to a file: a run prints one line a step.
            with (
                contextlib.redirect_stdout(log),
                temporary_environment(
                    {PARSED: str(settings.dbt_target / PARSED_FILE), PARENT: str(os.getpid())}
                ),
            ):
                if settings.target == "spark":
                    yield from build_on_spark(settings, dbt, context, window)
                else:
                    command = [*BUILD, *window]
                    yield from dbt.cli(command, context=context, target_path=settings.dbt_target).stream()
        yield from counted(settings)

    return warehouse


def counted(settings: Settings) -> Iterator[dg.AssetObservation]:
    """How many rows each built table holds, to stand beside its asset; never a row of them."""
    for name, rows in row_counts(settings).items():
        yield dg.AssetObservation(asset_key=name.split("."), metadata={"dagster/row_count": rows})


def build_on_spark(
    settings: Settings, dbt: InstalledDbt, context: dg.AssetExecutionContext, window: list[str]
) -> Iterator[Any]:
    """Seeds and models by Spark; then their rows, the views and the data tests by DuckDB."""
    spark.prepare(settings)
    artifacts = settings.dbt_target / "spark"
    models = ["build", *spark.TARGET, *spark.MODELS_ALONE, *window]
    # Spark's names of relations are others, so it parses the project for itself.
    with temporary_environment({PARSED: ""}):
        try:
            yield from (
                resource(*spark.executable()).cli(models, context=context, target_path=artifacts).stream()
            )
        except Exception:
            # where the run looks for what failed, and takes the texts of errors away
            spark.hand_over_results(artifacts, settings.dbt_target)
            raise
    spark.take_over(settings, artifacts)
    dbt.cli(["run", "--select", "config.materialized:view", *window], target_path=settings.dbt_target).wait()
    tests = ["build", "--resource-type", "test", *window]
    yield from dbt.cli(tests, context=context, target_path=settings.dbt_target).stream()


@contextlib.contextmanager
def without_texts(run: Any, target: Path, log: Path) -> Iterator[TextIO]:
    """A file for dbt's lines; where dbt fails, its errors' texts are searched for a known fault and kept nowhere."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as lines:
        try:
            yield lines
        except Exception as problem:
            lines.flush()
            run.fault = run.fault or dbt_artifacts.strip(target, log) or faults.of_error(problem)
            raise


def propose(settings: Settings, run: Any) -> None:
    """Ask the rules about proposed bills and build what comes of it; raises where a model or a test fails."""
    window = ["--vars", json.dumps(run.window().as_vars())]
    target = settings.dbt_target / "proposals"
    with (
        temporary_environment(
            {
                **ABOUT_PROPOSALS,
                PARSED: str(take(settings, target, ABOUT_PROPOSALS)),
                PARENT: str(os.getpid()),
                # the parse that dagster-dbt starts from is the run's own, never one that another command left in the project
                "DBT_TARGET_PATH": str(settings.dbt_target),
            }
        ),
        without_texts(run, target, settings.dbt_target / "proposals.log") as log,
        contextlib.redirect_stdout(log),
    ):
        if settings.target == "spark":
            artifacts = target / "spark"
            models = [*PROPOSALS, *spark.TARGET, "--exclude-resource-type", "test", *window]
            try:
                with temporary_environment({PARSED: ""}):
                    resource(*spark.executable()).cli(models, target_path=artifacts).wait()
            except Exception:
                spark.hand_over_results(artifacts, target)
                raise
            spark.take_over(settings, artifacts)
            resource().cli([*PROPOSALS, "--resource-type", "test", *window], target_path=target).wait()
        else:
            resource().cli([*PROPOSALS, *window], target_path=target).wait()
