"""Run suites of expectations in a DuckDB file and keep counts, never values."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Great Expectations lists offending values by default; these settings make it keep none.
COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}


class ExpectationEngineError(Exception):
    """An expectation could not be evaluated: the engine or the expectation is at fault, not the data."""


@dataclass(frozen=True)
class Check:
    """One expectation, whether its failure blocks, what it says in plain words, and its columns where it does not name them itself."""

    expectation: Any
    blocking: bool
    says: str = ""
    columns: str = ""


@dataclass(frozen=True)
class Suite:
    """The expectations on one table (schema and table inside the DuckDB file)."""

    name: str
    schema: str
    table: str
    checks: list[Check] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What one expectation found: counts only."""

    suite: str
    table: str
    column: str
    expectation: str
    says: str
    success: bool
    blocking: bool
    rows: int
    unexpected: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(database: Path, suites: list[Suite], limits: Mapping[str, str]) -> list[Outcome]:
    """Evaluate every suite read-only in `database`, each query with `limits` (DuckDB's settings of memory and threads).

    Raises ExpectationEngineError when an expectation cannot be evaluated (its message names the expectation and the kind
    of error, and no values).
    """
    import great_expectations as gx

    from expectations.gx_duckdb import add_duckdb

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    quiet: Any = {"globally": False, "metric_calculations": False, "profilers": False}
    context.variables.progress_bars = quiet
    source = add_duckdb(context, "warehouse", database, limits)
    outcomes = []
    for suite in suites:
        asset = source.add_table_asset(
            f"{suite.name} of {suite.schema}", table_name=suite.table, schema_name=suite.schema
        )
        batch = asset.add_batch_definition_whole_table("all").get_batch()
        expected = gx.ExpectationSuite(suite.name, expectations=[check.expectation for check in suite.checks])
        result = batch.validate(expected, result_format=COUNTS_ONLY)
        for check, item in zip(suite.checks, _in_order(suite, result.results), strict=True):
            outcomes.append(_outcome(suite, check, item))
    return outcomes


def _in_order(suite: Suite, results: list[Any]) -> list[Any]:
    """Results in the order of the suite's checks: Great Expectations groups them by column."""
    ordered = []
    left = list(results)
    for check in suite.checks:
        wanted = check.expectation.configuration
        for item in left:
            config = item.expectation_config
            if config.type == wanted.type and all(
                config.kwargs.get(k) == v for k, v in wanted.kwargs.items()
            ):
                ordered.append(item)
                left.remove(item)
                break
        else:
            raise ExpectationEngineError(f"{suite.name}: no result for {wanted.type}")
    return ordered


def _outcome(suite: Suite, check: Check, item: Any) -> Outcome:
    kind = item.expectation_config.type
    errors = item.exception_info or {}
    raised = errors.get("raised_exception") or any(
        isinstance(one, dict) and one.get("raised_exception") for one in errors.values()
    )
    if raised:
        raise ExpectationEngineError(
            f"{suite.name}: {kind} could not be evaluated on {suite.schema}.{suite.table}"
        )
    found = item.result or {}
    observed = found.get("observed_value")
    unexpected = found.get("unexpected_count")
    if unexpected is None:
        unexpected = observed if isinstance(observed, int) and not item.success else int(not item.success)
    named = item.expectation_config.kwargs
    column = check.columns or named.get("column") or ", ".join(named.get("column_list", []))
    return Outcome(
        suite=suite.name,
        table=suite.table,
        column=column,
        expectation=kind,
        says=check.says or kind.replace("expect_", "").replace("_", " "),
        success=bool(item.success),
        blocking=check.blocking,
        rows=int(found.get("element_count") or 0),
        unexpected=int(unexpected),
    )
