"""Cells alike taken together: nothing that can be told of a cell is overlooked, whether asked of each cell or of all alike at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linprog

from pipelines.disparity.adjusted import Cells, Margins, Statistic, known_of, rounded, step_of, told
from pipelines.disparity.alike import blocks_of

LIMIT = 10


def told_cell_by_cell(
    groups: Mapping[str, Cells],
    totals: Mapping[str, int],
    statistics: Sequence[Statistic],
    margins: Margins | None,
) -> set[str]:
    """The same question put to every cell, by a program that knows nothing of cells alike."""
    named = sorted({group for one in statistics for group in one.groups})
    size = len(groups[named[0]].eligible)
    at = {group: slice(number * size, (number + 1) * size) for number, group in enumerate(named)}
    eligible = np.concatenate([groups[group].eligible for group in named])
    paid = np.concatenate([groups[group].paid for group in named])
    equal: list[tuple[np.ndarray, float]] = []
    most: list[tuple[np.ndarray, float]] = []
    for group in set(named) & set(totals):
        line = np.zeros(len(paid))
        line[at[group]] = 1
        equal.append((line, totals[group]))
    for one in statistics:
        for value, width, weights in known_of(one):
            line = np.zeros(len(paid))
            for group, each in weights.items():
                line[at[group]] += each
            scale = np.abs(line).max()
            most += [
                (line / scale, (value + width / 2) / scale),
                (-line / scale, -(value - width / 2) / scale),
            ]
    for cell in range(size if margins else 0):
        if margins and not np.isnan(margins.paid[cell]):
            line = np.zeros(len(paid))
            line[[at[group].start + cell for group in named]] = 1
            rest = margins.eligible[cell] - sum(groups[group].eligible[cell] for group in named)
            most += [(line, margins.paid[cell]), (-line, rest - margins.paid[cell])]
    leaky = set()
    for spot in range(len(paid)):
        cost = np.zeros(len(paid))
        cost[spot] = 1
        ends = []
        for sign in (1, -1):
            found = linprog(
                sign * cost,
                *zip(*[(line, right) for line, right in most], strict=True) if most else (None, None),
                *zip(*equal, strict=True) if equal else (None, None),
                bounds=list(zip(np.zeros(len(paid)), eligible, strict=True)),
            )
            assert found.status == 0
            ends.append(sign * found.fun)
        group = named[spot // size]
        for value, least, largest in (
            (paid[spot], ends[0], ends[1]),
            (eligible[spot] - paid[spot], eligible[spot] - ends[1], eligible[spot] - ends[0]),
        ):
            if 1 <= value <= LIMIT:
                is_open = (
                    largest >= LIMIT + 1 - 1e-6 if eligible[spot] > LIMIT else largest - least >= 1 - 1e-6
                )
                leaky |= set() if is_open else {group}
    return leaky


def test_what_is_told_of_a_cell_is_told_of_cells_alike() -> None:
    draw, told_ones, safe_ones, needless = np.random.default_rng(7), 0, 0, 0
    for number in range(120):
        kinds = draw.integers(1, 4)
        of_kind = draw.integers(0, kinds, draw.integers(2, 9))
        size = len(of_kind)
        few = number % 3 == 0
        eligible = {
            name: draw.integers(0, 9 if few else 60, kinds)[of_kind] for name in ("one", "other", "rest")
        }
        chance = draw.choice([0.02, 0.1, 0.5])
        paid = {name: draw.binomial(people, chance) for name, people in eligible.items()}
        groups = {name: Cells(eligible[name], paid[name]) for name in ("one", "other")}
        weights = {
            "one": (draw.uniform(0.5, 1, kinds) / 100)[of_kind],
            "other": -(draw.uniform(0.5, 1, kinds) / 100)[of_kind],
        }
        step = step_of(*weights.values()) / draw.choice([1, 1_000])
        value = sum(float(weights[name] @ paid[name]) for name in weights)
        statistics = [Statistic(rounded(value, step), step, weights, size)]
        totals = {name: int(paid[name].sum()) for name in groups if draw.random() < 0.7}
        margins = None
        if number % 2:
            # Shown or not in whole kinds, and now and then in single cells, which are no longer alike then.
            shown = draw.random(kinds)[of_kind] < 0.6
            shown &= draw.random(size) < (0.8 if number % 4 == 1 else 1.1)
            everybody = sum(paid.values())
            margins = Margins(sum(eligible.values()), np.where(shown, everybody, np.nan))
        expected = told_cell_by_cell(groups, totals, statistics, margins)
        found = told(groups, totals, statistics, LIMIT, margins)
        assert expected <= found, "a number that can be told was overlooked"
        told_ones, safe_ones = told_ones + len(expected), safe_ones + len({*groups} - expected)
        needless += len(found - expected)
    assert told_ones > 20 and safe_ones > 60
    assert needless <= 0.1 * safe_ones, "the audit may be careful, but not about everything"


def test_a_question_has_a_cell_of_its_own_and_the_others_alike_are_one_block() -> None:
    eligible = np.array([[40, 40, 40, 40, 25]])
    blocks = blocks_of([np.full(5, 0.5)], eligible, np.array([[3, 2, 3, 0, 20]]), LIMIT)
    # Four cells alike, none above the limit: asked once with the largest, three go together. Of the fifth, 20 are no small number
    # but the five not paid for are.
    assert blocks.times.tolist() == [1, 1, 3] and blocks.values.tolist() == [3, 5]
    assert eligible[0, blocks.cell].tolist() == [25, 40, 40]
    assert blocks.spots.tolist() == [1, 3]


def test_what_differs_between_cells_alike_is_not_asked_about() -> None:
    known = [np.full(3, 0.5)]
    above = blocks_of(known, np.array([[40, 40, 40]]), np.array([[3, 20, 15]]), LIMIT)
    assert not len(above.spots), "exchanged with a cell above the limit"
    few = np.array([[6, 6, 6]])
    assert not len(blocks_of(known, few, np.array([[3, 4, 3]]), LIMIT).spots)
    assert blocks_of(known, few, np.array([[3, 3, 3]]), LIMIT).values.tolist() == [3, 3], "all the same"
    apart = blocks_of([*known, np.array([1.0, np.nan, np.nan])], few, np.array([[3, 4, 4]]), LIMIT)
    assert sorted(apart.values.tolist()) == [2, 3, 3, 4], "no longer alike"
