"""The only place where Dagster definitions are put together.

Belongs here: which assets, checks, jobs and resources there are, and in what order they hang. Does not belong here: what any
of them does. `build` takes the run's context so that tests and the command line can swap a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines import checks, warehouse
from pipelines.progress import Progress
from pipelines.settings import Settings, from_environment

JOB = "main_job"


@dataclass
class RunContext:
    """What one run was asked for and what it learnt on the way; shared by its assets within one process."""

    settings: Settings
    extracts: Path | None = None
    format: str = "auto"
    received: date | None = None
    as_of: date | None = None
    through: date | None = None
    progress: Progress = field(default_factory=lambda: Progress(quiet=True))
    outcomes: list[Any] = field(default_factory=list)
    batch: Any = None
    unreadable: Exception | None = None

    def window(self) -> warehouse.RunWindow:
        return warehouse.window(self.settings, self.as_of, self.through)


def build(context: RunContext) -> dg.Definitions:
    """Definitions of the whole main job for one run context."""
    settings = context.settings

    @dg.asset(
        key=checks.LANDING,
        group_name="extracts",
        description="The delivery as an immutable batch of contract tables; rows that break the contract are quarantined.",
    )
    def landing() -> dg.MaterializeResult:
        from pipelines.extracts.delivery import UnreadableExtract
        from pipelines.extracts.landing import land

        metadata: dict[str, Any] = {}
        with context.progress.step("landing"):
            if context.extracts is not None:
                try:
                    batch = land(context.extracts, settings, format=context.format, received=context.received)
                except UnreadableExtract as problem:
                    context.unreadable = problem
                    raise dg.Failure(description=str(problem)) from None
                context.batch = batch
                metadata = {"batch_id": batch.batch_id, "already_landed": batch.already_landed}
        return dg.MaterializeResult(metadata=metadata)

    models = warehouse.assets(settings, context)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                checks.RELEASE,
                group_name="publish",
                deps=[dg.AssetKey(["flags", "findings"]), dg.AssetKey(["marts", "capture_months"])],
                description="The gate before anything is published.",
            )
        ],
        check_specs=checks.release_specs(),
        name="release",
    )
    def release() -> Iterator[Any]:
        from expectations.run import run

        with context.progress.step("release checks"):
            outcomes = run(settings.warehouse, checks.release_suites(settings, context))
        context.outcomes.extend(outcomes)
        failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.success]
        yield dg.MaterializeResult(asset_key=checks.RELEASE)
        yield dg.AssetCheckResult(
            passed=not failed,
            asset_key=checks.RELEASE,
            check_name="release",
            metadata={
                "expectations": len(outcomes),
                "failed": [f"{outcome.suite}: {outcome.says}" for outcome in failed],
            },
        )

    @dg.asset(
        key=["publish", "tables"],
        group_name="publish",
        deps=[checks.RELEASE],
        description="Published tables as Parquet, in key order.",
    )
    def tables() -> dg.MaterializeResult:
        from pipelines.publish.tables import export

        with context.progress.step("tables"):
            counts = export(settings)
        return dg.MaterializeResult(metadata=dict(counts))

    @dg.asset(
        key=["publish", "reports"],
        group_name="publish",
        deps=[tables],
        description="The page: aggregates only, small cells suppressed.",
    )
    def reports() -> dg.MaterializeResult:
        from pipelines.publish.page import build as build_page

        with context.progress.step("pages"):
            page = build_page(settings, context.window(), context.outcomes)
        return dg.MaterializeResult(metadata={"bytes": page.stat().st_size})

    @dg.asset(
        key=["publish", "worklists"],
        group_name="publish",
        deps=[tables],
        description="One worklist a practice. Person-level.",
    )
    def worklists() -> dg.MaterializeResult:
        from pipelines.publish.worklist import write

        with context.progress.step("worklists"):
            written = write(settings)
        return dg.MaterializeResult(metadata={"practices": written})

    return dg.Definitions(
        assets=[landing, with_landing_first(models), release, tables, reports, worklists],
        asset_checks=[checks.contract_checks(settings, context)],
        jobs=[dg.define_asset_job(JOB, selection=dg.AssetSelection.all())],
        resources={"dbt": warehouse.resource()},
        executor=dg.in_process_executor,
    )


def with_landing_first(models: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The dbt assets with every staging model depending on landing."""
    return models.map_asset_specs(
        lambda spec: spec.merge_attributes(deps=[checks.LANDING]) if spec.key.path[0] == "staging" else spec
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` loads: the job over what is landed under CCM_OUT."""
    return build(RunContext(settings=from_environment()))
