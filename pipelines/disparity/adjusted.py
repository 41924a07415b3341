"""Statistics over cells that are not published: standardised rates, decompositions, and which of them may be shown.

Such a statistic is a weighted sum of people paid for, one number a cell. It is shown to a step that two people more or less in any
cell fill, and only where the sums shown do not tell a number of 1 to the limit in any cell: the audit gives an outsider the people
eligible in every cell, the group's people paid for, and every statistic within its step, and asks by linear programming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipelines.disparity import decompose, standardise
from pipelines.disparity.alike import blocks_of
from pipelines.disparity.worlds import TOLERANCE, Worlds

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
FEWEST = 30  # people in a cell that a rate is made of: fewest that NCHS presents a proportion of (Parker and others 2017)
COARSEST = 0.005  # a statistic that only a wider step protects says too little
PEOPLE_A_STEP = 2


@dataclass(frozen=True)
class Cells:
    """One group's cells in their order: people eligible and of them people paid for, (n,) each."""

    eligible: Ints
    paid: Ints


@dataclass(frozen=True)
class Margins:
    """Everybody's cells where another table shows them: people eligible and, nan where hidden, people paid for, (n,) each."""

    eligible: Ints
    paid: Floats


@dataclass(frozen=True)
class Statistic:
    """A statistic as it may be shown, in multiples of `step`; `weights`: group -> (n,) what one person paid for adds to it."""

    value: float
    step: float
    weights: Mapping[str, Floats]
    cells: int

    @property
    def groups(self) -> set[str]:
        return set(self.weights)


@dataclass(frozen=True)
class Rate(Statistic):
    """A standardised rate with its interval, both as they may be shown."""

    lower: float
    upper: float


def step_of(*weights: Floats) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that PEOPLE_A_STEP people in one cell do not exceed."""
    least = PEOPLE_A_STEP * max((float(np.abs(one).max(initial=0)) for one in weights), default=0.0)
    if least <= 0:
        return COARSEST
    power = 10.0 ** math.floor(math.log10(least))
    return next(float(power * one) for one in (1, 2, 5, 10) if power * one >= least * (1 - 1e-12))


def rounded(value: float, step: float) -> float:
    """To a multiple of the step, written without a binary rest."""
    return round(round(value / step) * step, 9)


def merged(*eligible: Ints, fewest: int = FEWEST) -> Ints:
    """Numbers (n,) of strata: neighbouring cells together until every group has `fewest` people in each; the rest joins the last."""
    strata, sums, number = (
        np.zeros(len(eligible[0]), dtype=np.int64),
        np.zeros(len(eligible), dtype=np.int64),
        0,
    )
    for cell, people in enumerate(zip(*eligible, strict=True)):
        strata[cell] = number
        sums += np.array(people)
        if (sums >= fewest).all():
            number, sums = number + 1, np.zeros(len(eligible), dtype=np.int64)
    if sums.any() or (strata == number).any():
        strata[strata == number] = max(number - 1, 0)
    return strata


def standardised(group: str, cells: Cells, standard: Ints) -> Rate | None:
    """The group's rate with the weights of the standard population; None where it has too few people for two strata."""
    strata = merged(cells.eligible)
    count = int(strata.max()) + 1
    if count < 2:
        return None
    n, c, w = (np.bincount(strata, one, count) for one in (cells.eligible, cells.paid, standard))
    found = standardise.direct(c, n, w)
    weights = (w / w.sum() / n)[strata]
    step = step_of(weights)
    if step > COARSEST:
        return None
    value, lower, upper = (rounded(one, step) for one in (found.rate, found.lower, found.upper))
    return Rate(value, step, {group: weights}, count, lower, upper)


def within(group: str, one: Cells, reference: str, other: Cells) -> Statistic | None:
    """What of the gap of two groups lies within cells (Kitagawa's rates); the rest of the gap is their mix of cells."""
    return _within(group, one, reference, other, merged(one.eligible, other.eligible))


