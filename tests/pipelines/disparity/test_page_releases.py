"""Page tables published again: what changed by a few people is not told, and what was published stands in its place."""

from __future__ import annotations

import datetime as dt
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from pipelines.disparity import closing, page_releases
from pipelines.disparity.counts import Numbers
from pipelines.disparity.page_releases import Memory, memory
from pipelines.settings import Settings
from tests.pipelines.disparity.small_pages import FEB, JAN, LIMIT, STATES, Months, warehouse

DAYS = [dt.date(2025, month, 28) for month in range(3, 9)]
Cell = tuple[dt.date, str]


class Chain:
    """Publications one after another."""

    def __init__(self) -> None:
        self.frames: list[pl.DataFrame] = []
        self.con = duckdb.connect()
        self.memory = Memory()

    def publish(self, months: Months, **more: Any) -> duckdb.DuckDBPyConnection:
        self.con = warehouse(months, **more)
        day = DAYS[len(self.frames)]
        self.memory = memory(self.frames, day, max(months))
        closing.close(self.con, LIMIT, self.memory)
        page_releases.record(self.con, LIMIT, self.memory, day)
        self.frames.append(self.con.execute(f"from {page_releases.NUMBERS}").pl())
        return self.con

    def cell(self, month: dt.date, state: str, columns: str = "people, held_from") -> tuple[Any, ...]:
        rows = self.con.execute(
            f"select {columns} from reports.rpt_capture_by_month where service_month = ? and state = ?",
            [month, state],
        ).fetchall()
        return rows[0]

    def row(self, query: str) -> tuple[Any, ...]:
        return self.con.execute(query).fetchall()[0]

    def told(self) -> int:
        return len(closing.told_over_time(self.con, LIMIT, self.memory).given_away)


@pytest.fixture
def chain() -> Chain:
    return Chain()


def of(*people: int) -> dict[str, int]:
    return dict(zip(STATES, people, strict=True))


BEFORE = of(400, 300, 65, 90)


@pytest.mark.parametrize(
    ("now", "is_held"), [(65, False), (66, True), (55, True), (75, True), (54, False), (76, False)]
)
def test_a_state_that_changed_by_one_to_the_limit_is_held(chain: Chain, now: int, is_held: bool) -> None:
    chain.publish({JAN: BEFORE})
    chain.publish({JAN: {**BEFORE, "billable_not_billed": now, "not_eligible": 400 + 200}})
    assert chain.cell(JAN, "billable_not_billed") == ((65, DAYS[0]) if is_held else (now, None))
    assert chain.told() == 0


def test_a_held_row_shows_the_figures_that_were_published_with_their_day(chain: Chain) -> None:
    chain.publish({JAN: BEFORE})
    chain.publish({JAN: {**BEFORE, "billable_not_billed": 64, "billed_as_supported": 91}})
    columns = "people, gap_usd, potential_usd, billed_usd, paid_usd, is_suppressed, held_from"
    assert chain.cell(JAN, "billable_not_billed", columns) == (65, *[65 * 60] * 4, False, DAYS[0])
    # the month has as many people as before
    assert chain.cell(JAN, "not_eligible", "people_in_month, total_held_from, people, held_from") == (
        855, None, 400, None,
    )  # fmt: skip
    assert chain.told() == 0


def test_a_total_and_the_other_states_do_not_tell_a_held_state(chain: Chain) -> None:
    """One state changed by one, another by thirty: either that one or the total is held beside it."""
    chain.publish({JAN: BEFORE})
    con = chain.publish({JAN: {**BEFORE, "billable_not_billed": 66, "eligible_not_served": 330}})
    assert chain.cell(JAN, "billable_not_billed") == (65, DAYS[0])
    assert chain.cell(JAN, "eligible_not_served") == (300, DAYS[0])
    assert chain.cell(JAN, "not_eligible", "people_in_month, total_held_from") == (886, None)
    assert chain.told() == 0
    con.execute(
        "update reports.rpt_capture_by_month set people = 330, held_from = null where state = 'eligible_not_served'"
    )
    assert chain.told() == 1


