"""Named patients: `tests/cases/*.yml` read as stories and written as one delivery in the practice format.

A story says who the person is, how they were covered, what was done and billed, and what must come out.
Everything that the story leaves open gets a plain default here, so that a case shows only what matters to it.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.settings import CONTRACTS

CASES = Path(__file__).resolve().parent.parent / "cases"
Row = dict[str, Any]


@dataclass(frozen=True)
class Patient:
    """One story; `id` is the beneficiary's."""

    id: str
    title: str
    story: Row

    @property
    def expected(self) -> Row:
        return self.story["expect"]


def crowds() -> list[Patient]:
    """People of one practice who are alike: `_crowds.yml` says how many, and tells the story of one.

    Nothing is expected of any of them: the practice and its worker are what is looked at. `seconds` of an activity grow by the
    place of the person where `seconds_differ` is set.
    """
    people = []
    for name, crowd in _yaml(CASES / "_crowds.yml").items():
        for place in range(crowd["people"]):
            story = {
                key: crowd[key]
                for key in ("person", "coverage", "visits", "time", "bills", "charges")
                if key in crowd
            }
            if crowd.get("seconds_differ"):
                story["time"] = [
                    {**activity, "seconds": activity["seconds"] + place} for activity in crowd["time"]
                ]
            people.append(Patient(f"{name}{place:02d}", crowd["title"], story))
    return people


def patients() -> list[Patient]:
    stories = {path.stem: _yaml(path) for path in sorted(CASES.glob("[!_]*.yml"))}
    return [Patient(name, story["title"], story) for name, story in stories.items()]


def practitioners() -> dict[str, Row]:
    """Practitioner by name: npi, tin, credential and whether the practice keeps records."""
    directory = _yaml(CASES / "_practices.yml")
    practices = directory["practices"]
    return {
        name: {**person, "tin": practices[person["practice"]]["tin"]}
        for name, person in directory["practitioners"].items()
    }


def write_delivery(folder: Path, chosen: list[Patient]) -> dict[str, int]:
    """Every contract table as `<table>.csv`; the number of rows by table."""
    directory = _yaml(CASES / "_practices.yml")
    rows: dict[str, list[Row]] = {path.stem: [] for path in CONTRACTS.glob("*.yml")}
    for practice in directory["practices"].values():
        rows["practices"].append(
            {
                "practice_tin": practice["tin"],
                "practice_name": practice["name"],
                "pricing_locality": practice.get("locality"),
                "practice_type": practice.get("type"),
            }
        )
        if practice["keeps"]:
            for table, row in _somebody_else(practice["tin"]):
                rows[table].append(row)
    for locality, indices in directory["localities"].items():
        rows["locality_gpci"].append(
            {
                "pricing_locality": locality,
                "effective_from": indices["from"],
                "effective_to": indices["through"],
                **{f"{part}_gpci": indices[part] for part in ("work", "practice", "malpractice")},
            }
        )
    for name, person in practitioners().items():
        rows["providers"].append(
            {
                "npi": person["npi"],
                "practice_tin": person["tin"],
                "provider_name": name,
                "credential": person["credential"],
                "specialty_code": person["specialty"],
            }
        )
    for patient in chosen:
        for table, row in _rows(patient):
            rows[table].append(row)
    folder.mkdir(parents=True, exist_ok=True)
    for table, table_rows in rows.items():
        columns = [column["name"] for column in _yaml(CONTRACTS / f"{table}.yml")["columns"]]
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _text(value) for key, value in row.items()} for row in table_rows)
    return {table: len(table_rows) for table, table_rows in rows.items()}


