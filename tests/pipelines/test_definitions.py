"""What the Dagster UI shows: every asset in a group, with a description, and the checks beside it; nothing of a patient."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import create_engine

from pipelines.definitions import JOB, build, defs, landed_metadata
from pipelines.extracts.landing import LandedBatch
from pipelines.run_context import RunContext
from pipelines.settings import Settings

LAYERS = {"policy", "staging", "core", "marts", "flags", "reports"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Any:
    settings = Settings(out=tmp_path_factory.mktemp("out"))
    return build(RunContext(settings=settings)).get_repository_def()


def test_every_asset_is_in_a_group_and_says_what_it_is(repository: Any) -> None:
    nodes = [node for node in repository.asset_graph.asset_nodes if node.is_materializable]
    assert len(nodes) > 100
    assert {node.group_name for node in nodes} >= LAYERS | {"extracts", "publish"}
    assert "default" not in {node.group_name for node in nodes}
    assert [node.key.to_user_string() for node in nodes if not (node.description or "").strip()] == []


def test_the_code_of_a_model_is_named_and_exists(repository: Any) -> None:
    node = repository.asset_graph.get(dg.AssetKey(["flags", "rule_results"]))
    assert Path(node.metadata["code"].path).name == "rule_results.sql"
    assert Path(node.metadata["code"].path).exists()
    assert "select" not in node.description.lower()


def test_checks_stand_beside_their_assets_and_the_job_holds_everything(repository: Any) -> None:
    graph = repository.asset_graph
    checked = {key.asset_key for key in graph.asset_check_keys}
    assert {dg.AssetKey(["extracts", "landing"]), dg.AssetKey(["publish", "release"])} <= checked
    assert len(graph.asset_check_keys) > 100
    job = repository.get_job(JOB)
    assert set(job.asset_layer.executable_asset_keys) == graph.materializable_asset_keys


def test_the_user_interface_shows_the_same_assets_and_checks(
    repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCM_OUT", str(tmp_path))
    shown = defs().get_repository_def().asset_graph
    assert repository.asset_graph.asset_check_keys == shown.asset_check_keys
    assert repository.asset_graph.materializable_asset_keys <= shown.get_all_asset_keys()


def test_what_landing_tells_is_counts_and_places(tmp_path: Path) -> None:
    batch = LandedBatch(
        batch_id="0123456789ab",
        already_landed=False,
        format="practice",
        recognised="claims.csv",
        received_date=date(2026, 3, 31),
        folder=tmp_path,
        counts={"claims": {"rows_in": 3, "rows_landed": 2, "rows_quarantined": 1}},
        reasons={},
    )
    told = landed_metadata(batch)
    assert (told["rows_in"], told["rows_landed"], told["rows_quarantined"]) == (3, 2, 1)
    assert told["tables"].records[0].data == {
        "table": "claims",
        "rows_in": 3,
        "rows_landed": 2,
        "rows_quarantined": 1,
    }
    assert told["folder"].path == str(tmp_path)


def test_history_is_written_without_waiting_for_the_disk(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path / 'history.db'}").connect() as connection:
        assert connection.exec_driver_sql("pragma synchronous").scalar() == 0  # off
