"""What came of a run, for its record: what was asked, what failed and why, what was checked, and what it took. No row is quoted."""

from __future__ import annotations

import json
import platform
import resource
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

from pipelines import dbt_artifacts, engine, faults, run_records
from pipelines.extracts.landed import manifests
from pipelines.lineage import code_version, policy_version
from pipelines.settings import Settings

TOOLS = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "polars", "pyarrow")


def run_record(context: Any, result: Any, failures: list[str]) -> dict[str, Any]:
    """Everything `run.json` holds: what was asked, what came of it and what it took."""
    evaluations = result.get_asset_check_evaluations()
    success = succeeded(context, result)
    return {
        "success": success,
        "published": context.published,
        "failed": failures,
        "fault": run_records.as_fact(fault_behind(context, result)),
        "breaches": run_records.breaches(context.outcomes),
        **what_was_asked(context),
        "dagster_run_id": result.run_id,
        "rows": row_counts(replace(context.settings, in_the_making=False)) if success else {},
        "checks": {
            "passed": sum(one.passed for one in evaluations),
            "failed": sum(not one.passed for one in evaluations),
            "expectations": len(context.outcomes),
            "expectations_failed": sum(not one.success for one in context.outcomes),
        },
        "seconds_by_step": context.progress.seconds_by_step,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def succeeded(context: Any, result: Any) -> bool:
    """Whether the run came to its end: Dagster leaves out what hangs on something that was not made, and calls that a success."""
    return bool(result.success and context.published)


def what_was_asked(context: Any) -> dict[str, Any]:
    """What a run was made from: enough to build the same rows again from landing."""
    batches = manifests(context.settings)
    window = context.window() if batches else None
    made_from = context.lineage() if batches else None
    return {
        "as_of": window.as_of if window else None,
        "through": window.through.isoformat()[:7] if window else None,
        "policy_version": policy_version(),
        "versions": {
            "code": code_version(),
            "python": platform.python_version(),
            **{tool: version(tool) for tool in TOOLS},
        },
        "lineage": asdict(made_from) if made_from else None,
        "inputs": [
            {
                **{key: batch.get(key) for key in ("batch_id", "format", "received_date", "files")},
                "is_read": made_from is not None and batch["batch_id"] in made_from.batches,
            }
            for batch in batches
        ],
    }


def what_failed(context: Any, result: Any) -> list[str]:
    """Names of failed steps, blocking checks and dbt nodes, and where an error arose; never messages, which can quote rows."""
    failed = [
        f"check {evaluation.check_name} on {evaluation.asset_key.to_user_string()}"
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.severity.value == "ERROR"
    ]
    failed += [f"step {event.step_key}" for event in result.all_events if event.is_step_failure]
    if not failed:
        failed += [f"step {event.step_key} left out" for event in result.all_events if event.is_step_skipped]
    # A dbt test of several models belongs to no one asset, so only dbt itself names it.
    failed += [f"error in {broken}" for broken in context.broken_at]
    failed += [
        f"dbt {node['unique_id']}"
        for node in dbt_artifacts.results(context.settings.dbt_target)
        if node["status"] in {"error", "fail"}
    ]
    return failed


def fault_behind(context: Any, result: Any) -> faults.Fault | None:
    """The fault of the machine that stopped the run, if it was one: a step's own, else what Dagster says of a failed step."""
    if result.success or context.fault is not None:
        return None if result.success else context.fault
    return faults.diagnose(
        event.step_failure_data.error.to_string()
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.error
    )


def write_quality(settings: Settings, outcomes: list[Any]) -> None:
    """What was checked and found, as counts: every expectation's outcome, and dbt's results by node."""
    found = {
        "expectations": [outcome.as_dict() for outcome in outcomes],
        "dbt": [
            {"node": node["unique_id"], "status": node["status"], "failures": node.get("failures")}
            for node in dbt_artifacts.results(settings.dbt_target)
        ],
    }
    (settings.out / "quality.json").write_text(json.dumps(found, indent=1) + "\n")


def row_counts(settings: Settings) -> dict[str, int]:
    """Rows of every table and view of the warehouse outside staging, by `schema.table`."""
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        names = con.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('core', 'marts', 'flags', 'reports') and table_type = 'BASE TABLE' order by all"
        ).fetchall()
        union = " union all ".join(f"select '{s}.{t}', count(*) from {s}.{t}" for s, t in names)
        return dict(con.execute(union).fetchall()) if names else {}


def peak_memory_bytes() -> int:
    """Largest resident size of this process or any one child, in bytes (Linux reports kilobytes)."""
    own, children = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(own, children) * 1024
