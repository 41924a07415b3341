"""What is held of a model's work tells a table read once more, a fan-out, also one that a distinct hides, and pairs compared.

The models themselves are held where the main job is tried (`tests/pipelines/test_run.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from benchmarks.plans import work_of
from tests.engines.held_work import held, table_rows, told, worse

MODEL = "select person, month, count(*) as lines from warehouse.lines group by person, month"
PLANTED = {
    "a fan-out": "select months.* from ({model}) as months cross join range(4)",
    "a fan-out that a distinct hides": "select distinct months.* from ({model}) as months cross join range(9)",
    "a second reading": "select * from ({model}) where person in (select person from warehouse.lines where line > random())",
    "a comparison of all pairs": "select count(*) from ({model}) as months left join warehouse.people"
    " on months.person < people.person",
}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("set threads = 1")
        made.execute("create schema warehouse")
        made.execute(
            "create table warehouse.lines as"
            " select n as line, n % 2000 as person, n % 6 as month from range(12000) as numbers (n)"
        )
        made.execute("create table warehouse.people as select n as person from range(2000) as numbers (n)")
        yield made


def test_a_model_is_no_worse_than_itself(con: duckdb.DuckDBPyConnection) -> None:
    work, rows = work_of(con, "months", MODEL), table_rows(con)
    assert (work.rows, work.rows_scanned, dict(work.scans)) == (6_000, 12_000, {"warehouse.lines": 1})
    assert worse(told(work, rows), work, rows) == []
    assert worse(None, work, rows) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    rows = table_rows(con)
    known = told(work_of(con, "months", MODEL), rows)
    assert worse(known, work_of(con, "months", PLANTED[kind].format(model=MODEL)), rows) != []


def test_another_order_of_joins_is_no_fault(con: duckdb.DuckDBPyConnection) -> None:
    """What passes between two joins hangs on which comes first; as long as it is no more than was read, nothing fans out."""
    work, rows = work_of(con, "months", MODEL), table_rows(con)
    assert worse(told(work, rows) | {"widest": 0.1}, work, rows) == []


def test_a_small_table_may_be_read_twice(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table warehouse.codes as select n as line from range(50) as numbers (n)")
    twice = (
        "select * from warehouse.codes where line in (select line from warehouse.codes where line > random())"
    )
    assert worse(None, work_of(con, "codes", twice), table_rows(con)) == []


def test_what_is_held_is_more_than_any_model_may_do() -> None:
    assert held()
    for model, does in held().items():
        assert (
            max(does["reads"].values(), default=0) > 1
            or does["rows"] > 1
            or does["widest"] > 1
            or does["pairs"] > 10
        ), model
