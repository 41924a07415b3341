"""The fairness report: it finds a group that is wronged, does not cry at chance, hides small numbers, and can stop a run."""

from __future__ import annotations

from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from scipy import stats

from expectations import declared
from pipelines import checks
from pipelines.disparity.disclosure import audit
from pipelines.outreach import fairness, ranking, release
from pipelines.outreach.choosing import choose
from pipelines.outreach.evidence import GROUPS
from pipelines.outreach.fairness import Finding, of_list, of_tenths, of_test
from tests.pipelines.outreach.made_up import LIMITS


def foretold_people(factor: float, count: int = 12_000, seed: int = 3) -> pl.DataFrame:
    """People foretold at their true chance, but for one group whose chance is `factor` times as large."""
    rng = np.random.default_rng(seed)
    foretold = rng.uniform(0.02, 0.3, count)
    dual = rng.random(count) < 0.2
    came = rng.random(count) < foretold * np.where(dual, factor, 1.0)
    return pl.DataFrame(
        {
            "foretold": foretold,
            "came": came.astype(int),
            "race_ethnicity": rng.choice(["white", "black"], count, p=[0.9, 0.1]),
            "dual_status": np.where(dual, "full", "not_dual"),
            "sex": rng.choice(["female", "male"], count),
            "age_band": ["65_to_69"] * count,
            "entitlement": ["age"] * count,
        }
    )


def status(findings: list[Finding], measure: str, group: str) -> str:
    return next(one.status for one in findings if (one.measure, one.group_value) == (measure, group))


def test_a_group_that_is_sicker_than_its_score_fails_and_the_others_do_not() -> None:
    found = of_test(foretold_people(1.33), 0.4, LIMITS)
    assert status(found, "observed_over_expected", "full") == "fail"
    assert status(found, "need_around_cut", "full") == "fail"
    assert status(found, "observed_over_expected", "white") != "fail"


def test_chance_fails_hardly_anybody() -> None:
    statuses = [
        one.status
        for seed in range(8)
        for one in of_test(foretold_people(1.0, count=4_000, seed=seed), 0.4, LIMITS)
        if one.required_low is not None
    ]
    assert len(statuses) > 150 and statuses.count("fail") <= 0.02 * len(statuses)


def test_few_events_cannot_be_assessed() -> None:
    found = of_test(foretold_people(1.0, count=300), 0.4, LIMITS)
    assert status(found, "observed_over_expected", "black") == "cannot_assess"


@pytest.mark.parametrize(
    ("figures", "bounds", "expected"),
    [
        ((1.0, 0.8, 1.2), (0.9, 1.1), "pass"),
        ((1.2, 0.95, 1.5), (0.9, 1.1), "cannot_assess"),
        ((1.4, 1.2, 1.6), (0.9, 1.1), "fail"),
        ((0.6, 0.5, 0.8), (0.9, 1.1), "fail"),
        ((float("nan"), 0.5, 0.8), (0.9, 1.1), "cannot_assess"),
        ((0.6, 0.5, 0.8), (None, None), "not_applicable"),
    ],
)
def test_only_what_is_surely_outside_fails(figures: Any, bounds: Any, expected: str) -> None:
    assert fairness.judged(*figures, *bounds) == expected


def test_intervals_are_the_exact_ones() -> None:
    low, high = fairness.poisson_interval(7, 1.0)
    assert (low, high) == (pytest.approx(stats.gamma.ppf(0.005, 7)), pytest.approx(stats.gamma.ppf(0.995, 8)))


def test_tenths_hold_everybody_once() -> None:
    rows = of_tenths(foretold_people(1.0))
    assert len(rows) == 10 and sum(row.people for row in rows) == 12_000


