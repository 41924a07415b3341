"""Hide what the report tables tell together, and what they tell beside earlier publications: each decides by itself, or with its
neighbours, what it shows, and where few people stand or came since, the tables beside one another can still tell a small number.

The whole release is suppressed once more as it is shown, and what has to go besides is hidden in the tables themselves. Where an
earlier publication showed a figure in its place, that figure stands there with its day: it tells nothing that is not told. The measures
by year and group have taken the tables into account and stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np

from pipelines.disparity.disclosure import (
    TIER,
    Audit,
    Bools,
    Release,
    audit,
    components,
    determined,
    suppress,
)
from pipelines.disparity.page_releases import PLACES, Memory, Names
from pipelines.disparity.published import released

# What goes first where something must be hidden: detail before states and their dollars, totals last.
ORDER = ("attrition", "condition", "rule", "funnel", "year", "capture", "findings", "month")


def close(con: duckdb.DuckDBPyConnection, limit: int, memory: Memory | None = None) -> int:
    """Hide in `reports.rpt_*` what their numbers tell; the count of numbers that go besides those already hidden.

    `limit`: the largest number of people that must not be known; `memory`: what earlier publications told. Nothing is written where
    nothing can be told.
    """
    memory = memory or Memory()
    release, shown = released(con, limit, memory)
    asked, is_ours = _asked(release, shown)
    kept = suppress(asked)
    spots = np.flatnonzero(shown & is_ours & (release.values > 0) & ~kept).tolist()
    _bring_back(asked, kept, spots)
    hidden = [release.names[spot] for spot in spots if not kept[spot]]
    _hide(con, hidden, memory, limit)
    return len(hidden)


def told_over_time(con: duckdb.DuckDBPyConnection, limit: int, memory: Memory) -> Audit:
    """What can be told of numbers that are small, or that changed by a few people since an earlier publication told them."""
    release, shown = released(con, limit, memory)
    return audit(_asked(release, shown)[0], shown)


def _asked(release: Release, shown: Bools) -> tuple[Release, Bools]:
    """The release with what cannot be hidden any more taken as known, and which of its numbers can be hidden here."""
    is_ours = np.array([_table(name) in ORDER for name in release.names])
    cost = [_cost(name, int(people)) for name, people in zip(release.names, release.values, strict=True)]
    asked = replace(
        release,
        cost=np.array(cost),
        frozen=release.frozen | (release.is_table & ~shown & (release.values > 0)),
        known=release.known | (shown & ~is_ours),
    )
    return asked, is_ours


def _bring_back(asked: Release, kept: Bools, spots: Sequence[int]) -> None:
    """Numbers go one by one, so that a later one can make an earlier one needless: the dearest come back first, in `kept`.

    A number that comes back is asked about with those that hang together with it while it is hidden; the others stay as they are.
    """
    needless = [spot for spot in spots if not (asked.is_protected[spot] or asked.frozen[spot])]
    told: set[int] = set(audit(asked, kept).given_away.tolist()) if needless else set()
    for spot in sorted(needless, key=lambda one: -asked.cost[one]):
        known = determined(
            asked, (kept & asked.is_table) | asked.known | (asked.is_table & (asked.values == 0))
        )
        near = [places for places, _ in components(asked, known) if spot in places]
        mine = [place for place in np.concatenate([[], *near]).astype(int) if asked.is_protected[place]]
        kept[spot] = True
        if mine:
            kept[spot] = told.issuperset(audit(asked, kept, np.array(mine)).given_away.tolist())


def _table(name: Any) -> Any:
    return name[0] if isinstance(name, tuple) else None


def _cost(name: Any, people: int) -> float:
    table = _table(name)
    rank = ORDER.index(table) if table in ORDER else len(ORDER)
    # The month's own funnel stands in its capture states as well, so it goes before the run's, and its later steps go first.
    within = TIER / 2 if table == "funnel" and name[1] == "window" else 0.0
    return rank * TIER + within + min(people, TIER / 4)


def _hide(con: duckdb.DuckDBPyConnection, names: Collection[Any], memory: Memory, limit: int) -> None:
    """Take each number, and all that is made of it, out of its table."""
    called = Names.of(con)
    for name in names:
        _replace(con, name, memory, called)
    tables = {name[0] for name in names}
    for _, *place in (name for name in names if name[0] == "year"):
        _replace(con, ("dollars", *place), memory, called)
    if "capture" in tables:
        for name in _years_that_tell_a_month(con, limit):
            _replace(con, name, memory, called)
    if "rule" in tables:
        # Where one rule alone is hidden, the total would tell its dollars.
        lonely = "select count(*) from reports.rpt_flags_by_rule where status = 'fail' and (is_suppressed or held_from is not null)"
        shown = (
            "select count(*) from reports.rpt_findings_total where people is not null and held_from is null"
        )
        if (con.execute(lonely).fetchall(), con.execute(shown).fetchall()) == ([(1,)], [(1,)]):
            _replace(con, ("findings",), memory, called)
    if "funnel" in tables:
        _follow_the_funnel(con, memory, called)


def _replace(con: duckdb.DuckDBPyConnection, name: Any, memory: Memory, called: Names) -> None:
    """Put the figures of the newest earlier publication that has some in a number's row, with their day; without any, hide it."""
    kind, *key = name
    place = PLACES[kind]
    figures = memory.figures.get(called.key(name) or ("", ""))
    changes: dict[str, Any] = {column: figures[column] if figures else None for column in place.figures}
    changes |= {place.held_from: figures["figures_from"] if figures else None}
    changes |= dict.fromkeys(place.hidden, figures is None)
    where = dict(zip(place.key, key, strict=True))
    _update(con, place.report, changes, where)


