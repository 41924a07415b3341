"""What of the fairness report may be shown: small counts and what would give them away are hidden, and an audit says so.

People of a group and those of them with an event (or asked) add up to everybody, and everybody is part of the eligible people whom the
page of capture shows for the same months, as a group on the worklist is of the eligible people of the year in the measures. Figures go with the counts that they are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl

from pipelines.disparity.counts import Numbers, beside
from pipelines.disparity.disclosure import audit, suppress
from pipelines.outreach.fairness import EVERYBODY, Finding

PARTS = ("need_around_cut", "missed_of_events")
SCHEMA = {
    "measure": pl.String, "group_kind": pl.String, "group_value": pl.String, "people": pl.Int64, "counted": pl.Int64,
    "expected": pl.Float64, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "required_low": pl.Float64, "required_high": pl.Float64, "status": pl.String, "is_suppressed": pl.Boolean,
}  # fmt: skip


def shown(
    findings: Sequence[Finding],
    limit: int,
    eligible: Mapping[str, int | None],
    of_year: Mapping[tuple[str, str], int] | None = None,
) -> tuple[pl.DataFrame, int]:
    """The findings as published, and how many protected numbers could still be told (0, or the table must not be shown).

    `eligible`: measure -> the eligible people of the same months as the page of capture shows them, None where it hides them.
    `of_year`: (kind, group) -> people eligible in the year as the measures show them; those on the worklist are part of them.
    """
    rows, told = [], 0
    visible: dict[tuple[str, str], bool] = {}
    for measures in (("asked_over_need",), ("observed_over_expected", "calibration_slope")):
        mine = [one for one in findings if one.measure in measures]
        wider = of_year if "asked_over_need" in measures else None
        visible, told_here = _visible(mine, limit, eligible.get(measures[0]), wider or {})
        told += told_here
        rows += [_row(one, shown=visible[one.group_kind, one.group_value]) for one in mine]
    # Parts of those people: no counts, and figures of a kind only where every part of every group of it is large or nobody.
    whole = {
        (one.group_kind, one.group_value): one for one in findings if one.measure == "observed_over_expected"
    }
    parts = [one for one in findings if one.measure in PARTS]
    closed = {
        one.group_kind
        for one in parts
        if not visible[one.group_kind, one.group_value]
        or not _are_large(one, whole[one.group_kind, one.group_value], limit)
    }
    for one in parts:
        row = _row(one, shown=one.group_kind not in closed)
        rows.append({**row, "people": None, "counted": None, "is_suppressed": True})
    return pl.DataFrame(rows, schema=SCHEMA), told


def _are_large(part: Finding, whole: Finding, limit: int) -> bool:
    """Whether all that a figure of a part could tell is above the limit or 0: the part, what is left of the whole, and both outcomes."""
    counts = (
        part.people,
        part.counted,
        part.people - part.counted,
        whole.people - part.people,
        whole.counted - part.counted,
    )
    return part.counted > limit and all(count > limit or count == 0 for count in counts)


def _visible(
    findings: Sequence[Finding], limit: int, eligible: int | None, of_year: Mapping[tuple[str, str], int]
) -> tuple[dict[tuple[str, str], bool], int]:
    """Group -> whether its counts may be shown; and how many protected numbers can be told all the same."""
    groups = {(one.group_kind, one.group_value): one for one in findings}
    if not groups:
        return {}, 0
    numbers = Numbers(limit)
    for key, one in groups.items():
        for name, value in (("people", one.people), ("counted", one.counted)):
            numbers.add(
                (key, name),
                value,
                is_table=True,
                is_protected=numbers.is_small(value),
                cost=float(value) + 1e9 * (one.group_kind == EVERYBODY),
            )
        rest = one.people - one.counted
        numbers.add((key, "rest"), rest, is_table=False, is_protected=numbers.is_small(rest))
        numbers.equate({(key, "people"): 1.0, (key, "counted"): -1.0, (key, "rest"): -1.0})
    all_of = (EVERYBODY, EVERYBODY)
    for kind in dict.fromkeys(kind for kind, _ in groups if kind != EVERYBODY):
        for name in ("people", "counted"):
            numbers.equate({(all_of, name): 1.0} | {(key, name): -1.0 for key in groups if key[0] == kind})
    if eligible is not None:
        others = eligible - groups[all_of].people
        numbers.add("eligible", eligible, is_table=False, is_protected=False)
        numbers.add("others", others, is_table=False, is_protected=numbers.is_small(others))
        numbers.known.add("eligible")
        numbers.equate({"eligible": 1.0, (all_of, "people"): -1.0, "others": -1.0})
    for key, people in of_year.items():
        # A group that is called otherwise there, or has moved since, is no part of it.
        if key in groups and people >= groups[key].people:
            numbers.add(("year", key), people, is_table=False, is_protected=False)
            numbers.known.add(("year", key))
            beside(numbers, ("year", key), [(key, "people")])
    release = numbers.release()
    display = suppress(release)
    place = numbers.place
    # Two numbers of a row are shown or hidden together: a figure is made of both.
    visible = {key: bool(display[place[key, "people"]] and display[place[key, "counted"]]) for key in groups}
    for key, is_shown in visible.items():
        display[[place[key, "people"], place[key, "counted"]]] &= is_shown
    return visible, len(audit(release, display).given_away)


def _row(one: Finding, *, shown: bool) -> dict[str, object]:
    """A finding as a row; hidden numbers are null, the status stays."""
    row = {name: _plain(value) for name, value in asdict(one).items()}
    if not shown:
        row |= dict.fromkeys(("people", "counted", "expected", "value", "lower", "upper"))
    return {**row, "is_suppressed": not shown}


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value
