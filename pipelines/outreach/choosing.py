"""Whom each practice asks this month: as much need as its capacity holds, with every group asked in step with its share of need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from pipelines.outreach.evidence import UNKNOWN, Bools, Floats

EVERY = "every"
SHORT = 10.0  # what one person short of a floor costs, in need: more than any exchange can win
GAP = 1e-4  # part of the best possible need that may be left: the answer is the same from run to run


@dataclass(frozen=True)
class Floor:
    """A group, the people asked that its share of need calls for, and those it got."""

    kind: str
    group: str
    share_of_need: float
    least: float
    asked: int


@dataclass(frozen=True)
class Chosen:
    """`asked`: (n,) to be asked now. `moved`: (n,) only because of a floor. `floors`: one a group."""

    asked: Bools
    moved: Bools
    floors: list[Floor]

    @property
    def unmet(self) -> list[Floor]:
        return [floor for floor in self.floors if floor.asked < floor.least - 1e-9]


def by_capacity(people: pl.DataFrame, capacity: Mapping[str, tuple[int, int]]) -> Bools:
    """(n,) the first of each practitioner, and of those the first of each practice, by `place` (1 first within the practice)."""
    limits = _limits(people, capacity)
    first = (
        people.select("practice_id", "practitioner_npi", "place").hstack(limits)
        .with_columns(of_practitioner=pl.col("place").rank("ordinal").over("practice_id", "practitioner_npi"))
        .with_columns(stays=pl.col("of_practitioner") <= pl.col("each"))
        .with_columns(of_practice=pl.when("stays").then("place").rank("ordinal").over("practice_id"))
        .select((pl.col("stays") & (pl.col("of_practice") <= pl.col("most"))).fill_null(False))
    )  # fmt: skip
    return np.asarray(first.to_series().to_numpy(), dtype=bool)


def _limits(people: pl.DataFrame, capacity: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    """(n,) `most` people of the person's practice, `each` of the practitioner."""
    usual = capacity[EVERY]
    return people.select(
        pl.col("practice_id").replace_strict({key: one[0] for key, one in capacity.items()}, default=usual[0]).alias("most"),
        pl.col("practice_id").replace_strict({key: one[1] for key, one in capacity.items()}, default=usual[1]).alias("each"),
    )  # fmt: skip


def choose(
    people: pl.DataFrame, need: Floats, capacity: Mapping[str, tuple[int, int]], kinds: tuple[str, ...], tolerance: float
) -> Chosen:  # fmt: skip
    """As much `need` (n,) as capacity holds, where each group of `kinds` is asked at least (1 - `tolerance`) of its share of need.

    `people`: practice_id, practitioner_npi, place and a column a kind. A floor that capacity cannot meet is met as nearly as can be
    and says so. People whose group is unknown have no floor.
    """
    first = by_capacity(people, capacity)
    floors = _floors(people, need, first, kinds, tolerance)
    if not any(floor.asked < floor.least - 1e-9 for floor in floors):
        return Chosen(first, np.zeros(len(first), dtype=bool), floors)
    asked = _exchanged(people, need, first, capacity, floors)
    return Chosen(asked, asked & ~first, _floors(people, need, asked, kinds, tolerance))


def _floors(
    people: pl.DataFrame, need: Floats, asked: Bools, kinds: tuple[str, ...], tolerance: float
) -> list[Floor]:
    found = []
    for kind in kinds:
        groups = people[kind].to_numpy()
        for group in sorted(set(groups.tolist()) - {UNKNOWN}):
            mine = groups == group
            share = float(need[mine].sum() / need.sum()) if need.sum() else 0.0
            # whole people: a floor of 3.4 is one of 3
            least = float(np.floor((1 - tolerance) * share * asked.sum()))
            found.append(Floor(kind, str(group), share, least, int(asked[mine].sum())))
    return found


def _exchanged(
    people: pl.DataFrame,
    need: Floats,
    first: Bools,
    capacity: Mapping[str, tuple[int, int]],
    floors: list[Floor],
) -> Bools:
    """The most need with the floors held: a mixed-integer program over everybody (HiGHS), as many people as before."""
    count = people.height
    limits = _limits(people, capacity)
    practice = people["practice_id"].rank("dense").to_numpy().astype(int) - 1
    practitioner = (
        people.select(pl.struct("practice_id", "practitioner_npi").rank("dense"))
        .to_series().to_numpy().astype(int) - 1
    )  # fmt: skip
    rows, highs, lows = [], [], []
    for place, most in ((practice, limits["most"].to_numpy()), (practitioner, limits["each"].to_numpy())):
        size = place.max() + 1
        part = sparse.csr_matrix((np.ones(count), (place, np.arange(count))), shape=(size, count))
        bound = np.zeros(size)
        bound[place] = most
        rows.append(sparse.hstack([part, sparse.csr_matrix((size, len(floors)))]))
        highs.append(bound)
        lows.append(np.zeros(size))
    members = sparse.csr_matrix(
        np.stack([(people[floor.kind].to_numpy() == floor.group).astype(float) for floor in floors])
    )
    rows.append(sparse.hstack([members, sparse.identity(len(floors))]))
    highs.append(np.full(len(floors), np.inf))
    lows.append(np.array([floor.least for floor in floors]))
    total = float(first.sum())
    rows.append(sparse.hstack([sparse.csr_matrix(np.ones((1, count))), sparse.csr_matrix((1, len(floors)))]))
    highs.append(np.array([total]))
    lows.append(np.array([total]))
    found = milp(
        np.concatenate([-need, np.full(len(floors), SHORT)]),
        constraints=LinearConstraint(
            sparse.vstack(rows).tocsc(), np.concatenate(lows), np.concatenate(highs)
        ),
        integrality=np.concatenate([np.ones(count), np.zeros(len(floors))]),
        bounds=Bounds(0, np.concatenate([np.ones(count), np.full(len(floors), np.inf)])),
        options={"mip_rel_gap": GAP},
    )
    if found.x is None:
        raise ValueError(f"whom to ask could not be solved: {found.message}")
    return np.asarray(found.x[:count] > 0.5)
