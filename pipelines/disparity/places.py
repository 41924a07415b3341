"""Practices and counties by year: how many of their people are reached, and whether chance explains how far from everybody that is.

Never ranked: each is held to control limits around the rate of everybody, which are wide where few people are (a funnel plot,
Spiegelhalter, Statistics in Medicine 24:1185, 2005). What may be shown is decided together with the measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from pipelines.disparity.counts import EVERYBODY, Numbers

# Kind of place -> kinds of group that a place lies in as a whole or nearly so, which are published with it.
NESTS = {
    "practice": ("practice_type",),
    "county": ("state", "rurality", "deprivation", "vulnerability", "shortage"),
}
COUNTS = ("eligible_people", "paid_people")
NOWHERE = {"practice": "none", "county": "unknown"}  # people of no place; counted, but held to no limits
TWO_SIGMA, THREE_SIGMA = 0.9545, 0.9973
SCHEMA = {
    "year": pl.Int64, "place_kind": pl.String, "place": pl.String, "within": pl.String, "numerator": pl.Int64,
    "denominator": pl.Int64, "rate": pl.Float64, "centre": pl.Float64, "lower_2": pl.Float64, "upper_2": pl.Float64,
    "lower_3": pl.Float64, "upper_3": pl.Float64, "position": pl.String, "is_suppressed": pl.Boolean,
}  # fmt: skip

# Group kind, group, kind of place, place, people eligible, people paid for
Cell = tuple[str, str, str, str, int, int]


def cells_of(cells: pl.DataFrame) -> list[Cell]:
    """One year's cells of `fct_uptake_cells` that are places: of everybody, and of the kinds of group that they lie in."""
    wanted = pl.DataFrame(
        [(place, kind) for place, kinds in NESTS.items() for kind in (EVERYBODY, *kinds)],
        schema={"cell_kind": pl.String, "group_kind": pl.String}, orient="row",
    )  # fmt: skip
    columns = ("group_kind", "group_value", "cell_kind", "cell", "eligible_people", "paid_people")
    return (
        cells.join(wanted, on=["cell_kind", "group_kind"], how="semi")
        .select(columns)
        .sort(columns[:4])
        .rows()
    )


def names(cells: Iterable[Cell]) -> list[tuple[str, str, str]]:
    """Kind of place, place and count of every number that the table of places has."""
    return [
        (place_kind, place, count)
        for kind, _, place_kind, place, *_ in cells
        if kind == EVERYBODY
        for count in COUNTS
    ]


def paid_of_practices(shown: Mapping[tuple[str, str, str], int | None]) -> dict[str, int]:
    """Practice -> people paid for, where that is shown."""
    return {
        place: value
        for (kind, place, count), value in shown.items()
        if (kind, count) == ("practice", "paid_people") and value is not None
    }


def empty() -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMA)


