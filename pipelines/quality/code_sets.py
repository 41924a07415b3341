"""Code sets against the data: codes that no value set knows, and value sets that are older than the data.

What is kept are counts of rows by code family; the codes themselves are looked up in the warehouse by whoever maintains the sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources, util
from itertools import pairwise
from typing import Any

import duckdb
import polars as pl

from expectations.declared import blocks, declared
from expectations.run import Outcome
from pipelines.window import RunWindow

CODE = re.compile(r"[A-Z0-9]\d[A-Z0-9]{1,5}")


def outcomes(con: duckdb.DuckDBPyConnection, window: RunWindow) -> list[Outcome]:
    """Every declared check of code sets, on the built warehouse."""
    sets = declared()
    return [
        *(one for check in sets["unknown_codes"] for one in unknown_codes(con, check)),
        *(aged(con, name, window) for name in sets["aged_value_sets"]),
        *unknown_diagnoses(con, sets["diagnosis_codes"]),
        aged_diagnoses(sets["diagnosis_codes"], window),
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


def unknown_diagnoses(con: duckdb.DuckDBPyConnection, check: Mapping[str, Any]) -> list[Outcome]:
    """Diagnoses whose code is neither in the official list of codes nor in any condition's set, one outcome a revision.

    The lists come with packages of the lock; codes that were in force in earlier years stay known through earlier lists, the
    condition sets and AHRQ's indicator, which keep them. Not taken apart by family: a chapter with few rows would say much of few people.
    """
    found = []
    for version in sorted({one["icd_version"] for one in check["lists"]}):
        lists = (one for one in installed(check) if one["icd_version"] == version)
        listed = set().union(
            *(codes_in(one["package"], one["file"], one.get("with_categories", False)) for one in lists)
        )
        con.register("listed_codes", pl.DataFrame({"code": sorted(listed)}).to_arrow())
        rows, unexpected = con.execute(
            f"""
            select count(*), count(*) filter (where not known) from (
                select (diagnosis_code in (from listed_codes)
                    or diagnosis_code in (select diagnosis_code from {check["known"]} where icd_version = $1)) as known
                from {check["table"]} where icd_version = $1
            )""",
            [version],
        ).fetchall()[0]
        con.unregister("listed_codes")
        found.append(
            Outcome(
                suite="unknown_codes",
                table=check["table"],
                column=f"diagnosis_code, ICD-{version}",
                expectation="codes_known",
                says="every diagnosis code is in the official list or a condition's set",
                success=unexpected == 0,
                blocking=blocks("unknown_codes"),
                rows=rows,
                unexpected=unexpected,
            )
        )
    return found


def aged_diagnoses(check: Mapping[str, Any], window: RunWindow) -> Outcome:
    """Whether the newest official list of diagnosis codes is for the run's last month or a later one; counted in fiscal years."""
    newest = max((int(one.get("fiscal_year", 0)) for one in installed(check)), default=0)
    of_data = window.through.year + (window.through.month >= 10)
    age = of_data - newest
    says = f"a list of diagnosis codes for fiscal year {of_data} is there"
    if age > 0:
        says += (
            f" (the newest is for {newest or 'none'}): raise the packages of diagnosis_codes in requirements.in to releases"
            " that carry one, and name it in checks.yml"
        )
    return Outcome(
        suite="aged_value_sets",
        table="ICD-10-CM",
        column="diagnosis_code",
        expectation="value_set_of_the_year",
        says=says,
        success=age <= 0,
        blocking=blocks("aged_value_sets"),
        rows=0,
        unexpected=max(age, 0),
    )


def installed(check: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The declared lists whose package is installed: an environment from before a list was added is told of as aged."""
    return [one for one in check["lists"] if util.find_spec(one["package"].partition(".")[0])]


@cache
def codes_in(package: str, name: str, with_categories: bool = False) -> frozenset[str]:
    """Codes of a list in a package: what each line begins with, without quotes and dots; of a list that also has categories those
    that no other begins with."""
    lines = (resources.files(package) / name).read_text(encoding="latin-1").splitlines()
    first = (line.split(",")[0] if name.endswith(".csv") else line.partition(" ")[0] for line in lines)
    codes = sorted({code for word in first if CODE.fullmatch(code := word.strip("'\" ").replace(".", ""))})
    if with_categories:
        codes = [code for code, after in pairwise([*codes, ""]) if not after.startswith(code)]
    return frozenset(codes)


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
