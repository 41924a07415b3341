"""Data quality: what came in, what was held back, what was checked, and how complete each month's claims are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import dbt_artifacts
from pipelines.publish.formatting import HIDDEN
from pipelines.publish.sources import Row, Sources
from pipelines.publish.vocabulary import RUN_OUT

DBT_OUTCOMES = ("pass", "warn", "fail", "error", "skipped")


def view(sources: Sources) -> dict[str, Any]:
    return {
        "loads": sources.rows(
            "select * from reports.rpt_load_summary order by received_date, batch_id, source_file"
        ),
        "quarantine": sources.rows(
            "select * from reports.quarantine_summary order by batch_id, table_name, reason"
        ),
        "quality": quality(sources.outcomes, few(sources)),
        "dbt": dbt_results(sources.settings.dbt_target),
        "run_out": run_out(sources.capture),
        "run_out_words": RUN_OUT,
    }


def few(sources: Sources) -> int | None:
    """How many are few, as the policy in force has it; None where no policy is."""
    found = sources.rows(
        "select max(limit_value) as few from policy.disclosure_limits where limit_name = 'largest_small_cell'"
    )
    return found[0]["few"] and int(found[0]["few"])


def quality(outcomes: Sequence[Any], few: int | None) -> list[Row]:
    """Expectation outcomes by suite: all of them, and the failed ones with how many rows failed, told from `few` + 1 on."""
    found = []
    for suite in dict.fromkeys(outcome.suite for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.suite == suite]
        failed = [
            (outcome, rows_that_failed(outcome.unexpected, few)) for outcome in mine if not outcome.success
        ]
        found.append({"suite": suite, "table": mine[0].table, "outcomes": mine, "failed": failed})
    return found


def rows_that_failed(rows: int, few: int | None) -> str:
    if few is None:
        return str(HIDDEN)
    return f"1 to {few}" if 1 <= rows <= few else f"{rows:,}"


def dbt_results(target: Path) -> list[Row]:
    """Nodes of the run's dbt build by kind and outcome, and its slowest; counts and names only, never messages."""
    counts: dict[str, Counter[str]] = {}
    for node in dbt_artifacts.results(target):
        kind = node["unique_id"].split(".", 1)[0]
        status = "pass" if node["status"] == "success" else node["status"]
        counts.setdefault(kind, Counter())[status] += 1
    return [
        {"kind": kind, "total": sum(found.values()), **{name: found[name] for name in DBT_OUTCOMES}}
        for kind, found in sorted(counts.items())
    ]


def run_out(capture: list[Row]) -> list[Row]:
    """The state of each month's claims, newest first."""
    return [
        {"service_month": month, "run_out_state": state}
        for month, state in {row["service_month"]: row["run_out_state"] for row in capture}.items()
    ]
