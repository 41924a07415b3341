"""The rules of CCM read a second time, in plain Python over one person's rows.

Written from the published facts (who may bill what, when; the time ladders; the CCW rule; the OIG's tests) and not from the
warehouse's SQL. Code lists and look-backs of the conditions are data and come from the policy seeds; every threshold, date and
billing code below is stated here a second time on purpose: where the two readings differ, one of them is wrong.
"""

from __future__ import annotations

import calendar
import csv
import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pipelines.settings import POLICY_SEEDS

Row = dict[str, Any]
PRACTITIONERS = {"MD", "DO", "NP", "PA", "CNS", "CNM"}
STAFF = {"RN", "LPN", "LVN", "MA", "CMA", "MSW", "LCSW", "PHARMD", "RPH", "CNA", "CHW", "PHT"}
BASES = {"99490", "99487", "99491"}
CCM = BASES | {"99439", "G2058", "99489", "99437"}
PLAN_OVERSIGHT = {"G0181", "G0182"}
DIALYSIS = {str(code) for code in range(90951, 90971)}
TRANSITION = {"99495", "99496"}
FIRST_VISITS = {
    *("99202", "99203", "99204", "99205", "99212", "99213", "99214", "99215"),
    *("99341", "99342", "99344", "99345", "99347", "99348", "99349", "99350"),
    *("G0402", "G0438", "G0439"),
    *TRANSITION,
}
# From 2017 it is enough that the person was seen; a nurse's visit is a visit.
SEEN = FIRST_VISITS | {"99211"}
NOT_COUNTED = {
    "Hip/Pelvic Fracture",
    "Pneumonia, All-cause",
    "Acute Myocardial Infarction",
    "Cataract",
}


@dataclass(frozen=True)
class Person:
    """One person's rows of the core layer, by table."""

    id: str
    death_date: dt.date | None
    enrolment: dict[dt.date, Row]
    lines: list[Row]
    diagnoses: list[Row]
    stays: list[Row]
    hospice: list[Row]
    time: list[Row]
    consents: list[Row]
    plans: list[Row]
    encounters: list[Row]
    _evidence: dict[str, dict[str, list[tuple[dt.date, str]]]] = field(default_factory=dict)


def last_day(month: dt.date) -> dt.date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day so many months before, or that month's last day."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def code(value: Any) -> str:
    return str(value or "")


# --- the time ladders -------------------------------------------------------------------------------------------------------


def seconds_of(person: Person, month: dt.date) -> dict[str, tuple[int, int, str]]:
    """Practitioner -> (all counted seconds, those of practitioners, highest recorded level) of the month."""
    ranks = ["", "straightforward", "low", "moderate", "high"]
    totals: dict[str, list[Any]] = {}
    for row in person.time:
        if row["service_month"] != month or row["programme"] != "CCM" or row["is_voided"]:
            continue
        total = totals.setdefault(row["practitioner_npi"], [0, 0, ""])
        total[2] = max(total[2], code(row["decision_making_level"]), key=ranks.index)
        day = row["activity_date"]
        if person.death_date is not None and day > person.death_date:
            continue
        if any(inside(day, stay["start_date"], stay["end_date"]) for stay in person.stays):
            continue
        total[0] += row["seconds"]
        if row["staff_credential"] in PRACTITIONERS:
            total[1] += row["seconds"]
    return {npi: (every, own, level) for npi, (every, own, level) in totals.items()}


def inside(day: dt.date, start: dt.date, end: dt.date) -> bool:
    """Whether time of the day is not counted: from the admission to the day before the discharge."""
    return start <= day < end or day == start


