"""The findings ledger under restatements, reruns, rebuilds and reviews: ids are stable, nothing is lost, states survive."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.ledger import SIGHTINGS
from pipelines.review import TRANSITIONS, CannotReview, review
from tests.dbt_project.compiled_models import compile_models
from tests.dbt_project.ledger_world import CAUSES, MODELS, Bench, World, line

FIRST = dt.date(2024, 1, 31)
# What a review changes; everything else of a finding follows from the data alone.
OF_REVIEWS = {
    *("review_state", "reviewed_as", "review_number", "reviewed_at", "reviewed_by", "review_note"),
    *("identified_on", "return_by"),
}
CANDIDATES = st.integers(0, 2)
Row = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Compiled:
    """The models' SQL and the ledger's path in it; without a repr, which a failing example would print."""

    sql: dict[str, str]
    ledger_path: str


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    scratch = tmp_path_factory.mktemp("compiled")
    return Compiled(compile_models(scratch, *MODELS), str(scratch / "ccm_ledger"))


def fresh(compiled: Compiled, folder: str) -> Bench:
    return Bench(Path(folder) / "out", compiled.sql, compiled.ledger_path)


def by_candidate(findings: Sequence[Row]) -> dict[int, Row]:
    """Findings by the number of their only line's claim."""
    names = {line(candidate): candidate for candidate in range(3)}
    return {names[row["claim_line_ids"][0]]: row for row in findings}


def without_reviews(findings: Sequence[Row]) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in OF_REVIEWS} for row in findings]


