"""Every row of policy that dates a code, on the days around both of its ends, through the pipeline and its rules.

One person an edge: a practitioner is paid on the day before a row begins, on its first and last day and on the day after. What the
rules must say is read from the rows anew.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.rules import find
from tests.dbt_project.built_warehouse import Built, build
from tests.dbt_project.test_policy_seeds import Row, rows

FIRST, LAST = dt.date(2015, 1, 1), dt.date(2026, 12, 31)
RECEIVED = dt.date(2027, 3, 31)
RULES = {
    "F03": "rule_f03_mixed_lanes",
    "F10": "rule_f10_add_on_without_base",
    "F11": "rule_f11_add_on_units_over_cap",
    "F12": "rule_f12_base_units_over_limit",
    "F13": "rule_f13_code_not_in_force",
    "F38": "rule_f38_clinic_code_at_fault",
    "F41": "rule_f41_short_and_full_monitoring",
    "F42": "rule_f42_general_and_collaborative_care",
}
CODES, BASES, LIMITS = rows("care_management_codes"), rows("addon_bases"), rows("unit_limits")
Line = tuple[str, int]


@dataclass(frozen=True)
class Edge:
    """Lines paid on one day, and the status that one rule must give their practitioner-month."""

    rule: str
    day: dt.date
    lines: tuple[Line, ...]
    expected: str
    of_clinic: bool = False


def days_around(row: Row) -> Iterator[dt.date]:
    """The days on both sides of both ends, as far as the years of the project go."""
    first, last = dt.date.fromisoformat(row["effective_from"]), dt.date.fromisoformat(row["effective_to"])
    one = dt.timedelta(days=1)
    around = [first - one, first, last] if last.year == 9999 else [first - one, first, last, last + one]
    return (day for day in around if FIRST <= day <= LAST)


def in_force(row: Row, day: dt.date) -> bool:
    return row["effective_from"] <= day.isoformat() <= row["effective_to"]


def is_payable(code: str, day: dt.date) -> bool:
    return any(
        row["hcpcs_code"] == code and row["is_payable"] == "true" and in_force(row, day) for row in CODES
    )


def families_of(rule: str) -> set[str]:
    return {*find(rule).families.split()}


def a_code(day: dt.date, lane: str, role: str = "base") -> str | None:
    """A code of a lane that is payable on a day, or the lane's first."""
    of_lane = [row["hcpcs_code"] for row in CODES if (row["lane"], row["code_role"]) == (lane, role)]
    return next((code for code in of_lane if is_payable(code, day)), of_lane[0])


def codes_in_force() -> Iterator[Edge]:
    asked = families_of("F13")
    for row in CODES:
        for day in days_around(row) if row["family"] in asked else ():
            expected = "pass" if is_payable(row["hcpcs_code"], day) else "fail"
            yield Edge("F13", day, ((row["hcpcs_code"], 1),), expected)


def codes_of_clinics() -> Iterator[Edge]:
    periods = rows("clinic_code_periods")
    families = families_of("F38")
    for row in periods:
        code = row["hcpcs_code"]
        if not {r["family"] for r in CODES if r["hcpcs_code"] == code} & families:
            continue
        for day in days_around(row):
            covered = any(p["hcpcs_code"] == code and in_force(p, day) for p in periods)
            # a code that nobody was paid by that day is F13's
            expected = "pass" if covered or not is_payable(code, day) else "fail"
            yield Edge("F38", day, ((code, 1),), expected, of_clinic=True)


def lanes_that_exclude_each_other() -> Iterator[Edge]:
    for row in rows("lane_conflicts"):
        if not row["lane_a"].startswith("CCM_") or not row["lane_b"].startswith("CCM_"):
            continue
        for day in days_around(row):
            lines = tuple((str(a_code(day, row[lane])), 1) for lane in ("lane_a", "lane_b"))
            yield Edge("F03", day, lines, "fail" if in_force(row, day) else "pass")


def add_ons_and_their_bases() -> Iterator[Edge]:
    asked = families_of("F10")
    for row in BASES:
        code, base = row["addon_hcpcs_code"], row["base_hcpcs_code"]
        if not {r["family"] for r in CODES if r["hcpcs_code"] == code} & asked or not is_payable_ever(base):
            continue
        for day in days_around(row):
            stands = in_force(row, day) and is_payable(base, day)
            if not is_payable(code, day):
                continue
            yield Edge("F10", day, ((base, 1), (code, 1)), "pass" if stands else "fail")
            yield Edge("F10", day, ((code, 1),), "fail")


def is_payable_ever(code: str) -> bool:
    return any(row["hcpcs_code"] == code and row["is_payable"] == "true" for row in CODES)