def within_practices(group: str, one: Cells, reference: str, other: Cells) -> Statistic | None:
    """The same with practices as cells. Practices with enough people of both groups stand for themselves; those of one group only
    are taken together, so that they fall to sorting between practices, and so are those with a few people of both."""
    both = (one.eligible >= FEWEST) & (other.eligible >= FEWEST)
    only_one, only_other = other.eligible == 0, one.eligible == 0
    rest = ~both & ~only_one & ~only_other
    strata = np.full(len(both), -1, dtype=np.int64)
    strata[both] = np.arange(int(both.sum()))
    number = int(both.sum())
    for pool in (only_one, only_other, rest):
        if pool.any():
            strata[pool] = number
            number += 1
    return _within(group, one, reference, other, strata) if both.any() else None


def _within(group: str, one: Cells, reference: str, other: Cells, strata: Ints) -> Statistic | None:
    count = int(strata.max()) + 1
    if count < 2:
        return None
    n1, c1, n2, c2 = (
        np.bincount(strata, cells, count) for cells in (one.eligible, one.paid, other.eligible, other.paid)
    )
    if any(0 < people < FEWEST for people in (*n1, *n2)):
        return None
    rates = [np.divide(c, n, out=np.full(count, np.nan), where=n > 0) for c, n in ((c1, n1), (c2, n2))]
    found = decompose.kitagawa(n1, rates[0], n2, rates[1])
    # Only strata with both groups have rates to compare; elsewhere one group's rate stands for both.
    share = np.where((n1 > 0) & (n2 > 0), (n1 / n1.sum() + n2 / n2.sum()) / 2, 0.0)
    weights = [np.divide(share, n, out=np.zeros(count), where=n > 0)[strata] for n in (n1, n2)]
    step = step_of(*weights)
    if step > COARSEST:
        return None
    return Statistic(rounded(found.rates, step), step, {group: weights[0], reference: -weights[1]}, count)


