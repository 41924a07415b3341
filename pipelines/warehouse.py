"""dbt as Dagster assets, its arguments, and its manifest."""

# No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.

import contextlib
import hashlib
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
from pipelines.dbt_process import PARSED
from pipelines.publish import notes
from pipelines.run_outcome import row_counts
from pipelines.settings import DBT_PROJECT, Settings

# Sources of the dbt project that landing writes.
LANDED = ("landing", "quarantine")
# dbt's own unit tests try the models on made-up rows: they belong to the test suite, not to a run.
BUILD = ["build", "--exclude-resource-type", "unit_test"]
# What dbt's parser writes for itself, and what of the environment the project's files read while they are parsed.
PARSED_FILE = "partial_parse.msgpack"
READ_WHEN_PARSED = (
    *("CCM_LANDING", "CCM_QUARANTINE", "CCM_LEDGER"),
    *("CCM_CONDITIONS", "CCM_COMPARE_CONDITIONS", "CCM_RULES_ABOUT"),
)
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


def project_fingerprint() -> str:
    """SHA-256 over the dbt project's files: the version of policy, models and rules that a run used."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.is_file() and path.suffix in {".sql", ".yml", ".csv", ".md"} and "target" not in path.parts:
            digest.update(path.relative_to(DBT_PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def parse_mark(settings: Settings) -> str:
    """Changes whenever dbt would parse the project to something else (its files, dbt, what they read of the environment), and when
    what it parsed is no longer what lies in its target folder.

    A run's window is no part of it: `var()` is asked only when a model is compiled.
    """
    environment = {**os.environ, **settings.dbt_environment()}
    told = [environment.get(name) for name in READ_WHEN_PARSED]
    versions = [importlib.metadata.version(name) for name in ("dbt-core", "dbt-duckdb")]
    parsed = hashlib.sha256((settings.dbt_target / PARSED_FILE).read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([project_fingerprint(), told, versions, parsed]).encode()).hexdigest()


def manifest(settings: Settings) -> Path:
    """Path of dbt's manifest for the project as it stands, parsed anew only when something of it changed."""
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    path, parsed, mark = (
        settings.dbt_target / name for name in (dbt_artifacts.MANIFEST, PARSED_FILE, "project.sha256")
    )
    if (
        all(file.exists() for file in (parsed, mark))
        and mark.read_text() == parse_mark(settings)
        and dbt_artifacts.is_whole(settings.dbt_target)
    ):
        return path
    from dbt.cli.main import dbtRunner

    os.environ.update(settings.dbt_environment())
    result = dbtRunner().invoke(["--quiet", "parse", *arguments(settings)])
    if not result.success:
        raise RuntimeError(f"dbt cannot parse the project: {result.exception}")
    mark.write_text(parse_mark(settings))
    return path


def arguments(settings: Settings) -> list[str]:
    """Where dbt finds its project and writes its artifacts."""
    folder = str(settings.dbt_target)
    return ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", folder,
            "--log-path", folder]  # fmt: skip


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
                temporary_environment({PARSED: str(settings.dbt_target / PARSED_FILE)}),
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
        # the parse that dagster-dbt starts from is the run's own, never one that another command left in the project
        temporary_environment({**ABOUT_PROPOSALS, "DBT_TARGET_PATH": str(settings.dbt_target)}),
        without_texts(run, target, settings.dbt_target / "proposals.log") as log,
        contextlib.redirect_stdout(log),
    ):
        if settings.target == "spark":
            artifacts = target / "spark"
            models = [*PROPOSALS, *spark.TARGET, "--exclude-resource-type", "test", *window]
            try:
                resource(*spark.executable()).cli(models, target_path=artifacts).wait()
            except Exception:
                spark.hand_over_results(artifacts, target)
                raise
            spark.take_over(settings, artifacts)
            resource().cli([*PROPOSALS, "--resource-type", "test", *window], target_path=target).wait()
        else:
            resource().cli([*PROPOSALS, *window], target_path=target).wait()


@contextlib.contextmanager
def temporary_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that hold inside the block only."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