def _update(
    con: duckdb.DuckDBPyConnection, report: str, changes: Mapping[str, Any], where: Mapping[str, Any]
) -> None:
    columns = ", ".join(f"{column} = ?" for column in changes)
    rows = " and ".join(f"{column} = ?" for column in where) or "true"
    con.execute(f"update reports.{report} set {columns} where {rows}", [*changes.values(), *where.values()])


def _years_that_tell_a_month(con: duckdb.DuckDBPyConnection, limit: int) -> list[Any]:
    """Years whose dollars less those of the months that are shown would tell the dollars of a month, or of few people."""
    rows = con.execute(
        "with months as ("
        " select year(cells.service_month) as service_year, cells.state, cells.people,"
        "  shown.people is not null and shown.held_from is null as is_shown"
        " from reports_internal.int_capture_cells as cells"
        " left join reports.rpt_capture_by_month as shown using (service_month, state))"
        " select service_year, state from reports.rpt_capture_by_year as years inner join months using (service_year, state)"
        " where not dollars_are_suppressed and dollars_held_from is null group by all"
        " having count(*) filter (where not is_shown) = 1 or count(*) filter (where not is_shown) > 1"
        "  and sum(months.people) filter (where not is_shown) - (count(*) filter (where not is_shown) - 1) <= ?",
        [limit],
    ).fetchall()
    return [("dollars", *row) for row in rows]


def _follow_the_funnel(con: duckdb.DuckDBPyConnection, memory: Memory, called: Names) -> None:
    """Where a step of the funnel went: distances to and from it, the attrition, and shares of its people.

    Steps of two publications have no distance.
    """
    con.execute(
        "update reports.rpt_funnel set dropped = steps.dropped from ("
        " select period, step, case when published = last_value(published ignore nulls) over before"
        "  then last_value(people ignore nulls) over before - people end as dropped"
        " from (select *, case when people is not null then coalesce(held_from, 'infinity'::date) end as published"
        "  from reports.rpt_funnel)"
        " window before as (partition by period order by step rows between unbounded preceding and 1 preceding)) as steps"
        " where rpt_funnel.period = steps.period and rpt_funnel.step = steps.step"
    )
    con.execute(
        "update reports.rpt_eligibility_attrition set people_left = funnel.people, people_dropped = funnel.dropped,"
        " is_suppressed = funnel.is_suppressed, held_from = funnel.held_from from reports.rpt_funnel as funnel where funnel.period ="
        " rpt_eligibility_attrition.period and funnel.step = rpt_eligibility_attrition.criterion_order"
    )
    # The people of whom conditions are counted are the step before conditions are asked.
    is_shown = con.execute(
        "select people is not null and held_from is null from reports.rpt_funnel where period = 'month' and step = ("
        "select min(step) - 1 from reports.rpt_funnel where period = 'month' and step_code = 'two_conditions')"
    ).fetchone()
    if is_shown is None or is_shown[0]:
        return
    con.execute("update reports.rpt_condition_prevalence set base_people = null where held_from is null")
    for definition, condition in con.execute(
        "select definition, condition from reports.rpt_condition_prevalence where people is not null and held_from is null"
    ).fetchall():
        _replace(con, ("condition", definition, condition), memory, called)
