"""The main job with stand-ins for what only computes: dbt, expectations, disparities, outreach and the pages' content.

What locks, lands, writes, moves, publishes, remembers and tells is the project's own, so that a fault can be tried in seconds.
dbt's place is taken by a process that fills the new warehouse from a finished one, table by table, with dbt's ties to its parent.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from pipelines import checks, definitions, warehouse
from pipelines.disparity import reach
from pipelines.outreach import ranking
from pipelines.publish import site, tables
from pipelines.restatement import run as restatement

FILL = """
import sys, duckdb
from pipelines.dbt_process import end_with_parent
end_with_parent()
template, place, landing, as_of, limit = sys.argv[1:]
with duckdb.connect(place, config={"memory_limit": limit, "threads": 1}) as con:
    con.execute(f"attach '{template}' as template (read_only)")
    names = con.execute("select schema_name, table_name from duckdb_tables() where database_name = 'template'").fetchall()
    for schema, table in sorted(names):
        con.execute(f'create schema if not exists "{schema}"')
        con.execute(f'create table "{schema}"."{table}" as from template."{schema}"."{table}"')
    con.execute(f"update flags.ledger_run set as_of = date '{as_of}'")
    con.execute("create schema if not exists reports")
    # a view of the project, which the end of a run asks for its number of rows
    con.execute("create schema if not exists core")
    con.execute("create table if not exists core.core_quarantined_rows (resolved_date date)")
    con.execute(f"create or replace table reports.shown_measure_counts as"
                f" select count(*) as claims, date '{as_of}' as as_of from read_parquet('{landing}/batch-*/claims.parquet')")
"""
NEEDED = [["flags", "findings"], ["marts", "fct_proposed_lines"], ["marts", "fct_measure_counts"],
          ["marts", "fct_uptake_cells"], ["marts", "fct_run_out_periods"],
          ["reports", "rpt_capture_by_month"], ["marts", "capture_months"], ["marts", "fct_outreach_outcomes"],
          ["reports_internal", "int_worklist_candidates"]]  # fmt: skip


def reduce_template(template: Path, small: Path) -> None:
    """A copy of a finished warehouse with no more than the small job needs: what is published and what the ledger reads."""
    import duckdb

    needed = {(schema, name) for name, (schema, _) in tables.PUBLISHED.items()}
    needed |= {("flags", "ledger_run"), ("flags", "ledger_facts")}
    with duckdb.connect(str(small)) as con:
        con.execute(f"attach '{template}' as template (read_only)")
        held = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'template'"
        ).fetchall()
        for schema, name in sorted(needed.intersection(held)):
            con.execute(f'create schema if not exists "{schema}"')
            con.execute(f'create table "{schema}"."{name}" as from template."{schema}"."{name}"')


def install(template: Path) -> None:
    """Put the stand-ins in place, in this process; `template` is a finished warehouse."""
    import duckdb

    with duckdb.connect(str(template), read_only=True) as con:
        held = {f"{schema}.{name}" for schema, name in con.execute(
            "select table_schema, table_name from information_schema.tables").fetchall()}  # fmt: skip
    tables.PUBLISHED = {
        name: place for name, place in tables.PUBLISHED.items() if f"{place[0]}.{name}" in held
    }

    def assets(settings: Any, run: Any, landing: dg.AssetKey) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name="warehouse", specs=[dg.AssetSpec(dg.AssetKey(key), deps=[landing]) for key in NEEDED]
        )
        def filled() -> Iterator[dg.MaterializeResult]:
            from pipelines import ledger

            ledger.prepare(settings)
            with run.step("warehouse"):
                done = subprocess.run(
                    [sys.executable, "-c", FILL, str(template), str(settings.warehouse),
                     str(settings.landing), run.window().as_of.isoformat(), settings.memory_limit],
                    capture_output=True, text=True, check=False)  # fmt: skip
                if done.returncode != 0:
                    raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-2000:]}")
            for key in NEEDED:
                yield dg.MaterializeResult(asset_key=dg.AssetKey(key))

        return filled

    def pages(settings: Any, window: Any, outcomes: Any) -> Path:
        fresh = settings.reports.with_name("reports.incoming")
        fresh.mkdir(mode=0o700)
        (fresh / "index.html").write_text(f"as of {window.as_of}")
        fresh.rename(settings.reports)
        return settings.reports / "index.html"

    warehouse.assets = assets  # type: ignore[assignment]
    warehouse.propose = lambda settings, run: None
    checks.run_contracts = lambda settings: []
    checks.run_release = lambda settings, window: []
    site.build = pages
    empty = {one.name: 0 if one.type == "int" else pl.DataFrame() for one in fields(reach.Published)}
    reach.publish = lambda settings, as_of: reach.Published(**empty)  # type: ignore[arg-type]
    ranking.publish = lambda settings: ranking.Ranked({}, [], ranking.BY_RULE, 0)
    restatement.publish = lambda settings, made_from: 0
    checks.contract_specs = lambda: [dg.AssetCheckSpec(checks.VOLUMES, asset=checks.LANDING, blocking=True)]
    checks.release_specs = lambda: [dg.AssetCheckSpec("release", asset=checks.RELEASE, blocking=True)]
    assert definitions.warehouse is warehouse