def test_a_total_that_changed_by_a_few_is_held(chain: Chain) -> None:
    chain.publish({JAN: BEFORE})
    chain.publish({JAN: {**BEFORE, "billable_not_billed": 68}})
    assert chain.cell(JAN, "not_eligible", "people_in_month, total_held_from, people, held_from") == (
        855, DAYS[0], 400, None,
    )  # fmt: skip


def test_dollars_of_a_year_do_not_tell_those_of_a_held_month(chain: Chain) -> None:
    year = "select gap_usd, held_from, dollars_held_from from reports.rpt_capture_by_year where state = 'billable_not_billed'"
    chain.publish({JAN: BEFORE, FEB: BEFORE})
    assert chain.row(year) == (2 * 65 * 60, None, None)
    chain.publish({JAN: {**BEFORE, "billable_not_billed": 64, "billed_as_supported": 91}, FEB: BEFORE})
    assert chain.row(year) == (2 * 65 * 60, None, DAYS[0])


def test_what_was_hidden_as_small_is_hidden_up_to_twice_the_limit(chain: Chain) -> None:
    shown = []
    for people in (8, 12, 20, 21):
        chain.publish({JAN: {**BEFORE, "billable_not_billed": people, "not_eligible": 400 + 30 * people}})
        shown.append(chain.cell(JAN, "billable_not_billed", "people, is_suppressed, held_from"))
    assert shown == [(None, True, None)] * 3 + [(21, False, None)]


def test_what_protected_a_small_number_is_hidden_while_it_is_near(chain: Chain) -> None:
    shown = []
    for small, partner, total in ((8, 90, 900), (30, 90, 950), (60, 100, 1000), (90, 101, 1050)):
        rest = total - small - partner - 300
        chain.publish({JAN: of(rest, 300, small, partner)})
        shown.append([chain.cell(JAN, state, "people")[0] for state in STATES[2:]])
    assert shown == [[None, None], [30, None], [60, None], [90, 101]]


def test_what_was_small_is_not_told_by_the_others_of_its_month(chain: Chain) -> None:
    """The state that protected it has moved far enough to be shown, and the month's total and the others are."""
    chain.publish({JAN: of(400, 300, 8, 90)})
    con = chain.publish({JAN: of(430, 340, 15, 150)})
    shown = con.execute(
        "select count(people) from reports.rpt_capture_by_month where held_from is null"
    ).fetchone()
    assert shown == (2,)
    assert chain.cell(JAN, "billable_not_billed") == (None, None)
    assert chain.told() == 0


def test_small_steps_are_published_once_they_add_up(chain: Chain) -> None:
    """Held at 65 while at most ten more came; then the new number is told."""
    shown = []
    for people in (65, 70, 75, 76):
        chain.publish({JAN: {**BEFORE, "billable_not_billed": people, "not_eligible": 10 * people}})
        shown.append(chain.cell(JAN, "billable_not_billed"))
    assert shown == [(65, None), (65, DAYS[0]), (65, DAYS[0]), (76, None)]


def test_the_same_publication_again_tells_the_same_and_adds_nothing(chain: Chain) -> None:
    months = {
        JAN: {**BEFORE, "billable_not_billed": 66, "eligible_not_served": 330, "billed_as_supported": 7}
    }
    chain.publish({JAN: BEFORE})
    first = chain.publish(months).execute("from reports.rpt_capture_by_month").fetchall()
    kept = chain.frames[-1]
    chain.memory = memory(chain.frames, DAYS[1], JAN)
    con = warehouse(months)
    closing.close(con, LIMIT, chain.memory)
    page_releases.record(con, LIMIT, chain.memory, DAYS[1])
    assert con.execute("from reports.rpt_capture_by_month").fetchall() == first
    assert con.execute(f"from {page_releases.NUMBERS}").pl().equals(kept)


def test_a_day_built_again_borrows_no_figures_of_a_later_day(chain: Chain) -> None:
    chain.publish({JAN: BEFORE})
    chain.publish({JAN: {**BEFORE, "billable_not_billed": 100}})
    earlier = {JAN: {**BEFORE, "billable_not_billed": 95}}
    for day, cell in ((DAYS[0], (65, DAYS[0])), (dt.date(2025, 2, 1), (None, None))):
        chain.memory = memory(chain.frames, day, JAN)
        chain.con = warehouse(earlier)
        closing.close(chain.con, LIMIT, chain.memory)
        assert chain.cell(JAN, "billable_not_billed") == cell
        assert chain.told() == 0


