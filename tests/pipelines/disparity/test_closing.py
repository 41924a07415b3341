"""What goes with a number that is hidden after its table was made."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.disparity import closing
from pipelines.disparity.page_releases import Memory
from tests.pipelines.disparity.small_pages import JAN, LIMIT, STATES, warehouse

# Steps of the month: the one before conditions are asked has as many people as the one before it.
STEPS = [("enrolled", 385), ("fee_for_service", 345), ("alive", 345), ("two_conditions", 240)]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    month = dict(zip(STATES, (145, 100, 60, 80), strict=True))
    return warehouse({JAN: month}, funnel={"month": STEPS}, conditions={"asthma": 60})


def hide(con: duckdb.DuckDBPyConnection, step: int) -> None:
    closing._hide(con, [("funnel", "month", step)], Memory(), LIMIT)


def test_a_hidden_step_takes_its_distances_and_its_attrition_with_it(con: duckdb.DuckDBPyConnection) -> None:
    hide(con, 4)
    assert con.execute(
        "select people, dropped, is_suppressed from reports.rpt_funnel where step = 4"
    ).fetchall() == [(None, None, True)]
    attrition = "select people_left, people_dropped, is_suppressed from reports.rpt_eligibility_attrition where criterion_order = 4"
    assert con.execute(attrition).fetchall() == [(None, None, True)]
    assert con.execute("select people from reports.rpt_condition_prevalence").fetchall() == [(60,)]


def test_shares_of_a_hidden_step_go_even_where_another_step_has_as_many_people(
    con: duckdb.DuckDBPyConnection,
) -> None:
    hide(con, 3)
    shown = con.execute(
        "select people, base_people, share, is_suppressed from reports.rpt_condition_prevalence"
    )
    assert shown.fetchall() == [(None, None, None, True)]
