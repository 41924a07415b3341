"""The second engine: dbt's models built by PySpark, and the rows that it made taken over into the warehouse.

Spark reads the landed Parquet and writes a table a model; the warehouse takes these over as they are, so that everything from the
data tests to the pages is the same whichever engine built. dbt-spark and PySpark live in an environment of their own
(`make spark`), because most installations have no use for half a gigabyte of jars.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipelines import dbt_process, engine
from pipelines.settings import REPOSITORY, Settings, spark_python

TARGET = ["--target", "spark"]
# Data tests ask the rows that were taken over: a thousand small queries, for which a cluster has no use.
MODELS_ALONE = ["--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]


class NoSpark(RuntimeError):
    """dbt-spark, PySpark or Java is missing; str() says what to do."""


def interpreter() -> Path:
    """The Python that has PySpark: CCM_SPARK_PYTHON, this one, or that of `.venv-spark`. Raises NoSpark."""
    if given := spark_python():
        return given
    if importlib.util.find_spec("pyspark"):
        return Path(sys.executable)
    beside = REPOSITORY / ".venv-spark" / "bin" / "python"
    if beside.exists():
        return beside
    raise NoSpark(
        "Spark is not installed: `make spark` makes .venv-spark, or CCM_SPARK_PYTHON names a Python that has it"
    )


def check() -> None:
    """Raises NoSpark where a run on Spark could not start."""
    python = interpreter()
    if not shutil.which(str(python)):
        raise NoSpark(f"CCM_SPARK_PYTHON names {python}, which cannot be run")
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java" if "JAVA_HOME" in os.environ else "java"
    if not shutil.which(str(java)):
        raise NoSpark("Spark needs Java 17 or newer: install it, or let JAVA_HOME lead to it")
    known = [str(python), "-c", "import pyspark, dbt.adapters.spark"]
    if subprocess.run(known, capture_output=True, check=False).returncode != 0:
        raise NoSpark(f"{python} has no dbt-spark or no PySpark: install requirements-spark.lock")


def executable() -> tuple[str, list[str]]:
    """dbt's program for dagster-dbt in the environment that has PySpark: executable and first arguments."""
    # By path: the environment has dbt and PySpark but not this package. Without -P the program's own folder could be imported from, and
    # dbt takes whatever there is named dbt_… for a plugin.
    return str(interpreter()), ["-P", str(Path(dbt_process.__file__))]


def prepare(settings: Settings) -> None:
    """Clear the tables of the last run, with Spark's local catalogue of them."""
    shutil.rmtree(settings.spark, ignore_errors=True)
    settings.spark.mkdir(parents=True, mode=0o700)


def hand_over_results(artifacts: Path, target: Path) -> None:
    """Move the results of a build that failed to dbt's target folder of the run."""
    results = artifacts / "run_results.json"
    if results.exists():
        results.replace(target / "run_results.json")


def take_over(settings: Settings, artifacts: Path) -> int:
    """Copy the tables that the dbt invocation with these artifacts built into the warehouse; returns their number."""
    manifest = json.loads((artifacts / "manifest.json").read_text())["nodes"]
    results = json.loads((artifacts / "run_results.json").read_text())["results"]
    built = [result["unique_id"] for result in results if result["status"] == "success"]
    tables = [
        node
        for node in (manifest[name] for name in built if name.startswith(("model.", "seed.")))
        if node["config"]["materialized"] in {"table", "seed"}
    ]
    place = Path(settings.dbt_environment()["CCM_SPARK_WAREHOUSE"])
    with engine.connect(settings, settings.warehouse) as con:
        con.execute("set preserve_insertion_order = false")
        for node in tables:
            relation = f"{node['schema']}.{node['alias']}"
            files = place / f"{node['schema']}.db" / node["alias"] / "*.parquet"
            con.execute(f"create schema if not exists {node['schema']}")
            con.execute(f"create or replace table {relation} as from read_parquet('{files}')")
    return len(tables)
