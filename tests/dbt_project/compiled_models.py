"""The SQL of single models as dbt compiles it, run over rows made by a test in a database of its own.

A property test tries hundreds of small inputs; running dbt for each would take minutes, its SQL takes milliseconds.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from dbt.cli.main import dbtRunner
from pytest import MonkeyPatch

from pipelines.dbt_process import parsed_project
from pipelines.parsed import READ_WHEN_PARSED, take
from pipelines.settings import DBT_PROJECT, POLICY_SEEDS, Settings

# dbt names relations by the warehouse's file name.
CATALOGUE = "warehouse"
# Relation (schema.table) -> column -> DuckDB type
Columns = Mapping[str, Mapping[str, str]]


def compile_models(scratch: Path, *names: str) -> dict[str, str]:
    """The compiled SQL of each named model; raises AssertionError where dbt cannot compile it."""
    with MonkeyPatch.context() as environment:
        for variable in ("CCM_LANDING", "CCM_QUARANTINE", "CCM_LEDGER", "CCM_TEMPORARY"):
            environment.setenv(variable, str(scratch / variable.lower()))
        environment.setenv("CCM_WAREHOUSE", str(scratch / f"{CATALOGUE}.duckdb"))
        asked = {name: os.environ[name] for name in READ_WHEN_PARSED if name in os.environ}
        path = take(Settings(out=scratch), scratch / "parsed_project", asked)
        outcome = dbtRunner(manifest=parsed_project(path)).invoke(
            [
                *("--quiet", "compile", "--select", *names),
                *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
                *("--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs")),
            ]
        )
    assert outcome.success, outcome.exception
    compiled = {result.node.name: result.node.compiled_code for result in outcome.result.results}
    assert set(names) <= set(compiled)
    return compiled


class Bench:
    """A database in memory with empty tables under the warehouse's names; each model is built as a table."""

    def __init__(self, columns: Columns) -> None:
        self.con = duckdb.connect()
        self.con.execute(f"attach ':memory:' as {CATALOGUE}")
        self.con.execute(f"use {CATALOGUE}")
        self.columns = columns
        for relation, types in columns.items():
            self.con.execute(f"create schema if not exists {relation.split('.')[0]}")
            declared = ", ".join(f"{name} {kind}" for name, kind in types.items())
            self.con.execute(f"create table {relation} ({declared})")

    def load(self, relation: str, rows: Iterable[Sequence[object]]) -> None:
        """Replace the rows of `relation` (values in the order of its columns)."""
        self.con.execute(f"delete from {relation}")
        rows = list(rows)
        if rows:
            marks = ", ".join("?" for _ in self.columns[relation])
            self.con.executemany(f"insert into {relation} values ({marks})", rows)

    def load_seed(self, seed: str) -> None:
        """Fill `policy.<seed>` from the project's policy seed, by column name."""
        relation = f"policy.{seed}"
        with (POLICY_SEEDS / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
            self.load(
                relation,
                [tuple(row[name] for name in self.columns[relation]) for row in csv.DictReader(file)],
            )

    def build(self, relation: str, sql: str) -> None:
        self.con.execute(f"create schema if not exists {relation.split('.')[0]}")
        self.con.execute(f"create or replace table {relation} as {sql}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()
