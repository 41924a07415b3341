"""The warehouse that the last run left, opened to read what it decided."""

from __future__ import annotations

import duckdb

from pipelines.settings import Settings


class NoWarehouse(Exception):
    """There is nothing complete to read; str() is one line that says what to do."""


# The tables that readers of a built warehouse look into; the last of them is made last.
READ = (
    *(
        "core.core_beneficiary_ids",
        "marts.capture_months",
        "marts.fct_care_activities",
        "marts.fct_month_conditions",
    ),
    *("policy.overpayment_deadlines", "flags.rule_results", "flags.oig_audit", "flags.findings"),
)


def open_built(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The warehouse, read-only. Raises NoWarehouse where there is none or a run is writing it."""
    if not settings.warehouse.exists():
        raise NoWarehouse(f"{settings.out} holds no warehouse: run `ccm run` first")
    try:
        con = duckdb.connect(str(settings.warehouse), read_only=True)
    except duckdb.IOException:
        raise NoWarehouse(
            f"{settings.warehouse} cannot be read now: a run may be writing it; try again later"
        ) from None
    try:
        for name in READ:
            con.execute(f"describe {name}")
    except duckdb.CatalogException:
        con.close()
        raise NoWarehouse(
            f"{settings.warehouse} is not complete, or of another version: run `ccm run`"
        ) from None
    return con
