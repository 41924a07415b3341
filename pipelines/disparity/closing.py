"""Hide what the report tables tell together: each decides by itself, or with its neighbours, what it shows, and where few people stand
the tables beside one another can still tell a small number.

The whole release is suppressed once more as it is shown, and what has to go besides is hidden in the tables themselves. The measures
by year and group have taken the tables into account and stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np

from pipelines.disparity.disclosure import TIER, audit, suppress
from pipelines.disparity.published import released

# What goes first where something must be hidden: detail before states and their dollars, totals last.
ORDER = ("attrition", "condition", "rule", "funnel", "year", "capture", "findings", "month")
DOLLARS = ("gap_usd", "potential_usd", "billed_usd", "paid_usd")
# Where a number stands: report table, columns of its key, columns that go with it, columns that mark it.
HIDDEN = ("is_suppressed",)
WRITTEN: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "attrition": ("rpt_attrition_by_month", ("service_month", "state", "criterion_order"), ("people",), HIDDEN),
    "condition": ("rpt_condition_prevalence", ("definition", "condition"), ("people", "share"), HIDDEN),
    "rule": ("rpt_flags_by_rule", ("rule_id", "status"), ("subjects", "amount_usd"), HIDDEN),
    "funnel": ("rpt_funnel", ("period", "step"), ("people",), HIDDEN),
    "year": (
        "rpt_capture_by_year", ("service_year", "state"), ("people", *DOLLARS), (*HIDDEN, "dollars_are_suppressed"),
    ),
    "capture": ("rpt_capture_by_month", ("service_month", "state"), ("people", *DOLLARS), HIDDEN),
    "findings": ("rpt_findings_total", (), ("people", "claim_lines", "amount_usd", "not_supported_usd"), HIDDEN),
    "month": ("rpt_capture_by_month", ("service_month",), ("people_in_month",), ()),
}  # fmt: skip


def close(con: duckdb.DuckDBPyConnection, limit: int) -> int:
    """Hide in `reports.rpt_*` what their numbers tell together; the count of numbers hidden besides those already hidden.

    `limit`: the largest number of people that must not be known. Nothing is written where nothing can be told.
    """
    release, shown = released(con, limit)
    is_ours = np.array([_table(name) in ORDER for name in release.names])
    cost = np.array(
        [_cost(name, int(people)) for name, people in zip(release.names, release.values, strict=True)]
    )
    asked = replace(
        release,
        cost=cost,
        frozen=release.is_table & ~shown & (release.values > 0),
        known=release.known | (shown & ~is_ours),
    )
    kept = suppress(asked)
    spots = np.flatnonzero(shown & is_ours & (release.values > 0) & ~kept).tolist()
    # Numbers go one by one, so that a later one can make an earlier one needless: the dearest come back first.
    needless = [spot for spot in spots if not release.is_protected[spot]]
    for spot in sorted(needless, key=lambda one: -cost[one]):
        kept[spot] = True
        kept[spot] = not len(audit(asked, kept).given_away)
    hidden = [spot for spot in spots if not kept[spot]]
    _hide(con, [release.names[spot] for spot in hidden])
    return len(hidden)


def _table(name: Any) -> Any:
    return name[0] if isinstance(name, tuple) else None


def _cost(name: Any, people: int) -> float:
    table = _table(name)
    rank = ORDER.index(table) if table in ORDER else len(ORDER)
    # The month's own funnel stands in its capture states as well, so it goes before the run's, and its later steps go first.
    within = TIER / 2 if table == "funnel" and name[1] == "window" else 0.0
    return rank * TIER + within + min(people, TIER / 4)


def _hide(con: duckdb.DuckDBPyConnection, names: Sequence[Any]) -> None:
    """Null each number, and all that is made of it, in its table."""
    for table, *place in names:
        report, keys, columns, marks = WRITTEN[table]
        _null(con, report, columns, marks, dict(zip(keys, place, strict=True)))
        if table == "capture":
            # Dollars of a year less those of its other months are the month's.
            month, state = place
            year = {"service_year": month.year, "state": state}
            _null(con, "rpt_capture_by_year", DOLLARS, ("dollars_are_suppressed",), year)
    if any(table == "rule" for table, *_ in names):
        # Where one rule alone is hidden, the total would tell its dollars.
        lonely = "select count(*) from reports.rpt_flags_by_rule where status = 'fail' and is_suppressed"
        if con.execute(lonely).fetchall() == [(1,)]:
            report, _, columns, marks = WRITTEN["findings"]
            _null(con, report, columns, marks, {})
    if any(table == "funnel" for table, *_ in names):
        _follow_the_funnel(con)


def _null(
    con: duckdb.DuckDBPyConnection,
    report: str,
    columns: Sequence[str],
    marks: Sequence[str],
    where: Mapping[str, Any],
) -> None:
    changes = [*(f"{column} = null" for column in columns), *(f"{mark} = true" for mark in marks)]
    rows = " and ".join(f"{column} = ?" for column in where) or "true"
    con.execute(f"update reports.{report} set {', '.join(changes)} where {rows}", list(where.values()))


def _follow_the_funnel(con: duckdb.DuckDBPyConnection) -> None:
    """Where a step of the funnel went: distances to and from it, the attrition, and shares of its people."""
    con.execute(
        "update reports.rpt_funnel set dropped = steps.dropped from (select period, step, min(people) over ("
        "partition by period order by step rows between unbounded preceding and 1 preceding) - people as dropped"
        " from reports.rpt_funnel) as steps where rpt_funnel.period = steps.period and rpt_funnel.step = steps.step"
    )
    con.execute(
        "update reports.rpt_eligibility_attrition set people_left = funnel.people, people_dropped = funnel.dropped,"
        " is_suppressed = funnel.is_suppressed from reports.rpt_funnel as funnel where funnel.period ="
        " rpt_eligibility_attrition.period and funnel.step = rpt_eligibility_attrition.criterion_order"
    )
    # The people of whom conditions are counted are the step before conditions are asked.
    con.execute(
        "update reports.rpt_condition_prevalence set people = null, share = null, base_people = null, is_suppressed = true"
        " where exists (from reports.rpt_funnel as base where base.period = 'month' and base.people is null and base.step = ("
        "select min(step) - 1 from reports.rpt_funnel where period = 'month' and step_code = 'two_conditions'))"
    )
