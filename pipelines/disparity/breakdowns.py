"""Published tables beside the measures: gradients over ordered groups, and what the gaps in uptake are made of.

Belongs here: which statistics are made for which groups, as rows. Gradients, the funnel and eligibility against capture are made of
counts that are shown. Decompositions by cell are made of counts that are not, and shown as `adjusted` allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from pipelines.disparity import adjusted, decompose, gradients
from pipelines.disparity.adjusted import Cells, Rate, Statistic

EVERYBODY = "everybody"
UNKNOWN = "unknown"
# Measures of people with a gradient: numerator over denominator.
SLOPES = {
    "uptake": ("paid_people", "eligible_people"),
    "reached_eligible": ("eligible_people", "enrolled_people"),
    "reached_consented": ("consented_people", "eligible_people"),
    "reached_lasting": ("lasting_people", "paid_people"),
}
# The way from enrolled to three paid months; each step is a part of the one before it.
STEPS = ("enrolled_people", "eligible_people", "consented_people", "paid_people", "lasting_people")
NAMED = ("reached_eligible", "reached_consented", "paid_of_consented", "reached_lasting")
GRADIENTS = {
    "year": pl.Int64, "measure": pl.String, "group_kind": pl.String, "groups": pl.Int64, "people": pl.Int64,
    "slope": pl.Float64, "slope_lower": pl.Float64, "slope_upper": pl.Float64, "relative": pl.Float64,
    "concentration": pl.Float64, "concentration_error": pl.Float64, "wagstaff": pl.Float64, "erreygers": pl.Float64,
    "is_suppressed": pl.Boolean,
}  # fmt: skip
PARTS = {
    "year": pl.Int64, "group_kind": pl.String, "group_value": pl.String, "reference": pl.String, "method": pl.String,
    "part_order": pl.Int64, "part": pl.String, "value": pl.Float64, "share": pl.Float64, "step": pl.Float64,
    "cells": pl.Int64, "is_suppressed": pl.Boolean,
}  # fmt: skip
RATES = {
    "period": pl.Int64, "group_kind": pl.String, "group_value": pl.String, "standardised_rate": pl.Float64,
    "std_lower": pl.Float64, "std_upper": pl.Float64, "std_step": pl.Float64, "std_strata": pl.Int64,
}  # fmt: skip

Shown = Mapping[
    tuple[str, str, str], int | None
]  # group kind, group, count -> as published, None where hidden


@dataclass
class Breakdown:
    """Rows of the tables, and how many statistics of cells were kept back because they would tell something."""

    gradients: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)
    kept_back: int = 0


def of_year(
    year: int,
    shown: Shown,
    cells: pl.DataFrame,
    references: Mapping[str, str],
    order: Mapping[str, Sequence[str]],
    limit: int,
    found: Breakdown,
    of_practices: Mapping[str, int] | None = None,
) -> None:
    """Add one year's rows to `found`.

    cells: group_kind, group_value, cell_kind, cell, eligible_people, paid_people. order: groups of ordered kinds, from the least to
    the most deprived. of_practices: practice -> people paid for, where another table shows that.
    """
    of_kind = by_kind(cells)
    kinds: dict[str, list[str]] = {}
    for kind, group, _ in shown:
        if kind != EVERYBODY and group not in kinds.setdefault(kind, []):
            kinds[kind].append(group)
    for kind, groups in kinds.items():
        if kind in order:
            found.gradients += gradient(year, kind, [one for one in order[kind] if one in groups], shown)
        reference = references.get(kind)
        others = [one for one in groups if one not in (reference, UNKNOWN)]
        if reference is None or reference not in groups:
            continue
        for group in others:
            found.parts += of_shown(year, kind, group, reference, shown)
        by_cell(year, kind, [reference, *others], reference, shown, of_kind, limit, found, of_practices or {})


def gradient(year: int, kind: str, groups: Sequence[str], shown: Shown) -> Iterator[dict[str, Any]]:
    """Slope index and concentration index of each measure over the ordered groups; hidden where one of them is."""
    for measure, (numerator, denominator) in SLOPES.items():
        counts = [(shown[kind, one, numerator], shown[kind, one, denominator]) for one in groups]
        row: dict[str, Any] = {"year": year, "measure": measure, "group_kind": kind, "groups": len(groups)}
        known = [(a, n) for a, n in counts if a is not None and n is not None and n > 0]
        is_hidden = any(a is None or n is None for a, n in counts)
        if is_hidden or len(known) < 3 or not sum(a for a, _ in known):
            yield {**dict.fromkeys(GRADIENTS), **row, "is_suppressed": is_hidden}
            continue
        a, n = (np.array(one, float) for one in zip(*known, strict=True))
        slope = gradients.slope_index(n, a / n)
        # Ordered from the most deprived: negative where the less deprived are reached more rarely.
        share = gradients.concentration_index(n[::-1], (a / n)[::-1])
        yield {
            **row,
            "people": int(n.sum()),
            "slope": slope.slope,
            "slope_lower": slope.slope_lower,
            "slope_upper": slope.slope_upper,
            "relative": slope.relative,
            "concentration": share.index,
            "concentration_error": share.std_error,
            "wagstaff": share.wagstaff,
            "erreygers": share.erreygers,
            "is_suppressed": False,
        }


def of_shown(year: int, kind: str, group: str, reference: str, shown: Shown) -> Iterator[dict[str, Any]]:
    """The funnel in logs, and eligibility against capture, of counts that are shown."""
    base = {"year": year, "group_kind": kind, "group_value": group, "reference": reference}
    one, other = ([shown[kind, name, count] for count in STEPS] for name in (group, reference))
    if None in one or None in other or 0 in one or 0 in other:
        logs, shares = np.full(4, np.nan), np.full(4, np.nan)
    else:
        ways = [np.array(way[1:], float) / np.array(way[:-1], float) for way in (one, other)]
        logs, shares = decompose.funnel(*ways)
    is_hidden = None in one or None in other
    for number, name in enumerate(NAMED):
        yield {**base, "method": "funnel", "part_order": number + 1, "part": name, "value": logs[number],
               "share": shares[number], "is_suppressed": is_hidden}  # fmt: skip
    eligible, paid = STEPS.index("eligible_people"), STEPS.index("paid_people")
    known = [(way[0], way[eligible], way[paid]) for way in (one, other)]
    is_hidden = any(None in way for way in known)
    first, second = (_eligible_and_reached(*way) for way in known)
    split = decompose.eligibility_and_capture(*first, *second) if first and second else None
    for number, name in enumerate(("eligible_share", "capture")):
        value = split[number + 1] if split else None
        yield {**base, "method": "eligibility_and_capture", "part_order": number + 1, "part": name, "value": value,
               "share": value / split[0] if value is not None and split and split[0] else None,
               "is_suppressed": is_hidden}  # fmt: skip


def _eligible_and_reached(
    enrolled: int | None, eligible: int | None, paid: int | None
) -> tuple[float, float] | None:
    """Share eligible of those enrolled and share reached of those eligible; None where a number is hidden or nobody is there."""
    if not enrolled or not eligible or paid is None:
        return None
    return eligible / enrolled, paid / eligible


def by_cell(
    year: int,
    kind: str,
    groups: Sequence[str],
    reference: str,
    shown: Shown,
    cells: Mapping[tuple[str, str], pl.DataFrame],
    limit: int,
    found: Breakdown,
    of_practices: Mapping[str, int],
) -> None:
    """Standardised rates and Kitagawa's parts of each gap, as far as they may be shown together."""
    counts = {
        group: (shown[kind, group, "paid_people"], shown[kind, group, "eligible_people"]) for group in groups
    }
    totals = {group: a for group, (a, n) in counts.items() if a is not None and n is not None and n > 0}
    for cell_kind in ("age_and_sex", "conditions", "practice"):
        table, standard = cells_of(cells, kind, list(totals), cell_kind)
        statistics: list[tuple[str, Statistic]] = []
        for group, one in table.items():
            if cell_kind == "age_and_sex" and (rate := adjusted.standardised(group, one, standard)):
                statistics.append((group, rate))
            if group != reference and reference in table:
                part = (adjusted.within_practices if cell_kind == "practice" else adjusted.within)(
                    group, one, reference, table[reference]
                )
                if part:
                    statistics.append((group, part))
        margins = margins_of(cells, of_practices) if cell_kind == "practice" else None
        kept = adjusted.safe(table, totals, [one for _, one in statistics], limit, margins)
        found.kept_back += len(statistics) - len(kept)
        ids = {id(one) for one in kept}
        may = {(group, isinstance(one, Rate)): one for group, one in statistics if id(one) in ids}
        for group in groups:
            shown_rate = may.get((group, True))
            if isinstance(shown_rate, Rate):
                found.rates.append(
                    {"period": year, "group_kind": kind, "group_value": group, "standardised_rate": shown_rate.value,
                     "std_lower": shown_rate.lower, "std_upper": shown_rate.upper, "std_step": shown_rate.step,
                     "std_strata": shown_rate.cells}
                )  # fmt: skip
            if group != reference:
                found.parts += kitagawa_rows(
                    year, kind, group, reference, cell_kind, counts, may.get((group, False))
                )


