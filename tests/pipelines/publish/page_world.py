"""A small made-up warehouse that the pages are tried on: the report tables with hidden cells and hostile text, and a few people."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl

from expectations.run import Outcome
from pipelines.publish.vocabulary import STATES
from pipelines.settings import Settings
from pipelines.window import RunWindow

HOSTILE = "<script>alert('1')</script>&\"x\".csv"
JANUARY, NOVEMBER, DECEMBER = date(2025, 1, 1), date(2025, 11, 1), date(2025, 12, 1)
HELD = date(2026, 2, 28)  # a publication before
WINDOW = RunWindow(as_of=date(2026, 3, 31), through=DECEMBER)


def capture(
    month: date, state: str, people: int | None, gap: str | None = "0.00", held_from: date | None = None
) -> dict[str, Any]:
    dollars = None if gap is None else Decimal(gap)
    return {
        "service_month": month,
        "state_order": list(STATES).index(state) + 1,
        "state": state,
        "people": people,
        "people_in_month": 3100,
        "gap_usd": dollars,
        "potential_usd": Decimal("60490.00") if state == "eligible_not_served" else dollars,
        "billed_usd": dollars,
        "paid_usd": dollars,
        "run_out_state": "provisional" if month == JANUARY else "complete",
        "is_suppressed": people is None,
        "held_from": held_from,
        "total_held_from": None,
    }


def funnel(period: str, step: int, code: str, people: int | None, dropped: int | None) -> dict[str, Any]:
    return {
        "period": period,
        "first_month": JANUARY if period == "window" else DECEMBER,
        "last_month": DECEMBER,
        "step": step,
        "step_code": code,
        "step_name": f"Step {code}",
        "criterion_name": f"Criterion {code}" if code in ("part_b", "alive") else None,
        "is_main": code != "part_b",
        "people": people,
        "dropped": dropped,
        "is_suppressed": people is None,
        "held_from": None,
    }


def flag(
    rule: str, status: str, subjects: int | None, amount: str | None = None, held_from: date | None = None
) -> dict[str, Any]:
    return {
        "rule_id": rule,
        "title": f"What {rule} finds",
        "severity": "payment_not_supported",
        "certainty": "needs_record",
        "citation": "Source <1> & others",
        "status": status,
        "subjects": subjects,
        "amount_usd": None if amount is None else Decimal(amount),
        "is_suppressed": subjects is None,
        "held_from": held_from,
    }


def measured(
    kind: str, group: str, year: int, numerator: int | None, denominator: int | None
) -> dict[str, Any]:
    rate = numerator / denominator if numerator is not None and denominator else None
    is_compared = group == "female"
    return {
        "measure": "uptake",
        "period": year,
        "group_kind": kind,
        "group_value": group,
        "numerator": numerator,
        "denominator": denominator,
        "rate": rate,
        "lower": None if rate is None else rate - 0.005,
        "upper": None if rate is None else rate + 0.006,
        "gap": -0.0022 if is_compared else None,
        "gap_lower": -0.013 if is_compared else None,
        "gap_upper": 0.0081 if is_compared else None,
        "ratio": 0.94 if is_compared else None,
        "ratio_lower": 0.7 if is_compared else None,
        "ratio_upper": 1.27 if is_compared else None,
        "p_value": 0.68 if is_compared else None,
        "q_value": 0.68 if is_compared else None,
        "is_meaningful": False if is_compared else None,
        "is_presentable": None if rate is None else True,
        "attributable": 2 if is_compared else None,
        "is_suppressed": numerator is None,
        "standardised_rate": 0.036 if is_compared else None,
        "std_lower": 0.03 if is_compared else None,
        "std_upper": 0.044 if is_compared else None,
        "std_step": 0.002 if is_compared else None,
        "std_strata": 12 if is_compared else None,
        "std_gap": None,
        "std_gap_lower": None,
        "std_gap_upper": None,
        "is_headline": is_compared,
        "p_holm": 0.68 if is_compared else None,
        "run_out_state": "complete",
    }


def rule(rule_id: str) -> dict[str, Any]:
    return {
        **{
            key: flag(rule_id, "pass", 1)[key]
            for key in ("rule_id", "title", "severity", "certainty", "citation")
        },
        "effective_from": JANUARY,
        "effective_to": date(9999, 12, 31),
        "confidence": "high",
        "evidence": "Lines",
        "does_not_cover": "Nothing else",
        "reviewed": "2026-11-23",
    }


STEPS = [
    *(funnel("month", 1, "enrolled", 3100, None), funnel("month", 2, "part_b", 3000, 100)),
    *(funnel("month", 3, "alive", None, None), funnel("month", 4, "billed", 40, 2960)),
    *(funnel("window", 1, "enrolled", 5000, None), funnel("window", 2, "part_b", 4900, 100)),
    *(funnel("window", 3, "alive", 4900, 0), funnel("window", 4, "billed", None, None)),
]
MONTHS = [
    *(capture(DECEMBER, "not_eligible", 2000), capture(DECEMBER, "eligible_not_served", 1000)),
    *(
        capture(DECEMBER, "billable_not_billed", None, None),
        capture(DECEMBER, "billed_beyond_record", 40, "-312.50"),
    ),
    *(capture(JANUARY, "not_eligible", 2050, held_from=HELD), capture(JANUARY, "eligible_not_served", 1050)),
]
TABLES: dict[str, list[dict[str, Any]]] = {
    "policy.disclosure_limits": [{"limit_name": "largest_small_cell", "limit_value": 10}],
    "reports.rpt_load_summary": [
        {
            "batch_id": "0123456789ab",
            "received_date": date(2026, 3, 31),
            "format": "practice",
            "source_file": HOSTILE,
            "rows_in": 12345,
            "rows_landed": 12320,
            "rows_quarantined": 25,
            "is_suppressed": False,
        }
    ],
    "reports.quarantine_summary": [
        {
            "batch_id": "0123456789ab",
            "table_name": "claims",
            "reason": "conflicting_key",
            "rows": 25,
            "rows_resolved": None,
            "is_suppressed": False,
        }
    ],
    "reports.rpt_funnel": STEPS,
    "reports.rpt_eligibility_attrition": [
        {
            "period": step["period"],
            "first_month": step["first_month"],
            "last_month": step["last_month"],
            "criterion_order": step["step"],
            "criterion": step["step_code"],
            "criterion_name": step["criterion_name"] or step["step_name"],
            "people_left": step["people"],
            "people_dropped": step["dropped"],
            "is_suppressed": step["is_suppressed"],
            "held_from": step["held_from"],
        }
        for step in STEPS
        if step["step"] < 4
    ],
    "reports.rpt_capture_by_month": MONTHS,
    "reports.rpt_capture_by_year": [
        {
            "service_year": 2025,
            "dollars_are_suppressed": row["is_suppressed"],
            "dollars_held_from": None,
            **{
                key: row[key]
                for key in row
                if key not in ("service_month", "people_in_month", "total_held_from")
            },
        }
        for row in MONTHS[:4]
    ]
    + [
        {
            "service_year": 2024,
            "state_order": 1,
            "state": "not_eligible",
            "people": 900,
            **dict.fromkeys(("gap_usd", "potential_usd", "billed_usd", "paid_usd"), Decimal("0")),
            "is_suppressed": False,
            "dollars_are_suppressed": False,
            "held_from": None,
            "dollars_held_from": HELD,
            "run_out_state": "provisional",
        }
    ],
    "reports.rpt_flags_by_rule": [
        *(flag("F01", "fail", None), flag("F01", "pass", None), flag("F01", "cannot_assess", 83)),
        *(flag("F15", "fail", 18, "1606.34", held_from=HELD), flag("F15", "pass", 1400)),
    ],
    "reports.rpt_findings_total": [
        {
            "people": 72,
            "claim_lines": 117,
            "amount_usd": Decimal("4922.99"),
            "not_supported_usd": Decimal("3352.14"),
            "is_suppressed": False,
            "held_from": None,
        }
    ],
    "reports.rpt_condition_prevalence": [
        {
            "service_month": DECEMBER,
            "definition": "CCW30-2022-02",
            "condition": name,
            "is_counted": True,
            "people": people,
            "base_people": 3000,
            "share": None if people is None else people / 3000,
            "is_suppressed": people is None,
            "held_from": None,
        }
        for name, people in (("Diabetes", 744), ("Stroke & co", None))
    ],
    "flags.rule_catalogue": [rule("F01"), rule("F15"), rule("F28")],
}
TABLES["reports.disparity_measures"] = [
    measured("everybody", "everybody", 2025, 171, 5000),
    measured("sex", "female", 2025, 100, 3000),
    measured("sex", "male", 2025, 71, 2000),
    measured("sex", "unknown", 2025, None, None),
    measured("sex", "female", 2024, 60, 2900),
]


def held_place(
    kind: str, place: str, eligible: int, paid: int | None, position: str | None
) -> dict[str, Any]:
    return {
        "year": 2025,
        "place_kind": kind,
        "place": place,
        "within": {"practice": "physician", "county": "TX"}[kind],
        "numerator": paid,
        "denominator": eligible,
        "rate": None if paid is None else paid / eligible,
        "centre": 0.0342,
        "lower_2": None if paid is None else 0.01,
        "upper_2": None if paid is None else 0.06,
        "lower_3": None if paid is None else 0.0,
        "upper_3": None if paid is None else 0.08,
        "position": position,
        "is_suppressed": paid is None,
        "run_out_state": "complete",
    }


TABLES["reports.disparity_places"] = [
    held_place("practice", "a1b2", 900, 12, "within"),
    held_place("practice", "c3d4", 120, 40, "above"),
    held_place("practice", "e5f6", 80, None, None),
    held_place("county", "48201", 700, 30, "within"),
    held_place("county", "48347", 90, None, None),
]
TABLES["reports.outreach_basis"] = [
    {"target": "need", "learner": "boosting", "says": "Foretold: an avoidable admission or emergency visit"},
    {"target": "start", "learner": None, "says": "Not foretold: too little is known."},
]
TABLES["reports.outreach_tests"] = [
    {
        "target": "need",
        "learner": learner,
        "part": "later months",
        "is_used": learner == "boosting",
        "auc": auc,
        "brier": None if learner == "rule" else 0.068,
        "brier_of_rate": 0.071,
        "observed_over_expected": None if learner == "rule" else 1.02,
    }
    for learner, auc in (("boosting", 0.71), ("rule", 0.66))
]


def fairness(measure: str, kind: str, group: str, status: str, *, hidden: bool = False) -> dict[str, Any]:
    return {
        "measure": measure,
        "group_kind": kind,
        "group_value": group,
        "people": None if hidden else 2400,
        "counted": None if hidden else 180,
        "expected": None if hidden else 0.08,
        "value": None if hidden else 0.94,
        "lower": None if hidden else 0.81,
        "upper": None if hidden else 1.08,
        "required_low": None if kind == "tenth_of_score" else 0.9,
        "required_high": None if kind == "tenth_of_score" else 1.1,
        "status": status,
        "is_suppressed": hidden,
    }


TABLES["reports.outreach_fairness"] = [
    fairness("observed_over_expected", "everybody", "everybody", "pass"),
    fairness("observed_over_expected", "sex", "female", "fail"),
    fairness("observed_over_expected", "sex", "unknown", "cannot_assess", hidden=True),
    *(fairness("observed_over_expected", "tenth_of_score", str(n), "not_applicable") for n in range(1, 11)),
    fairness("asked_over_need", "sex", "female", "pass"),
]
OUTCOMES = [
    Outcome("contract_claims", "claims", "claim_id", "expect_x", "values to be set", True, True, 10, 0),
    Outcome("contract_claims", "claims", "from_date", "expect_y", "values <ordered>", False, False, 10, 3),
]


PRACTICES = ("111111111", "222222222")
NPI = "1000000001"
# Beyond the report tables: what the person-level pages read. 40 people in two practices; P01 is hostile text all over.
PEOPLE = [HOSTILE, *(f"P{number:02d}" for number in range(2, 41))]


def practice_of(person: str) -> str:
    return PRACTICES[PEOPLE.index(person) % 2]


def state_of(person: str, month: date) -> str:
    """Most people keep their state; four of those whom nobody serves lapse into it, come, start, or leave by death."""
    number = PEOPLE.index(person)
    moves = {
        (4, NOVEMBER): "billed_as_supported",
        (8, NOVEMBER): "not_eligible",
        (12, DECEMBER): "billed_as_supported",
        (16, DECEMBER): "not_eligible",
    }
    if number % 4 == 3:
        return "not_eligible"
    return moves.get((number, month), "billable_not_billed" if number % 8 == 1 else "eligible_not_served")


def eligibility(person: str, month: date) -> dict[str, Any]:
    is_eligible = state_of(person, month) != "not_eligible"
    failed = {8: "fee_for_service", 16: "alive"}.get(PEOPLE.index(person), "two_conditions")
    return {
        "beneficiary_id": person,
        "service_month": month,
        "screen_eligible": is_eligible,
        "documented_eligible": False,
        "condition_count": 4 if is_eligible else 1,
        "conditions_required": 2,
        "observed_months": 12,
        "failed_criteria": [] if is_eligible else [failed],
        "cannot_assess": ["consent", "care_plan"],
        "last_visit_date": date(2025, 10, 2),
    }


def capture_month(person: str, month: date) -> dict[str, Any]:
    state = state_of(person, month)
    gap = Decimal("60.49") if state == "billable_not_billed" else Decimal("0.00")
    return {
        "beneficiary_id": person,
        "service_month": month,
        "state": state,
        "practice_id": practice_of(person),
        "practitioner_npi": NPI,
        "gap_usd": gap,
        "potential_usd": Decimal("60.49") if state == "eligible_not_served" else None,
        "paid_usd": Decimal("0.00"),
        "run_out_state": "complete",
    }


def on_list(rank: int, person: str) -> dict[str, Any]:
    return {
        "practice_id": practice_of(person),
        "rank": rank,
        "beneficiary_id": person,
        "practitioner_npi": NPI,
        "service_month": DECEMBER,
        "reasons": ["Has 4 chronic conditions on claims", "Last seen 2025-10-02"],
        "conditions": ["Diabetes", "Hypertension"] if rank % 2 else ["Asthma", "Stroke & co"],
        "condition_count": 4,
        "recent_stays": 0,
        "recent_emergency_visits": 1,
        "last_visit_date": date(2025, 10, 2),
        "missing_to_start": ["consent", "care plan"] if rank % 3 else ["consent"],
        "expected_monthly_usd": Decimal("60.49"),
        "is_asked_now": rank <= 5,
        "score": 0.3 / rank,
        "likely_to_start": None,
        "reason": "Asthma; one emergency visit in 6 months",
        "is_moved_up": rank == 5,
        "ranked_by": "need",
    }


def finding(number: int, rule_id: str, person: str) -> dict[str, Any]:
    return {
        "finding_id": f"finding{number:02d}",
        "rule_id": rule_id,
        "severity": "payment_not_supported" if number % 3 else "information",
        "certainty": "needs_record",
        "subject_kind": "practitioner_month",
        "beneficiary_id": person,
        "service_month": DECEMBER,
        "practitioner_npi": NPI,
        "practice_tin": practice_of(person),
        "staff_id": None,
        "observed": HOSTILE,
        "required": "another thing",
        "claim_line_ids": [f"C{number}-1", "C99-1"],
        "related_claim_line_ids": [],
        "amount_usd": Decimal("43.10") + number,
        "cost_share_usd": Decimal("10.00"),
        "citation": "Source <1> & others",
        "review_state": "closed" if number == 1 else "open",
        "review_note": None,
        "first_seen_as_of": date(2026, 3, 31),
        "closed_reason": "claim_denied" if number == 1 else None,
    }


MONTHS_OF_PEOPLE = [date(2025, month, 1) for month in (10, 11, 12)]
LISTED = [person for person in PEOPLE if capture_month(person, DECEMBER)["state"] == "eligible_not_served"]
RANKS = {
    person: sum(practice_of(other) == practice_of(person) for other in LISTED[: LISTED.index(person)]) + 1
    for person in LISTED
}
OIG = {
    "audit": "A-07-15-05101",
    "test_order": 1,
    "test_id": "duplicates",
    "bucket": "duplicate",
    "title": "Two payments for one month",
    "is_potential": False,
}
PERSONAL: dict[str, list[dict[str, Any]]] = {
    "reports.worklist": [on_list(RANKS[person], person) for person in LISTED],
    "marts.eligibility_months": [
        eligibility(person, month) for person in PEOPLE for month in MONTHS_OF_PEOPLE
    ],
    "marts.capture_months": [capture_month(person, month) for person in PEOPLE for month in MONTHS_OF_PEOPLE],
    "flags.findings": [
        finding(number, "F15" if number % 2 else "F01", person)
        for number, person in enumerate(PEOPLE[:12], start=1)
    ],
    "core.core_beneficiaries": [
        {"beneficiary_id": person, "death_date": date(2025, 11, 20) if PEOPLE.index(person) == 16 else None}
        for person in PEOPLE
    ],
    "reports_internal.int_not_to_contact": [{"beneficiary_id": "somebody else"}],
    "core.core_claim_lines": [
        {
            "claim_line_id": f"C{number}-1",
            "from_date": date(2025, 12, 9),
            "hcpcs_code": "99490",
            "units": 1,
            "paid_usd": Decimal("43.10"),
            "rendering_npi": NPI,
            "is_denied": False,
        }
        for number in range(1, 13)
    ],
    "reports.billing_proposals": [
        {
            "practice_id": practice_of(person),
            "practitioner_npi": NPI,
            "beneficiary_id": person,
            "service_month": DECEMBER,
            "state": "billable_not_billed",
            "codes": ["99490x1"],
            "billed_codes": [],
            "gap_usd": Decimal("60.49"),
            "proposal": "held_back" if number % 2 else "ready",
            "objections": ["F15"] if number % 2 else [],
            "open_questions": [],
        }
        for number, person in enumerate(person for person in PEOPLE if PEOPLE.index(person) % 8 == 1)
    ],
    "policy.oig_audits": [
        {
            "audit": OIG["audit"],
            "title": "CCM of a year",
            "audited_paid_usd": 1000,
            "audited_claims_in_error": 10,
            "audited_error_usd": 20,
            "citation": "OIG report",
        }
    ],
    "flags.oig_audit": [
        {
            **OIG,
            "test_id": test,
            "bucket": bucket,
            "title": title,
            "period": "all",
            "rule_id": None,
            "status": "assessed",
            "needs": None,
            "lines_named": 2,
            "claim_lines": 2,
            "people": 2,
            "person_months": 2,
            "paid_usd": Decimal("86.20"),
            "cost_share_usd": Decimal("20.00"),
            "ccm_lines": 12,
            "ccm_people": 12,
            "ccm_paid_usd": Decimal("517.20"),
            "first_month": DECEMBER,
            "last_month": DECEMBER,
            "citation": "OIG report",
        }
        for test, bucket, title in (("duplicates", "duplicate", OIG["title"]), ("total", "total", "In error"))
    ],
    "marts.fct_uptake_cells": [
        {
            "service_year": 2025,
            "group_kind": "everybody",
            "group_value": "everybody",
            "cell_kind": "practice",
            "cell": practice,
            "eligible_people": 15,
            "paid_people": paid,
        }
        for practice, paid in ((PRACTICES[0], 8), (PRACTICES[1], 0), ("none", 1))
    ],
    "flags.oig_lines": [
        {
            **OIG,
            "claim_line_id": f"C{number}-1",
            "beneficiary_id": PEOPLE[number],
            "service_month": DECEMBER,
            "practitioner_npi": NPI,
            "practice_tin": practice_of(PEOPLE[number]),
            "hcpcs_code": "99490",
            "paid_usd": Decimal("43.10"),
            "cost_share_usd": Decimal("10.00"),
            "is_counted": True,
        }
        for number in (1, 2)
    ],
}


def make_warehouse(settings: Settings, tables: dict[str, list[dict[str, Any]]] | None = None) -> None:
    """Write the tables (default: all of them) into the settings' warehouse."""
    with duckdb.connect(str(settings.warehouse)) as con:
        for name, content in (tables or {**TABLES, **PERSONAL}).items():
            con.execute(f"create schema if not exists {name.split('.')[0]}")
            frame = pl.DataFrame(content, infer_schema_length=None)
            con.register("frame", frame)
            con.execute(f"create or replace table {name} as select * from frame")
            con.unregister("frame")


def as_shown(value: Any) -> str:
    """How a value of a report table is written on a page; written apart from the pages' own filters."""
    if value is None:
        return "hidden"
    if isinstance(value, Decimal):
        sign = "-" if value < 0 else ""
        return f"{sign}${abs(value):,.2f}"
    if isinstance(value, float):
        return f"{value * 100:.1f}%"
    return f"{value:,}"
