"""Conditions by intervals are conditions by counting: random claims of one person, every month-end.

The model's own SQL runs on small tables that stand in for its inputs. Beside it the definition is applied
as it is written: look at the calendar months of the look-back that end with a month, count claims and days.
"""

from __future__ import annotations

import calendar
import datetime as dt
import itertools

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dbt_project.compiled_models import CATALOGUE, compile_models

FIRST = dt.date(2015, 11, 1)
DAYS = 1500
MONTH_ENDS = [
    dt.date(year, month, calendar.monthrange(year, month)[1])
    for year in range(2015, 2023)
    for month in range(1, 13)
]
Claims = list[tuple[int, bool]]


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The SQL of condition_intervals as dbt compiles it, with plain names for its two inputs."""
    sql = compile_models(tmp_path_factory.mktemp("compile"), "condition_intervals")["condition_intervals"]
    for relation in ("marts.fct_condition_evidence", "policy.condition_definitions"):
        schema, table = relation.split(".")
        sql = sql.replace(f'"{CATALOGUE}"."{schema}"."{table}"', table)
    assert f'"{CATALOGUE}".' not in sql, sql
    return sql


def window(month_end: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """The calendar months of a look-back that end with this month: first and last day."""
    index = month_end.year * 12 + month_end.month - months
    return dt.date(index // 12, index % 12 + 1, 1), month_end


def holds_by_counting(claims: Claims, month_end: dt.date, months: int) -> bool:
    first, last = window(month_end, months)
    inside = [
        (FIRST + dt.timedelta(days=day), one)
        for day, one in claims
        if first <= FIRST + dt.timedelta(days=day) <= last
    ]
    alone = any(one for _, one in inside)
    days = {day for day, one in inside if not one}
    return alone or len(days) >= 2


def holds_by_intervals(query: str, claims: Claims, months: int) -> list[bool]:
    with duckdb.connect() as con:
        con.execute(
            "create table condition_definitions as select 'd' as definition, 'c' as condition, 1 as condition_key, "
            f"{months} as lookback_months"
        )
        con.execute(
            "create table fct_condition_evidence (beneficiary_id varchar, condition_key integer,"
            " evidence_date date, claim_id varchar, is_one_claim_evidence boolean, is_two_claim_evidence boolean)"
        )
        if claims:
            con.executemany(
                "insert into fct_condition_evidence values ('p', 1, ?, ?, ?, ?)",
                [
                    (FIRST + dt.timedelta(days=day), f"claim{number}", one, not one)
                    for number, (day, one) in enumerate(claims)
                ],
            )
        intervals = con.execute(f"select start_date, end_date from ({query}) order by 1").fetchall()
    for (_, end), (start, _) in itertools.pairwise(intervals):
        assert start > end + dt.timedelta(days=1), "intervals that touch are one"
    return [any(start <= day <= end for start, end in intervals) for day in MONTH_ENDS]


# Days near the ends of months are drawn as often as all others: there the two could differ.
EDGES = [(day - FIRST).days + shift for day in MONTH_ENDS for shift in (-1, 0, 1)]
DAY = st.one_of(st.integers(0, DAYS), st.sampled_from([day for day in EDGES if 0 <= day <= DAYS]))


@pytest.mark.parametrize("months", [12, 24, 36])
@pytest.mark.parametrize("kind", ["one claim", "two claims", "either"])
def test_intervals_hold_at_the_month_ends_at_which_counting_says_so(
    query: str, kind: str, months: int
) -> None:
    one_claim = {"one claim": st.just(True), "two claims": st.just(False), "either": st.booleans()}[kind]

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.tuples(DAY, one_claim), max_size=8))
    def holds(claims: Claims) -> None:
        counted = [holds_by_counting(claims, day, months) for day in MONTH_ENDS]
        assert holds_by_intervals(query, claims, months) == counted

    holds()
