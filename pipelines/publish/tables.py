"""Published tables as Parquet files, in the order of their keys, so that equal runs give equal rows in equal order."""

from __future__ import annotations

import shutil

from pipelines import engine, lineage
from pipelines.extracts.delivery import sql_text
from pipelines.lineage import Lineage
from pipelines.settings import Settings

# name -> (schema, columns that order the file)
PUBLISHED: dict[str, tuple[str, str]] = {
    "condition_intervals": ("marts", "beneficiary_id, definition, condition, start_date"),
    "eligibility_months": ("marts", "beneficiary_id, service_month"),
    "capture_months": ("marts", "beneficiary_id, service_month"),
    "rule_results": ("flags", "rule_id, subject_id"),
    "findings": ("flags", "finding_id"),
    "billing_proposals": ("reports", "practice_id, beneficiary_id, service_month"),
    "worklist": ("reports", "practice_id, rank"),
    "outreach_fairness": ("reports", "measure, group_kind, group_value"),
    "disparity_measures": ("reports", "measure, period, group_kind, group_value"),
    "disparity_gradients": ("reports", "year, measure, group_kind"),
    "disparity_parts": ("reports", "year, group_kind, group_value, method, part_order"),
    "disparity_places": ("reports", "year, place_kind, place"),
    "restated_months": ("reports", "beneficiary_id, service_month"),
    "quarantine_summary": ("reports", "batch_id, table_name, reason"),
}


def export(settings: Settings, made_from: Lineage) -> dict[str, int]:
    """Write every published table to `tables/`, all or none, each with what it was made from; returns table -> rows.

    The folder is exchanged as a whole, so a reader never sees tables of two runs side by side.
    """
    fresh = settings.tables.with_name("tables.incoming")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    counts: dict[str, int] = {}
    metadata = ", ".join(f"'{name}': {sql_text(value)}" for name, value in made_from.as_metadata().items())
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        for name, (schema, order) in PUBLISHED.items():
            path = fresh / f"{name}.parquet"
            con.execute(
                f"copy (select * from {schema}.{name} order by {order}) to '{path}'"
                f" (format parquet, compression zstd, kv_metadata {{{metadata}}})"
            )
            path.chmod(0o600)
            row = con.execute(f"select count(*) from {schema}.{name}").fetchone()
            counts[name] = int(row[0]) if row else 0
    lineage.write(fresh, made_from)
    shutil.rmtree(settings.tables, ignore_errors=True)
    fresh.rename(settings.tables)
    return counts
