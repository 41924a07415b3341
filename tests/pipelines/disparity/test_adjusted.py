"""Statistics over hidden cells: their values, the step that they are shown to, and the audit of what they tell."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.disparity import adjusted, decompose, standardise
from pipelines.disparity.adjusted import Cells, Statistic, merged, safe, step_of, told

LIMIT = 10


def cells(eligible: list[int], paid: list[int]) -> Cells:
    return Cells(np.array(eligible), np.array(paid))


WIDE = cells([900, 1200, 700, 800, 1000, 600], [30, 70, 21, 25, 44, 15])
OTHER = cells([700, 600, 900, 500, 400, 300], [40, 35, 60, 31, 16, 25])


def test_neighbouring_cells_go_together_until_they_hold_enough() -> None:
    assert merged(np.array([10, 25, 40, 5, 0])).tolist() == [0, 0, 1, 1, 1]
    assert merged(np.array([40, 40, 40]), np.array([40, 10, 20])).tolist() == [0, 1, 1]
    assert merged(np.array([3, 4])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("weight", "step"), [(0.0004, 0.001), (0.00025, 0.0005), (0.0006, 0.002), (0.00001, 2e-5)]
)
def test_two_people_fill_a_step(weight: float, step: float) -> None:
    assert step_of(np.array([weight, weight / 3])) == pytest.approx(step)


def test_a_standardised_rate_is_that_of_the_function_to_its_step() -> None:
    standard = WIDE.eligible + OTHER.eligible
    rate = adjusted.standardised("one", WIDE, standard)
    assert rate is not None
    exact = standardise.direct(WIDE.paid, WIDE.eligible, standard)
    assert abs(rate.value - exact.rate) <= rate.step / 2
    assert abs(rate.lower - exact.lower) <= rate.step / 2 and abs(rate.upper - exact.upper) <= rate.step / 2
    assert float(rate.weights["one"] @ WIDE.paid) == pytest.approx(exact.rate)
    assert adjusted.standardised("few", cells([20, 5, 5, 0, 0, 0], [3, 1, 0, 0, 0, 0]), standard) is None


def test_what_lies_within_cells_is_kitagawas_part() -> None:
    part = adjusted.within("one", WIDE, "other", OTHER)
    assert part is not None
    exact = decompose.kitagawa(
        WIDE.eligible, WIDE.paid / WIDE.eligible, OTHER.eligible, OTHER.paid / OTHER.eligible
    )
    assert abs(part.value - exact.rates) <= part.step / 2
    assert part.weights["one"] @ WIDE.paid + part.weights["other"] @ OTHER.paid == pytest.approx(exact.rates)


def test_practices_of_one_group_only_fall_to_sorting() -> None:
    """Two practices serve both groups alike; a third serves one group only and pays for most of it."""
    one, other = cells([500, 600, 400, 12], [20, 24, 200, 1]), cells([700, 300, 0, 40], [28, 12, 0, 2])
    assert adjusted.within_practices("one", one, "other", other) is None  # a pool of few people of one group
    one, other = cells([500, 600, 400], [20, 24, 200]), cells([700, 300, 0], [28, 12, 0])
    part = adjusted.within_practices("one", one, "other", other)
    assert part is not None and part.value == 0 and part.cells == 3


def test_two_cells_whose_sum_and_weighted_sum_are_known_tell_both() -> None:
    one = cells([400, 4000], [7, 160])
    exact = Statistic(0.02, 1e-6, {"one": np.array([0.5 / 400, 0.5 / 4000])}, 2)
    shown = Statistic(
        adjusted.rounded(float(exact.weights["one"] @ one.paid), 1e-6), 1e-6, exact.weights, exact.cells
    )
    assert told({"one": one}, {"one": 167}, [shown], LIMIT) == {"one"}
    assert safe({"one": one}, {"one": 167}, [shown], LIMIT) == []
    assert told({"one": one}, {}, [shown], LIMIT) == set(), "without the total nothing separates the cells"


def test_many_cells_tell_nothing_of_each_other() -> None:
    one = cells([400, 350, 500, 450, 300, 600], [7, 12, 0, 30, 9, 25])
    rate = adjusted.standardised("one", one, np.array([100, 300, 200, 200, 100, 100]))
    assert rate is not None
    assert told({"one": one}, {"one": 83}, [rate], LIMIT) == set()


def test_a_sum_near_nothing_tells_that_all_its_cells_are_small() -> None:
    one = cells([1000, 1000, 1000], [3, 4, 5])
    small = Statistic(0.0005, 0.0005, {"one": np.array([1e-4, 1e-4, 1e-4])}, 3)
    assert told({"one": one}, {}, [small], LIMIT) == {"one"}


def test_no_small_cell_can_be_found_by_trying_every_world() -> None:
    """Whole numbers tried one by one, which linear programs do not do: where the audit lets a statistic pass, several worlds fit."""
    draw, passed, refused = np.random.default_rng(4), 0, 0
    for _ in range(80):
        eligible = draw.integers(60, 130, 4)
        paid = np.minimum(draw.negative_binomial(1, 0.08, 4), eligible)
        one, standard = Cells(eligible, paid), draw.integers(100, 400, 4)
        weights = standard / standard.sum() / eligible
        step = step_of(weights)
        shown = Statistic(adjusted.rounded(float(weights @ paid), step), step, {"one": weights}, 4)
        small = np.flatnonzero((paid >= 1) & (paid <= LIMIT))
        if not len(small):
            continue
        if told({"one": one}, {"one": int(paid.sum())}, [shown], LIMIT):
            refused += 1
            continue
        passed += 1
        total = int(paid.sum())
        three = np.indices((min(total, 60) + 1,) * 3).reshape(3, -1).T
        worlds = np.column_stack([three, total - three.sum(axis=1)])
        worlds = worlds[worlds[:, 3] >= 0]
        fits = worlds[np.abs(worlds @ weights - shown.value) <= step / 2 + 1e-12]
        for place in small:
            values = set(fits[:, place].tolist())
            assert len(values) > 3 and max(values) > LIMIT
    assert passed > 30
