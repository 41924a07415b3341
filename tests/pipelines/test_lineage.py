"""What a run was made from is told, compared and carried by what it publishes."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import duckdb

from pipelines import lineage
from pipelines.lineage import Lineage
from pipelines.publish.tables import PUBLISHED, export
from pipelines.settings import Settings
from pipelines.window import RunWindow

MADE = Lineage("2025-10-31", "2025-10", "p1", "m1", "c1", "commit1", {"batch-a": "1", "batch-b": "2"})


def test_a_commit_that_touches_neither_models_nor_policy_makes_the_same() -> None:
    assert MADE.makes_the_same_as(dataclasses.replace(MADE, code_version="commit2"))
    for name in ("as_of", "through", "policy_version", "models_version", "contract_version"):
        assert not MADE.makes_the_same_as(dataclasses.replace(MADE, **{name: "other"})), name
    assert not MADE.makes_the_same_as(dataclasses.replace(MADE, batches={"batch-a": "1"}))


def test_history_is_followed_only_where_nothing_of_it_is_gone_or_changed() -> None:
    later = dataclasses.replace(MADE, as_of="2025-11-30", batches={**MADE.batches, "batch-c": "3"})
    assert later.can_follow(MADE) and MADE.can_follow(MADE)
    assert not MADE.can_follow(later)
    assert not dataclasses.replace(later, batches={"batch-a": "1", "batch-b": "changed"}).can_follow(MADE)


def test_lineage_is_read_back_and_of_another_version_is_none(tmp_path: Path) -> None:
    lineage.write(tmp_path, MADE)
    assert lineage.read(tmp_path) == MADE
    assert (tmp_path / lineage.FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / lineage.FILE).write_text(json.dumps({"as_of": "2025-10-31"}))
    assert lineage.read(tmp_path) is None
    assert lineage.read(tmp_path / "nowhere") is None


def test_every_published_file_carries_what_it_was_made_from(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    with duckdb.connect(str(settings.warehouse)) as con:
        for name, (schema, order) in PUBLISHED.items():
            con.execute(f"create schema if not exists {schema}")
            columns = ", ".join(f"1 as {column.strip()}" for column in order.split(","))
            con.execute(f"create table {schema}.{name} as select {columns}")
    made_from = dataclasses.replace(MADE, code_version="it's a version")
    assert set(export(settings, made_from).values()) == {1}
    assert lineage.read(settings.tables) == made_from
    for name in PUBLISHED:
        told = dict(
            duckdb.sql(
                "select decode(key), decode(value) from"
                f" parquet_kv_metadata('{settings.tables}/{name}.parquet')"
            ).fetchall()
        )
        assert told["ccm.as_of"] == "2025-10-31"
        assert told["ccm.code_version"] == "it's a version"
        assert json.loads(told["ccm.batches"]) == MADE.batches


def test_a_run_is_made_from_the_batches_received_by_its_day(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    for name, received in (("batch-a", "2025-10-01"), ("batch-b", "2025-11-01")):
        (settings.landing / name).mkdir(parents=True)
        manifest = {"batch_id": name, "received_date": received, "files": [{"name": "f", "sha256": name}]}
        (settings.landing / name / "manifest.json").write_text(json.dumps(manifest))
    window = RunWindow(date(2025, 10, 31), date(2025, 10, 1))
    made_from = lineage.lineage(settings, window)
    assert set(made_from.batches) == {"batch-a"}
    assert (made_from.as_of, made_from.through) == ("2025-10-31", "2025-10")
    assert len(made_from.batches["batch-a"]) == 64
