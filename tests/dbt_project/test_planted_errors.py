"""The rules against the simulator's truth: every planted error is found, and nothing else is.

The simulator knows nothing of the rules' SQL, so this is an independent answer to the same question.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb
import pytest

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build

PEOPLE, MONTHS, SEED = 1500, 36, 20
# Rules whose errors the simulator plants; of the others it shows that they keep silent where nothing is wrong.
PLANTED = {f"F{number:02}" for number in (1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 24, 26, 28, 35)}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(PEOPLE, MONTHS, SEED, folder)
    return folder


@pytest.fixture(scope="module")
def built(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    truth = json.loads((simulated / "truth" / "truth.json").read_text(encoding="utf-8"))
    received = dt.date.fromisoformat(truth["extract_date"])
    out = tmp_path_factory.mktemp("built")
    return build(
        out,
        simulated / "extracts",
        received,
        truth["last_window_month"],
        "--exclude-resource-type",
        "unit_test",
    )


def _findings(built: Built) -> set[tuple[str, str, dt.date, str]]:
    return {
        (rule, person, month, npi)
        for rule, person, month, npi in built.rows(
            "select rule_id, beneficiary_id, service_month, practitioner_npi from flags.findings"
        )
    }


def _truth(simulated: Path, condition: str) -> set[tuple[str, str, dt.date, str]]:
    with duckdb.connect() as con:
        return set(
            con.execute(
                "select rule_id, beneficiary_id, service_month, practitioner_npi "
                f"from '{simulated}/truth/planted_findings.parquet' where {condition}"
            ).fetchall()
        )


def test_every_model_builds_and_every_data_test_passes(built: Built) -> None:
    assert built.failures == []


def test_every_planted_error_is_found(built: Built, simulated: Path) -> None:
    planted = _truth(simulated, "is_planted")
    assert {rule for rule, *_ in planted} == PLANTED
    assert planted - _findings(built) == set()


def test_nothing_is_found_that_was_not_planted(built: Built, simulated: Path) -> None:
    assert _findings(built) - _truth(simulated, "true") == set()
