"""Everything that a run publishes as one release: the numbers of people in all of its tables, how they hang together, and an audit.

Tables decide by themselves, or with their neighbours, what they hide. Here they are put side by side once more before anything is
published: pages, downloads, notebooks and plots are made of these tables only, so what cannot be told from them cannot be told.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from pipelines.disparity.counts import (
    EVERYBODY,
    Numbers,
    beside,
    beside_month,
    counts_of,
    fill_year,
    is_of,
)
from pipelines.disparity.disclosure import Audit, Bools, Release, audit
from pipelines.disparity.places import add_places, cells_of
from pipelines.disparity.places import names as names_of

if TYPE_CHECKING:
    from pipelines.disparity.page_releases import Memory


@dataclass
class Tables:
    """Numbers of a run as they are, and which of them its tables show."""

    numbers: Numbers
    shown: set[Hashable] = field(default_factory=set)

    def add(self, name: Hashable, people: int, is_shown: bool, *, protected: bool | None = None) -> None:
        """A number of a table. Protected where it is small, unless `protected` says so."""
        is_protected = self.numbers.is_small(people) if protected is None else protected
        self.numbers.add(name, people, is_table=True, is_protected=is_protected)
        if is_shown:
            self.shown.add(name)

    def part(self, whole: Hashable, part: Hashable) -> None:
        """`part` is part of `whole`: what is left is a number of people that nobody shows."""
        beside(self.numbers, whole, [part])

    def total(self, whole: Hashable, parts: list[Hashable]) -> None:
        self.numbers.equate({**dict.fromkeys(parts, 1.0), whole: -1.0})

    def release(self) -> tuple[Release, Bools]:
        made = self.numbers.release()
        return made, np.array([name in self.shown for name in made.names])


def audited(con: duckdb.DuckDBPyConnection, limit: int) -> Audit:
    """What can be told of the protected numbers of everything that the warehouse's report tables show."""
    return audit(*released(con, limit))


def largest_small_cell(con: duckdb.DuckDBPyConnection) -> int:
    """The largest number of people that must not be known, as the policy in force has it."""
    row = con.execute(
        "select max(limit_value) from policy.disclosure_limits where limit_name = 'largest_small_cell'"
    ).fetchone()
    if row is None or row[0] is None:
        raise ValueError("no disclosure limit in force")
    return int(row[0])


def released(
    con: duckdb.DuckDBPyConnection, limit: int, memory: Memory | None = None
) -> tuple[Release, Bools]:
    """All numbers of people in the report tables of a warehouse as one release, and which of them are shown.

    Reads the counts before suppression (`reports_internal`, `marts`) and the tables as published (`reports`); a figure that an earlier
    publication lends (`held_from`) is not one that this release shows. `memory`: what earlier publications told, to be kept in mind.
    Raises ValueError where tables contradict each other.
    """
    made = Tables(Numbers(limit))
    months = _capture(con, made)
    _attrition(con, made)
    _funnel(con, made, months, memory.funnel_months if memory else ())
    _years(con, made, months)
    _conditions(con, made)
    _rules(con, made)
    if memory:
        memory.mark(con, made.numbers)
    return made.release()


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def _capture(con: duckdb.DuckDBPyConnection, made: Tables) -> dict[Any, list[str]]:
    """Capture states by month and their totals; month -> its states."""
    months: dict[Any, list[str]] = defaultdict(list)
    totals: dict[Any, tuple[int, bool]] = {}
    for month, state, people, total, is_shown, is_total_shown in _rows(
        con,
        "select cells.service_month, cells.state, cells.people, cells.people_in_month,"
        " shown.people is not null and shown.held_from is null,"
        " shown.people_in_month is not null and shown.total_held_from is null from reports_internal.int_capture_cells as cells"
        " left join reports.rpt_capture_by_month as shown using (service_month, state) order by 1, 2",
    ):
        made.add(("capture", month, state), people, is_shown)
        months[month].append(state)
        totals[month] = (int(total), totals.get(month, (0, False))[1] or is_total_shown)
    for month, (total, is_shown) in totals.items():
        made.add(("month", month), total, is_shown)
        made.total(("month", month), [("capture", month, state) for state in months[month]])
    return months


def _attrition(con: duckdb.DuckDBPyConnection, made: Tables) -> None:
    """First criteria not met, a finer split of two capture states; of the last month the funnel shows them."""
    cells: dict[tuple[Any, str], list[Hashable]] = defaultdict(list)
    for month, state, criterion, order, people, is_shown in _rows(
        con,
        "select cells.service_month, cells.state, cells.criterion, cells.criterion_order, cells.people,"
        " shown.people is not null and shown.held_from is null"
        " from reports_internal.int_attrition_cells as cells"
        " left join reports.rpt_attrition_by_month as shown using (service_month, state, criterion) order by 1, 2, 4",
    ):
        name = ("attrition", month, state, order)
        made.add(name, people, is_shown)
        cells[month, state].append(name)
        del criterion
    for (month, state), parts in cells.items():
        made.total(("capture", month, state), parts)


