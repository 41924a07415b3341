"""Which counts of tables released together may be shown: complementary suppression and the audit of it.

An outsider is taken to know every number shown, how numbers add up, that zeros are shown (so a hidden number is at least 1), and
that differences are not negative. The audit asks, by linear programming, what such an outsider can say about each number that must
not be known: it is given away where it is shown, where its largest possible value is within the limit, or where only one value is
possible (docs/decisions/small-numbers.md).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse.csgraph import connected_components

Bools = NDArray[np.bool_]
TOLERANCE = 1e-6
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
    """`given_away`: places of protected numbers that can be told; `asked`: how many were asked about."""

    given_away: NDArray[np.int64]
    asked: int


def audit(release: Release, shown: Bools, asked: NDArray[np.int64] | None = None) -> Audit:
    """What can be told of the protected numbers of a release where `shown` (n,) marks the numbers on display.

    `asked`: places of the protected numbers to ask about; all without it.
    """
    known = determined(release, (shown & release.is_table) | release.known | _zeros(release))
    asked = np.flatnonzero(release.is_protected) if asked is None else asked
    told = known[asked]
    given_away = asked[told].tolist()
    open_ = asked[~told]
    for places, rows in components(release, known):
        mine = open_[np.isin(open_, places)]
        if len(mine):
            given_away += told_by_bounds(release, places, rows, mine, known)
    return Audit(np.array(sorted(given_away), dtype=np.int64), len(asked))


def suppress(release: Release) -> Bools:
    """The numbers to show, (n,): all but those that must not be known and those hidden to protect them.

    Each number that can still be told takes the cheapest shown number of its equations with it, until the audit finds none. Whatever
    fits the numbers shown fits fewer of them as well, so a number that is safe once need not be asked about again.
    """
    shown = release.is_table & ~release.is_protected & ~release.frozen
    open_ = np.flatnonzero(release.is_protected)
    while True:
        candidates = shown & (release.values > 0) & ~release.known
        known = determined(release, (shown & release.is_table) | release.known | _zeros(release))
        partners = lonely_partners(release, shown, candidates) if known[open_].any() else set()
        if not partners:
            open_ = audit(release, shown, open_).given_away
            if not len(open_) or not candidates.any():
                return shown
            partners = near_partners(release, open_, shown, candidates)
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


def near_partners(release: Release, found: NDArray[np.int64], shown: Bools, candidates: Bools) -> set[int]:
    """For numbers that can be told, the cheapest shown number of the equations that tell them.

    Those are the equations with a shadow price where the number is as large as it can be. A number that stands in an equation which
    has been dealt with already waits for the next round: it may be safe by then.
    """
    known = (shown & release.is_table) | release.known | _zeros(release)
    equations_of = release.equations.tocsc()
    chosen: set[int] = set()
    touched: set[int] = set()
    for places, rows in components(release, known):
        mine = found[np.isin(found, places)]
        if not len(mine):
            continue
        matrix = release.equations[rows]
        left, right = matrix[:, places].tocsc(), -(matrix @ np.where(known, release.values, 0))
        lower = np.where(release.is_table[places], 1.0, 0.0)
        for place in mine:
            stands_in = equations_of.indices[equations_of.indptr[place] : equations_of.indptr[place + 1]]
            if touched.intersection(stands_in.tolist()):
                continue
            result = linprog(
                -(places == place).astype(float),
                A_eq=left,
                b_eq=right,
                bounds=np.column_stack([lower, np.full(len(lower), np.inf)]),
                method="highs",
            )
            binding = rows[np.abs(result.eqlin.marginals) > TOLERANCE]
            nearby = np.unique(release.equations[binding].indices)
            nearby = nearby[candidates[nearby]]
            if len(nearby) and not touched.intersection(binding.tolist()):
                chosen.add(int(nearby[np.argmin(release.cost[nearby])]))
                touched.update(binding.tolist())
    return chosen


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
    rows = np.flatnonzero(np.diff(part.indptr))
    linked = (abs(part).sign().T @ abs(part).sign()).tocsr()
    count, label = connected_components(linked, directed=False)
    row_label = label[part.indices[part.indptr[rows]]]
    return [(unknown[label == one], rows[row_label == one]) for one in range(count)]


def told_by_bounds(
    release: Release,
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    asked: NDArray[np.int64],
    known: Bools,
) -> list[int]:
    """Of the `asked` numbers of one part, those that its equations bound within the limit or to one value."""
    matrix = release.equations[rows]
    right = -(matrix @ np.where(known, release.values, 0))
    left = matrix[:, places].tocsc()
    lower = np.where(release.is_table[places], 1.0, 0.0)
    index = {int(place): spot for spot, place in enumerate(places)}
    spots = np.array([index[int(place)] for place in asked])
    # A number above the limit is protected from being known exactly; another value that it could have does.
    wanted = np.where(release.values[asked] > release.limit, release.values[asked] + 1, release.limit + 1)
    high = can_reach(left, right, lower, spots, wanted)
    told = []
    for place, spot in zip(asked[~high], spots[~high], strict=True):
        most = bound(left, right, lower, int(spot), -1)
        if (
            most <= release.limit + TOLERANCE
            or most - bound(left, right, lower, int(spot), 1) < 1 - TOLERANCE
        ):
            told.append(int(place))
    return told


def can_reach(
    left: Any, right: Any, lower: Any, spots: NDArray[np.int64], wanted: NDArray[np.int64]
) -> Bools:
    """Which of `spots` have their `wanted` value or more in some world that fits everything known.

    One program looks for a world with as many of them there as it finds; whoever is there in it is safe. Asked again of the
    rest, so that few are left to be asked one by one.
    """
    high = np.zeros(len(spots), bool)
    count, total = len(lower), left.shape[0]
    while not high.all():
        rest, need = spots[~high], wanted[~high]
        picks = sparse.csr_matrix(
            (np.ones(len(rest)), (np.arange(len(rest)), rest)), shape=(len(rest), count)
        )
        result = linprog(
            np.concatenate([np.zeros(count), -1.0 / need]),
            A_ub=sparse.hstack([-picks, sparse.identity(len(rest))]).tocsr(),
            b_ub=np.zeros(len(rest)),
            A_eq=sparse.hstack([left, sparse.csr_matrix((total, len(rest)))]).tocsr(),
            b_eq=right,
            bounds=np.column_stack(
                [np.append(lower, np.zeros(len(rest))), np.append(np.full(count, np.inf), need)]
            ),
            method="highs",
        )
        if not result.success:
            raise ValueError(f"the audit could not be solved: {result.message}")
        new = result.x[rest] >= need - TOLERANCE
        if not new.any():
            return high
        high[np.flatnonzero(~high)[new]] = True
    return high


def bound(left: Any, right: Any, lower: Any, spot: int, sign: int) -> float:
    """Least (sign 1) or largest (sign -1) value of one unknown; infinite where nothing bounds it."""
    objective = np.zeros(len(lower))
    objective[spot] = sign
    limits = np.column_stack([lower, np.full(len(lower), np.inf)])
    result = linprog(objective, A_eq=left, b_eq=right, bounds=limits, method="highs")
    if result.status == 3:
        return -sign * np.inf
    if not result.success:
        raise ValueError(f"the audit could not be solved: {result.message}")
    return float(sign * result.fun)