def units_of_the_month() -> Iterator[Edge]:
    families = {"addon": families_of("F11"), "base": families_of("F12")}
    for row in LIMITS:
        code, most = row["hcpcs_code"], int(row["units_per_month"])
        known = next((r for r in CODES if r["hcpcs_code"] == code), None)
        if known is None or known["family"] not in families.get(known["code_role"], set()):
            continue
        for day in days_around(row):
            limited = in_force(row, day)
            rule = "F11" if known["code_role"] == "addon" else "F12"
            for units in (most, most + 1):
                over = "fail" if units > most else "pass"
                yield Edge(rule, day, ((code, units),), over if limited else "not_applicable")


def codes_that_exclude_each_other() -> Iterator[Edge]:
    for row in rows("exclusive_codes"):
        rule = {"remote_monitoring": "F41", "behavioural": "F42"}[row["conflict_group"]]
        for day in days_around(row):
            if not in_force(row, day):
                continue  # the rule itself begins with its first pair
            both = ((row["hcpcs_code"], 1), (row["other_hcpcs_code"], 1))
            yield Edge(rule, day, both, "fail")
            yield Edge(rule, day, both[:1], "pass")


EDGES = [
    *codes_in_force(),
    *codes_of_clinics(),
    *lanes_that_exclude_each_other(),
    *add_ons_and_their_bases(),
    *units_of_the_month(),
    *codes_that_exclude_each_other(),
]


def write_delivery(folder: Path) -> Path:
    folder.mkdir(parents=True)
    tables: dict[str, list[dict[str, Any]]] = {
        "practices": [
            {"practice_tin": "T-office", "practice_type": "physician"},
            {"practice_tin": "T-clinic", "practice_type": "rhc"},
        ],
        **{name: [] for name in ("beneficiaries", "enrollment_months", "claims", "claim_lines")},
    }
    for number, edge in enumerate(EDGES):
        who, tin = f"E{number:05d}", "T-clinic" if edge.of_clinic else "T-office"
        tables["beneficiaries"].append({"beneficiary_id": who, "reference_date": "2026-12-31"})
        tables["enrollment_months"].append(
            {
                "beneficiary_id": who,
                "service_month": edge.day.replace(day=1),
                "has_part_b": "true",
                "is_medicare_advantage": "false",
                "coverage_grain": "month",
            }
        )
        tables["claims"].append(
            {
                "claim_id": f"C{number:05d}",
                "claim_version": 1,
                "beneficiary_id": who,
                "claim_type": "outpatient" if edge.of_clinic else "carrier",
                "nch_claim_type_code": "40" if edge.of_clinic else "71",
                "from_date": edge.day,
                "through_date": edge.day,
                "billing_npi": "1000000001",
                "billing_tin": tin,
                "action": "original",
                "processed_date": edge.day + dt.timedelta(days=14),
                "is_denied": "false",
            }
        )
        for place, (code, units) in enumerate(edge.lines, 1):
            tables["claim_lines"].append(
                {
                    "claim_id": f"C{number:05d}",
                    "claim_version": 1,
                    "line_number": place,
                    "from_date": edge.day,
                    "through_date": edge.day,
                    "hcpcs_code": code,
                    "units": units,
                    "place_of_service_code": "11",
                    "rendering_npi": "1000000001",
                    "billing_tin": tin,
                    "paid_usd": 50,
                    "is_denied": "false",
                }
            )
    for table, its_rows in tables.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(its_rows[0]))
            writer.writeheader()
            writer.writerows(its_rows)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("edges")
    built = build(
        out,
        write_delivery(out / "delivery"),
        RECEIVED,
        "2026-12",
        "--select",
        *(f"+{model}" for model in RULES.values()),
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
    )
    assert built.failures == []
    return built


@pytest.mark.parametrize("rule", RULES)
def test_every_row_begins_and_ends_on_its_days(built: Built, rule: str) -> None:
    said = dict(
        built.rows(
            "select subjects.beneficiary_id, results.status"
            f" from flags.{RULES[rule]} as results inner join flags.rule_subjects as subjects"
            " on results.subject_id = subjects.subject_id and results.rule_id = subjects.rule_id"
        )
    )
    told = [(f"E{number:05d}", edge) for number, edge in enumerate(EDGES) if edge.rule == rule]
    wrong = [
        (edge.day, edge.lines, said.get(who), edge.expected)
        for who, edge in told
        if said.get(who) != edge.expected
    ]
    assert wrong == []
    assert {"pass", "fail"} <= {edge.expected for _, edge in told}, "edges on one side only"
