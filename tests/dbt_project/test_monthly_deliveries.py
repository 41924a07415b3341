"""Monthly deliveries loaded in order end in the state of the single delivery of the same population."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts.landing import land
from pipelines.settings import Settings
from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build

PEOPLE, MONTHS, SEED = 400, 12, 5
# Where a row came from differs by intention; what it says must not.
PROVENANCE = {"batch_id", "received_date", "delivery_order", "source_file", "source_row"}
NOT_COMPARED = {"core_batch_files", "core_deliveries", "core_quarantined_rows", "core_superseded_claim_lines"}


def _simulated(folder: Path, deliveries: str) -> dict[str, Any]:
    own = folder / "own.yml"
    own.write_text(
        "ccm: {uptake_scale: 6}\nfaults: {scale: 0}\npeople: {identifier_change: 0.05}\n"
        "statements: {replaced: 0.05, cancelled_duplicates: 0.02}\n"
        "deliveries: {sent_again: 0.02, coverage_corrected: {dual: 0.1, advantage: 0.1}}\n",
        encoding="utf-8",
    )
    return simulate(PEOPLE, MONTHS, SEED, folder, parameters=own, deliveries=deliveries)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built, dict[str, Any], Path]:
    options = (
        "--select",
        "path:models/staging",
        "path:models/core",
        "resource_type:seed",
        "--exclude-resource-type",
    )
    options = (*options, "unit_test", "test")
    once, monthly = tmp_path_factory.mktemp("once"), tmp_path_factory.mktemp("monthly")
    record = _simulated(once, "single")
    received, through = dt.date.fromisoformat(record["extract_date"]), record["last_window_month"]
    single = build(once / "out", once / "extracts", received, through, *options)
    record = _simulated(monthly, "monthly")
    settings = Settings(out=monthly / "out")
    for delivery in record["deliveries"][:-1]:
        batch = land(
            monthly / delivery["folder"], settings, received=dt.date.fromisoformat(delivery["received"])
        )
        assert batch.rows_quarantined == 0, (delivery["folder"], batch.reasons)
    last = record["deliveries"][-1]
    many = build(
        monthly / "out", monthly / last["folder"], dt.date.fromisoformat(last["received"]), through, *options
    )
    return single, many, record, monthly


def test_both_build(both) -> None:
    single, many, record, _ = both
    assert single.failures == []
    assert many.failures == []
    assert len(record["deliveries"]) == MONTHS + 3
    assert many.rows("select count(*) from core.core_deliveries") == [(MONTHS + 3,)]


def test_every_core_table_says_the_same(both) -> None:
    single, many, _, _ = both
    tables = [
        name
        for (name,) in single.rows(
            "select table_name from information_schema.tables where table_schema = 'core' order by 1"
        )
        if name not in NOT_COMPARED
    ]
    assert len(tables) > 12
    for table in tables:
        columns = [
            name
            for (name,) in single.rows(
                "select column_name from information_schema.columns where table_schema = 'core' and table_name = ? "
                "order by ordinal_position",
                table,
            )
            if name not in PROVENANCE
        ]
        # A claim sent again is one more superseded statement; what stands is the same.
        stands = " where is_final" if table == "core_claims" else ""
        sql = f"select {', '.join(columns)} from core.{table}{stands}"
        one, other = sorted(map(repr, single.rows(sql))), sorted(map(repr, many.rows(sql)))
        assert len(one) == len(other), table
        different = sum(a != b for a, b in zip(one, other, strict=True))
        assert different == 0, (table, different)
        assert one, table
