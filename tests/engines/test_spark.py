"""What is done around a build on Spark: where its Python is found, and that its tables come over into the warehouse."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines import spark
from pipelines.settings import Settings


def node(schema: str, alias: str, materialized: str) -> dict[str, object]:
    return {"schema": schema, "alias": alias, "config": {"materialized": materialized}}


def test_what_spark_built_comes_over_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CCM_SPARK_WAREHOUSE", raising=False)
    settings = Settings(out=tmp_path)
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    nodes = {
        "seed.ccm.prices": node("policy", "prices", "seed"),
        "model.ccm.months": node("marts", "months", "table"),
        "model.ccm.seen": node("marts", "seen", "view"),
        "model.ccm.broken": node("marts", "broken", "table"),
    }
    statuses = {**dict.fromkeys(nodes, "success"), "model.ccm.broken": "error"}
    (artifacts / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    results = [{"unique_id": name, "status": status} for name, status in statuses.items()]
    results.append({"unique_id": "operation.ccm.ccm-on-run-start-0", "status": "success"})
    (artifacts / "run_results.json").write_text(json.dumps({"results": results}))
    for place in ("policy.db/prices", "marts.db/months", "marts.db/broken"):
        folder = settings.spark / place
        folder.mkdir(parents=True)
        for part in (0, 1):
            duckdb.sql(
                f"copy (select {part} as part, ['a'] as list) to '{folder}/part-{part}.parquet' (format parquet)"
            )

    assert spark.take_over(settings, artifacts) == 2

    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        assert con.sql("select * from marts.months order by part").fetchall() == [(0, ["a"]), (1, ["a"])]
        tables = con.sql(
            "select schema_name || '.' || table_name from duckdb_tables() order by all"
        ).fetchall()
    assert tables == [("marts.months",), ("policy.prices",)]


def test_the_python_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCM_SPARK_PYTHON", sys.executable)
    assert spark.interpreter() == Path(sys.executable)


@pytest.mark.parametrize(
    ("python", "java", "says"),
    [
        ("/nowhere/python", None, "cannot be run"),
        (sys.executable, "/nowhere", "Java"),
    ],
)
def test_what_is_missing_is_said_before_a_run_starts(
    monkeypatch: pytest.MonkeyPatch, python: str, java: str | None, says: str
) -> None:
    monkeypatch.setenv("CCM_SPARK_PYTHON", python)
    if java:
        monkeypatch.setenv("JAVA_HOME", java)
    with pytest.raises(spark.NoSpark, match=says):
        spark.check()


def test_tables_of_the_last_run_are_cleared(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    (settings.spark / "marts.db").mkdir(parents=True)
    spark.prepare(settings)
    assert list(settings.spark.iterdir()) == []
