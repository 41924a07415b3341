"""One year of the published measures: what is shown of its counts, and what is made of them. Nothing here reads a database.

Years do not depend on one another, so each can be made in a process of its own: nearly all of it uses one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from pipelines.disparity import breakdowns, places
from pipelines.disparity.breakdowns import Breakdown
from pipelines.disparity.counts import counts_of, release_of_year
from pipelines.disparity.disclosure import Audit, Bools, Release, audit, suppress

SCHEMA: dict[str, Any] = {
    "year": pl.Int64, "group_kind": pl.String, "group_value": pl.String, "count": pl.String, "value": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is known of one year before anything of it is decided.

    `counts`: rows of `fct_measure_counts`; `states`: month, state, people, whether they and their total are shown; `wider`: counts of
    the whole run that contain those of the year; `earlier`: what earlier runs showed of it; `cells`: rows of `fct_uptake_cells`;
    `references`, `order`: as `breakdowns.of_year` has them; `limit`: the largest small count; `named`: what a place is called.
    """

    year: int
    counts: pl.DataFrame
    states: pl.DataFrame
    wider: Mapping[str, tuple[int, bool]]
    earlier: pl.DataFrame
    cells: pl.DataFrame
    references: Mapping[str, str]
    order: Mapping[str, Sequence[str]]
    limit: int
    named: Callable[[str, str], str]


@dataclass(frozen=True)
class Found:
    """`counts`: as published, null where hidden (SCHEMA); `places`: their published rows; `breakdown`: rows of the other tables;
    `told`, `asked`: how many numbers can be told all the same, and of how many."""

    counts: pl.DataFrame
    places: pl.DataFrame
    breakdown: Breakdown
    told: int
    asked: int

    @property
    def of_groups(self) -> breakdowns.Shown:
        """What is shown of groups, places aside: kind, group and count -> value."""
        return {
            (kind, group, count): value
            for _, kind, group, count, value in self.counts.rows()
            if kind not in places.NESTS
        }


def of_year(asked: Asked) -> Found:
    """Decide what is shown of the year, and make its statistics of that."""
    of_places = places.cells_of(asked.cells)
    counts, told, numbers = counts_of_year(asked, of_places)
    every = {(kind, group, count): value for _, kind, group, count, value in counts.rows()}
    found = Found(
        counts=counts,
        places=places.rows(asked.year, every, places.within(of_places), asked.named),
        breakdown=Breakdown(),
        told=told,
        asked=numbers,
    )
    breakdowns.of_year(
        asked.year,
        found.of_groups,
        asked.cells,
        asked.references,
        asked.order,
        asked.limit,
        found.breakdown,
        places.paid_of_practices(every),
    )
    return found


def counts_of_year(asked: Asked, of_places: Sequence[places.Cell]) -> tuple[pl.DataFrame, int, int]:
    """The counts of one year as published (null where hidden), how many can be told all the same, and of how many."""
    by_group = {(row["group_kind"], row["group_value"]): row for row in asked.counts.to_dicts()}
    said: dict[tuple[str, str, str], list[int | None]] = {}
    for row in asked.earlier.to_dicts():
        said.setdefault((row["group_kind"], row["group_value"], row["count"]), []).append(row["value"])
    release = release_of_year(
        by_group,
        asked.limit,
        states=asked.states.rows(),
        wider=asked.wider,
        earlier=said,
        more=lambda numbers: places.add_places(numbers, of_places),
    )
    release, shown, result = protected(release)
    place = {name: spot for spot, name in enumerate(release.names)}
    rows = [
        (
            asked.year,
            kind,
            group,
            count,
            int(release.values[spot])
            if shown[spot] or (release.is_table[spot] and not release.values[spot])
            else None,
        )
        for kind, group, count in [
            *((kind, group, count) for kind, group in by_group for count in counts_of(kind)),
            *places.names(of_places),
        ]
        for spot in [place[kind, group, count]]
    ]
    frame = pl.DataFrame(
        rows, orient="row",
        schema=SCHEMA,
    )  # fmt: skip
    return frame, len(result.given_away), result.asked


def protected(release: Release) -> tuple[Release, Bools, Audit]:
    """The release with what it shows, and what can still be told of it.

    Where few people stand beside a total that another table shows, their empty groups alone tell that the others are small. Counts
    that hiding numbers cannot protect are then no part of the tables at all: not even their zeros are told.
    """
    while True:
        shown = suppress(release)
        found = audit(release, shown)
        told = {count for place in found.given_away for count in _counts_of(release.names[place])}
        withheld = np.array([not told.isdisjoint(_counts_of(name)) for name in release.names])
        if not (withheld & release.is_table).any():
            return release, shown, found
        release = replace(release, is_table=release.is_table & ~withheld)


def _counts_of(name: Any) -> set[tuple[str, str]]:
    """(group kind, count) of a group's number: one, or two where it is a difference of them; none of other numbers."""
    return {(name[0], count) for count in name[2:]}
