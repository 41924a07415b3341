"""Whom to ask: within capacity, floors held where they can be, and said where they cannot."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from pipelines.outreach.choosing import by_capacity, choose


def people(
    practices: list[str], practitioners: list[str], need: list[float], **kinds: list[str]
) -> pl.DataFrame:
    frame = pl.DataFrame({"practice_id": practices, "practitioner_npi": practitioners, "need": need, **kinds})
    return frame.with_columns(place=pl.col("need").rank("ordinal", descending=True).over("practice_id"))


def test_capacity_of_practice_and_practitioner_is_never_passed() -> None:
    frame = people(
        ["P"] * 8 + ["Q"] * 3, ["a"] * 5 + ["b"] * 3 + ["c"] * 3, [float(n) for n in range(11, 0, -1)]
    )
    asked = by_capacity(frame, {"every": (4, 3), "Q": (1, 9)})
    assert np.flatnonzero(asked).tolist() == [0, 1, 2, 5, 8]


@pytest.mark.parametrize("seed", range(5))
def test_floors_are_held_with_the_most_need_that_capacity_leaves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = ["a" if n % 3 else "b" for n in range(12)]
    # the group b has its need among many people of less each, so that the top of the list leaves it out
    need = [
        round(float(rng.uniform(0.5, 0.6) if group == "a" else rng.uniform(0.3, 0.45)), 3) for group in groups
    ]
    frame = people(["P"] * 6 + ["Q"] * 6, ["x"] * 3 + ["y"] * 3 + ["z"] * 6, need, group=groups)
    capacity = {"every": (3, 2), "Q": (2, 2)}
    found = choose(frame, np.array(need), capacity, ("group",), 0.1)
    assert not found.unmet and found.asked.sum() == by_capacity(frame, capacity).sum()
    least = {floor.group: floor.least for floor in found.floors}

    def fits(chosen: tuple[int, ...]) -> bool:
        of = frame[list(chosen)]
        practices = of.group_by("practice_id").len().rows()
        doctors = of.group_by("practitioner_npi").len().rows()
        counts = dict(of.group_by("group").len().rows())
        return (
            all(size <= capacity.get(name, capacity["every"])[0] for name, size in practices)
            and all(size <= 2 for _, size in doctors)
            and all(counts.get(group, 0) >= floor for group, floor in least.items())
        )

    size = int(found.asked.sum())
    best = max(sum(need[n] for n in one) for one in itertools.combinations(range(12), size) if fits(one))
    assert float(np.array(need)[found.asked].sum()) == pytest.approx(best, abs=1e-3)
    assert np.array_equal(found.moved, found.asked & ~by_capacity(frame, capacity))


def test_a_floor_that_capacity_cannot_meet_is_said() -> None:
    # All of group b are at a practice that can ask one person.
    frame = people(["P"] * 4 + ["Q"] * 4, ["x"] * 4 + ["y"] * 4, [0.5] * 8, group=["a"] * 4 + ["b"] * 4)
    found = choose(frame, np.full(8, 0.5), {"every": (4, 4), "Q": (1, 1)}, ("group",), 0.0)
    (short,) = found.unmet
    assert (short.group, short.asked, short.least) == ("b", 1, 2.0)


def test_people_whose_group_is_unknown_have_no_floor() -> None:
    frame = people(["P"] * 4, ["x"] * 4, [0.9, 0.8, 0.2, 0.1], group=["a", "a", "unknown", "unknown"])
    found = choose(frame, np.array([0.9, 0.8, 0.2, 0.1]), {"every": (2, 2)}, ("group",), 0.0)
    assert [floor.group for floor in found.floors] == ["a"] and not found.moved.any()