def small() -> list[Finding]:
    """A test with a group of 7 people, of whom 2 had an event."""
    frame = foretold_people(1.0, count=900)
    few = np.array(["white"] * 893 + ["black"] * 7)
    came = frame["came"].to_numpy().copy()
    came[-7:] = [1, 1, 0, 0, 0, 0, 0]
    return of_test(frame.with_columns(race_ethnicity=pl.Series(few), came=pl.Series(came)), 0.4, LIMITS)


def test_small_groups_and_what_would_give_them_away_are_hidden() -> None:
    findings = small()
    shown, told = release.shown(findings, 10, {"observed_over_expected": 1_000})
    assert told == 0
    race = shown.filter(pl.col("group_kind") == "race_ethnicity")
    assert race["is_suppressed"].all() and race["people"].is_null().all() and race["value"].is_null().all()
    assert shown.filter((pl.col("measure") == "observed_over_expected") & (pl.col("group_kind") == "sex"))["people"].sum() == 900  # fmt: skip
    counts = shown.select("people", "counted").unpivot()["value"].drop_nulls()
    assert not counts.is_between(1, 10).any()


def test_the_difference_to_the_page_of_capture_is_protected() -> None:
    shown, told = release.shown(small(), 10, {"observed_over_expected": 904})
    everybody = shown.filter(
        (pl.col("group_kind") == "everybody") & (pl.col("measure") == "calibration_slope")
    )
    assert told == 0 and everybody["people"].to_list() == [None]


@pytest.mark.parametrize(("of_year", "hides"), [(900, False), (904, True), (940, False)])
def test_few_eligible_people_of_a_group_who_are_not_on_the_list_cannot_be_told(
    of_year: int, hides: bool
) -> None:
    """The measures show how many of a group are eligible in the year; the list, how many of them it holds."""
    findings = [
        Finding("asked_over_need", kind, group, people, asked, 0.5, 1.0, 0.9, 1.1, 0.9, None, "pass")
        for kind, group, people, asked in (
            ("everybody", "everybody", 2000, 600),
            ("sex", "female", 900, 300),
            ("sex", "male", 1100, 300),
        )
    ]
    shown, told = release.shown(
        findings, 10, {}, {("sex", "female"): of_year, ("sex", "unheard of"): 40, ("sex", "male"): 9}
    )
    people = dict(shown.select("group_value", "people").iter_rows())
    assert told == 0
    assert (people["female"] is None) is hides


def test_the_audit_finds_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "suppress", lambda one: one.is_table.copy())
    assert audit is release.audit
    assert release.shown(small(), 10, {})[1] > 0


def test_a_breach_stops_the_run_where_it_is_declared_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ranking.outcomes(of_test(foretold_people(1.33), 0.4, LIMITS))
    assert [one.suite for one in found if not one.success].count("outreach_fairness") == 2
    checks.stop_on_blocking(found)  # declared to warn
    effects = {**declared.declared()["effects"], "outreach_fairness": "block"}
    monkeypatch.setitem(declared.declared(), "effects", effects)
    with pytest.raises(dg.Failure, match="outreach_fairness"):
        checks.stop_on_blocking(ranking.outcomes(of_test(foretold_people(1.33), 0.4, LIMITS)))


def test_a_group_that_is_asked_too_little_for_its_need_fails() -> None:
    count = 40
    need = np.array([0.5] * 20 + [0.4] * 20)
    frame = pl.DataFrame(
        {
            "practice_id": ["P"] * 20 + ["Q"] * 20,
            "practitioner_npi": ["x"] * 20 + ["y"] * 20,
            "place": [*range(1, 21)] * 2,
            **{kind: ["same"] * count for kind in GROUPS},
            "sex": ["female"] * 20 + ["male"] * 20,
        }
    )
    chosen = choose(frame, need, {"every": (15, 15), "Q": (1, 1)}, GROUPS, 0.1)
    found = of_list(frame, need, chosen, 0.1)
    assert status(found, "asked_over_need", "male") == "fail"
    assert status(found, "asked_over_need", "female") == "pass"
