"""Which counts of tables released together may be shown: complementary suppression and the audit of it.

An outsider is taken to know every number shown, how numbers add up, that zeros are shown (so a hidden number is at least 1), and
that differences are not negative. The audit asks, by linear programming, what such an outsider can say about each number that must
not be known: it is given away where it is shown, where its largest possible value is within the limit, or where only one value is
possible (docs/decisions/small-numbers.md).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from pipelines.disparity.worlds import TOLERANCE, Worlds

Bools = NDArray[np.bool_]
TIER = 1e9  # costs are compared by whole tiers first, then by what one hidden number closes, then within the tier


@dataclass(frozen=True)
class Release:
    """Numbers released together, n of them, and the equations between them.

    values: (n,) counts. is_table: (n,) whether the number has a place in a table; the others exist by subtraction only.
    is_protected: (n,) whether the number must not be known. cost: (n,) what hiding it costs, lowest first. equations: (m, n)
    sparse, `equations @ values` is 0. frozen: (n,) numbers of a table that an earlier release hid, so that this one must too.
    known: (n,) numbers that an earlier release shows with this value: hiding them protects nothing.
    """

    names: Sequence[Hashable]
    values: NDArray[np.int64]
    is_table: Bools
    is_protected: Bools
    cost: NDArray[np.float64]
    equations: sparse.csr_matrix
    limit: int
    frozen: Bools
    known: Bools

    def __post_init__(self) -> None:
        wrong = np.flatnonzero(self.equations @ self.values)
        if len(wrong):
            raise ValueError(f"{len(wrong)} equations of the release do not hold")


@dataclass(frozen=True)
class Audit:
    """`given_away`: places of protected numbers that can be told; `asked`: how many were asked about; `blamed`: of those that their
    equations bound, the equations with a shadow price where the number is as large as it can be."""

    given_away: NDArray[np.int64]
    asked: int
    blamed: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)


def audit(release: Release, shown: Bools, asked: NDArray[np.int64] | None = None) -> Audit:
    """What can be told of the protected numbers of a release where `shown` (n,) marks the numbers on display.

    `asked`: places of the protected numbers to ask about; all without it.
    """
    known = determined(release, (shown & release.is_table) | release.known | _zeros(release))
    asked = np.flatnonzero(release.is_protected) if asked is None else asked
    told = known[asked]
    given_away = asked[told].tolist()
    open_ = asked[~told]
    blamed: dict[int, NDArray[np.int64]] = {}
    for places, rows in components(release, known):
        mine = open_[np.isin(open_, places)]
        if len(mine):
            blamed |= told_by_bounds(release, places, rows, mine, known)
    return Audit(np.array(sorted([*given_away, *blamed]), dtype=np.int64), len(asked), blamed)


def suppress(release: Release) -> Bools:
    """The numbers to show, (n,): all but those that must not be known and those hidden to protect them.

    Each number that can still be told takes the cheapest shown number of its equations with it, until the audit finds none. Whatever
    fits the numbers shown fits fewer of them as well, so a number that is safe once need not be asked about again.
    """
    shown = release.is_table & ~release.is_protected & ~release.frozen
    open_ = np.flatnonzero(release.is_protected)
    while True:
        candidates = shown & (release.values > 0) & ~release.known
        given = (shown & release.is_table) | release.known | _zeros(release)
        known = determined(release, given)
        partners = lonely_partners(release, shown, candidates) if known[open_].any() else set()
        if not partners:
            found = audit(release, shown, open_)
            open_ = found.given_away
            if not len(open_) or not candidates.any():
                return shown
            partners = near_partners(release, found.blamed, candidates, known & ~given)
        if not partners:
            return shown
        shown[list(partners)] = False


def lonely_partners(release: Release, shown: Bools, candidates: Bools) -> set[int]:
    """A partner for each equation in which one number is hidden alone: best one that stands in another such equation too."""
    unknown = ~((shown & release.is_table) | release.known | _zeros(release))
    matrix = abs(release.equations).sign().tocsr()
    lonely = (matrix @ unknown.astype(float)) == 1
    # What exists by subtraction only may be known, unless it is protected itself.
    lonely &= (matrix @ (unknown & (release.is_table | release.is_protected)).astype(float)) == 1
    helps = matrix[lonely].T @ np.ones(int(lonely.sum()))
    chosen: set[int] = set()
    for row in np.flatnonzero(lonely):
        members = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        members = members[candidates[members]]
        if len(members) and not chosen.intersection(members.tolist()):
            tier = release.cost[members] // TIER
            order = np.lexsort((release.cost[members], -np.minimum(helps[members], 2), tier))
            chosen.add(int(members[order[0]]))
    return chosen


def near_partners(
    release: Release, blamed: Mapping[int, NDArray[np.int64]], candidates: Bools, derived: Bools
) -> set[int]:
    """For numbers that their equations bound, the cheapest shown number of those equations (`blamed`: number -> equations;
    `derived`: what is known though it is not shown).

    A number that stands in an equation which has been dealt with already waits for the next round: it may be safe by then.
    """
    equations_of = release.equations.tocsc()
    chosen: set[int] = set()
    touched: set[int] = set()
    for place, binding in blamed.items():
        stands_in = equations_of.indices[equations_of.indptr[place] : equations_of.indptr[place + 1]]
        if touched.intersection(stands_in.tolist()) or touched.intersection(binding.tolist()):
            continue
        nearby = nearest(release, binding, equations_of, candidates, derived)
        if len(nearby):
            chosen.add(int(nearby[np.argmin(release.cost[nearby])]))
            touched.update(binding.tolist())
    return chosen


def nearest(
    release: Release,
    rows: NDArray[np.int64],
    equations_of: sparse.csc_matrix,
    candidates: Bools,
    derived: Bools,
) -> NDArray[np.int64]:
    """The candidates in some equations; where they have none, those in the equations of their `derived` numbers (known, not shown)."""
    while True:
        members = np.unique(release.equations[rows].indices)
        if candidates[members].any():
            return members[candidates[members]]
        wider = np.union1d(rows, equations_of[:, members[derived[members]]].indices)
        if len(wider) == len(rows):
            return members[:0]
        rows = wider


def _zeros(release: Release) -> Bools:
    return release.is_table & (release.values == 0)


def determined(release: Release, known: Bools) -> Bools:
    """All that follows from `known` by one equation with one unknown at a time."""
    matrix = abs(release.equations).sign().tocsr()
    known = known.copy()
    while True:
        unknown = (~known).astype(float)
        lonely = (matrix @ unknown) == 1
        if not lonely.any():
            return known
        solved = (matrix[lonely].T @ np.ones(int(lonely.sum()))) > 0
        known |= solved


def components(release: Release, known: Bools) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Unknown numbers that hang together, with the equations among them: places and rows of each part."""
    unknown = np.flatnonzero(~known)
    if not len(unknown):
        return []
    part = release.equations[:, unknown].tocsr()
    # Numbers and equations are the nodes: an equation of all practices links them by itself, where pairs of them would be a billion.
    links = sparse.bmat([[None, part.T], [part, None]], format="csr")
    _, label = connected_components(links, directed=False)
    of_number, of_row = label[: len(unknown)], label[len(unknown) :]
    rows = np.flatnonzero(np.diff(part.indptr))
    _, first, of_number = np.unique(of_number, return_index=True, return_inverse=True)
    of_row = np.searchsorted(label[first], of_row[rows])
    return [
        (unknown[numbers], rows[mine])
        for numbers, mine in sorted(
            zip(_by_label(of_number, len(first)), _by_label(of_row, len(first)), strict=True),
            key=lambda pair: int(pair[0][0]),
        )
    ]


def _by_label(labels: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Places of each label 0..count-1, ascending."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, count)))


def told_by_bounds(
    release: Release,
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    asked: NDArray[np.int64],
    known: Bools,
) -> dict[int, NDArray[np.int64]]:
    """Of the `asked` numbers of one part, those that its equations bound within the limit or to one value -> these equations."""
    matrix = release.equations[rows]
    right = -(matrix @ np.where(known, release.values, 0))
    worlds = Worlds(matrix[:, places], right, np.where(release.is_table[places], 1.0, 0.0))
    index = {int(place): spot for spot, place in enumerate(places)}
    spots = np.array([index[int(place)] for place in asked])
    # A number above the limit is protected from being known exactly; another value that it could have does.
    wanted = np.where(release.values[asked] > release.limit, release.values[asked] + 1, release.limit + 1)
    high = worlds.can_reach(spots, wanted)
    told = {}
    for place, spot in zip(asked[~high], spots[~high], strict=True):
        most, binding = worlds.largest(int(spot))
        if most <= release.limit + TOLERANCE or most - worlds.least(int(spot)) < 1 - TOLERANCE:
            told[int(place)] = rows[binding]
    return told
