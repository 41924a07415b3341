"""One run's publishable tables, for a notebook.

A notebook can only read what the release gate has passed, so nothing person-level or unsuppressed can reach its cells, its plot
data or its page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.built import open_built
from pipelines.settings import Settings, from_environment

# Schemas that hold nothing but what may be shown, once tables with an identifier are left out.
SCHEMAS = ("reports", "policy")
ALSO = ("flags.rule_catalogue",)
IDENTIFIERS = frozenset({"beneficiary_id", "practitioner_npi", "claim_id", "claim_line_id", "finding_id"})


class NotPublishable(Exception):
    """The table holds rows of persons or numbers before suppression."""


class Run:
    """What a finished run left in `out`: `record` (run.json), and its publishable tables as frames."""

    def __init__(self, out: str | Path) -> None:
        self.settings: Settings = from_environment(Path(out))
        with open_built(self.settings):
            path = self.settings.run_record
            self.record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def table(self, name: str, schema: str = "reports") -> pl.DataFrame:
        """The whole table in a stated order. Raises NotPublishable, or NoWarehouse where there is no such table."""
        qualified = f"{schema}.{name}"
        if not qualified.replace(".", "_").isidentifier():
            raise NotPublishable(f"{qualified!r} is not the name of a table")
        if schema not in SCHEMAS and qualified not in ALSO:
            raise NotPublishable(f"{qualified} is not suppressed: read a table of {' or '.join(SCHEMAS)}")
        with open_built(self.settings, qualified) as con:
            columns = {row[0] for row in con.execute(f"describe {qualified}").fetchall()}
            if columns & IDENTIFIERS:
                raise NotPublishable(f"{qualified} is person-level")
            return con.execute(f"select * from {qualified} order by all").pl()

    def has(self, name: str, schema: str = "reports") -> bool:
        """Whether the run made the table: some belong to steps that a user may leave out."""
        with open_built(self.settings) as con:
            found = con.execute(
                "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
                [schema, name],
            ).fetchone()
        return found is not None

    def __repr__(self) -> str:
        return (
            f"Run through {self.record.get('through')}, as of {self.record.get('as_of')},"
            f" policy {self.record.get('policy_version')}"
        )
