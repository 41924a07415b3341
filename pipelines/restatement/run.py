"""The comparison of a run with the publication that stands, before it takes its place."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from pipelines import engine, lineage
from pipelines.disparity.published import largest_small_cell
from pipelines.extracts.delivery import sql_text
from pipelines.lineage import Lineage
from pipelines.restatement import person_months, release
from pipelines.settings import Settings


def publish(settings: Settings, made_from: Lineage) -> int:
    """Write what this run restates into its own warehouse (`settings` of a run in the making); returns person-months.

    Nothing is compared where nothing is published yet, where what is published tells of another history (another folder's batches,
    a later day), was built by another version, or cannot be read: then the tables are there and say so.
    """
    standing = replace(settings, in_the_making=False)
    before = lineage.read(standing.tables)
    with engine.connect(settings, settings.warehouse) as con:
        policy = before is not None and before.policy_version != made_from.policy_version
        models = before is not None and before.models_version != made_from.models_version
        compared_with, changed = None, 0
        if before is not None and made_from.can_follow(before) and attach(con, standing):
            try:
                changed = person_months.compare(con, policy_changed=policy, models_changed=models)
                compared_with = con.execute(
                    "select as_of, through_month from before.flags.ledger_run"
                ).fetchone()
            except (duckdb.CatalogException, duckdb.BinderException):
                compared_with = None  # another version built it
        if compared_with is None:
            changed = 0
            person_months.nothing_to_compare(con)
        new = len(made_from.batches.keys() - before.batches.keys()) if before and compared_with else 0
        release.publish(
            con, compared_with=compared_with, limit=largest_small_cell(con), new_deliveries=new,
            policy_changed=policy, models_changed=models,
        )  # fmt: skip
    return changed


def attach(con: duckdb.DuckDBPyConnection, standing: Settings) -> bool:
    """Attach the published warehouse as `before`; whether it can be read and has the tables."""
    if not standing.warehouse.exists():
        return False
    try:
        con.execute(f"attach {sql_text(str(standing.warehouse.resolve()))} as before (read_only)")
    except duckdb.Error:
        return False
    return not person_months.lacking(con)