def kitagawa_rows(
    year: int,
    kind: str,
    group: str,
    reference: str,
    cell_kind: str,
    counts: Mapping[str, tuple[int | None, int | None]],
    part: Statistic | None,
) -> Iterator[dict[str, Any]]:
    """Within cells and between them; together the gap of the rates that are shown."""
    names = (
        ("within_practices", "between_practices") if cell_kind == "practice" else ("rates_within_cells", "mix_of_cells")
    )  # fmt: skip
    base = {
        "year": year,
        "group_kind": kind,
        "group_value": group,
        "reference": reference,
        "method": cell_kind,
    }
    values: list[float | None] = [None, None]
    gap = None
    if part is not None:
        (a, n), (b, m) = counts[group], counts[reference]
        gap = (a or 0) / (n or 1) - (b or 0) / (m or 1)
        values = [part.value, gap - part.value]
    for number, name in enumerate(names):
        value = values[number]
        yield {**base, "part_order": number + 1, "part": name, "value": value,
               "share": value / gap if value is not None and gap else None,
               "step": part.step if part else None, "cells": part.cells if part else None,
               "is_suppressed": part is None}  # fmt: skip


def cells_of(
    cells: Mapping[tuple[str, str], pl.DataFrame], kind: str, groups: Sequence[str], cell_kind: str
) -> tuple[dict[str, Cells], Any]:
    """Each group's cells in one order, and everybody's people eligible in them. `cells`: by kind of cell and of group."""
    everybody = cells[cell_kind, EVERYBODY].sort("cell")
    place = {cell: number for number, cell in enumerate(everybody["cell"])}
    table = {group: Cells(*np.zeros((2, len(place)), dtype=np.int64)) for group in groups}
    found = cells.get((cell_kind, kind))
    for group, cell, eligible, paid in () if found is None else found.iter_rows():
        if group in table:
            table[group].eligible[place[cell]], table[group].paid[place[cell]] = eligible, paid
    filled = {group: one for group, one in table.items() if one.eligible.any()}
    return filled, everybody["eligible_people"].to_numpy()


def margins_of(cells: Mapping[tuple[str, str], pl.DataFrame], known: Mapping[str, int]) -> adjusted.Margins:
    """What is known of everybody in each practice, in the order of the cells."""
    everybody = cells["practice", EVERYBODY].sort("cell")
    return adjusted.Margins(
        everybody["eligible_people"].to_numpy().astype(np.int64),
        np.array([known.get(cell, np.nan) for cell in everybody["cell"]], float),
    )


def by_kind(cells: pl.DataFrame) -> dict[tuple[str, str], pl.DataFrame]:
    """One year's cells by kind of cell and of group: group_value, cell, eligible_people, paid_people."""
    return {
        (str(cell_kind), str(kind)): rows.select("group_value", "cell", "eligible_people", "paid_people")
        for (cell_kind, kind), rows in cells.partition_by("cell_kind", "group_kind", as_dict=True).items()
    }


def frame(rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Rows as a frame of the stated columns, null where a row has none; not a number becomes null."""
    made = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))
    return made.with_columns(pl.col(pl.Float64).fill_nan(None))
