"""Spark's rows of the named patients are DuckDB's, in every table of the warehouse; `make spark` compares whole runs to the pages."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.parity import builds, for_few_rows, told
from pipelines import spark
from pipelines.settings import DBT_PROJECT, Settings
from tests.pipelines.conftest import RECEIVED, THROUGH


def test_spark_gives_the_rows_that_duckdb_gives(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    try:
        spark.check()
    except spark.NoSpark as problem:
        pytest.skip(f"Spark's rows are not compared here: {problem}")
    patients_built: Settings = request.getfixturevalue("patients_built")
    tables, artifacts = tmp_path / "spark", tmp_path / "artifacts"
    python, first = spark.executable()
    run = subprocess.run(
        [
            *(python, *first, "build", *spark.TARGET, *spark.MODELS_ALONE),
            *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", str(artifacts), "--log-path", str(artifacts)),
            *("--vars", json.dumps({"as_of": RECEIVED.isoformat(), "through_month": f"{THROUGH}-01"})),
        ],
        env={
            **os.environ,
            **patients_built.dbt_environment(),
            **for_few_rows(tmp_path / "conf"),
            "CCM_SPARK_WAREHOUSE": str(tables),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    found = builds(patients_built.warehouse, tables)
    assert {"marts.eligibility_months", "marts.capture_months", "flags.findings", "reports.rpt_funnel"} <= {
        one.name for one in found
    }
    assert [one.name for one in found if not one.is_equal] == [], told(found)