def control_limits(
    centre: float, people: ArrayLike, coverage: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates between which a place of `people` (n,) lies by chance with probability `coverage` at least, if its true rate is `centre`.

    Exact binomial quantiles, drawn out between whole numbers so that the limits are smooth in the number of people (Spiegelhalter
    2005, appendix A.1.1), the upper one as the lower one of those not reached; within 0 and 1.
    """
    n = np.asarray(people, float)
    lower = _lower_limit(centre, n, (1 - coverage) / 2)
    return np.clip(lower, 0.0, 1.0), np.clip(1 - _lower_limit(1 - centre, n, (1 - coverage) / 2), 0.0, 1.0)


def _lower_limit(centre: float, n: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    least = stats.binom.ppf(tail, n, centre)
    over = (stats.binom.cdf(least, n, centre) - tail) / stats.binom.pmf(least, n, centre)
    return np.asarray((least - over) / n)


def add_places(numbers: Numbers, cells: Iterable[Cell], prefix: tuple[Any, ...] = ()) -> None:
    """Add places to a year's release, each as `prefix`, kind of place, place and count, with everything that they add up to.

    cells: group kind, group, kind of place, place, people eligible and people paid for; of everybody and of the kinds in NESTS.
    Which groups a place has people of is taken to be known.
    """
    nested: dict[tuple[str, str], list[tuple[str, str, tuple[int, int]]]] = {}
    for kind, group, place_kind, place, eligible, paid in cells:
        if place_kind in NESTS and kind in (EVERYBODY, *NESTS[place_kind]):
            nested.setdefault((place_kind, kind), []).append((place, group, (eligible, paid)))
    for place_kind in NESTS:
        places = nested.get((place_kind, EVERYBODY), [])
        for place, _, people in places:
            _add_place(numbers, (*prefix, place_kind, place), people)
        for spot, count in enumerate(COUNTS) if places else ():
            names = {(*prefix, place_kind, place, count): 1.0 for place, *_ in places}
            numbers.equate({**names, (*prefix, EVERYBODY, EVERYBODY, count): -1.0})
            for kind in NESTS[place_kind]:
                _add_nest(numbers, prefix, place_kind, kind, nested.get((place_kind, kind), []), spot)


def _add_place(numbers: Numbers, place: tuple[Any, ...], people: tuple[int, int]) -> None:
    eligible, paid = ((*place, count) for count in COUNTS)
    rest = (*place, *COUNTS)
    for name, value in zip((eligible, paid), people, strict=True):
        numbers.add(name, value, is_table=True, is_protected=numbers.is_small(value), cost=float(value))
    numbers.add(
        rest, people[0] - people[1], is_table=False, is_protected=numbers.is_small(people[0] - people[1])
    )
    numbers.equate({eligible: 1.0, paid: -1.0, rest: -1.0})


def _add_nest(
    numbers: Numbers,
    prefix: tuple[Any, ...],
    place_kind: str,
    kind: str,
    cells: list[tuple[str, str, tuple[int, int]]],
    spot: int,
) -> None:
    """Groups of `kind` as sums of places. A place within one group is its part of it; of others each part is a number of its own."""
    count = COUNTS[spot]
    groups: dict[str, list[tuple[str, int]]] = {}
    for place, group, people in cells:
        groups.setdefault(place, []).append((group, people[spot]))
    sums: dict[str, list[Any]] = {}
    for place, parts in groups.items():
        whole = (*prefix, place_kind, place, count)
        if len(parts) == 1:
            sums.setdefault(parts[0][0], []).append(whole)
            continue
        names = {}
        for group, value in parts:
            name = (*prefix, place_kind, (place, kind, group), count)
            numbers.add(name, value, is_table=False, is_protected=numbers.is_small(value))
            sums.setdefault(group, []).append(name)
            names[name] = 1.0
        numbers.equate({**names, whole: -1.0})
    for group, names_of in sums.items():
        of_group = (*prefix, kind, group, count)
        if of_group in numbers.place:
            numbers.equate({**dict.fromkeys(names_of, 1.0), of_group: -1.0})


def within(cells: Iterable[Cell]) -> dict[tuple[str, str], str]:
    """(kind of place, place) -> the practice type or state that all of its people are of; none where they are of several."""
    found: dict[tuple[str, str], set[str]] = {}
    for kind, group, place_kind, place, *_ in cells:
        if place_kind in NESTS and kind == NESTS[place_kind][0]:
            found.setdefault((place_kind, place), set()).add(group)
    return {place: next(iter(groups)) for place, groups in found.items() if len(groups) == 1}


def rows(
    year: int,
    shown: Mapping[tuple[str, str, str], int | None],
    places_within: Mapping[tuple[str, str], str],
    named: Callable[[str, str], str],
) -> pl.DataFrame:
    """One year's published rows from its counts as shown. `named`: what a place of a kind is called where it is published."""
    everybody = [shown.get((EVERYBODY, EVERYBODY, count)) for count in reversed(COUNTS)]
    centre = everybody[0] / everybody[1] if None not in everybody and everybody[1] else None  # type: ignore[operator]
    places = dict.fromkeys((kind, place) for kind, place, _ in shown if kind in NESTS)
    made = pl.DataFrame(
        [
            {
                "year": year,
                "place_kind": kind,
                "place": place if place == NOWHERE[kind] else named(kind, place),
                "within": places_within.get((kind, place)),
                "is_place": place != NOWHERE[kind],
                "paid": shown[kind, place, "paid_people"],
                "denominator": shown[kind, place, "eligible_people"],
            }
            for kind, place in places
        ],
        schema={"year": pl.Int64, "place_kind": pl.String, "place": pl.String, "within": pl.String, "is_place": pl.Boolean,
                "paid": pl.Int64, "denominator": pl.Int64},
    )  # fmt: skip
    return with_limits(made, centre)


def with_limits(made: pl.DataFrame, centre: float | None) -> pl.DataFrame:
    """Rates, control limits around `centre` and where a place lies; of rows with `paid` and `denominator`, null where hidden."""
    made = made.with_columns(
        is_suppressed=pl.col("paid").is_null() | pl.col("denominator").is_null(),
        centre=pl.lit(centre, dtype=pl.Float64),
    )
    held = ~pl.col("is_suppressed") & pl.col("is_place") & pl.col("centre").is_not_null()
    people = made.select(pl.when(held).then("denominator"))[:, 0].to_numpy().astype(float)
    limits: dict[str, Any] = {}
    for sigmas, coverage in ((2, TWO_SIGMA), (3, THREE_SIGMA)):
        bounds = np.full((2, len(people)), np.nan)
        known = ~np.isnan(people)
        if centre is not None and 0 < centre < 1 and known.any():
            bounds[:, known] = control_limits(centre, people[known], coverage)
        limits |= {f"{side}_{sigmas}": bounds[place] for place, side in enumerate(("lower", "upper"))}
    return (
        made.with_columns(
            numerator=pl.when(~pl.col("is_suppressed")).then("paid"),
            rate=pl.when(~pl.col("is_suppressed")).then(pl.col("paid") / pl.col("denominator")),
            **{name: pl.Series(values).fill_nan(None) for name, values in limits.items()},
        )
        .with_columns(
            position=pl.when(pl.col("upper_3").is_null())
            .then(None)
            .when(pl.col("rate") > pl.col("upper_3"))
            .then(pl.lit("above"))
            .when(pl.col("rate") < pl.col("lower_3"))
            .then(pl.lit("below"))
            .otherwise(pl.lit("within"))
        )
        .select(*SCHEMA)
        .cast(SCHEMA)  # type: ignore[arg-type]
        .sort("place_kind", "within", "denominator", "place", descending=[False, False, True, False], nulls_last=True)
    )  # fmt: skip