def _funnel(
    con: duckdb.DuckDBPyConnection, made: Tables, months: dict[Any, list[str]], earlier: Collection[Any]
) -> None:
    """The funnel of the last month and of the run: nested steps, the month's part of the run's, and sums of the month's states.

    `earlier`: months whose funnel stood in an earlier publication. No table shows them now, but their states tell their steps.
    """
    steps = _rows(
        con,
        "select counts.chain, counts.step, counts.step_code, counts.people,"
        " shown.people is not null and shown.held_from is null"
        " from reports_internal.int_funnel_counts as counts"
        " left join reports.rpt_funnel as shown on shown.period = counts.chain and shown.step = counts.step order by 1, 2",
    )
    chains: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for chain, step, code, people, is_shown in steps:
        made.add(("funnel", chain, step), people, is_shown)
        chains[chain].append((step, code))
    for chain, names in chains.items():
        for (one, _), (other, _) in itertools.pairwise(names):
            made.part(("funnel", chain, one), ("funnel", chain, other))
    for step, _ in chains["month"]:
        made.part(("funnel", "window", step), ("funnel", "month", step))
    for month in months:
        made.part(("funnel", "window", 1), ("month", month))
    if not months:
        return
    last_steps = dict(_rows(con, "select distinct state, last_step from reports_internal.int_capture_cells"))
    last = max(months)
    for month in sorted({last, *earlier} & set(months)):
        of = "month" if month == last else month
        _sums_of_states(
            made, month, of, chains["month"], {state: last_steps[state] for state in months[month]}
        )


def _sums_of_states(
    made: Tables, month: Any, of: Any, steps: list[tuple[int, str]], last_steps: Mapping[str, int]
) -> None:
    """Equations of a month's steps with its capture states and first criteria not met; a step that stands in no table is added."""
    criteria = [
        name for name in made.numbers.place if isinstance(name, tuple) and name[:2] == ("attrition", month)
    ]
    last_criterion = max((name[3] for name in criteria), default=0)
    for step, code in steps:
        name = ("funnel", of, step)
        parts: list[Hashable]
        if step <= last_criterion + 1:
            # Whoever has not left at an earlier criterion has reached the step.
            parts = [one for one in criteria if one[3] < step]
            total, sign = ("month", month), -1
        elif code in ("served", "reached", "billed"):
            parts = [
                ("capture", month, state) for state, last_step in last_steps.items() if last_step >= step
            ]
            total, sign = None, 1
        else:
            continue
        if name not in made.numbers.place:
            people = sign * sum(made.numbers.value(one) for one in parts)
            people += made.numbers.value(total) if total else 0
            made.numbers.add(name, people, is_table=False, is_protected=False)
        if total:
            made.total(total, [name, *parts])
        else:
            made.total(name, parts)


def _years(con: duckdb.DuckDBPyConnection, made: Tables, months: dict[Any, list[str]]) -> None:
    """Counts behind the measures by year and group, and capture states by year."""
    columns = [item[0] for item in con.execute("select * from marts.fct_measure_counts limit 0").description]
    shown = {
        (year, kind, group, count)
        for year, kind, group, count, value in _rows(
            con, "select year, group_kind, group_value, count, value from reports.shown_measure_counts"
        )
        if value is not None
    }
    published = {
        kind for (kind,) in _rows(con, "select distinct group_kind from reports.shown_measure_counts")
    }
    years: dict[int, dict[tuple[str, str], dict[str, int]]] = defaultdict(dict)
    for row in _rows(con, "select * from marts.fct_measure_counts where period = 'year' order by all"):
        one = dict(zip(columns, row, strict=True))
        if one["group_kind"] in published:
            years[one["period_start"].year][one["group_kind"], one["group_value"]] = one
    window = {count: people for count, people, _ in of_run(con)}
    steps = steps_of_run(con)
    for year, counts in years.items():
        mine = [month for month in months if month.year == year]
        fill_year(made.numbers, counts, prefix=(year,))
        for kind in {kind for kind, _ in counts}:
            for count in counts_of(kind):
                mine_of_kind = {(year, kind, group, count) for one, group in counts if one == kind}
                made.shown |= mine_of_kind & shown
                # Where not even a zero is told, the count is no part of the table (see year.protected).
                if mine_of_kind.isdisjoint(shown):
                    made.numbers.withheld |= mine_of_kind
        _places(con, made, year, shown)
        if not mine:
            continue
        every = (year, EVERYBODY, EVERYBODY)
        for of in ("eligible", "billed"):
            parts = [
                ("capture", month, state) for month in mine for state in months[month] if is_of(state, of)
            ]
            made.total((*every, f"{of}_months"), parts)  # type: ignore[arg-type]
        for month in mine:
            names = {state: ("capture", month, state) for state in months[month]}
            beside_month(made.numbers, (year,), ("month", month), names)
        for count in window:
            made.part(("funnel", "window", steps[count]), (*every, count))
    for year, state, people, is_shown in _rows(
        con,
        "select cells.service_year, cells.state, cells.people, shown.people is not null and shown.held_from is null from"
        " (select cast(extract(year from service_month) as integer) as service_year, state,"
        "  count(distinct beneficiary_id) as people from marts.capture_months where has_coverage_row group by all) as cells"
        " left join reports.rpt_capture_by_year as shown using (service_year, state) order by 1, 2",
    ):
        name = ("year", year, state)
        made.add(name, people, is_shown)
        for month in months:
            if month.year == year and state in months[month]:
                made.part(name, ("capture", month, state))
        of = next((one for one in ("billed", "eligible") if is_of(state, one)), "enrolled")
        for whole in (
            (year, EVERYBODY, EVERYBODY, f"{of}_people"),
            ("funnel", "window", steps.get(f"{of}_people")),
        ):
            if whole in made.numbers.place:
                made.part(whole, name)


