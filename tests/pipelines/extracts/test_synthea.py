"""Synthea's CSV export on small files and on the public sample."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts import detect
from pipelines.extracts.landing import land, quarantine_advice
from pipelines.settings import Settings

PATIENTS = "Id,BIRTHDATE,DEATHDATE,RACE,ETHNICITY,GENDER,STATE,ZIP,HEALTHCARE_EXPENSES\n"
ENCOUNTERS = "Id,START,STOP,PATIENT,ORGANIZATION,ENCOUNTERCLASS,CODE\n"
CLAIMS = "Id,PATIENTID,DIAGNOSIS1,DIAGNOSIS2,APPOINTMENTID,SERVICEDATE,HEALTHCARECLAIMTYPEID1\n"
CHARGES = "ID,CLAIMID,CHARGEID,TYPE,FROMDATE,TODATE,PLACEOFSERVICE,PROCEDURECODE,UNITS\n"


def test_people_encounters_and_practices_land(delivery: Any) -> None:
    delivery.write(
        "patients.csv",
        PATIENTS
        + "P1,1945-03-02,,white,hispanic,F,Massachusetts,1730,1\nP2,1950-01-01,2024-01-05,black,nonhispanic,M,TX,77004,1\n",
    )
    delivery.write(
        "encounters.csv",
        ENCOUNTERS + "E1,2024-01-31T23:50:00Z,2024-02-01T00:10:00Z,P1,O1,wellness,162673000\n",
    )
    delivery.write("organizations.csv", "Id,NAME,STATE,ZIP\nO1,Practice,MA,2703\n")
    delivery.write("conditions.csv", "START,PATIENT,CODE\n2024-01-01,P1,44054006\n")
    batch = delivery.land()
    assert batch.format == "synthea"
    columns = "beneficiary_id, sex, race_ethnicity_code, state_code, zip_code, death_date"
    assert delivery.rows(batch, "beneficiaries", columns) == [
        ("P1", "female", "5", "MA", "01730", None),
        ("P2", "male", "2", "TX", "77004", datetime.date(2024, 1, 5)),
    ]
    assert delivery.rows(batch, "encounters", "encounter_class, start_date, end_date, practice_tin") == [
        ("office", datetime.date(2024, 1, 31), datetime.date(2024, 2, 1), "O1")
    ]
    assert delivery.rows(batch, "practices", "practice_tin, zip_code") == [("O1", "02703")]


def test_months_that_medicare_paid_for_are_approximate_coverage(delivery: Any) -> None:
    delivery.write("patients.csv", PATIENTS + "P1,1945-03-02,,white,nonhispanic,F,MA,01730,1\n")
    delivery.write("payers.csv", "Id,NAME\nM,Medicare\nX,Aetna\n")
    delivery.write(
        "payer_transitions.csv",
        "PATIENT,PAYER,START_YEAR,END_YEAR\nP1,X,2022,2022\nP1,M,2024-04-20T00:00:00Z,\n"
        "P1,M,2024-04-01T00:00:00Z,2024-04-19T00:00:00Z\nP9,M,2024,2024\nP1,M,soon,\n",
    )
    batch = delivery.land()
    months = "service_month, has_part_b, is_medicare_advantage, coverage_grain"
    assert delivery.rows(batch, "enrollment_months", months) == [
        (datetime.date(2024, month, 1), True, False, "approximate") for month in (4, 5, 6)
    ]
    assert delivery.quarantined(batch, "source_file, source_row, reason") == [
        ("payer_transitions.csv", 5, "parent_missing"),
        ("payer_transitions.csv", 6, "not_a_span"),
    ]


def test_codes_land_only_where_they_are_of_a_system_that_the_contract_holds(delivery: Any) -> None:
    delivery.write("encounters.csv", ENCOUNTERS + "E1,2024-01-05,2024-01-07,P1,O1,inpatient,1\n")
    delivery.write(
        "claims.csv",
        CLAIMS + "C1,P1,E11.9,44054006,E1,2024-01-05T10:00:00Z,2\nC2,P1,195662009,,,2024-01-06,1\n",
    )
    delivery.write(
        "claims_transactions.csv",
        CHARGES
        + "1,C1,0,CHARGE,2024-01-05T10:00:00Z,2024-01-05T11:00:00Z,O1,99490,1\n"
        + "2,C1,1,CHARGE,2024-01-05,2024-01-05,O1,185345009,2\n3,C1,0,PAYMENT,2024-01-05,,O1,,\n"
        + "4,C9,0,CHARGE,2024-01-05,,O1,99490,1\n",
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id, claim_type, through_date, billing_tin") == [
        ("C1", "inpatient", datetime.date(2024, 1, 7), "O1"),
        ("C2", "carrier", datetime.date(2024, 1, 6), None),
    ]
    assert delivery.rows(batch, "claim_lines", "line_number, hcpcs_code, units::integer") == [
        (1, "99490", 1),
        (2, None, 2),
    ]
    assert delivery.rows(batch, "claim_diagnoses", "claim_id, role, diagnosis_code") == [
        ("C1", "principal", "E119")
    ]
    assert delivery.quarantined(batch, "source_file, source_row, reason") == [
        ("claims_transactions.csv", 5, "parent_missing")
    ]
    advice = "\n".join(quarantine_advice(delivery.settings, batch.batch_id))
    assert "2 diagnoses of claims" in advice
    assert "1 procedures of charges" in advice


@pytest.mark.public_data
def test_every_row_of_the_public_sample_is_accounted_for(public_data: Path, tmp_path: Path) -> None:
    folder = public_data / "synthea_csv_27pts"
    assert detect.choose(folder).NAME == "synthea"

    def rows(name: str) -> list[dict[str, str]]:
        with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as content:
            return list(csv.DictReader(content))

    settings = Settings(out=tmp_path, memory_limit="1GB", threads=1)
    batch = land(folder, settings, received=datetime.date(2024, 9, 30))
    counts = {table: count["rows_landed"] for table, count in batch.counts.items()}
    assert counts["beneficiaries"] == len(rows("patients"))
    assert counts["encounters"] == len(rows("encounters"))
    assert counts["claims"] == len(rows("claims"))
    assert counts["practices"] == len(rows("organizations"))
    charges = [row for row in rows("claims_transactions") if row["TYPE"] == "CHARGE"]
    backwards = [row for row in charges if row["TODATE"][:10] < row["FROMDATE"][:10]]
    assert counts["claim_lines"] == len(charges) - len(backwards)
    assert batch.reasons == {"claim_lines": {"before_from_date": len(backwards)}}
