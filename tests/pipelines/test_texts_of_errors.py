"""Texts of errors quote rows: they are searched for what is known, and kept nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from pipelines import dbt_artifacts
from pipelines.run_context import RunContext
from pipelines.settings import Settings

ROW = "CANARY1EG4TE5MK72"


def results(folder: Path, message: str, status: str = "error") -> Path:
    node = {"unique_id": "model.ccm.one", "status": status, "message": message, "failures": None}
    (folder / "run_results.json").write_text(json.dumps({"results": [node]}))
    (folder / "build.log").write_text(f"1 of 1 ERROR\n{message}")
    return folder / "build.log"


def test_of_what_dbt_leaves_only_kinds_of_error_stay(tmp_path: Path) -> None:
    text = f"Runtime Error in model one\n  Conversion Error: Could not convert string '{ROW}' to INT32"
    assert dbt_artifacts.strip(tmp_path, results(tmp_path, text)) is None
    assert not (tmp_path / "build.log").exists()
    held = (tmp_path / "run_results.json").read_text()
    assert ROW not in held
    assert json.loads(held)["results"][0]["message"] == "Runtime Error, Conversion Error"


def test_a_fault_of_the_machine_is_told_before_its_text_goes(tmp_path: Path) -> None:
    fault = dbt_artifacts.strip(
        tmp_path, results(tmp_path, f"IO Error: No space left on device while writing {ROW}")
    )
    assert fault is not None and fault.name == "disk_full"
    assert ROW not in (tmp_path / "run_results.json").read_text()


def test_without_a_result_nothing_is_done(tmp_path: Path) -> None:
    assert dbt_artifacts.strip(tmp_path, tmp_path / "build.log") is None


@pytest.mark.parametrize("chained", [False, True])
def test_dagster_keeps_the_place_of_an_error_and_not_its_text(tmp_path: Path, chained: bool) -> None:
    context = RunContext(settings=Settings(out=tmp_path))

    @dg.asset
    def broken() -> None:
        with context.step("one"):
            try:
                raise OSError(28, f"No space left on device: {ROW}")
            except OSError as problem:
                if chained:
                    raise ValueError(f"row {ROW}") from problem
                raise

    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        result = dg.materialize([broken], instance=instance, raise_on_error=False)
    assert not result.success
    assert context.fault is not None and context.fault.name == "disk_full"
    (at,) = context.broken_at
    assert at.startswith("one: ValueError" if chained else "one: OSError")
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert kept and not any(ROW.encode() in path.read_bytes() for path in kept)


def test_a_part_of_dbts_results_is_no_result_and_does_not_stay(tmp_path: Path) -> None:
    log = results(tmp_path, f"IO Error: No space left on device while writing {ROW}")
    whole = (tmp_path / "run_results.json").read_text()
    assert [node["status"] for node in dbt_artifacts.results(tmp_path)] == ["error"]
    (tmp_path / "run_results.json").write_text(whole[:-20])
    assert dbt_artifacts.results(tmp_path) == []
    fault = dbt_artifacts.strip(tmp_path, log)
    assert fault is not None and fault.name == "disk_full"
    assert not any(ROW in path.read_text() for path in tmp_path.iterdir())
