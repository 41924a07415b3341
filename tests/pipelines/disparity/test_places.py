"""Practices and counties against control limits: the limits, what is hidden, and what is published of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from pipelines.disparity import places
from pipelines.disparity.adjusted import Cells, Margins, Statistic, told
from pipelines.disparity.counts import EVERYBODY, Numbers
from pipelines.disparity.disclosure import audit, suppress

LIMIT = 10


@pytest.mark.parametrize("coverage", [places.TWO_SIGMA, places.THREE_SIGMA])
def test_limits_of_many_people_are_those_of_the_normal_distribution(coverage: float) -> None:
    lower, upper = places.control_limits(0.04, [400_000], coverage)
    reach = stats.norm.ppf((1 + coverage) / 2) * np.sqrt(0.04 * 0.96 / 400_000)
    assert (lower[0], upper[0]) == pytest.approx((0.04 - reach, 0.04 + reach), abs=5e-6)


def test_limits_hold_the_share_of_places_that_they_say() -> None:
    """Exactly, by the distribution function: what lies outside is at most what the limits leave, and less than one step more."""
    people = np.arange(20, 3000, 7)
    lower, upper = places.control_limits(0.04, people, places.THREE_SIGMA)
    above = stats.binom.sf(np.floor(upper * people), people, 0.04)
    below = stats.binom.cdf(np.ceil(lower * people) - 1, people, 0.04)
    tail = (1 - places.THREE_SIGMA) / 2
    assert np.all(above <= tail + 1e-12) and np.all(below <= tail + 1e-12)
    assert np.all(above + stats.binom.pmf(np.floor(upper * people), people, 0.04) > tail)


def test_limits_of_few_people_are_wide_and_stay_within_0_and_1() -> None:
    lower, upper = places.control_limits(0.04, [1, 5, 50, 500], places.THREE_SIGMA)
    assert np.all(np.diff(upper - lower) < 0)
    assert lower.min() == 0 and upper.max() <= 1


# People eligible and paid for by county and state: county 3 lies in two states. State b has a county of few people paid for.
COUNTY_STATES = {
    ("1", "a"): (900, 40),
    ("2", "a"): (700, 35),
    ("3", "a"): (300, 15),
    ("3", "b"): (250, 12),
    ("4", "b"): (120, 4),
    ("5", "b"): (800, 31),
}


def cells() -> list[places.Cell]:
    made: list[places.Cell] = [
        ("state", state, "county", county, *people) for (county, state), people in COUNTY_STATES.items()
    ]
    for county in sorted({county for county, _ in COUNTY_STATES}):
        mine = [people for (one, _), people in COUNTY_STATES.items() if one == county]
        made.append((EVERYBODY, EVERYBODY, "county", county, *map(sum, zip(*mine, strict=True))))  # type: ignore[arg-type]
    return made


def release() -> Any:
    numbers = Numbers(LIMIT)
    for kind, group, states in ((EVERYBODY, EVERYBODY, "ab"), ("state", "a", "a"), ("state", "b", "b")):
        for spot, count in enumerate(places.COUNTS):
            total = sum(people[spot] for (_, state), people in COUNTY_STATES.items() if state in states)
            numbers.add((kind, group, count), total, is_table=True, is_protected=False, cost=1e12)
    places.add_places(numbers, cells())
    return numbers.release()


def test_a_hidden_county_is_neither_everybody_nor_its_state_less_the_others() -> None:
    made = release()
    four = made.names.index(("county", "4", "paid_people"))
    assert four in audit(made, made.is_table & ~made.is_protected).given_away
    shown = suppress(made)
    assert not len(audit(made, shown).given_away)
    hidden = {made.names[place][1] for place in np.flatnonzero(made.is_table & ~shown)}
    assert "4" in hidden and hidden & {"3", "5"}, "of the same state, or its state would tell it"
    assert shown[made.names.index(("state", "b", "paid_people"))]


def test_a_state_told_by_its_counties_is_found() -> None:
    """Two counties of one state are shown: that the state's own number is hidden helps nobody."""
    numbers = Numbers(LIMIT)
    people = {"1": (200, 30), "2": (100, 20), "3": (80, 6)}
    for spot, count in enumerate(places.COUNTS):
        total = sum(one[spot] for one in people.values())
        numbers.add((EVERYBODY, EVERYBODY, count), total, is_table=True, is_protected=False)
        numbers.add(("state", "a", count), 300 if not spot else 50, is_table=True, is_protected=False)
        numbers.add(("state", "b", count), people["3"][spot], is_table=True, is_protected=spot == 1)
        numbers.equate(
            {("state", "a", count): 1, ("state", "b", count): 1, (EVERYBODY, EVERYBODY, count): -1}
        )
    made_of = {"1": "a", "2": "a", "3": "b"}
    places.add_places(
        numbers,
        [
            (kind, made_of[one] if kind == "state" else EVERYBODY, "county", one, *sizes)
            for one, sizes in people.items()
            for kind in (EVERYBODY, "state")
        ],
    )
    made = numbers.release()
    shown = made.is_table & ~made.is_protected
    shown[made.names.index(("state", "a", "paid_people"))] = False
    names = {made.names[place] for place in audit(made, shown).given_away}
    assert names == {("state", "b", "paid_people"), ("county", "3", "paid_people")}


