"""Policy seeds as plain files: dates, citations, and that no two rows say one thing twice or differently."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
from collections import Counter
from pathlib import Path

import pytest

from pipelines.settings import DBT_PROJECT

SEEDS = DBT_PROJECT / "seeds" / "policy"
LAST_DAY = "9999-12-31"
# The code lists carry their version in the name of the definition; it is their citation and their date.
WITHOUT_PERIODS = {"condition_codes", "chronic_indicator_codes"}

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


NAMES = sorted(path.stem for path in Path(SEEDS).glob("*.csv"))
DATED = [name for name in NAMES if name not in WITHOUT_PERIODS]


def in_force_throughout(periods: list[Row], wanted: Row) -> bool:
    """Whether the periods, laid end to end, cover all of the wanted one."""
    day = dt.date.fromisoformat(wanted["effective_from"])
    end = dt.date.fromisoformat(wanted["effective_to"])
    for period in sorted(periods, key=lambda row: row["effective_from"]):
        start, last = (dt.date.fromisoformat(period[key]) for key in ("effective_from", "effective_to"))
        if start <= day <= last:
            if last >= end:
                return True
            day = last + dt.timedelta(days=1)
    return False


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_empty_or_padded(name: str) -> None:
    for row in rows(name):
        assert all(value is not None and value != "" and value == value.strip() for value in row.values()), (
            row
        )


@pytest.mark.parametrize("name", DATED)
def test_periods_are_iso_dates_closed_and_in_order(name: str) -> None:
    for row in rows(name):
        start, end = row["effective_from"], row["effective_to"]
        assert dt.date.fromisoformat(start).isoformat() == start
        assert dt.date.fromisoformat(end).isoformat() == end
        assert start <= end <= LAST_DAY, row


@pytest.mark.parametrize("name", DATED)
def test_every_row_says_where_it_is_from_and_how_sure_it_is(name: str) -> None:
    for row in rows(name):
        assert len(row["citation"]) > 8, row
        assert row["confidence"] in {"high", "medium", "low", "recalled"}, row


def test_every_ladder_code_is_payable_in_its_lane_as_long_as_it_can_be_earned() -> None:
    codes = rows("care_management_codes")
    for row in rows("time_ladder"):
        periods = [
            code
            for code in codes
            if (code["hcpcs_code"], code["lane"], code["code_role"])
            == (row["hcpcs_code"], row["lane"], row["code_role"])
            and code["is_payable"] == "true"
        ]
        assert in_force_throughout(periods, row), row


def test_every_ladder_add_on_stands_on_a_base_of_its_lane() -> None:
    ladder = rows("time_ladder")
    pairs = rows("addon_bases")
    for row in ladder:
        if row["code_role"] == "base":
            assert row["base_hcpcs_code"] == "none"
            continue
        same_lane = [
            r for r in ladder if r["lane"] == row["lane"] and r["hcpcs_code"] == row["base_hcpcs_code"]
        ]
        assert in_force_throughout(same_lane, row), row
        known = [
            p
            for p in pairs
            if (p["addon_hcpcs_code"], p["base_hcpcs_code"]) == (row["hcpcs_code"], row["base_hcpcs_code"])
        ]
        assert in_force_throughout(known, row), row


def test_minutes_are_written_in_the_ladder_alone() -> None:
    holders = {
        (name, column)
        for name in NAMES
        for column in rows(name)[0]
        if "minute" in column and column != "minutes_counted"
    }
    assert holders == {("time_ladder", "first_minute"), ("time_ladder", "block_minutes")}
    assert not [row for row in rows("eligibility_limits") if "minute" in row["unit"]]


# Lanes of which no cap on further blocks is known, and years before the one copy of the limits; no reading recommends them.
WITHOUT_A_CAP = {"CHI", "PIN", "PIN_PS"}
BEFORE_THE_LIMITS_KNOWN = {"G0504"}


def test_every_code_of_the_ladder_has_a_unit_limit_for_as_long_as_it_is_in_force() -> None:
    limits = {(row["hcpcs_code"], row["effective_from"], row["effective_to"]) for row in rows("unit_limits")}
    recommended = {row["lane"] for row in rows("billable_readings")}
    assert WITHOUT_A_CAP.isdisjoint(recommended)
    for row in rows("time_ladder"):
        if row["lane"] in WITHOUT_A_CAP and row["code_role"] == "addon":
            continue
        if row["hcpcs_code"] in BEFORE_THE_LIMITS_KNOWN:
            assert row["lane"] not in recommended and row["confidence"] == "recalled"
            continue
        assert (row["hcpcs_code"], row["effective_from"], row["effective_to"]) in limits, row


@pytest.mark.parametrize("name", ["clinic_code_periods", "collaborative_care_months"])
def test_seeds_about_codes_name_known_codes_while_they_are_payable(name: str) -> None:
    codes = rows("care_management_codes")
    for row in rows(name):
        periods = [code for code in codes if code["hcpcs_code"] == row["hcpcs_code"]]
        assert in_force_throughout(periods, row), row


def test_limits_are_those_of_rules_that_read_them() -> None:
    for row in rows("rule_limits"):
        (sql,) = (DBT_PROJECT / "models/flags/rules").glob(f"rule_{row['rule_id'].lower()}_*.sql")
        patterns = "".join(path.read_text() for path in (DBT_PROJECT / "models/flags/patterns").glob("*.sql"))
        assert f"'{row['limit_name']}'" in sql.read_text() + patterns, row


def test_readings_name_lanes_of_the_ladder_and_no_two_share_a_preference() -> None:
    readings = rows("billable_readings")
    assert {row["lane"] for row in readings} <= {row["lane"] for row in rows("time_ladder")}
    assert max(Counter(row["preference"] for row in readings).values()) == 1


def test_every_lane_that_excludes_another_exists() -> None:
    lanes = {row["lane"] for row in rows("care_management_codes")}
    for row in rows("lane_conflicts"):
        assert {row["lane_a"], row["lane_b"]} <= lanes, row
        assert row["lane_a"] != row["lane_b"], row


def test_condition_codes_are_without_dots_and_unique() -> None:
    codes = rows("condition_codes")
    assert all(
        (row["diagnosis_code"].isalnum() and row["diagnosis_code"].isupper())
        or row["diagnosis_code"].isdigit()
        for row in codes
    )
    assert all(3 <= len(row["diagnosis_code"]) <= 7 for row in codes)
    keys = [(row["definition"], row["condition"], row["icd_version"], row["diagnosis_code"]) for row in codes]
    assert len(keys) == len(set(keys))
    assert {row["role"] for row in codes} == {"include", "exclude", "exclude_principal"}


def test_icd_9_codes_have_three_digits_before_the_point() -> None:
    """A code whose leading zero was lost would read as one of another chapter."""
    for row in rows("condition_codes"):
        if row["icd_version"] == "9":
            code = row["diagnosis_code"]
            assert code[0] in "EV0123456789" and code[1:].isdigit(), row
    kidney = {
        row["diagnosis_code"]
        for row in rows("condition_codes")
        if row["icd_version"] == "9" and row["condition"] == "Chronic Kidney Disease"
    }
    assert {"01600", "01606", "0954"} <= kidney
    assert not {code for code in kidney if code.startswith("160") or code.startswith("954")}


@pytest.mark.parametrize(
    ("definition", "conditions", "include_codes"),
    [("CCW30-2022-02", 30, 2856), ("CCW30-2026-08", 30, 3048)],
)
def test_definitions_have_the_published_number_of_codes(
    definition: str, conditions: int, include_codes: int
) -> None:
    included = [
        row for row in rows("condition_codes") if row["definition"] == definition and row["role"] == "include"
    ]
    assert len({row["condition"] for row in included}) == conditions
    assert len(included) == include_codes


def test_every_condition_has_codes_and_every_code_a_condition() -> None:
    defined = {(row["definition"], row["condition"]) for row in rows("condition_definitions")}
    coded = {
        (row["definition"], row["condition"]) for row in rows("condition_codes") if row["role"] == "include"
    }
    coded |= {(row["definition"], row["condition"]) for row in rows("chronic_indicator_codes")}
    assert defined == coded
    assert {(row["definition"], row["condition"]) for row in rows("condition_counting_sets")} <= defined


def test_one_claim_and_two_claim_classes_share_none() -> None:
    classes = {row["claim_class"] for row in rows("claim_classes")}
    for row in rows("condition_definitions"):
        one, two = (
            set() if row[key] == "none" else set(row[key].split("|"))
            for key in ("one_claim_classes", "two_claim_classes")
        )
        assert one | two, row
        assert one | two <= classes, row
        assert not one & two, row


def test_the_sets_in_force_exist_and_follow_on_each_other() -> None:
    sets = {(row["counting_set"], row["definition"]) for row in rows("condition_counting_sets")}
    in_force = sorted(rows("condition_set_in_force"), key=lambda row: row["effective_from"])
    assert {(row["counting_set"], row["definition"]) for row in in_force} <= sets
    for before, after in itertools.pairwise(in_force):
        next_day = dt.date.fromisoformat(before["effective_to"]) + dt.timedelta(days=1)
        assert next_day.isoformat() == after["effective_from"]