def ladder(year: int, minutes: int, own_minutes: int, is_complex: bool) -> dict[str, dict[str, int]]:
    """What whole minutes of a month support under each legal reading: reading -> code -> units."""
    readings: dict[str, dict[str, int]] = {}
    if minutes >= 20:
        pooled = {"99490": 1}
        add_ons = min(2, (minutes - 20) // 20)
        if add_ons and year == 2020:
            pooled["G2058"] = add_ons
        if add_ons and year >= 2021:
            pooled["99439"] = add_ons
        readings["pooled"] = pooled
    if is_complex and year >= 2017 and minutes >= 60:
        readings["complex_pooled"] = {"99487": 1}
        if minutes >= 90:
            readings["complex_pooled"]["99489"] = (minutes - 60) // 30
    if year >= 2019 and own_minutes >= 30:
        readings["practitioner_only"] = {"99491": 1}
        if year >= 2022 and own_minutes >= 60:
            readings["practitioner_only"]["99437"] = min(2, (own_minutes - 30) // 30)
    return readings


def supported(person: Person, month: dt.date) -> dict[tuple[str, str, str], int]:
    """(practitioner, reading, code) -> units that the month's record supports."""
    found = {}
    for npi, (every, own, level) in seconds_of(person, month).items():
        for reading, codes in ladder(
            month.year, every // 60, own // 60, level in ("moderate", "high")
        ).items():
            for hcpcs, units in codes.items():
                found[npi, reading, hcpcs] = units
    return found


def preferred(person: Person, month: dt.date, npi: str) -> str:
    """The reading that comes first by the project's rule: complexity, then the practitioner alone, then all minutes pooled."""
    every, own, level = seconds_of(person, month)[npi]
    readings = ladder(month.year, every // 60, own // 60, level in ("moderate", "high"))
    alone = ["practitioner_only"] if own == every else []
    order = ["complex_pooled", *alone, "pooled", "practitioner_only"]
    return next(one for one in order if one in readings)


# --- conditions by the CCW rule ---------------------------------------------------------------------------------------------


@cache
def definitions() -> dict[str, dict[str, Row]]:
    """Definition -> condition -> its row of the seed."""
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    with (POLICY_SEEDS / "condition_definitions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["definition"]][row["condition"]] = row
    return dict(found)


@cache
def condition_codes(definition: str) -> dict[tuple[int, str], list[tuple[str, str]]]:
    """(ICD version, code) -> [(condition, role)] of a definition."""
    found: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
    with (POLICY_SEEDS / "condition_codes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["definition"] == definition:
                found[int(row["icd_version"]), row["diagnosis_code"]].append((row["condition"], row["role"]))
    return dict(found)


def evidence(person: Person, definition: str) -> dict[str, list[tuple[dt.date, str]]]:
    """Condition -> (date, claim class) of every claim that is evidence of it."""
    if definition in person._evidence:
        return person._evidence[definition]
    codes = condition_codes(definition)
    equipment = {
        line["claim_id"]
        for line in person.lines
        if code(line["betos_code"]) in {*(f"D1{x}" for x in "ABCDEFG"), "O1A"}
    }
    claims: dict[str, list[Row]] = defaultdict(list)
    for row in person.diagnoses:
        if row["role"] in ("principal", "other", "line"):
            claims[row["claim_id"]].append(row)
    found: dict[str, set[tuple[dt.date, str]]] = defaultdict(set)
    for claim_id, rows in claims.items():
        kind = rows[0]["claim_class"]
        # hospice and equipment suppliers' claims are of no class
        if kind is None or (kind == "CAR" and claim_id in equipment):
            continue
        named = [
            (row, *meaning)
            for row in rows
            for meaning in codes.get((row["icd_version"], row["diagnosis_code"]), [])
        ]
        excluded = {
            condition
            for row, condition, role in named
            if role == "exclude" or (role == "exclude_principal" and row["role"] == "principal")
        }
        for row, condition, role in named:
            if role == "include" and condition not in excluded and _in_place(row, definition, condition):
                found[condition].add((row["from_date"], kind))
    person._evidence[definition] = {condition: sorted(rows) for condition, rows in found.items()}
    return person._evidence[definition]


def _in_place(row: Row, definition: str, condition: str) -> bool:
    match definitions()[definition][condition]["diagnosis_positions"]:
        case "any":
            return True
        case "principal":
            return bool(row["role"] == "principal")
        case _:
            return row["role"] in ("principal", "other") and row["position"] <= 2


def condition_count(person: Person, month: dt.date) -> int:
    """Conditions that hold on the eve of the month: one claim of a strong class, or two on different days, in the look-back."""
    definition = "CCW27-2022-02" if month.year < 2017 else "CCW30-2022-02"
    eve = month - dt.timedelta(days=1)
    count = 0
    for condition, claims in evidence(person, definition).items():
        if month.year >= 2017 and condition in NOT_COUNTED:
            continue
        rule = definitions()[definition][condition]
        first = months_before(month, int(rule["lookback_months"]))
        seen = [(day, kind) for day, kind in claims if first <= day <= eve]
        one = any(kind in rule["one_claim_classes"].split("|") for _, kind in seen)
        two = {day for day, kind in seen if kind in rule["two_claim_classes"].split("|")}
        count += one or len(two) >= 2
    return count


# --- eligibility ------------------------------------------------------------------------------------------------------------


def told(value: bool | None) -> str:
    return "cannot_assess" if value is None else ("pass" if value else "fail")


def observed_months(person: Person, month: dt.date) -> int:
    """Months of the twelve before in Part B and outside Medicare Advantage."""
    rows = (person.enrolment.get(months_before(month, back)) for back in range(1, 13))
    return sum(bool(row and row["has_part_b"] and row["is_medicare_advantage"] is False) for row in rows)


def screen(person: Person, month: dt.date) -> dict[str, str]:
    """Criterion -> status, for what claims can show."""
    row, end = person.enrolment[month], last_day(month)
    enough_seen = observed_months(person, month) >= 11
    days = {
        day
        for stay in person.stays
        for day in range(
            max(stay["start_date"], month).toordinal(), min(stay["end_date"], end).toordinal() + 1
        )
    }
    advantage = row["is_medicare_advantage"]
    hospice = bool(row["has_hospice_election"]) or any(
        one["start_date"] <= month <= one["end_date"] for one in person.hospice
    )
    dialysis = any(
        line["service_month"] == month and code(line["hcpcs_code"]) in DIALYSIS and not line["is_denied"]
        for line in person.lines
    )
    conditions = condition_count(person, month) >= 2
    return {
        "programme_in_force": told(month.year >= 2015),
        "part_b": told(row["has_part_b"]),
        "fee_for_service": told(None if advantage is None else not advantage),
        "alive": told(person.death_date is None or person.death_date >= month),
        "two_conditions": told(True if conditions else (False if enough_seen else None)),
        "not_institutionalised_all_month": told(len(days) < end.day),
        "no_esrd_capitation": told(not dialysis),
        "no_hospice_conflict": told(not hospice),
    }


def record(person: Person, month: dt.date, practice: str | None, keeps: set[str]) -> dict[str, str]:
    """Criterion -> status, for what the serving practice's record shows; `keeps` names what the practice delivers at all."""
    end = last_day(month)
    consent = any(
        one["practice_tin"] == practice
        and one["consent_date"] <= end
        and (one["revoked_date"] is None or one["revoked_date"] >= month)
        for one in person.consents
    )
    dates = [
        day
        for plan in person.plans
        if plan["practice_tin"] == practice and plan["created_date"] <= end
        for day in (plan["created_date"], plan["last_revised_date"])
        if day is not None and day <= end
    ]
    fresh = bool(dates) and max(dates) > months_before(end, 12)
    since = months_before(month, 12)
    enough = FIRST_VISITS if month.year < 2017 else SEEN
    visited = any(
        visit["practice_tin"] == practice and since <= visit["day"] <= end and visit["code"] in enough
        for visit in visits(person)
    )
    enough_seen = observed_months(person, month) >= 11
    return {
        "initiating_visit": told(True if visited else (False if enough_seen else None)),
        "consent": told(True if consent else (False if "consents" in keeps else None)),
        "care_plan": told(True if fresh else (False if dates or "care_plans" in keeps else None)),
    }


def visits(person: Person) -> list[Row]:
    billed = [
        {"practice_tin": line["practice_tin"], "day": line["from_date"], "code": code(line["hcpcs_code"])}
        for line in person.lines
        if not line["is_denied"]
    ]
    noted = [
        {"practice_tin": one["practice_tin"], "day": one["start_date"], "code": code(one["visit_code"])}
        for one in person.encounters
    ]
    return billed + noted


# --- the OIG's tests --------------------------------------------------------------------------------------------------------


def oig(person: Person) -> set[tuple[str, str]]:
    """(test, claim line) of every paid CCM line of the person that a test of the two audits disallows."""
    paid = [line for line in person.lines if not line["is_denied"] and line["service_month"].year >= 2015]
    paid.sort(
        key=lambda line: (line["processed_date"] or dt.date.max, line["claim_id"], line["claim_line_id"])
    )
    bases = [line for line in paid if line["hcpcs_code"] in BASES]
    found: set[tuple[str, str]] = set()
    firsts: set[tuple[Any, ...]] = set()
    for line in bases:
        service = (line["service_month"], line["claim_type"])
        own = (*service, line["rendering_npi"])
        if own in firsts:
            found.add(("duplicate_same", line["claim_line_id"]))
        elif service in firsts:
            found.add(("duplicate_other", line["claim_line_id"]))
        firsts |= {own, service}
    for line in bases:
        beside = {
            other["hcpcs_code"]
            for other in paid
            if (other["rendering_npi"], other["service_month"])
            == (line["rendering_npi"], line["service_month"])
        }
        if beside & PLAN_OVERSIGHT:
            found.add(("overlap_plan_oversight", line["claim_line_id"]))
        if beside & DIALYSIS:
            found.add(("overlap_dialysis", line["claim_line_id"]))
        if line["from_date"].year < 2020 and any(
            _meets(line["service_month"], *_window(person, other))
            for other in paid
            if other["hcpcs_code"] in TRANSITION and other["rendering_npi"] == line["rendering_npi"]
        ):
            found.add(("overlap_transition", line["claim_line_id"]))
    disallowed = {line_id for _, line_id in found}
    for line in paid:
        if line["hcpcs_code"] == "99489" and line["from_date"].year >= 2017:
            standing = any(
                base["hcpcs_code"] == "99487"
                and (base["rendering_npi"], base["service_month"])
                == (line["rendering_npi"], line["service_month"])
                and base["claim_line_id"] not in disallowed
                for base in bases
            )
            if not standing:
                found.add(("complex_add_on_alone", line["claim_line_id"]))
    professional = {
        line["service_month"]
        for line in paid
        if line["claim_type"] == "carrier" and line["hcpcs_code"] in CCM
    }
    for line in (line for line in paid if line["hcpcs_code"] in CCM):
        clinic = code(line["bill_type_code"]).lstrip("0")[:2] in ("71", "77") or line["practice_type"] in (
            "rhc",
            "fqhc",
        )
        if line["claim_type"] == "outpatient" and line["service_month"] not in professional and not clinic:
            found.add(("facility_alone", line["claim_line_id"]))
    return found


def _window(person: Person, service: Row) -> tuple[dt.date, dt.date]:
    """The 30 days from the discharge that the service follows; where none is seen, from the latest day that it can have been:
    the visit is due within 14 days (99495) or 7 (99496)."""
    day = service["from_date"]
    ends = [stay["end_date"] for stay in person.stays if 0 <= (day - stay["end_date"]).days <= 29]
    due = 14 if service["hcpcs_code"] == "99495" else 7
    first = max(ends) if ends else day - dt.timedelta(days=due)
    return first, first + dt.timedelta(days=29)


def _meets(month: dt.date, first: dt.date, last: dt.date) -> bool:
    return month <= last and last_day(month) >= first