FUNNEL = [("enrolled", 855), ("part_b", 800), ("alive", 700), ("two_conditions", 500)]
WINDOW = [(code, 2 * people) for code, people in FUNNEL]


def test_distances_of_steps_are_of_one_publication(chain: Chain) -> None:
    steps = "select step_code, people, dropped, held_from from reports.rpt_funnel where period = 'window' order by step"
    chain.publish({JAN: BEFORE}, funnel={"month": FUNNEL, "window": WINDOW})
    # 40 more enrolled, 35 more in Part B: five more left between them
    now = [(code, people + more) for (code, people), more in zip(WINDOW, (40, 35, 20, 3), strict=True)]
    con = chain.publish({JAN: BEFORE}, funnel={"month": FUNNEL, "window": now})
    found = con.execute(steps).fetchall()
    assert found[3] == ("two_conditions", 1000, None, DAYS[0])
    assert found[0][1:] == (1750, None, None)
    own = [people for _, people, _, held in found if held is None]
    assert len(own) == 2 and found[2][1] == 1420
    assert found[2][2] is None, "the step above is of another publication"
    attrition = "select people_left, people_dropped, held_from from reports.rpt_eligibility_attrition where period = 'window'"
    assert con.execute(attrition + " order by criterion_order").fetchall() == [row[1:] for row in found]
    assert chain.told() == 0


def test_a_month_whose_funnel_was_published_does_not_tell_its_steps_through_its_states(chain: Chain) -> None:
    """February's states tell how many were billed in January, a step of the publication before."""
    january = of(400, 300, 65, 90)
    steps = [("enrolled", 855), ("billed", 90)]
    chain.publish({JAN: january}, funnel={"month": steps, "window": [("enrolled", 3000), ("billed", 500)]})
    chain.con.execute(f"update {page_releases.NUMBERS} set state = 'kept' where kind = 'capture'")
    chain.frames = [chain.con.execute(f"from {page_releases.NUMBERS}").pl()]
    chain.publish(
        {JAN: {**january, "billed_as_supported": 93, "not_eligible": 420}, FEB: of(400, 300, 65, 200)},
        funnel={
            "month": [("enrolled", 965), ("billed", 200)],
            "window": [("enrolled", 3100), ("billed", 600)],
        },
    )
    assert chain.cell(JAN, "billed_as_supported", "people")[0] != 93
    assert chain.told() == 0


def test_conditions_keep_the_people_of_whom_they_were_counted(chain: Chain) -> None:
    rows = "select condition, people, base_people, round(share, 3), held_from from reports.rpt_condition_prevalence order by 1"
    funnel = {"month": FUNNEL, "window": WINDOW}
    chain.publish({JAN: BEFORE}, funnel=funnel, conditions={"asthma": 70, "stroke": 210})
    con = chain.publish({JAN: BEFORE}, funnel=funnel, conditions={"asthma": 73, "stroke": 280})
    assert con.execute(rows).fetchall() == [
        ("asthma", 70, 700, 0.1, DAYS[0]), ("stroke", 280, 700, 0.4, None),
    ]  # fmt: skip
    less = [*FUNNEL[:2], ("alive", 704), FUNNEL[3]]
    con = chain.publish(
        {JAN: BEFORE}, funnel={"month": less, "window": WINDOW}, conditions={"asthma": 90, "stroke": 300}
    )
    assert con.execute(rows).fetchall() == [
        ("asthma", 70, 700, 0.1, DAYS[0]), ("stroke", 280, 700, 0.4, DAYS[1]),
    ]  # fmt: skip


def test_rules_are_held_with_their_dollars_and_one_alone_takes_the_total(chain: Chain) -> None:
    rows = (
        "select rule_id, status, subjects, amount_usd, held_from from reports.rpt_flags_by_rule order by 1, 2"
    )
    chain.publish({JAN: BEFORE}, rules={"F01": {"fail": 40, "pass": 300}, "F02": {"fail": 60, "pass": 200}})
    con = chain.publish(
        {JAN: BEFORE}, rules={"F01": {"fail": 42, "pass": 340}, "F02": {"fail": 90, "pass": 240}}
    )
    held = con.execute(rows).fetchall()
    assert held[0] == ("F01", "fail", 40, 2000, DAYS[0])
    assert held[2] == ("F02", "fail", 90, 4500, None)
    assert chain.told() == 0


