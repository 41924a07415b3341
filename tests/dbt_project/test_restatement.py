"""Two deliveries end to end: the later one restates the earlier, and a run as of a day in between does not know it yet."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts.landing import land
from pipelines.settings import Settings
from tests.dbt_project.built_warehouse import Built, build

FEBRUARY, MAY = dt.date(2024, 2, 10), dt.date(2024, 5, 10)
Row = dict[str, Any]


def _claim(claim_id: str, version: int = 1, action: str = "original", **more: Any) -> Row:
    base: Row = {"claim_id": claim_id, "claim_version": version, "beneficiary_id": "old_id", "action": action}
    dates: Row = {"from_date": "2023-06-05", "through_date": "2023-06-05", "processed_date": "2023-06-20"}
    return {**base, **dates, "claim_type": "carrier", "nch_claim_type_code": "71", **more}


def _line(claim_id: str, line: int, code: str, version: int = 1, **more: Any) -> Row:
    return {
        "claim_id": claim_id,
        "claim_version": version,
        "line_number": line,
        "from_date": "2023-06-05",
        "hcpcs_code": code,
        "paid_usd": "10.00",
        **more,
    }


def _diagnosis(claim_id: str, code: str, version: int = 1) -> Row:
    return {
        "claim_id": claim_id,
        "claim_version": version,
        "line_number": 0,
        "role": "principal",
        "position": 1,
        "diagnosis_code": code,
        "icd_version": 10,
    }


def _covered(person: str, months: list[str], part_b: bool) -> list[Row]:
    return [
        {
            "beneficiary_id": person,
            "service_month": f"{month}-01",
            "has_part_b": str(part_b).lower(),
            "coverage_grain": "month",
        }
        for month in months
    ]


FIRST: dict[str, list[Row]] = {
    "beneficiaries": [
        {
            "beneficiary_id": "old_id",
            "reference_date": "2023-12-31",
            "birth_date": "1944-05-01",
            "sex": "female",
        }
    ],
    "enrollment_months": _covered("old_id", ["2023-06", "2023-07"], part_b=True),
    "claims": [
        _claim("kept"),
        _claim("changed"),
        _claim("deleted"),
        _claim("cancelled_elsewhere"),
        _claim("cancelled_at_once"),
        _claim("cancelled_at_once", 2, "cancellation"),
    ],
    "claim_lines": [
        _line("kept", 1, "99213"),
        _line("changed", 1, "99213"),
        _line("changed", 2, "36415"),
        _line("deleted", 1, "99213"),
        _line("cancelled_elsewhere", 1, "99213"),
        _line("cancelled_at_once", 1, "99213"),
    ],
    "claim_diagnoses": [
        _diagnosis("kept", "I10"),
        _diagnosis("changed", "E119"),
        _diagnosis("deleted", "J449"),
        _diagnosis("cancelled_elsewhere", "J449"),
        _diagnosis("cancelled_at_once", "J449"),
    ],
    "consents": [
        {"consent_id": "C", "beneficiary_id": "old_id", "practice_tin": "T", "consent_date": "2023-05-01"}
    ],
}
SECOND: dict[str, list[Row]] = {
    "beneficiaries": [
        {
            "beneficiary_id": "new_id",
            "reference_date": "2024-12-31",
            "death_date": "2024-03-01",
            "sex": "female",
        }
    ],
    "beneficiary_xref": [{"previous_beneficiary_id": "old_id", "current_beneficiary_id": "new_id"}],
    "enrollment_months": _covered("new_id", ["2023-07", "2023-08"], part_b=False),
    "claims": [
        _claim("changed", 1, "replacement", beneficiary_id="new_id"),
        _claim("deleted", 1, "cancellation"),
        _claim("canceller", 1, "cancellation", adjusted_claim_id="cancelled_elsewhere"),
    ],
    "claim_lines": [_line("changed", 1, "99214")],
    "claim_diagnoses": [_diagnosis("changed", "E1122")],
    "consents": [
        {
            "consent_id": "C",
            "beneficiary_id": "new_id",
            "practice_tin": "T",
            "consent_date": "2023-05-01",
            "revoked_date": "2023-12-31",
        }
    ],
}
ONLY_CORE = (
    *("--select", "+core_diagnoses", "+core_superseded_claim_lines", "+core_person_months", "+core_consents"),
    *("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
)


def _write(folder: Path, tables: dict[str, list[Row]]) -> Path:
    folder.mkdir(parents=True)
    for table, rows in tables.items():
        names = list(dict.fromkeys(name for row in rows for name in row))
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _landed_rows(out: Path, tables: dict[str, list[Row]], received: dt.date) -> Path:
    """Land one delivery beside the others of `out`; every row must be accepted."""
    folder = _write(out / f"delivery-{received}", tables)
    batch = land(folder, Settings(out=out), format="practice", received=received)
    assert {name: batch.counts[name]["rows_landed"] for name in tables} == {
        name: len(rows) for name, rows in tables.items()
    }
    return folder


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both deliveries, as of the day of the second; the second was landed first."""
    out = tmp_path_factory.mktemp("restated")
    _landed_rows(out, FIRST, FEBRUARY)
    built = build(out, _write(out / "second", SECOND), MAY, "2023-12", *ONLY_CORE)
    assert built.failures == []
    return built


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both deliveries, as of the day of the first."""
    out = tmp_path_factory.mktemp("before")
    _landed_rows(out, SECOND, MAY)
    built = build(out, _write(out / "first", FIRST), FEBRUARY, "2023-12", *ONLY_CORE)
    assert built.failures == []
    return built


def test_lines_and_diagnoses_are_those_of_the_statements_that_stand(restated: Built) -> None:
    lines = "select claim_line_id, hcpcs_code, beneficiary_id from core.core_claim_lines order by 1"
    assert restated.rows(lines) == [("changed-1", "99214", "new_id"), ("kept-1", "99213", "new_id")]
    diagnoses = "select claim_id, diagnosis_code, beneficiary_id from core.core_diagnoses order by 1"
    assert restated.rows(diagnoses) == [("changed", "E1122", "new_id"), ("kept", "I10", "new_id")]


def test_every_superseded_line_is_kept_with_its_reason(restated: Built) -> None:
    assert restated.rows(
        "select claim_line_id, hcpcs_code, not_final_reason from core.core_superseded_claim_lines order by 1, 2"
    ) == [
        ("cancelled_at_once-1", "99213", "superseded_statement"),
        ("cancelled_elsewhere-1", "99213", "cancelled_by_another_claim"),
        ("changed-1", "99213", "superseded_statement"),
        ("changed-2", "36415", "superseded_statement"),
        ("deleted-1", "99213", "superseded_statement"),
    ]


def test_the_earlier_identifier_and_the_later_are_one_person(restated: Built) -> None:
    assert restated.rows("select beneficiary_id, birth_date, death_date from core.core_beneficiaries") == [
        ("new_id", dt.date(1944, 5, 1), dt.date(2024, 3, 1))
    ]
    months = "select beneficiary_id, service_month, has_part_b from core.core_enrollment_months order by 2"
    assert restated.rows(months) == [
        ("new_id", dt.date(2023, 6, 1), True),
        ("new_id", dt.date(2023, 7, 1), False),
        ("new_id", dt.date(2023, 8, 1), False),
    ]
    assert restated.rows("select consent_id, beneficiary_id, revoked_date from core.core_consents") == [
        ("C", "new_id", dt.date(2023, 12, 31))
    ]


def test_a_run_as_of_an_earlier_day_reads_nothing_received_later(before: Built) -> None:
    lines = before.rows(
        "select claim_line_id, hcpcs_code, beneficiary_id from core.core_claim_lines order by 1"
    )
    assert lines == [
        ("cancelled_elsewhere-1", "99213", "old_id"),
        ("changed-1", "99213", "old_id"),
        ("changed-2", "36415", "old_id"),
        ("deleted-1", "99213", "old_id"),
        ("kept-1", "99213", "old_id"),
    ]
    assert before.rows("select beneficiary_id, death_date from core.core_beneficiaries") == [("old_id", None)]
    assert before.rows("select count(*), count(revoked_date) from core.core_consents") == [(1, 0)]
    assert before.rows("select count(*) from core.core_person_months") == [(2,)]
    assert before.rows("select batch_id from core.core_deliveries") == [(before.batch.batch_id,)]
