"""Counts of a study shown together tell nobody's 1 to 10."""

from __future__ import annotations

import pytest

from pipelines.impact.release import Counts, masked


def test_a_small_group_takes_another_of_its_kind_with_it() -> None:
    counts = Counts()
    counts.add("all", 100, tier=3)
    for name, value in (("a", 60), ("b", 33), ("c", 7)):
        counts.add(name, value)
    counts.part("all", ["a", "b", "c"])
    shown = counts.shown(10)
    assert shown == {"all": True, "a": True, "b": False, "c": False}


def test_a_step_that_loses_few_people_hides_one_of_its_ends() -> None:
    counts = Counts()
    counts.add("before", 200, tier=2)
    counts.add("after", 197, tier=2)
    counts.part("before", ["after"], rest="lost")
    shown = counts.shown(10)
    assert not (shown["before"] and shown["after"])
    assert not shown["lost"]


@pytest.mark.parametrize(("lost", "is_free"), [(0, True), (1, False), (10, False), (11, True)])
def test_steps_are_free_on_both_sides_of_the_limit(lost: int, is_free: bool) -> None:
    counts = Counts()
    counts.add("before", 200)
    counts.add("after", 200 - lost)
    counts.part("before", ["after"], rest="lost")
    shown = counts.shown(10)
    assert (shown["before"] and shown["after"]) is is_free


def test_one_name_has_one_value() -> None:
    counts = Counts()
    counts.add("a", 5)
    with pytest.raises(ValueError, match="two values"):
        counts.add("a", 6)


@pytest.mark.parametrize(("count", "told"), [(100, 100), (99, 100), (90, 100), (89, 89)])
def test_a_design_that_drops_few_people_says_all(count: int, told: int) -> None:
    assert masked(count, 100, 10) == told