def _places(con: duckdb.DuckDBPyConnection, made: Tables, year: int, shown: set[Any]) -> None:
    """People of practices and counties by year."""
    cells = cells_of(con.execute("select * from marts.fct_uptake_cells where service_year = ?", [year]).pl())
    add_places(made.numbers, cells, (year,))
    for place_kind, count in {(kind, count) for kind, _, count in names_of(cells)}:
        mine = {(year, *name) for name in names_of(cells) if (name[0], name[2]) == (place_kind, count)}
        made.shown |= mine & shown
        if mine.isdisjoint(shown):
            made.numbers.withheld |= mine


def steps_of_run(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count of people -> the step of the funnel that counts the same of the whole run."""
    steps = dict(
        _rows(con, "select step_code, step from reports_internal.int_funnel_counts where chain = 'window'")
    )
    if "practice" not in steps:
        return {}
    # The last criterion of eligibility comes before the practice.
    return {
        "enrolled_people": 1,
        "eligible_people": steps["practice"] - 1,
        "billed_people": steps["billed"],
        "paid_people": steps["paid"],
    }


def of_run(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, bool]]:
    """Counts of people of the whole run as its funnel has them: count, people, whether they are shown."""
    found = {
        step: (people, is_shown)
        for step, people, is_shown in _rows(
            con,
            "select counts.step, counts.people, shown.people is not null and shown.held_from is null from reports_internal.int_funnel_counts as counts"
            " left join reports.rpt_funnel as shown on shown.period = counts.chain and shown.step = counts.step"
            " where counts.chain = 'window'",
        )
    }
    return [(count, *found[step]) for count, step in steps_of_run(con).items()]


def _conditions(con: duckdb.DuckDBPyConnection, made: Tables) -> None:
    """People with each condition, and without it, of those at the step of the funnel before conditions are asked."""
    base = _rows(
        con,
        "select step from reports_internal.int_funnel_counts where chain = 'month' and step = ("
        "select min(step) - 1 from reports_internal.int_funnel_counts where step_code = 'two_conditions')",
    )
    if not base:
        return
    for definition, condition, people, is_shown in _rows(
        con,
        "select cells.definition, cells.condition, cells.people,"
        " shown.people is not null and shown.held_from is null"
        " from reports_internal.int_condition_cells as cells"
        " left join reports.rpt_condition_prevalence as shown using (definition, condition) order by 1, 2",
    ):
        name = ("condition", definition, condition)
        made.add(name, people, is_shown)
        made.part(("funnel", "month", base[0][0]), name)


def _rules(con: duckdb.DuckDBPyConnection, made: Tables) -> None:
    """Subjects of each rule by status: they add up to as many for all rules that are asked of the same subjects, a number that no
    table shows. Smallness is decided by people."""
    rules: dict[str, list[Hashable]] = defaultdict(list)
    asked: dict[str, Hashable] = {}
    for rule, status, subjects, people, is_shown, of in _rows(
        con,
        "select cells.rule_id, cells.status, cells.subjects, cells.people,"
        " shown.subjects is not null and shown.held_from is null, subjects.of from"
        " (select rule_id, status, count(*) as subjects, count(distinct coalesce(beneficiary_id, subject_id)) as people"
        "  from flags.rule_results group by all) as cells inner join"
        " (select rule_id, concat_ws('/', count(*), bit_xor(hash(subject_id))) as of from flags.rule_results group by all)"
        " as subjects using (rule_id)"
        " left join reports.rpt_flags_by_rule as shown using (rule_id, status) order by 1, 2",
    ):
        name = ("rule", rule, status)
        made.add(name, subjects, is_shown, protected=made.numbers.is_small(people))
        rules[rule].append(name)
        asked[rule] = ("subjects", of)
    for rule, parts in rules.items():
        if asked[rule] not in made.numbers.place:
            made.add(asked[rule], sum(made.numbers.value(one) for one in parts), False, protected=False)
        made.total(asked[rule], parts)
    for people, is_shown in _rows(
        con,
        "select count(distinct beneficiary_id),"
        " exists (from reports.rpt_findings_total where people is not null and held_from is null)"
        " from flags.lines_at_fault",
    ):
        made.add(("findings",), people, is_shown)
