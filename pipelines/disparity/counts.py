"""The yearly counts behind the measures as one release: which numbers there are and how they hang together.

The equations are everything an outsider can subtract: groups of a kind from everybody, each count from the one it is part of,
people from their months, and years from the capture states by month and the funnel of the run that pages show beside them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from pipelines.disparity.disclosure import TIER, Bools, Release

EVERYBODY = "everybody"
# What is published of everybody and of a group: each count is part of the one before it (dbt tests hold the marts to it). Of a
# group, counts that always differ by a few people (billed and paid, paid and continuable) are not both published.
MONTHS = ("assessable", "eligible", "billed", "paid", "continuable", "retained")
PEOPLE = ("enrolled", "eligible", "consented", "billed", "paid", "lasting")
GROUP_MONTHS = ("assessable", "eligible", "paid")
GROUP_PEOPLE = ("enrolled", "eligible", "consented", "paid", "lasting")
# What is hidden last where something must be hidden to protect another number.
KEPT = ("eligible_people", "paid_people", "enrolled_people", "eligible_months", "paid_months")

# Capture states of people who are in no eligible month.
OUTSIDE = ("not_eligible", "eligibility_not_assessable")

Key = tuple[str, str, str]  # group kind, group, count


def chains(kind: str) -> dict[str, tuple[str, ...]]:
    """What is published of groups of a kind, by unit, each part of the one before it."""
    if kind == EVERYBODY:
        return {"months": MONTHS, "people": PEOPLE}
    return {"months": GROUP_MONTHS, "people": GROUP_PEOPLE}


def counts_of(kind: str) -> list[str]:
    """Columns of fct_measure_counts that are published of groups of a kind."""
    return [f"{name}_{unit}" for unit, names in chains(kind).items() for name in names]


class Numbers:
    """Numbers and equations of one release while they are collected."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.place: dict[Any, int] = {}
        self.rows: list[tuple[Any, int, bool, bool, float]] = []
        self.known: set[Any] = set()
        self.frozen: set[Any] = set()
        self.withheld: set[Any] = set()  # left out of their table, zeros and all
        self.terms: list[tuple[int, int, float]] = []
        self.equations = 0

    def add(self, name: Any, value: int, *, is_table: bool, is_protected: bool, cost: float = 0.0) -> None:
        self.place[name] = len(self.rows)
        self.rows.append((name, value, is_table, is_protected, cost))

    def equate(self, terms: Mapping[Any, float]) -> None:
        """The sum of factor times number over `terms` is 0."""
        self.terms += [(self.equations, self.place[name], factor) for name, factor in terms.items()]
        self.equations += 1

    def protect(self, name: Any) -> None:
        place = self.place[name]
        _, value, is_table, _, cost = self.rows[place]
        self.rows[place] = (name, value, is_table, True, cost)

    def value(self, name: Any) -> int:
        return int(self.rows[self.place[name]][1])

    def is_small(self, value: int) -> bool:
        return 1 <= value <= self.limit

    def release(self) -> Release:
        names, values, is_table, is_protected, cost = zip(*self.rows, strict=True)
        row, column, factor = (np.array(one) for one in zip(*self.terms, strict=True))
        return Release(
            names=names,
            values=np.array(values, dtype=np.int64),
            is_table=np.array(is_table) & ~self.marked(self.withheld),
            is_protected=np.array(is_protected),
            cost=np.array(cost),
            equations=sparse.csr_matrix((factor, (row, column)), shape=(self.equations, len(names))),
            limit=self.limit,
            frozen=self.marked(self.frozen),
            known=self.marked(self.known),
        )

    def marked(self, names: set[Any]) -> Bools:
        return np.array([row[0] in names for row in self.rows])


def release_of_year(
    counts: Mapping[tuple[str, str], Mapping[str, int]],
    limit: int,
    *,
    states: Sequence[tuple[Any, str, int, bool, bool]] = (),
    wider: Mapping[str, tuple[int, bool]] | None = None,
    earlier: Mapping[Key, Sequence[int | None]] | None = None,
    more: Callable[[Numbers], None] | None = None,
) -> Release:
    """The release of one calendar year.

    counts: (group kind, group) -> the numbers of a row of `fct_measure_counts`. states: the capture states by month of the year as
    (month, state, people, whether the page shows them, whether it shows the month's total). wider: count of people -> the same of the
    whole run and whether the page shows it. earlier: what earlier releases said of each number, None where hidden. more: adds
    further numbers that are parts of these.
    """
    numbers = Numbers(limit)
    fill_year(numbers, counts)
    if more:
        more(numbers)
    if states:
        _add_states(numbers, states)
    for count, (people, is_shown) in (wider or {}).items():
        of_run = ("run", count)
        numbers.add(of_run, people, is_table=True, is_protected=False)
        (numbers.known if is_shown else numbers.frozen).add(of_run)
        beside(numbers, of_run, [(EVERYBODY, EVERYBODY, count)])
    for name, said in (earlier or {}).items():
        if name in numbers.place:
            _remember(numbers, name, said)
    return numbers.release()