STEPS = st.lists(
    st.one_of(
        # a delivery: for some candidates something takes the finding away or brings it back; then a run, days later or the same day
        st.tuples(
            st.just("restate"),
            st.lists(st.tuples(CANDIDATES, st.sampled_from([None, None, *CAUSES])), max_size=3),
            st.integers(0, 2),
        ),
        st.tuples(st.just("rename"), CANDIDATES, st.integers(0, 2)),
        st.tuples(st.just("rerun")),
        st.tuples(st.just("rebuild"), st.integers(0, 5)),
        st.tuples(st.just("review"), CANDIDATES, st.sampled_from(["confirmed", "dismissed", "refunded"])),
    ),
    min_size=2,
    max_size=9,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_ids_are_stable_nothing_is_lost_and_states_survive(
    compiled: Compiled, steps: list[tuple[Any, ...]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = fresh(compiled, folder)
        world, today = World(), FIRST
        worlds: dict[dt.date, World] = {}
        newest: dict[dt.date, list[Row]] = {}
        shown: dict[int, list[dt.date]] = {}
        ids: dict[int, str] = {}
        said: dict[int, str] = {}

        def run() -> list[Row]:
            found = bench.run(world, today)
            worlds[today], newest[today] = world, found
            for candidate in world.failing():
                shown.setdefault(candidate, []).append(today)
            return found

        def check(found: list[Row]) -> None:
            rows = by_candidate(found)
            assert len(rows) == len(found)
            assert set(rows) == set(shown)
            for candidate, row in rows.items():
                assert ids.setdefault(candidate, row["finding_id"]) == row["finding_id"]
                assert row["beneficiary_id"] == world.person(candidate)
                assert (row["first_seen_as_of"], row["last_seen_as_of"]) == (
                    min(shown[candidate]),
                    max(shown[candidate]),
                )
                fails = candidate in world.failing()
                assert row["review_state"] == (said.get(candidate, "open") if fails else "closed")
                assert row["reviewed_as"] == said.get(candidate)
                assert (row["closed_reason"] is None) == (row["closed_as_of"] is None) == fails
                assert (row["return_by"] is not None) == (said.get(candidate) == "confirmed")

        check(run())
        for step in steps:
            match step:
                case ("restate", changes, days):
                    for candidate, cause in changes:
                        world = world.with_cause(candidate, cause)
                    today += dt.timedelta(days)
                    check(run())
                case ("rename", candidate, days):
                    world = World(world.away, world.renamed | {candidate}, world.policy, world.rules)
                    today += dt.timedelta(days)
                    check(run())
                case ("rerun",):
                    before = sorted((bench.settings.ledger / SIGHTINGS).iterdir())
                    assert without_reviews(run()) == without_reviews(newest[today])
                    assert sorted((bench.settings.ledger / SIGHTINGS).iterdir()) == before
                    check(newest[today])
                case ("rebuild", which):
                    day = sorted(worlds)[which % len(worlds)]
                    again = bench.run(worlds[day], day)
                    assert without_reviews(again) == without_reviews(newest[day])
                    check(run())
                case ("review", candidate, state):
                    now = said.get(candidate, "open")
                    closed = candidate not in world.failing()
                    legal = candidate in ids and state in TRANSITIONS[now]
                    if closed:
                        legal = candidate in ids and (now, state) == ("confirmed", "refunded")
                    try:
                        review(bench.settings, ids.get(candidate, "none"), state, "because")
                        assert legal
                        said[candidate] = state
                    except CannotReview:
                        assert not legal
                    check(run())


@pytest.mark.parametrize("cause", CAUSES)
def test_a_finding_that_is_gone_says_why_and_comes_back_as_it_was(
    compiled: Compiled, cause: str, tmp_path: Path
) -> None:
    bench = fresh(compiled, str(tmp_path))
    days = [FIRST + dt.timedelta(days=n) for n in range(5)]
    world = World()
    (finding_id,) = {
        row["finding_id"] for row in bench.run(world, days[0]) if row["claim_line_ids"] == [line(0)]
    }
    review(bench.settings, finding_id, "confirmed", "seen in the chart")
    gone = by_candidate(bench.run(world.with_cause(0, cause), days[1]))[0]
    assert (gone["finding_id"], gone["review_state"], gone["reviewed_as"]) == (
        finding_id,
        "closed",
        "confirmed",
    )
    assert (gone["closed_as_of"], gone["closed_reason"]) == (days[1], CAUSES[cause][0])
    assert (gone["first_seen_as_of"], gone["last_seen_as_of"]) == (days[0], days[0])
    assert (gone["amount_usd"], gone["cost_share_usd"]) == (50, 10)
    # further changes do not rewrite why it was closed
    later = by_candidate(bench.run(world.with_cause(0, cause).with_cause(0, "cancelled"), days[2]))[0]
    assert (later["closed_as_of"], later["closed_reason"]) == (days[1], CAUSES[cause][0])
    assert later["closed_observed"] == gone["closed_observed"]
    back = by_candidate(bench.run(world, days[3]))[0]
    assert (back["finding_id"], back["review_state"]) == (finding_id, "confirmed")
    assert (back["first_seen_as_of"], back["last_seen_as_of"]) == (days[0], days[3])
    assert (back["reopened_as_of"], back["closed_as_of"], back["closed_reason"]) == (days[3], None, None)
    assert back["return_by"] == back["identified_on"] + dt.timedelta(days=60)
    again = by_candidate(bench.run(world, days[4]))[0]
    assert again["reopened_as_of"] == days[3]


def test_a_finding_on_other_lines_of_the_same_month_goes_on_where_the_old_one_ends(
    compiled: Compiled, tmp_path: Path
) -> None:
    bench = fresh(compiled, str(tmp_path))
    bench.run(World(), FIRST)
    sql = bench.compiled["ledger_failures"]
    bench.compiled["ledger_failures"] = sql.replace(
        "results.evidence_claim_line_ids", "list_transform(results.evidence_claim_line_ids, x -> x || 'b')"
    )
    found = bench.run(World(), FIRST + dt.timedelta(days=1))
    old = next(row for row in found if row["claim_line_ids"] == [line(0)])
    new = next(row for row in found if row["claim_line_ids"] == [line(0) + "b"])
    assert old["review_state"] == "closed" and new["review_state"] == "open"
    assert old["continued_by"] == new["finding_id"]


def test_two_reviews_of_one_day_count_in_the_order_in_which_they_were_made(
    compiled: Compiled, tmp_path: Path
) -> None:
    bench = fresh(compiled, str(tmp_path))
    finding_id = by_candidate(bench.run(World(), FIRST))[0]["finding_id"]
    made = [
        review(bench.settings, finding_id, state, "because", "Dana")
        for state in ("dismissed", "confirmed", "dismissed", "confirmed", "refunded")
    ]
    assert [one.number for one in made] == [1, 2, 3, 4, 5]
    assert len({one.at.date() for one in made}) <= 2
    row = by_candidate(bench.run(World(), FIRST))[0]
    assert (row["review_state"], row["review_number"], row["reviewed_by"]) == ("refunded", 5, "Dana")
    assert row["return_by"] is None