def test_rows_say_where_a_place_lies_and_name_no_practice() -> None:
    shown: dict[tuple[str, str, str], int | None] = {
        (EVERYBODY, EVERYBODY, "eligible_people"): 2000,
        (EVERYBODY, EVERYBODY, "paid_people"): 80,
    }
    for place, eligible, paid in (("p1", 300, 40), ("p2", 900, 0), ("p3", 400, 18), ("p4", 90, None)):
        shown[("practice", place, "eligible_people")] = eligible
        shown[("practice", place, "paid_people")] = paid
    shown |= {("practice", "none", "eligible_people"): 310, ("practice", "none", "paid_people"): 0}
    made = places.rows(
        2025, shown, {("practice", "p1"): "physician"}, lambda kind, place: f"{kind} {place[::-1]}"
    )
    where = {row["place"]: (row["position"], row["within"]) for row in made.to_dicts()}
    assert where == {
        "practice 1p": ("above", "physician"),
        "practice 2p": ("below", None),
        "practice 3p": ("within", None),
        "practice 4p": (None, None),
        "none": (None, None),
    }
    hidden = made.filter("is_suppressed").to_dicts()
    assert [row["place"] for row in hidden] == ["practice 4p"]
    assert hidden[0]["rate"] is None and hidden[0]["numerator"] is None and hidden[0]["denominator"] == 90


def test_without_a_rate_of_everybody_there_are_no_limits() -> None:
    shown: dict[tuple[str, str, str], int | None] = {
        (EVERYBODY, EVERYBODY, "eligible_people"): 2000,
        (EVERYBODY, EVERYBODY, "paid_people"): None,
        ("practice", "p1", "eligible_people"): 300,
        ("practice", "p1", "paid_people"): 40,
    }
    made = places.rows(2025, shown, {}, lambda kind, place: place)
    assert made["position"].null_count() == made["upper_3"].null_count() == made.height == 1


def test_a_practice_shown_beside_one_group_tells_the_other() -> None:
    """84 of a practice are paid for, as the table of practices says; a statistic tells that 80 of them are of one group."""
    one, two = (
        Cells(np.array([500, 900]), np.array([4, 90])),
        Cells(np.array([1000, 800]), np.array([80, 60])),
    )
    exact = Statistic(0.08, 1e-5, {"two": np.array([1e-3, 0.0])}, 2)
    coarse = Statistic(0.0, 1.0, {"one": np.array([1e-3, 1e-3])}, 2)
    groups = {"one": one, "two": two}
    assert told(groups, {}, [exact, coarse], LIMIT) == set()
    everybody = one.eligible + two.eligible
    assert told(groups, {}, [exact, coarse], LIMIT, Margins(everybody, np.array([84.0, np.nan]))) == {"one"}
    assert (
        told(groups, {}, [exact, coarse], LIMIT, Margins(everybody + 60, np.array([96.0, np.nan]))) == set()
    ), "others of the practice may be fewer"


def test_places_without_people_make_an_empty_table_with_its_columns() -> None:
    made = places.rows(2025, {}, {}, lambda kind, place: place)
    assert made.height == 0 and made.schema == pl.Schema(places.SCHEMA)
