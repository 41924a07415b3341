"""Conditions by interval against conditions by counting: for any claims, every month-end must agree."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dbt_project.compiled_models import Bench, compile_models

LOOKBACKS = {"year": 12, "two_years": 24, "three_years": 36}
FIRST_DAY = dt.date(2015, 1, 1)
MONTHS = [dt.date(2015 + n // 12, n % 12 + 1, 1) for n in range(15 * 12)]
SET_IN_FORCE = [("1900-01-01", "2018-06-30", "old", "all"), ("2018-07-01", "9999-12-31", "new", "long")]
KEYS = {named: key for key, named in enumerate(itertools.product(("old", "new"), LOOKBACKS), 1)}
COUNTED = {"all": set(LOOKBACKS), "long": {"two_years", "three_years"}}

COLUMNS = {
    "marts.fct_condition_evidence": {
        "beneficiary_id": "varchar",
        "condition_key": "integer",
        "evidence_date": "date",
        "claim_id": "varchar",
        "is_one_claim_evidence": "boolean",
        "is_two_claim_evidence": "boolean",
    },
    "policy.condition_definitions": {
        "definition": "varchar",
        "condition": "varchar",
        "condition_key": "integer",
        "lookback_months": "integer",
    },
    "policy.condition_counting_sets": {
        "counting_set": "varchar",
        "definition": "varchar",
        "condition": "varchar",
    },
    "policy.condition_set_in_force": {
        "effective_from": "date",
        "effective_to": "date",
        "definition": "varchar",
        "counting_set": "varchar",
    },
    "core.core_person_months": {"beneficiary_id": "varchar", "service_month": "date"},
}


@dataclass(frozen=True)
class Evidence:
    """One claim of the one person; `kind` says what the rule of its condition makes of the claim's class."""

    condition: str
    on: dt.date
    kind: str  # one: enough by itself; two: needs another day; both: IP under a rule that pairs it as well


def _month_start(day: dt.date, months_back: int) -> dt.date:
    count = day.year * 12 + day.month - 1 - months_back
    return dt.date(count // 12, count % 12 + 1, 1)


def _holds(evidence: list[Evidence], condition: str, month_end: dt.date) -> bool:
    """The published rule, read as it is written: count the claims of the calendar months that end here."""
    window_start = _month_start(month_end, LOOKBACKS[condition] - 1)
    seen = [row for row in evidence if row.condition == condition and window_start <= row.on <= month_end]
    pairs = {row.on for row in seen if row.kind in {"two", "both"}}
    return any(row.kind in {"one", "both"} for row in seen) or len(pairs) >= 2


def _later(start: dt.date, months: int, days: int) -> dt.date:
    shifted = _month_start(start, -months)
    last = (_month_start(shifted, -1) - dt.timedelta(days=1)).day
    return shifted.replace(day=min(start.day, last)) + dt.timedelta(days=days)


# Days are drawn freely and at the turn of a month; many claims get a partner of the same condition a look-back later,
# give or take a day.
_days = st.builds(lambda days: FIRST_DAY + dt.timedelta(days=days), st.integers(0, 7 * 365)) | st.builds(
    lambda month, days: month + dt.timedelta(days=days), st.sampled_from(MONTHS[12:96]), st.integers(-1, 1)
)
_kinds = st.sampled_from(["one", "two", "two", "both"])
_claims = st.builds(Evidence, st.sampled_from(sorted(LOOKBACKS)), _days, _kinds)


@st.composite
def _histories(draw: st.DrawFn) -> list[Evidence]:
    history = []
    for claim in draw(st.lists(_claims, max_size=6)):
        history.append(claim)
        if draw(st.booleans()):
            later = _later(claim.on, LOOKBACKS[claim.condition], draw(st.integers(-2, 1)))
            history.append(Evidence(claim.condition, later, draw(_kinds)))
    return history


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, dict[str, str]]:
    compiled = compile_models(
        tmp_path_factory.mktemp("compiled"),
        *("condition_intervals", "fct_interval_claims", "fct_condition_months"),
    )
    bench = Bench(COLUMNS)
    definitions = [(*named, key, LOOKBACKS[named[1]]) for named, key in KEYS.items()]
    bench.load("policy.condition_definitions", definitions)
    bench.load(
        "policy.condition_counting_sets",
        [("all", "old", name) for name in COUNTED["all"]]
        + [("all", "new", name) for name in COUNTED["all"]]
        + [("long", "new", name) for name in COUNTED["long"]],
    )
    bench.load("policy.condition_set_in_force", SET_IN_FORCE)
    return bench, compiled


def _build(bench: tuple[Bench, dict[str, str]], evidence: list[Evidence]) -> Bench:
    database, compiled = bench
    database.load(
        "marts.fct_condition_evidence",
        [
            ("p", KEYS[definition, row.condition], row.on, f"c{n:03}", row.kind != "two", row.kind != "one")
            for definition in ("old", "new")
            for n, row in enumerate(evidence)
        ],
    )
    for model in ("condition_intervals", "fct_interval_claims"):
        database.build(f"marts.{model}", compiled[model])
    return database


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(evidence=_histories())
def test_intervals_hold_at_a_month_end_exactly_when_counting_claims_says_so(
    bench: tuple[Bench, dict[str, str]], evidence: list[Evidence]
) -> None:
    database = _build(bench, evidence)
    intervals: dict[str, list[Any]] = defaultdict(list)
    for condition, start, end, first, claim_ids in database.rows(
        "select condition, start_date, end_date, first_evidence_date, evidence_claim_ids "
        "from marts.condition_intervals inner join marts.fct_interval_claims "
        "using (beneficiary_id, definition, condition, start_date) where definition = 'new' order by start_date"
    ):
        intervals[condition].append((start, end, first, claim_ids))
    for condition in LOOKBACKS:
        for month in MONTHS:
            month_end = _month_start(month, -1) - dt.timedelta(days=1)
            held = any(start <= month_end <= end for start, end, *_ in intervals[condition])
            assert held == _holds(evidence, condition, month_end), (condition, month_end)
        for (_, end, *_), (start, *_) in zip(intervals[condition], intervals[condition][1:], strict=False):
            assert start > end + dt.timedelta(days=1)
        for start, _, first, claim_ids in intervals[condition]:
            named = [evidence[int(claim_id[1:])] for claim_id in claim_ids]
            assert claim_ids == sorted(set(claim_ids))
            assert {row.condition for row in named} == {condition}
            assert first == min(row.on for row in named) <= start


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(evidence=_histories(), spine=st.just(set(MONTHS)) | st.sets(st.sampled_from(MONTHS), max_size=5))
def test_the_count_of_a_month_is_the_count_of_conditions_that_hold_on_its_eve(
    bench: tuple[Bench, dict[str, str]], evidence: list[Evidence], spine: set[dt.date]
) -> None:
    database = _build(bench, evidence)
    database.load(
        "core.core_person_months",
        [("p", month) for month in spine] + [("never_ill", month) for month in spine],
    )
    database.build("marts.fct_condition_months", bench[1]["fct_condition_months"])
    expected = set()
    for month in spine:
        definition, counting_set = ("old", "all") if month < dt.date(2018, 7, 1) else ("new", "long")
        eve = month - dt.timedelta(days=1)
        count = sum(_holds(evidence, condition, eve) for condition in COUNTED[counting_set])
        expected |= {("p", month, definition, count), ("never_ill", month, definition, 0)}
    found = database.rows(
        "select beneficiary_id, service_month, definition, condition_count from marts.fct_condition_months"
    )
    assert len(found) == 2 * len(spine)
    assert set(found) == expected
