"""The Tuva input layer as CSV and Parquet: claims from lines, kinds by type of bill, months from spans."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from pipelines.extracts.delivery import UnreadableExtract

CLAIM = {
    "claim_id": "C1",
    "claim_line_number": "1",
    "claim_type": "professional",
    "person_id": "P1",
    "claim_start_date": "2024-01-31",
    "claim_end_date": "2024-01-31",
    "place_of_service_code": "11",
    "bill_type_code": "",
    "revenue_center_code": "",
    "service_unit_quantity": "1",
    "hcpcs_code": "99490",
    "rendering_npi": "1234567890",
    "billing_tin": "123456789",
    "paid_amount": "49.10",
    "allowed_amount": "61.38",
    "diagnosis_code_type": "icd-10-cm",
    "diagnosis_code_1": "E11.9",
    "diagnosis_code_2": "I10",
    "data_source": "payer",
}
SPAN = {
    "person_id": "P1",
    "gender": "female",
    "race": "Black or African American",
    "birth_date": "1945-03-02",
    "enrollment_start_date": "2024-01-01",
    "enrollment_end_date": "2024-02-29",
    "payer": "Medicare",
    "payer_type": "medicare",
    "dual_status_code": "2",
    "medicare_status_code": "10",
    "state": "CA",
    "zip_code": "90001-1234",
}


def text(*rows: dict[str, str]) -> str:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(",".join(cells) + "\n" for cells in lines)


def test_a_professional_claim_is_made_of_its_lines(delivery: Any) -> None:
    second = {"claim_line_number": "2", "hcpcs_code": "99439", "paid_amount": "37.00"}
    delivery.write("medical_claim.csv", text(CLAIM, CLAIM | second, CLAIM | second))
    batch = delivery.land()
    assert batch.format == "tuva"
    assert delivery.rows(batch, "claims", "claim_id, claim_type, from_date, paid_usd, billing_tin") == [
        ("C1", "carrier", datetime.date(2024, 1, 31), Decimal("86.10"), "123456789")
    ]
    assert delivery.rows(batch, "claim_lines", "line_number, hcpcs_code, paid_usd, billing_tin") == [
        (1, "99490", Decimal("49.10"), "123456789"),
        (2, "99439", Decimal("37.00"), "123456789"),
    ]
    assert delivery.rows(batch, "claim_diagnoses", "role, position, diagnosis_code, icd_version") == [
        ("other", 2, "I10", 10),
        ("principal", 1, "E119", 10),
    ]
    assert delivery.quarantined(batch, "source_row, reason") == [(4, "duplicate_row")]


@pytest.mark.parametrize(
    ("bill_type", "kind"),
    [
        ("111", "inpatient"),
        ("0111", "inpatient"),
        ("131", "outpatient"),
        ("211", "snf"),
        ("181", "snf"),
        ("329", "hha"),
        ("813", "hospice"),
        ("711", "outpatient"),
    ],
)
def test_the_type_of_bill_tells_the_kind_of_an_institutional_claim(
    delivery: Any, bill_type: str, kind: str
) -> None:
    row = {"claim_type": "institutional", "bill_type_code": bill_type, "revenue_center_code": "450"}
    delivery.write("medical_claim.csv", text(CLAIM | row))
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_type") == [(kind,)]
    assert delivery.rows(batch, "claim_lines", "revenue_center_code") == [("0450",)]


def test_claim_numbers_of_two_sources_are_kept_apart(delivery: Any) -> None:
    delivery.write("medical_claim.csv", text(CLAIM, CLAIM | {"data_source": "other"}))
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id") == [("other|C1",), ("payer|C1",)]


def test_months_of_coverage_are_those_of_the_spans_and_people_are_described_once(delivery: Any) -> None:
    advantage = {
        "enrollment_start_date": "2024-03-01",
        "enrollment_end_date": "2024-03-31",
        "plan": "Advantage",
    }
    commercial = {
        "enrollment_start_date": "2024-04-15",
        "enrollment_end_date": "",
        "payer_type": "commercial",
    }
    base = SPAN | {"plan": ""}
    delivery.write(
        "eligibility.csv",
        text(base, base | advantage, base | commercial, base | {"enrollment_end_date": "2023-01-01"}),
    )
    batch = delivery.land()
    months = "service_month, has_part_b, is_medicare_advantage, dual_status_code"
    assert delivery.rows(batch, "enrollment_months", months) == [
        (datetime.date(2024, 1, 1), True, False, "02"),
        (datetime.date(2024, 2, 1), True, False, "02"),
        (datetime.date(2024, 3, 1), True, True, "02"),
        (datetime.date(2024, 4, 1), False, False, "02"),
        (datetime.date(2024, 5, 1), False, False, "02"),
        (datetime.date(2024, 6, 1), False, False, "02"),
    ]
    assert delivery.rows(batch, "beneficiaries", "beneficiary_id, sex, race_ethnicity_code, zip_code") == [
        ("P1", "female", "2", "90001")
    ]
    assert delivery.quarantined(batch, "source_file, source_row, reason") == [
        ("eligibility.csv", 5, "not_a_span")
    ]


def test_parquet_gives_the_same_rows_as_text(new_delivery: Any) -> None:
    landed = []
    for kind in ("csv", "parquet"):
        delivery = new_delivery()
        delivery.write("medical_claim.csv", text(CLAIM, CLAIM | {"claim_line_number": "2"}))
        delivery.write("eligibility.csv", text(SPAN))
        if kind == "parquet":
            for name in ("medical_claim", "eligibility"):
                source = delivery.folder / f"{name}.csv"
                target = delivery.folder / f"{name}.parquet"
                duckdb.sql(f"copy (from '{source}') to '{target}' (format parquet)")
                source.unlink()
        batch = delivery.land()
        assert batch.rows_quarantined == 0
        landed.append(
            [
                delivery.rows(batch, table, "* exclude (batch_id, source_file, source_row)")
                for table in (
                    "claims",
                    "claim_lines",
                    "claim_diagnoses",
                    "beneficiaries",
                    "enrollment_months",
                )
            ]
        )
    assert landed[0] == landed[1]


def test_a_missing_column_is_named_and_drug_claims_are_passed_over(delivery: Any) -> None:
    delivery.write("pharmacy_claim.csv", "claim_id\n1\n")
    delivery.write("medical_claim.csv", "claim_id,claim_type\n1,professional\n")
    with pytest.raises(UnreadableExtract, match="column claim_line_number, person_id, claim_start_date"):
        delivery.land()