def told(
    groups: Mapping[str, Cells],
    totals: Mapping[str, int],
    statistics: Sequence[Statistic],
    limit: int,
    margins: Margins | None = None,
) -> set[str]:
    """Groups of which a number of 1 to `limit` people in some cell can be told from their total and the statistics.

    groups: group -> its cells, all of the same length; totals: people paid for of the groups where that is shown; margins: what is
    known of everybody in each cell.
    """
    named = sorted({group for one in statistics for group in one.groups})
    if not named:
        return set()
    eligible, paid = (
        np.array([getattr(groups[group], one) for group in named]) for one in ("eligible", "paid")
    )
    sums_known = [known for one in statistics for known in known_of(one)]
    known_of_cells = [each for *_, weights in sums_known for each in weights.values()]
    if margins:
        known_of_cells += [margins.eligible.astype(float), margins.paid]
    blocks = blocks_of(known_of_cells, eligible, paid, limit)
    if not len(blocks.spots):
        return set()
    size = len(blocks.cell)
    first = {group: number * size for number, group in enumerate(named)}
    people = (eligible[:, blocks.cell] * blocks.times).ravel().astype(float)
    count = len(people)
    rows: list[Any] = []
    right: list[float] = []
    # Each cell: people paid for and people not paid for are the people eligible.
    for group in named:
        if group in totals:
            line = np.zeros(count)
            line[first[group] : first[group] + size] = 1
            rows.append(line)
            right.append(float(totals[group]))
    slack = 0
    bands: list[tuple[int, int, float]] = []
    for value, width, weights in sums_known:
        line = np.zeros(count)
        for group, each in weights.items():
            line[first[group] : first[group] + size] += each[blocks.cell]
        bands.append((len(rows), slack, width))
        rows.append(line)
        right.append(value - width / 2)
        slack += 2
    # A sum known within a band: sum - over = lowest, and over + under = width. In units of people, so that tolerances mean something.
    height = len(rows)
    of_everybody = (
        np.flatnonzero(~np.isnan(margins.paid[blocks.cell])) if margins else np.zeros(0, dtype=np.int64)
    )
    sums = 2 * len(of_everybody)
    spots = np.arange(count)
    # What each entry of the matrix is: rows, columns, numbers.
    entries: list[tuple[Any, Any, Any]] = [(spots, spots, 1.0), (spots, count + spots, 1.0)]
    scales = [1.0] * height
    known = [*people, *right, *([0.0] * len(bands))]
    for number, (place, spot, width) in enumerate(bands):
        scales[place] = max(float(np.abs(rows[place]).max()), 1e-12)
        row, over = count + height + number, 2 * count + spot
        entries += [(count + place, over, -1.0), (row, over, 1.0), (row, over + 1, 1.0)]
        known[count + place] = right[place] / scales[place]
        known[row] = width / scales[place]
    for place, line in enumerate(rows):
        filled = np.flatnonzero(line)
        entries.append((count + place, filled, line[filled] / scales[place]))
    # Everybody paid for in a cell: the groups asked about here, and others, of whom no more are paid for than are eligible.
    if margins:
        cells, times = blocks.cell[of_everybody], blocks.times[of_everybody]
        of_cell = count + height + len(bands) + 2 * np.arange(len(of_everybody))
        of_others = 2 * count + slack + 2 * np.arange(len(of_everybody))
        entries += [(of_cell, first[group] + of_everybody, 1.0) for group in named]
        entries += [
            (of_cell, of_others, 1.0),
            (of_cell + 1, of_others, 1.0),
            (of_cell + 1, of_others + 1, 1.0),
        ]
        rest = margins.eligible[cells] - eligible[:, cells].sum(axis=0)
        known += np.column_stack([margins.paid[cells] * times, rest * times]).ravel().tolist()
    across, down, numbers = zip(*(np.broadcast_arrays(*entry) for entry in entries), strict=True)
    matrix = sparse.csc_matrix(
        (
            np.concatenate([np.ravel(one) for one in numbers]),
            (
                np.concatenate([np.ravel(one) for one in across]),
                np.concatenate([np.ravel(one) for one in down]),
            ),
        ),
        shape=(count + height + len(bands) + sums, 2 * count + slack + sums),
    )
    given, lower = np.array(known), np.zeros(matrix.shape[1])
    room = np.concatenate([people, people])[blocks.spots]
    group_of = np.array(named)[(blocks.spots % count) // size]
    worlds = Worlds(matrix, given, lower)
    is_large = room > limit
    can_be_large = blocks.spots[is_large]
    high = worlds.can_reach(can_be_large, np.full(len(can_be_large), limit + 1))
    leaky = set(group_of[is_large][~high].tolist())
    # Few are eligible, so few are paid for whatever is published; how many must stay open: it is where there is a world with one
    # more, or with one less, which is one more of those not paid for. What is left is asked one by one, a group until one is told.
    asked = ~is_large & ~np.isin(group_of, list(leaky))
    few, values, room = blocks.spots[asked], blocks.values[asked], room[asked]
    still = ~worlds.can_reach(few, values + 1)
    few, values, room = few[still], values[still], room[still]
    others = (few + count) % (2 * count)
    few = few[~worlds.can_reach(others, room - values + 1)]
    for spot in few:
        group = named[(int(spot) % count) // size]
        if group not in leaky and worlds.largest(int(spot))[0] - worlds.least(int(spot)) < 1 - TOLERANCE:
            leaky.add(group)
    return leaky


def known_of(one: Statistic) -> list[tuple[float, float, Mapping[str, Floats]]]:
    """What is known of a statistic: sums as (value, width of the band that it lies in, weights). Of a rate with an interval the
    variance as well, as far as bounds that are shown to a step tell it."""
    found: list[tuple[float, float, Mapping[str, Floats]]] = [(one.value, one.step, one.weights)]
    if isinstance(one, Rate) and one.upper > one.lower:
        half = (one.upper - one.lower) / 2
        low, high = (((half + sign * one.step) / 1.96) ** 2 for sign in (-1, 1))
        # Gamma bounds lie apart from the normal ones by a few percent.
        low, high = (0.8 * low if half > one.step else 0.0), 1.2 * high
        found.append(((low + high) / 2, high - low, {group: each**2 for group, each in one.weights.items()}))
    return found


def safe(
    groups: Mapping[str, Cells],
    totals: Mapping[str, int],
    statistics: Sequence[Statistic],
    limit: int,
    margins: Margins | None = None,
) -> list[Statistic]:
    """Those of the statistics that may be shown together: all, less every statistic of a group of which something can be told."""
    kept = list(statistics)
    while kept:
        leaky = told(groups, totals, kept, limit, margins)
        if not leaky:
            return kept
        kept = [one for one in kept if not one.groups & leaky]
    return kept
