"""Expectation suites as Dagster asset checks: contracts block the load, the release suite blocks publication."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from expectations.declared import blocks
from pipelines import engine
from pipelines.extracts.contract import load_contracts
from pipelines.settings import Settings
from pipelines.window import RunWindow

LANDING = dg.AssetKey(["extracts", "landing"])
RELEASE = dg.AssetKey(["publish", "release"])
VOLUMES = "volumes"
DISPARITY = dg.AssetKey(["reports", "disparity_measures"])
WORKLIST = dg.AssetKey(["reports", "worklist"])
# Made beside the measures: table -> what it says.
DISPARITY_BESIDE = {
    dg.AssetKey(
        ["reports", "disparity_gradients"]
    ): "Slope and concentration indices over ordered groups, by year.",
    dg.AssetKey(["reports", "disparity_parts"]): "What the gaps in uptake are made of, by year and group.",
    dg.AssetKey(
        ["reports", "disparity_places"]
    ): "Uptake of practices and counties by year against control limits.",
}


def contract_specs() -> list[dg.AssetCheckSpec]:
    """One check a contract table, on what is landed, and one of all deliveries' rows."""
    return [
        *(
            dg.AssetCheckSpec(
                f"contract_{name}",
                asset=LANDING,
                blocking=blocks("contract"),
                description=contract.title,
            )
            for name, contract in load_contracts().items()
        ),
        dg.AssetCheckSpec(
            VOLUMES,
            asset=LANDING,
            blocking=True,
            description="Files hold what their manifests counted; the newest delivery is as large as usual.",
        ),
    ]


def run_contracts(settings: Settings) -> list[Any]:
    """Evaluate the contracts' suites on every batch that has not passed them yet; returns expectation outcomes (counts only)."""
    from pipelines.quality.contracts import outcomes

    return outcomes(settings)


def run_volumes(settings: Settings, as_of: date | None) -> list[Any]:
    """Landed files against their manifests, and the newest delivery received by `as_of` against earlier ones; outcomes (counts only)."""
    from pipelines.quality.volumes import of_landing

    return of_landing(settings, as_of)


def run_release(settings: Settings, window: RunWindow) -> list[Any]:
    """Evaluate everything that is asked of the built warehouse before a release; returns outcomes (counts only)."""
    from expectations.run import run
    from expectations.suites import reconciliation
    from expectations.suites.release import suites
    from pipelines.quality import code_sets, disclosure, volumes
    from pipelines.run_outcome import row_counts

    expected = [
        *suites(window.through.isoformat(), publishable_counts(settings)),
        *reconciliation.suites(),
    ]
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        of_codes = code_sets.outcomes(con, window)
        of_disclosure = disclosure.outcomes(con)
    return [
        *run(settings.warehouse, expected, engine.limits(settings)),
        *of_codes,
        *of_disclosure,
        *volumes.of_warehouse(settings, window, row_counts(settings)),
    ]


def publishable_counts(settings: Settings) -> dict[str, list[str]]:
    """Report tables that may be published -> their columns that count people (dbt meta `counts_people`)."""
    manifest = json.loads((settings.dbt_target / "manifest.json").read_text())
    found = {}
    for node in [*manifest["nodes"].values(), *manifest["sources"].values()]:
        if node["resource_type"] in {"model", "source"} and node["fqn"][1] == "reports":
            columns = [
                name
                for name, column in node["columns"].items()
                if (column.get("config", {}).get("meta") or column.get("meta") or {}).get("counts_people")
            ]
            if columns:
                found[node["name"]] = columns
    return found


def release_specs() -> list[dg.AssetCheckSpec]:
    """The release gate's one blocking check."""
    return [
        dg.AssetCheckSpec(
            "release",
            asset=RELEASE,
            blocking=blocks("release"),
            description="No small cell, the last month present, totals reconcile.",
        )
    ]


def disclosure_specs() -> list[dg.AssetCheckSpec]:
    """The audit of what the measures give away together with the page, blocking."""
    return [
        dg.AssetCheckSpec(
            "disclosure_audit",
            asset=DISPARITY,
            blocking=blocks("disclosure_audit"),
            description="No number that must not be known follows from the tables released together, now or earlier.",
        )
    ]


def outreach_specs() -> list[dg.AssetCheckSpec]:
    """What is asked of the ranking of the worklist; whether it stops a run is declared with the other checks."""
    says = {
        "outreach_calibration": "What was foretold of everybody against what came, within the declared bounds.",
        "outreach_fairness": "The same between groups, need around the cut, and who is asked against whose need it is.",
    }
    return [
        dg.AssetCheckSpec(name, asset=WORKLIST, blocking=blocks(name), description=text)
        for name, text in says.items()
    ]


def stop_on_blocking(outcomes: list[Any]) -> None:
    """Fail the step when a blocking expectation failed: nothing downstream may be built on it."""
    failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.success]
    if failed:
        names = ", ".join(dict.fromkeys(outcome.suite for outcome in failed))
        raise dg.Failure(description=f"blocking expectations failed: {names}")


def results(outcomes: list[Any], asset: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """One check result a suite."""
    for name in dict.fromkeys(outcome.suite for outcome in outcomes):
        yield summarised([outcome for outcome in outcomes if outcome.suite == name], asset, name)


def summarised(outcomes: list[Any], asset: dg.AssetKey, name: str) -> dg.AssetCheckResult:
    """Outcomes as one check result: passed unless a blocking expectation failed. Metadata holds counts and names only."""
    failed = [outcome for outcome in outcomes if not outcome.success]
    return dg.AssetCheckResult(
        passed=not any(outcome.blocking for outcome in failed),
        asset_key=asset,
        check_name=name,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "expectations": len(outcomes),
            "failed": [f"{one.suite}: {one.says} ({one.column or 'table'})" for one in failed],
            "warnings": sum(not outcome.blocking for outcome in failed),
            "unexpected_rows": sum(outcome.unexpected for outcome in failed),
        },
    )