def months_between(first: str, last: str) -> list[dt.date]:
    """First days of the months from YYYY-MM to YYYY-MM, both included."""
    start, end = (dt.date.fromisoformat(f"{month}-01") for month in (first, last))
    count = (end.year - start.year) * 12 + end.month - start.month
    return [
        dt.date(start.year + (start.month - 1 + n) // 12, (start.month - 1 + n) % 12 + 1, 1)
        for n in range(count + 1)
    ]


def _somebody_else(tin: str) -> Iterator[tuple[str, Row]]:
    """A practice that keeps records shows it by a row of each kind for a person outside the stories."""
    base = {"beneficiary_id": f"somebody_else_{tin}", "practice_tin": tin}
    yield "beneficiaries", {"beneficiary_id": base["beneficiary_id"], "reference_date": "2015-01-01"}
    yield (
        "care_management_time",
        {
            **base,
            "activity_id": f"T-{tin}",
            "practitioner_npi": "1999999999",
            "staff_credential": "RN",
            "started_at": "2015-01-02 09:00:00",
            "seconds": 60,
            "programme": "CCM",
            "is_voided": False,
        },
    )
    yield "consents", {**base, "consent_id": f"C-{tin}", "consent_date": "2015-01-02"}
    yield "care_plans", {**base, "care_plan_id": f"P-{tin}", "created_date": "2015-01-02"}


def _rows(patient: Patient) -> Iterator[tuple[str, Row]]:
    story, who = patient.story, {"beneficiary_id": patient.id}
    person = story["person"]
    yield (
        "beneficiaries",
        {
            **who,
            "reference_date": "2023-12-31",
            "birth_date": person["born"],
            "death_date": person.get("died"),
            "sex": person.get("sex", "female"),
            "has_esrd": person.get("has_esrd", False),
        },
    )
    for span in story["coverage"]:
        for month in months_between(span["from"], span["through"]):
            yield (
                "enrollment_months",
                {
                    **who,
                    "service_month": month,
                    "has_part_a": True,
                    "has_part_b": span.get("part_b", True),
                    "is_medicare_advantage": span.get("medicare_advantage", False),
                    "dual_status_code": span.get("dual", "NA"),
                    "has_hospice_election": span.get("hospice", False),
                    "coverage_grain": "month",
                },
            )
    yield from _visits(patient)
    yield from _stays(patient)
    yield from _bills(patient)
    for n, activity in enumerate(story.get("time", []), 1):
        served_by = practitioners()[activity["for"]]
        yield (
            "care_management_time",
            {
                **who,
                "activity_id": f"{patient.id}-T{n}",
                "practitioner_npi": served_by["npi"],
                "practice_tin": served_by["tin"],
                "staff_id": activity.get("worker", f"{patient.id}-{n}"),
                "staff_credential": activity["by"],
                "started_at": f"{activity['date']} {activity.get('at', '10:00')}:00",
                "seconds": activity.get("seconds", activity.get("minutes", 0) * 60),
                "programme": activity.get("programme", "CCM"),
                "staff_country_code": activity.get("country"),
                "supervision": activity.get("supervision"),
                "decision_making_level": activity.get("decisions"),
                "is_voided": activity.get("voided", False),
            },
        )
    for n, consent in enumerate(story.get("consents", []), 1):
        to = practitioners()[consent["to"]]
        yield (
            "consents",
            {
                **who,
                "consent_id": f"{patient.id}-C{n}",
                "practitioner_npi": to["npi"],
                "practice_tin": to["tin"],
                "consent_date": consent["date"],
                "consent_mode": consent.get("how", "verbal"),
                "revoked_date": consent.get("withdrawn"),
            },
        )
    for n, problem in enumerate(story.get("problems", []), 1):
        yield (
            "problems",
            {
                **who,
                "problem_id": f"{patient.id}-L{n}",
                "practice_tin": practitioners()[problem["by"]]["tin"],
                "diagnosis_code": problem["code"],
                "icd_version": 10,
                "recorded_date": problem.get("since"),
                "resolved_date": problem.get("resolved"),
            },
        )
    for alignment in story.get("aligned", []):
        yield (
            "model_rosters",
            {
                **who,
                "model": alignment["to"],
                "practice_tin": practitioners()[alignment["with"]]["tin"],
                "aligned_from": alignment["from"],
                "aligned_through": alignment.get("through"),
            },
        )
    for n, charge in enumerate(story.get("charges", []), 1):
        yield (
            "patient_charges",
            {
                **who,
                "charge_id": f"{patient.id}-G{n}",
                "practice_tin": practitioners()[charge["by"]]["tin"],
                "service_date": charge["date"],
                "charged_usd": charge["usd"],
            },
        )
    for n, plan in enumerate(story.get("plans", []), 1):
        author = practitioners()[plan["by"]]
        yield (
            "care_plans",
            {
                **who,
                "care_plan_id": f"{patient.id}-P{n}",
                "practitioner_npi": author["npi"],
                "practice_tin": author["tin"],
                "created_date": plan["date"],
                "last_revised_date": plan.get("revised"),
                "given_to_patient_date": plan["date"],
            },
        )


def _visits(patient: Patient) -> Iterator[tuple[str, Row]]:
    for n, visit in enumerate(patient.story.get("visits", []), 1):
        claim = f"{patient.id}-V{n}"
        yield from _claim(patient, claim, {**visit, "by": visit["with"], "paid": 80.0})
        for position, code in enumerate(visit.get("because_of", []), 1):
            yield (
                "claim_diagnoses",
                {
                    "claim_id": claim,
                    "claim_version": 1,
                    "line_number": 0,
                    "role": "principal" if position == 1 else "other",
                    "position": position,
                    "diagnosis_code": code,
                    "icd_version": visit.get("icd", 10),
                },
            )


def _stays(patient: Patient) -> Iterator[tuple[str, Row]]:
    for n, stay in enumerate(patient.story.get("stays", []), 1):
        yield (
            "claims",
            {
                "claim_id": f"{patient.id}-S{n}",
                "claim_version": 1,
                "beneficiary_id": patient.id,
                "claim_type": stay.get("kind", "inpatient"),
                "from_date": stay["from"],
                "through_date": stay["through"],
                "admission_date": stay["from"],
                "discharge_date": stay["through"],
                "action": "original",
                "processed_date": stay["through"] + dt.timedelta(days=14),
                "is_denied": False,
                "paid_usd": 9000,
            },
        )


def _bills(patient: Patient) -> Iterator[tuple[str, Row]]:
    for n, bill in enumerate(patient.story.get("bills", []), 1):
        claim = f"{patient.id}-B{n}"
        yield from _claim(patient, claim, bill)
        if "cancelled" in bill:
            yield (
                "claims",
                {
                    **_header(patient, f"{claim}-X", bill),
                    "action": "cancellation",
                    "adjusted_claim_id": claim,
                    "processed_date": bill["cancelled"],
                },
            )


def _header(patient: Patient, claim: str, service: Row) -> Row:
    biller = practitioners()[service["by"]]
    facility = service.get("facility", False)
    return {
        "claim_id": claim,
        "claim_version": 1,
        "beneficiary_id": patient.id,
        "claim_type": "outpatient" if facility else "carrier",
        "nch_claim_type_code": "40" if facility else "71",
        "from_date": service["date"],
        "through_date": service["date"],
        "billing_npi": biller["npi"],
        "billing_tin": biller["tin"],
        "action": "original",
        "processed_date": service.get("processed", service["date"] + dt.timedelta(days=14)),
        "is_denied": False,
        "paid_usd": service["paid"],
    }


def _claim(patient: Patient, claim: str, service: Row) -> Iterator[tuple[str, Row]]:
    biller = practitioners()[service["by"]]
    yield "claims", _header(patient, claim, service)
    yield (
        "claim_lines",
        {
            "claim_id": claim,
            "claim_version": 1,
            "line_number": 1,
            "from_date": service["date"],
            "through_date": service["date"],
            "hcpcs_code": service["code"],
            "units": service.get("units", 1),
            "place_of_service_code": service.get("place", "11"),
            "rendering_npi": biller["npi"],
            "billing_tin": biller["tin"],
            "allowed_usd": service.get("allowed", service["paid"] * 1.25),
            "paid_usd": service["paid"],
            "coinsurance_usd": service["paid"] * 0.25,
            "is_denied": service.get("denied", False),
        },
    )


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
