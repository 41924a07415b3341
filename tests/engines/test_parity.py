"""How the tables of two engines are compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from benchmarks.parity import Compared, builds, compare, kind_of, published, told, warehouses


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def compared(con: duckdb.DuckDBPyConnection, left: str, right: str) -> Compared:
    con.execute(f"create table l as {left}")
    con.execute(f"create table r as {right}")
    return compare(con, "t", "l", "r")


def test_the_order_of_rows_and_the_width_of_integers_do_not_matter(con: duckdb.DuckDBPyConnection) -> None:
    found = compared(
        con,
        "select * from (values (1::integer, 'a', ['x', 'y']), (2::integer, null, [])) t(n, says, list)",
        "select * from (values (2::bigint, null, []), (1::bigint, 'a', ['x', 'y'])) t(n, says, list)",
    )
    assert found.is_equal
    assert found.rows == (2, 2)


@pytest.mark.parametrize(
    ("left", "right", "columns"),
    [
        ("select 1 as a, 'x' as b", "select 1 as a, 'y' as b", ("b",)),
        ("select 1 as a, null::varchar as b", "select 1 as a, '' as b", ("b",)),
        ("select 1.10::decimal(12, 2) as a", "select 1.11::decimal(12, 2) as a", ("a",)),
        ("select 1.0::double as a", "select 1.00001::double as a", ("a",)),
        ("select null::double as a", "select 0::double as a", ("a",)),
        ("select ['x', 'y'] as a", "select ['y', 'x'] as a", ("a",)),
    ],
)
def test_a_value_that_differs_is_found(
    con: duckdb.DuckDBPyConnection, left: str, right: str, columns: tuple[str, ...]
) -> None:
    found = compared(con, left, right)
    assert not found.is_equal
    assert found.differing == 1
    assert found.columns == columns


def test_doubles_may_differ_by_the_order_in_which_they_were_added(con: duckdb.DuckDBPyConnection) -> None:
    assert compared(con, "select 0.1::double + 0.2::double as a", "select 0.3::double as a").is_equal


def test_a_row_that_one_side_lacks_or_has_twice_is_found(con: duckdb.DuckDBPyConnection) -> None:
    found = compared(con, "select * from range(3) t(a)", "select * from (values (0), (1), (1), (2)) t(a)")
    assert not found.is_equal
    assert found.differing > 0


def test_a_column_of_another_kind_or_missing_is_found(con: duckdb.DuckDBPyConnection) -> None:
    found = compared(con, "select 1 as a, 2 as b", "select 1::double as a, 2 as c")
    assert found.kinds == ("a: integer and double", "b: integer and missing", "c: missing and integer")
    assert not found.is_equal


def test_kinds_of_decimals_are_their_places() -> None:
    assert kind_of("DECIMAL(38,2)") == kind_of("DECIMAL(12,2)") != kind_of("DECIMAL(12,4)")


def test_tables_of_two_builds_are_found_by_name(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as made:
        made.execute("create schema marts")
        made.execute("create table marts.same as select 1 as a")
        made.execute("create table marts.other as select 1 as a")
    for name, value in (("same", 1), ("other", 2), ("new", 1)):
        folder = tmp_path / "spark" / "marts.db" / name
        folder.mkdir(parents=True)
        duckdb.sql(f"copy (select {value} as a) to '{folder}/part.parquet' (format parquet)")
    found = {one.name: one for one in builds(tmp_path / "warehouse.duckdb", tmp_path / "spark")}
    assert {name: one.is_equal for name, one in found.items()} == {
        "marts.same": True,
        "marts.other": False,
        "marts.new": False,
    }
    assert told(list(found.values()))[-1] == "- 1 of 3 tables are equal, 1 rows"


def test_a_published_table_that_one_side_lacks_is_told(tmp_path: Path) -> None:
    for folder, names in (("left", ("both", "left_only")), ("right", ("both",))):
        (tmp_path / folder / "tables").mkdir(parents=True)
        for name in names:
            duckdb.sql(
                f"copy (select 1 as a) to '{tmp_path}/{folder}/tables/{name}.parquet' (format parquet)"
            )
    found = published(tmp_path / "left", tmp_path / "right")
    assert [(one.name, one.is_equal) for one in found] == [("both", True), ("left_only", False)]


def test_two_warehouses_are_compared_table_by_table(tmp_path: Path) -> None:
    for name, tables in (("one", {"a": 1, "b": 2, "gone": 3}), ("other", {"a": 1, "b": 5})):
        with duckdb.connect(str(tmp_path / name)) as con:
            con.execute("create schema marts")
            con.execute("create schema policy")
            con.execute(f"create table policy.limits as select '{name}' as x")
            for table, value in tables.items():
                con.execute(f"create table marts.{table} as select {value} as x")
    found = {one.name: one for one in warehouses(tmp_path / "one", tmp_path / "other")}
    assert {name: one.is_equal for name, one in found.items()} == {
        "marts.a": True,
        "marts.b": False,
        "marts.gone": False,
    }
