"""The loader holds back exactly the planted faults, from Parquet and from CSV alike."""

from __future__ import annotations

import datetime
from collections import Counter

import duckdb
import pytest

from pipelines.extracts.landing import land
from pipelines.settings import from_environment
from pipelines.simulate import simulate

REASONS = {
    "duplicate_row": "duplicate_row",
    "orphan_line": "parent_missing",
    "year_one": "before_earliest",
    "future_date": "after_received",
}


@pytest.mark.parametrize("files", ["parquet", "csv"])
def test_quarantine_holds_exactly_the_planted_faults(tmp_path, files):
    record = simulate(1200, 12, 8, tmp_path, files=files)
    received = datetime.date.fromisoformat(record["extract_date"])
    batch = land(
        tmp_path / "extracts", from_environment(tmp_path / "out"), format="practice", received=received
    )
    faults = (line.split(".") for line in Counter(record["planted_faults"]).elements())
    expected = Counter((table, REASONS[fault]) for table, fault in faults if fault != "untidy_code")
    held_back = duckdb.sql(f"""
        select table_name, reason, count(*)
        from '{tmp_path}/out/quarantine/{batch.batch_id}.parquet' group by 1, 2
    """).fetchall()
    assert {(table, reason): rows for table, reason, rows in held_back} == dict(expected)
    assert len(expected) >= 6
    for table, counts in batch.counts.items():
        assert counts["rows_in"] == record["rows"][table]
        assert counts["rows_in"] == counts["rows_landed"] + counts["rows_quarantined"]


def test_untidy_codes_land_tidy(tmp_path):
    record = simulate(1200, 12, 8, tmp_path)
    received = datetime.date.fromisoformat(record["extract_date"])
    batch = land(
        tmp_path / "extracts", from_environment(tmp_path / "out"), format="practice", received=received
    )
    assert record["planted_faults"]["claim_diagnoses.untidy_code"] > 0
    untidy = duckdb.sql(f"""
        select count(*) from '{batch.folder}/claim_diagnoses.parquet'
        where not regexp_full_match(diagnosis_code, '[0-9A-Z]+')
    """).fetchone()
    assert untidy == (0,)
