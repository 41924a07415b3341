"""Whether small numbers of people can be told from everything that a run is about to publish."""

from __future__ import annotations

import duckdb

from expectations.declared import blocks
from expectations.run import Outcome
from pipelines.disparity import published


def outcomes(con: duckdb.DuckDBPyConnection) -> list[Outcome]:
    """The audit of all report tables together, on the built warehouse: numbers asked about, and those that can be told."""
    found = published.audited(con, published.largest_small_cell(con))
    return [
        Outcome(
            suite="disclosure_audit",
            table="reports",
            column="people",
            expectation="nothing_small_can_be_told",
            says="no number of 1 to the limit follows from the tables published together",
            success=not len(found.given_away),
            blocking=blocks("disclosure_audit"),
            rows=found.asked,
            unexpected=len(found.given_away),
        )
    ]
