"""What goes with a number that is hidden after its table was made."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.disparity import closing

# Steps of the month: the one before conditions are asked has as many people as the one before it.
STEPS = [(1, "enrolled", 385), (4, "fee_for_service", 345), (5, "alive", 345), (6, "two_conditions", 240)]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("create schema reports")
    made.execute(
        "create table reports.rpt_funnel (period varchar, step integer, step_code varchar, people bigint, dropped bigint,"
        " is_suppressed boolean)"
    )
    made.executemany("insert into reports.rpt_funnel values ('month', ?, ?, ?, 0, false)", STEPS)
    made.execute(
        "create table reports.rpt_eligibility_attrition as select period, step as criterion_order, people as people_left,"
        " dropped as people_dropped, is_suppressed from reports.rpt_funnel"
    )
    made.execute(
        "create table reports.rpt_condition_prevalence as select 'ccw' as definition, 'asthma' as condition, 60::bigint as people,"
        " 345::bigint as base_people, 0.17 as share, false as is_suppressed"
    )
    return made


def hide(con: duckdb.DuckDBPyConnection, step: int) -> None:
    closing._hide(con, [("funnel", "month", step)])


def test_a_hidden_step_takes_its_distances_and_its_attrition_with_it(con: duckdb.DuckDBPyConnection) -> None:
    hide(con, 6)
    assert con.execute("from reports.rpt_funnel where step = 6").fetchall() == [
        ("month", 6, "two_conditions", None, None, True)
    ]
    assert con.execute("from reports.rpt_eligibility_attrition where criterion_order = 6").fetchall() == [
        ("month", 6, None, None, True)
    ]
    assert con.execute("select people from reports.rpt_condition_prevalence").fetchall() == [(60,)]


def test_shares_of_a_hidden_step_go_even_where_another_step_has_as_many_people(
    con: duckdb.DuckDBPyConnection,
) -> None:
    hide(con, 5)
    shown = con.execute(
        "select people, base_people, share, is_suppressed from reports.rpt_condition_prevalence"
    )
    assert shown.fetchall() == [(None, None, None, True)]