@pytest.mark.parametrize(("months", "is_protected"), [(1200, False), (1203, True), (1211, False)])
def test_a_measure_that_changed_by_a_few_is_not_told_by_the_states_that_add_up_to_it(
    months: int, is_protected: bool
) -> None:
    name = (2025, "everybody", "everybody", "billed_months")
    numbers = Numbers(LIMIT)
    numbers.add(name, months, is_table=True, is_protected=False)
    numbers.add("states", months, is_table=False, is_protected=False)
    numbers.equate({name: 1.0, "states": -1.0})
    Memory(measures={name: {1200}}).mark(warehouse({JAN: BEFORE}), numbers)
    assert numbers.release().is_protected.tolist() == [is_protected, False]


def determined(displayed: Mapping[Cell, int], cells: list[Cell], totals: list[dt.date]) -> set[Any]:
    """The numbers that follow from those displayed, by rank: an attack that knows nothing of the code under test."""
    rows = {cell: np.eye(len(cells))[place] for place, cell in enumerate(cells)}
    rows |= {(month, "total"): sum(rows[cell] for cell in cells if cell[0] == month) for month in totals}
    known = np.array([rows[name] for name in displayed] or [np.zeros(len(cells))])
    rank = np.linalg.matrix_rank(known)
    return {name for name, row in rows.items() if np.linalg.matrix_rank(np.vstack([known, row])) == rank}


@pytest.mark.parametrize("seed", range(4))
def test_no_change_by_a_few_people_follows_from_random_publications(seed: int, chain: Chain) -> None:
    draw = np.random.default_rng(seed)
    counts = {month: of(*draw.integers([200, 50, 0, 0], [280, 130, 80, 80]).tolist()) for month in (JAN, FEB)}
    truth: list[dict[Any, int]] = []
    follows: list[set[Any]] = []
    displays: list[set[Any]] = []
    for _ in range(3):
        con = chain.publish(
            {month: {state: n for state, n in states.items() if n} for month, states in counts.items()}
        )
        own = con.execute(
            "select service_month, state, people from reports.rpt_capture_by_month where held_from is null and people is not null"
            " union all select distinct service_month, 'total', people_in_month from reports.rpt_capture_by_month"
            " where total_held_from is null and people_in_month is not null"
        ).fetchall()
        cells = [(month, state) for month in counts for state in STATES]
        now = {(month, state): counts[month][state] for month, state in cells}
        now |= {(month, "total"): sum(counts[month].values()) for month in counts}
        shown = {(month, state): people for month, state, people in own}
        assert all(now[name] == people for name, people in shown.items())
        truth.append(now)
        displays.append(set(shown))
        follows.append(determined(shown | {cell: 0 for cell in cells if not now[cell]}, cells, list(counts)))
        counts = {
            month: {
                state: max(0, n + int(draw.integers(-14, 15)) * int(draw.integers(0, 2)))
                for state, n in states.items()
            }
            for month, states in counts.items()
        }
    changes = 0
    for one in range(3):
        assert not [name for name in follows[one] if 1 <= truth[one][name] <= LIMIT]
        for other in range(one):
            for name in truth[one]:
                few = 1 <= abs(truth[one][name] - truth[other][name]) <= LIMIT
                changes += few
                assert not (
                    few and truth[one][name] and truth[other][name] and name in follows[one] & follows[other]
                ), name
    assert changes > 3
    assert all(displays), "something is shown"


def test_what_was_told_is_kept_by_its_owner_only_and_once(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    chain = Chain()
    chain.publish({JAN: BEFORE})
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema reports_internal")
    assert not page_releases.remember(settings), "built by a version that told nothing"
    with duckdb.connect(str(settings.warehouse)) as con:
        con.register("frame", chain.frames[0].to_arrow())
        con.execute(f"create table {page_releases.NUMBERS} as from frame")
    assert page_releases.remember(settings)
    assert not page_releases.remember(settings)
    (file,) = page_releases.files(settings)
    assert pl.read_parquet(file).equals(chain.frames[0])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
