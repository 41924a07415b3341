"""The model of need: calibrated on later people, better than the rule, blind to groups and cost, and silent where little is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipelines.outreach.evidence import GROUPS, NUMBERS, Evidence, matrix
from pipelines.outreach.learning import NEED, START, Learnt, NotLearnt, at_most, learn
from pipelines.outreach.reasons import reasons
from tests.pipelines.outreach.made_up import MONTHS, evidence


@pytest.fixture(scope="module")
def known() -> Evidence:
    return evidence()


@pytest.fixture(scope="module")
def learnt(known: Evidence) -> Learnt:
    found = learn(known, NEED)
    assert isinstance(found, Learnt)
    return found


def test_what_is_foretold_comes_in_months_that_were_not_learnt_from(learnt: Learnt) -> None:
    test = next(one for one in learnt.tests if (one.learner, one.part) == (learnt.learner, "later months"))
    rule = next(one for one in learnt.tests if one.learner == "rule")
    assert 0.85 < test.observed_over_expected < 1.15
    assert test.auc > rule.auc + 0.03 and test.brier < test.brier_of_rate
    assert {one.part for one in learnt.tests} == {"later months", "other practices"}
    assert set(learnt.tested["service_month"].to_list()) == set(MONTHS[-2:])


def test_of_many_rows_as_many_as_policy_says_are_learnt_from_and_all_later_ones_test(
    known: Evidence, learnt: Learnt
) -> None:
    most = 3_000
    drawn = learn(replace(known, limits={**known.limits, "most_learnt_rows": float(most)}), NEED)
    assert isinstance(drawn, Learnt)
    people = {
        (one.part, "drawn" if model is drawn else "all"): one.people
        for model in (drawn, learnt)
        for one in model.tests
    }
    assert people["other practices", "drawn"] == most < people["other practices", "all"]
    assert people["later months", "drawn"] == people["later months", "all"]
    rows = known.known
    assert at_most(rows, most).equals(at_most(rows, most))
    assert at_most(rows, rows.height) is rows
    assert at_most(rows, most)["service_month"].is_sorted()


def test_the_same_evidence_gives_the_same_numbers(known: Evidence, learnt: Learnt) -> None:
    again = learn(known, NEED)
    assert isinstance(again, Learnt)
    assert np.array_equal(again.foretell(known.listed), learnt.foretell(known.listed))


def test_no_group_and_no_cost_is_read(known: Evidence, learnt: Learnt) -> None:
    assert not set(NUMBERS) & set(GROUPS)
    assert not [name for name in NUMBERS if "usd" in name or "cost" in name or "paid" in name]
    others = known.listed.with_columns(pl.lit("another").alias(kind) for kind in GROUPS)
    assert np.array_equal(learnt.foretell(others), learnt.foretell(known.listed))


def test_what_came_later_does_not_move_what_was_learnt(known: Evidence, learnt: Learnt) -> None:
    latest = sorted(known.known["service_month"].unique().to_list())[-1]
    spoilt = known.people.with_columns(
        preventable_events=pl.when(pl.col("service_month") == latest)
        .then(1 - pl.col("preventable_events").clip(0, 1))
        .otherwise("preventable_events")
    )
    again = learn(replace(known, people=spoilt), NEED)
    # The latest month only tests: turned upside down, it ends the model's use but not its numbers.
    assert isinstance(again, NotLearnt) or np.array_equal(
        again.foretell(known.listed), learnt.foretell(known.listed)
    )


def test_too_little_is_said_and_nothing_is_learnt(known: Evidence) -> None:
    few = learn(evidence(each=60), NEED)
    assert isinstance(few, NotLearnt) and "too little is known" in few.says and "200 people" in few.says
    short = learn(replace(known, people=known.people.filter(pl.col("service_month").dt.year() > 2023)), NEED)
    assert isinstance(short, NotLearnt) and "too few months" in short.says
    start = learn(known, START)
    assert isinstance(start, NotLearnt) and "first bill of CCM" in start.says


def test_a_model_that_does_no_better_than_the_rule_is_not_used(known: Evidence) -> None:
    rng = np.random.default_rng(5)
    noise = known.people.with_columns(
        preventable_events=pl.when(pl.col("preventable_events").is_not_null()).then(
            pl.Series((rng.random(known.people.height) < 0.1).astype(int))
        )
    )
    found = learn(replace(known, people=noise), NEED)
    assert isinstance(found, NotLearnt) and "no better than the rule" in found.says


def test_reasons_name_what_raises_the_chance(known: Evidence, learnt: Learnt) -> None:
    people = known.listed
    lines = pl.Series(reasons(learnt, people, 3))
    assert len(lines) == people.height
    visits = people.select(pl.col("emergency_days_6") == 3).to_series()
    told = lines.filter(visits).str.to_lowercase().str.contains("3 emergency visits in 6 months")
    assert told.to_numpy().mean() > 0.9
    asthma = people["conditions"].list.contains("Asthma")
    assert lines.filter(asthma).str.contains("Asthma").to_numpy().mean() > 0.8
    assert not lines.filter(~asthma).str.contains("Asthma").any()
    assert set(lines.str.split("; ").list.len()) <= {1, 2, 3}


def test_a_person_without_visits_is_read_as_not_seen_for_a_year(known: Evidence) -> None:
    people = known.listed.head(20)
    column = matrix(people, [])[:, list(NUMBERS).index("days_since_primary_care")]
    assert column[0] == 366.0 and column[1] == 1.0
