"""Which counts of a study may be shown: all of its tables released together, behind the disclosure control of the project.

Counts are those of the flow, of groups by arm and of pools, and the equations between them. What no table shows but subtraction
would (people lost at a step) is protected as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from pipelines.disparity.disclosure import TIER, Release, audit, suppress


class Leak(RuntimeError):
    """Numbers that must not be known could be told from those shown; nothing is written."""


@dataclass
class Counts:
    """Numbers of people collected under names, and equations: (whole, parts). `tier`: which are hidden last, highest last."""

    values: dict[Hashable, int] = field(default_factory=dict)
    tier: dict[Hashable, int] = field(default_factory=dict)
    unshown: set[Hashable] = field(default_factory=set)
    sums: list[tuple[Hashable, list[Hashable]]] = field(default_factory=list)

    def add(self, name: Hashable, value: int, *, tier: int = 0) -> None:
        if name in self.values and self.values[name] != value:
            raise ValueError(f"two values of one count: {name}")
        self.values[name] = int(value)
        self.tier[name] = tier

    def part(self, whole: Hashable, parts: Sequence[Hashable], rest: Hashable | None = None) -> None:
        """`whole` is the sum of `parts`, and of a `rest` that no table shows."""
        members = list(parts)
        if rest is not None:
            self.values[rest] = self.values[whole] - sum(self.values[one] for one in parts)
            self.tier[rest] = 0
            self.unshown.add(rest)
            members.append(rest)
        self.sums.append((whole, members))

    def shown(self, limit: int) -> dict[Hashable, bool]:
        """Name -> whether it may be shown. Raises Leak where the audit finds a way to tell a number that must not be known."""
        names = list(self.values)
        place = {name: at for at, name in enumerate(names)}
        values = np.array([self.values[name] for name in names], dtype=np.int64)
        rows, columns, signs = [], [], []
        for row, (whole, parts) in enumerate(self.sums):
            for name, sign in [(whole, 1), *((one, -1) for one in parts)]:
                rows.append(row)
                columns.append(place[name])
                signs.append(sign)
        nothing = np.zeros(len(names), dtype=bool)
        release = Release(
            names=names,
            values=values,
            is_table=np.array([name not in self.unshown for name in names]),
            is_protected=(values >= 1) & (values <= limit),
            cost=np.array([self.tier[name] * TIER + self.values[name] for name in names], dtype=float),
            equations=sparse.csr_matrix((signs, (rows, columns)), shape=(len(self.sums), len(names))),
            limit=limit,
            frozen=nothing,
            known=nothing,
        )
        shown = suppress(release)
        told = audit(release, shown).given_away
        if len(told):
            raise Leak(f"{len(told)} counts of the study could be told from those shown; nothing was written")
        return {
            name: bool(shown[at]) or (self.values[name] == 0 and name not in self.unshown)
            for name, at in place.items()
        }


def masked(count: int, whole: int, limit: int) -> int:
    """A count near its whole, so that their difference does not show 1 to `limit` people: the whole then."""
    return whole if 1 <= whole - count <= limit else count
