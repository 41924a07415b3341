"""One built warehouse of the named patients, shared by the tests of what is read out of it."""

from __future__ import annotations

import csv
import datetime as dt
import json

import pytest

from pipelines.settings import Settings
from tests.dbt_project.built_warehouse import build
from tests.dbt_project.named_patients import patients, write_delivery

RECEIVED, THROUGH = dt.date(2026, 12, 31), "2026-11"
FORMER_ID = "anna_before"


@pytest.fixture(scope="session")
def patients_built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An output folder with the warehouse of the named patients; `anna` was once called FORMER_ID. Read it, do not write."""
    out = tmp_path_factory.mktemp("patients") / "out"
    delivery = out / "delivery"
    write_delivery(delivery, patients())
    with (delivery / "beneficiary_xref.csv").open("a", encoding="utf-8", newline="") as file:
        header = (delivery / "beneficiary_xref.csv").read_text(encoding="utf-8").strip().split(",")
        row = {"previous_beneficiary_id": FORMER_ID, "current_beneficiary_id": "anna"}
        csv.DictWriter(file, header, restval="").writerow(row)
    built = build(
        out,
        delivery,
        RECEIVED,
        THROUGH,
        "--exclude-resource-type",
        "unit_test",
        "--exclude-resource-type",
        "test",
    )
    assert built.failures == []
    settings = Settings(out=out)
    record = {"as_of": RECEIVED.isoformat(), "through": THROUGH, "policy_version": "0123456789abcdef"}
    settings.run_record.write_text(json.dumps(record), encoding="utf-8")
    return settings