def fill_year(
    numbers: Numbers,
    counts: Mapping[tuple[str, str], Mapping[str, int]],
    prefix: tuple[Any, ...] = (),
) -> None:
    """Add a year's counts to `numbers`, each named `prefix`, group kind, group and count."""
    for (kind, group), row in counts.items():
        _add_group(numbers, kind, group, row, prefix)
    for kind in dict.fromkeys(kind for kind, _ in counts if kind != EVERYBODY):
        groups = [group for one, group in counts if one == kind]
        for count in counts_of(kind):
            parts = {(*prefix, kind, group, count): 1.0 for group in groups}
            numbers.equate({**parts, (*prefix, EVERYBODY, EVERYBODY, count): -1.0})


def _add_group(
    numbers: Numbers, kind: str, group: str, row: Mapping[str, int], prefix: tuple[Any, ...]
) -> None:
    """The group's counts, how far each is from the one it is part of, and how people and months hang together."""
    place = (*prefix, kind, group)
    for count in counts_of(kind):
        people = count.replace("_months", "_people")
        is_small = numbers.is_small(row[count]) or numbers.is_small(row[people])
        keep = len(KEPT) - KEPT.index(count) if count in KEPT else 0
        numbers.add(
            (*prefix, kind, group, count),
            row[count],
            is_table=True,
            is_protected=is_small,
            cost=min(row[count], TIER - 1) + TIER * (keep + (100 if kind == EVERYBODY else 0)),
        )
    for unit, chain in chains(kind).items():
        for whole, part in itertools.pairwise(chain):
            outer, inner = f"{whole}_{unit}", f"{part}_{unit}"
            _subtract(numbers, place, outer, inner, row[outer] - row[inner], is_count=True)
    for name in [one for one in chains(kind)["months"] if one in chains(kind)["people"]]:
        people, months = f"{name}_people", f"{name}_months"
        _subtract(numbers, place, months, people, row[months] - row[people], is_count=False)
        # No more than twelve months a person.
        spare = (*place, "spare", name)
        numbers.add(spare, 12 * row[people] - row[months], is_table=False, is_protected=False)
        numbers.equate({(*place, people): 12.0, (*place, months): -1.0, spare: -1.0})


def _subtract(
    numbers: Numbers, place: tuple[Any, ...], whole: str, part: str, rest: int, *, is_count: bool
) -> None:
    name = (*place, whole, part)
    numbers.add(name, rest, is_table=False, is_protected=is_count and numbers.is_small(rest))
    numbers.equate({(*place, whole): 1.0, (*place, part): -1.0, name: -1.0})


def _add_states(numbers: Numbers, states: Sequence[tuple[Any, str, int, bool, bool]]) -> None:
    """Capture states by month: each month's add up to a total on the page, the year's to what is counted here."""
    for month, state, people, is_shown, _ in states:
        numbers.add((month, state), people, is_table=True, is_protected=numbers.is_small(people))
        if is_shown:
            numbers.known.add((month, state))
        else:
            numbers.frozen.add((month, state))
    for month in dict.fromkeys(month for month, *_ in states):
        mine = [(one, state) for one, state, *_ in states if one == month]
        numbers.add(
            (month,), sum(people for one, _, people, *_ in states if one == month),
            is_table=True, is_protected=False,
        )  # fmt: skip
        (numbers.known if any(row[4] for row in states if row[0] == month) else numbers.frozen).add((month,))
        numbers.equate({**dict.fromkeys(mine, 1.0), (month,): -1.0})
    for count in ("eligible", "billed"):
        members = [(month, state) for month, state, *_ in states if is_of(state, count)]
        numbers.equate({**dict.fromkeys(members, 1.0), (EVERYBODY, EVERYBODY, f"{count}_months"): -1.0})
    months: dict[Any, list[str]] = {}
    for month, state, *_ in states:
        months.setdefault(month, []).append(state)
    for month, of_month in months.items():
        beside_month(numbers, (), (month,), {state: (month, state) for state in of_month})


def is_of(state: str, count: str) -> bool:
    """Whether people in a capture state count as eligible, or as billed."""
    return state.startswith("billed") if count == "billed" else state not in OUTSIDE


def beside_month(
    numbers: Numbers, prefix: tuple[Any, ...], total: Hashable, states: Mapping[str, Hashable]
) -> None:
    """People of a year contain those of each of its months, so the rest is a number of people too. `states`: state -> its name."""
    every = (*prefix, EVERYBODY, EVERYBODY)
    beside(numbers, (*every, "enrolled_people"), [total])
    for count in ("eligible", "billed"):
        beside(
            numbers,
            (*every, f"{count}_people"),
            [name for state, name in states.items() if is_of(state, count)],
        )


def beside(numbers: Numbers, whole: Hashable, parts: Sequence[Hashable]) -> None:
    """What `whole` is more than the sum of `parts` is people whom no table shows, and must not be known where they are few."""
    if not parts:
        return
    rest = numbers.value(whole) - sum(numbers.value(part) for part in parts)
    name = ("less", whole, *parts)
    numbers.add(name, rest, is_table=False, is_protected=numbers.is_small(rest))
    numbers.equate({whole: 1.0, **dict.fromkeys(parts, -1.0), name: -1.0})


def _remember(numbers: Numbers, name: Key, said: Sequence[int | None]) -> None:
    """What was hidden stays hidden; what changed by a few people is hidden, and must not be told by the rest either."""
    value = numbers.value(name)
    if None in said:
        numbers.frozen.add(name)
    shown = [one for one in said if one is not None]
    if any(numbers.is_small(abs(value - one)) for one in shown):
        numbers.protect(name)
    elif value in shown:
        numbers.known.add(name)
