"""Small made-up warehouses of a publication and of the run after it, for whatever compares two of them."""

from __future__ import annotations

import copy
import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines import lineage
from pipelines.lineage import Lineage
from pipelines.settings import Settings

JAN, FEB, MAR = date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)
SCHEMA = {
    "marts.eligibility_months": "beneficiary_id varchar, service_month date, screen_eligible boolean, documented_eligible boolean,"
    " failed_criteria varchar[], cannot_assess varchar[]",
    "marts.capture_months": "beneficiary_id varchar, service_month date, state varchar, billed_codes varchar[],"
    " supported_codes varchar[], billed_usd decimal(12,2), supported_usd decimal(12,2), gap_usd decimal(12,2)",
    "flags.findings": "finding_id varchar, beneficiary_id varchar, service_month date, review_state varchar",
    "flags.ledger_run": "as_of date, through_month date",
    "core.core_claims": "claim_id varchar, claim_version integer, batch_id varchar, beneficiary_id varchar, from_date date,"
    " through_date date, action varchar, is_final boolean, not_final_reason varchar, paid_usd decimal(12,2),"
    " processed_date date, received_date date",
    "core.core_claim_lines": "claim_id varchar, batch_id varchar, beneficiary_id varchar, hcpcs_code varchar, units integer",
    "core.core_diagnoses": "claim_id varchar, beneficiary_id varchar, diagnosis_code varchar",
    "core.core_enrollment_months": "beneficiary_id varchar, service_month date, has_part_b boolean",
    "core.core_beneficiaries": "beneficiary_id varchar, death_date date",
    "core.core_care_management_time": "activity_id varchar, beneficiary_id varchar, service_month date, seconds integer",
    "core.core_consents": "consent_id varchar, beneficiary_id varchar, consent_date date",
    "core.core_care_plans": "care_plan_id varchar, beneficiary_id varchar, created_date date",
    "core.core_encounters": "encounter_id varchar, beneficiary_id varchar, start_date date",
    "core.core_problems": "problem_id varchar, beneficiary_id varchar, recorded_date date",
    "core.core_patient_charges": "charge_id varchar, beneficiary_id varchar, service_month date",
    "policy.disclosure_limits": "limit_name varchar, limit_value integer",
    "reports.rpt_capture_by_month": "service_month date, state_order integer, state varchar, people bigint, gap_usd decimal(14,2),"
    " is_suppressed boolean, held_from date",
    "reports.rpt_flags_by_rule": "rule_id varchar, title varchar, status varchar, subjects bigint, amount_usd decimal(14,2),"
    " is_suppressed boolean, held_from date",
    "reports.disparity_measures": "measure varchar, period varchar, group_kind varchar, group_value varchar, denominator bigint,"
    " rate double, numerator bigint, is_suppressed boolean",
}
World = dict[str, list[tuple[Any, ...]]]


def claim(name: str, person: str, month: date, *, batch: str = "b1", action: str = "original", paid: int = 50,
          why_not: str | None = None) -> tuple[Any, ...]:  # fmt: skip
    return (name, 1, batch, person, month, month, action, why_not is None, why_not, paid, month, month)


def world(people: tuple[str, ...] = ("ann", "bob", "cyd")) -> World:
    """People with two months each; every month eligible and billed by its claim."""
    months = [(person, month) for person in people for month in (JAN, FEB)]
    return {
        "marts.eligibility_months": [(*key, True, True, [], []) for key in months],
        "marts.capture_months": [(*key, "billed_as_supported", ["x"], ["x"], 60, 60, 0) for key in months],
        "flags.findings": [("f1", people[0], JAN, "open")],
        "flags.ledger_run": [(date(2025, 3, 15), FEB)],
        "core.core_claims": [claim(f"{person}-{month:%m}", person, month) for person, month in months],
        "core.core_claim_lines": [(f"{p}-{m:%m}", "b1", p, "x", 1) for p, m in months],
        "core.core_enrollment_months": [(*key, True) for key in months],
        "core.core_beneficiaries": [(person, None) for person in people],
        "policy.disclosure_limits": [("largest_small_cell", 10)],
        "reports.rpt_capture_by_month": [
            (JAN, 7, "billed_as_supported", 30, 0, False, None),
            (FEB, 7, "billed_as_supported", None, None, True, None),
        ],
        "reports.rpt_flags_by_rule": [("F01", "Twice", "fail", 20, 100, False, None)],
        "reports.disparity_measures": [("reach", "2025", "everybody", "all", 300, 0.5, 150, False)],
    }


def write(path: Path, content: World) -> None:
    with duckdb.connect(str(path)) as con:
        for table, columns in SCHEMA.items():
            con.execute(f"create schema if not exists {table.partition('.')[0]}")
            con.execute(f"create table {table} ({columns})")
            rows = content.get(table, [])
            if rows:
                con.executemany(f"insert into {table} values ({', '.join('?' for _ in rows[0])})", rows)


def later(before: World) -> World:
    now = copy.deepcopy(before)
    now["flags.ledger_run"] = [(date(2025, 4, 15), MAR)]
    return now


def set_state(content: World, person: str, month: date, state: str) -> None:
    content["marts.capture_months"] = [
        (person, month, state, [], [], 0, 0, 0) if row[:2] == (person, month) else row
        for row in content["marts.capture_months"]
    ]


def with_claim(now: World, row: tuple[Any, ...]) -> World:
    now["core.core_claims"] = [*(one for one in now["core.core_claims"] if one[0] != row[0]), row]
    return now


LINEAGE = Lineage("2025-03-15", "2025-02", "p", "m", "c", "v", {"b1": "1"})
LATER = dataclasses.replace(LINEAGE, as_of="2025-04-15", through="2025-03", batches={"b1": "1", "b2": "2"})


def beside_a_publication(folder: Path, published: World) -> Settings:
    """A run in the making beside a publication."""
    shown = Settings(out=folder / "out")
    shown.tables.mkdir(parents=True)
    write(shown.warehouse, published)
    lineage.write(shown.tables, LINEAGE)
    shown.building.mkdir()
    return dataclasses.replace(shown, in_the_making=True)
