"""What pages are made from: the finished warehouse, opened read-only, and what the run learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import polars as pl

from pipelines.settings import Settings

Row = dict[str, Any]


@dataclass
class Sources:
    """The warehouse of one run. `window` has `as_of` and `through` (dates); `outcomes` are the run's expectations."""

    con: duckdb.DuckDBPyConnection
    settings: Settings
    window: Any
    outcomes: Sequence[Any]

    def rows(self, query: str) -> list[Row]:
        """One query's rows, by column name."""
        return rows(self.con, query)

    def frame(self, query: str) -> pl.DataFrame:
        """One query as a frame; for person-level tables, which can be long."""
        return self.con.sql(query).pl()

    def has(self, *names: str) -> bool:
        """Whether the warehouse holds all of these tables (`schema.table`): parts of it may be left out of a run."""
        return set(names) <= self._tables

    @cached_property
    def _tables(self) -> set[str]:
        found = self.con.execute("select table_schema || '.' || table_name from information_schema.tables")
        return {name for (name,) in found.fetchall()}

    @cached_property
    def capture(self) -> list[Row]:
        """Cells of `rpt_capture_by_month`, newest month first: several pages read them."""
        return self.rows(
            "select * from reports.rpt_capture_by_month order by service_month desc, state_order"
        )

    @cached_property
    def catalogue(self) -> list[Row]:
        return self.rows("select * from flags.rule_catalogue order by rule_id")


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    """One query's rows, by column name."""
    found = con.execute(sql)
    columns = [item[0] for item in found.description or []]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def by_period(capture: list[Row], column: str) -> list[Row]:
    """Capture cells by month or year, in their order: state -> cell; a state without people is absent."""
    found: dict[Any, Row] = {}
    for row in capture:
        one = found.setdefault(
            row[column],
            {
                "period": row[column],
                "people": row.get("people_in_month"),
                "held_from": row.get("total_held_from"),
                "run_out_state": row.get("run_out_state"),
                "cells": {},
            },
        )
        one["cells"][row["state"]] = row
    return list(found.values())
