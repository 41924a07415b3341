"""How much of a gap in uptake goes with age, need and entitlement, person by person: Oaxaca and Blinder's decomposition.

Made of a linear probability model of the people eligible in a year. A model's parts are no table of counts; they are shown where both
groups have more than the limit of people paid for and not paid for, and to a step that two people fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.disparity import decompose
from pipelines.disparity.adjusted import COARSEST, rounded, step_of

# Columns of the people that explain; a kind of group does not explain itself.
EXPLAINS = ("age_band", "sex", "entitlement", "dual_status", "rurality")
PARTS = ("explained", "unexplained", "endowments", "coefficients", "interaction")


def rows(
    year: int, people: pl.DataFrame, kind: str, group: str, reference: str, limit: int
) -> Iterator[dict[str, Any]]:
    """The parts of one gap. `people`: one row a person eligible in the year: `kind`, EXPLAINS, condition_count and is_paid (0, 1)."""
    found, step, covariates = parts(people, kind, group, reference, limit)
    base = {
        "year": year,
        "group_kind": kind,
        "group_value": group,
        "reference": reference,
        "method": "oaxaca",
    }
    for number, name in enumerate(PARTS):
        value = found.get(name)
        gap = found.get("gap")
        yield {**base, "part_order": number + 1, "part": name, "value": value, "step": step, "cells": covariates,
               "share": value / gap if value is not None and gap else None, "is_suppressed": value is None}  # fmt: skip


def parts(
    people: pl.DataFrame, kind: str, group: str, reference: str, limit: int
) -> tuple[Mapping[str, float], float | None, int | None]:
    """Parts of the gap, their step and the number of covariates; nothing where a group has too few people."""
    both = people.filter(pl.col(kind).is_in([group, reference]))
    is_first = (both[kind] == group).to_numpy()
    paid = both["is_paid"].to_numpy().astype(float)
    for mask in (is_first, ~is_first):
        if min(paid[mask].sum(), (1 - paid[mask]).sum()) <= limit:
            return {}, None, None
    step = step_of(np.array([1 / is_first.sum(), 1 / (~is_first).sum()]))
    x = covariates(both, kind, is_first, limit)
    if step > COARSEST or not x.shape[1]:
        return {}, None, None
    made = decompose.oaxaca(paid, x, is_first)
    return {**{name: rounded(getattr(made, name), step) for name in PARTS}, "gap": made.gap}, step, x.shape[1]


def covariates(people: pl.DataFrame, kind: str, is_first: NDArray[np.bool_], limit: int) -> Any:
    """Number of conditions and an indicator a value of each column, (n, k): those that more than `limit` people of each group have
    and have not, and of full rank within each group."""
    columns = [people["condition_count"].fill_null(0).to_numpy().astype(float)]
    for name in EXPLAINS:
        if name != kind and name in people.columns:
            for value in people[name].unique().sort():
                columns.append((people[name] == value).to_numpy().astype(float))
    kept: list[Any] = []
    for column in columns:
        if all(_varies(column[mask], limit) for mask in (is_first, ~is_first)) and all(
            _adds(column[mask], [one[mask] for one in kept]) for mask in (is_first, ~is_first)
        ):
            kept.append(column)
    return np.column_stack(kept) if kept else np.empty((len(is_first), 0))


def _varies(column: Any, limit: int) -> bool:
    _, counts = np.unique(column > column.min(), return_counts=True)
    return len(counts) == 2 and counts.min() > limit


def _adds(column: Any, others: list[Any]) -> bool:
    """Whether the column is no sum of the constant and the others."""
    base = np.column_stack([np.ones(len(column)), *others])
    solved, *_ = np.linalg.lstsq(base, column, rcond=None)
    return bool(np.linalg.norm(column - base @ solved) > 1e-6 * np.linalg.norm(column))
