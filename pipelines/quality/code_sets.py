"""Code sets against the data: codes that no value set knows, and value sets that are older than the data.

What is kept are counts of rows by code family; the codes themselves are looked up in the warehouse by whoever maintains the sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from expectations.declared import blocks, declared
from expectations.run import Outcome
from pipelines.window import RunWindow


def outcomes(con: duckdb.DuckDBPyConnection, window: RunWindow) -> list[Outcome]:
    """Every declared check of code sets, on the built warehouse."""
    sets = declared()
    return [
        *(one for check in sets["unknown_codes"] for one in unknown_codes(con, check)),
        *(aged(con, name, window) for name in sets["aged_value_sets"]),
    ]


def unknown_codes(con: duckdb.DuckDBPyConnection, check: Mapping[str, Any]) -> list[Outcome]:
    """Rows with a code that no value set knows: one outcome, or one a family of codes where the check names families."""
    known = f"select {_column(check['known'])} as code from {_table(check['known'])}" if "known" in check else (
        _every_column(con, check["known_column"])
    )  # fmt: skip
    column = check["column"]
    if "like" in check:
        family = f"left({column}, {check['letters']})"
        families = (
            f"select distinct left({_column(check['like'])}, {check['letters']}) from {_table(check['like'])}"
        )
        only, family = f"and {family} in ({families})", f"{family} || '…'"
    else:
        only, family = "", "''"
    rows = con.execute(
        f"select {family} as family, count(*) from {check['table']} as rows"
        f" anti join ({known}) as known on rows.{column} = known.code"
        f" where {column} is not null {only} group by all order by all"
    ).fetchall()
    total = con.execute(f"select count({column}) from {check['table']}").fetchone() or (0,)
    return [
        Outcome(
            suite="unknown_codes",
            table=check["table"],
            column=f"{column} {family}".strip(),
            expectation="codes_known",
            says=f"every code is in {check['name'].replace('_', ' ')}",
            success=count == 0,
            blocking=blocks("unknown_codes"),
            rows=total[0],
            unexpected=count,
        )
        for family, count in rows or [("", 0)]
    ]


def aged(con: duckdb.DuckDBPyConnection, name: str, window: RunWindow) -> Outcome:
    """Whether a value set that changes every year has a row that begins in the year of the run's last month."""
    newest = con.execute(f"select max(year(effective_from)) from policy.{name}").fetchone()
    age = window.through.year - (newest[0] if newest and newest[0] else 0)
    return Outcome(
        suite="aged_value_sets",
        table=f"policy.{name}",
        column="effective_from",
        expectation="value_set_of_the_year",
        says="the value set is of the year of the data",
        success=age <= 0,
        blocking=blocks("aged_value_sets"),
        rows=0,
        unexpected=max(age, 0),
    )


def _every_column(con: duckdb.DuckDBPyConnection, column: str) -> str:
    """A query of every value of all policy tables' columns of this name."""
    tables = con.execute(
        "select table_name from information_schema.columns where table_schema = 'policy' and column_name = ? order by 1",
        [column],
    ).fetchall()
    return " union ".join(f"select {column} as code from policy.{table}" for (table,) in tables)


def _table(place: str) -> str:
    return place.rpartition(".")[0]


def _column(place: str) -> str:
    return place.rpartition(".")[2]
