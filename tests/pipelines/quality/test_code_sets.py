"""Codes that no value set knows are counted by family; a value set of last year is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from expectations.declared import declared
from pipelines.quality import code_sets
from pipelines.window import RunWindow

FAMILY = {
    "name": "care_management_codes",
    "table": "core.lines",
    "column": "code",
    "known_column": "hcpcs_code",
    "like": "policy.care.hcpcs_code",
    "letters": 4,
}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("create schema policy; create schema core")
        con.execute("create table policy.care as select unnest(['99490', '99439', 'G0556']) as hcpcs_code")
        con.execute("create table policy.visits as select unnest(['99492', '99213']) as hcpcs_code")
        con.execute("create table core.lines (code varchar)")
        yield con


def lines(con: duckdb.DuckDBPyConnection, *codes: str | None) -> None:
    con.executemany("insert into core.lines values (?)", [[code] for code in codes])


def test_unknown_codes_are_counted_by_family_and_others_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "99490", "99499", "99499", "99498", "G0559", "99999", "J1234", None, "99492")
    found = {one.column: one.unexpected for one in code_sets.unknown_codes(con, FAMILY)}
    assert found == {"code 9949…": 3, "code G055…": 1}


def test_no_code_is_told_itself(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "99498")
    assert "99498" not in str(code_sets.unknown_codes(con, FAMILY))


def test_where_all_codes_are_known_the_check_is_met(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "99490", "99492", "A0001")
    (met,) = code_sets.unknown_codes(con, FAMILY)
    assert met.success and met.rows == 3


def test_a_plain_list_is_looked_up_as_a_whole(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "RN", "XX", "XX", None)
    con.execute("create table policy.credentials as select 'RN' as credential")
    check = {"name": "c", "table": "core.lines", "column": "code", "known": "policy.credentials.credential"}
    (found,) = code_sets.unknown_codes(con, check)
    assert found.unexpected == 2 and not found.blocking


@pytest.mark.parametrize(("newest", "met"), [(2026, True), (2025, False), (2027, True)])
def test_a_yearly_value_set_is_of_the_year_of_the_data(
    con: duckdb.DuckDBPyConnection, newest: int, met: bool
) -> None:
    con.execute(f"create table policy.prices as select date '{newest}-01-01' as effective_from")
    window = RunWindow(as_of=date(2026, 3, 15), through=date(2026, 1, 1))
    assert code_sets.aged(con, "prices", window).success is met


def test_the_declared_checks_name_each_a_column_and_where_it_is_known() -> None:
    for check in declared()["unknown_codes"]:
        assert {"name", "table", "column"} <= set(check) and ("known" in check) != ("known_column" in check)
