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
from pipelines.window import NothingLanded, RunWindow, window

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

    def window(self) -> RunWindow:
        return window(self.settings, self.as_of, self.through)


def build(context: RunContext) -> dg.Definitions:
    """Definitions of the whole main job for one run context."""
    settings = context.settings

    @dg.multi_asset(
        name="landing",
        specs=[
            dg.AssetSpec(
                checks.LANDING,
                group_name="extracts",
                description="The delivery as an immutable batch of contract tables; rows that break the contract are"
                " quarantined. Its checks hold before anything is built on it.",
            )
        ],
        check_specs=checks.contract_specs(),
    )
    def landing() -> Iterator[Any]:
        if context.extracts is not None:
            with context.progress.step("landing"):
                context.batch = land_delivery(context, context.extracts)
        with context.progress.step("contract checks"):
            outcomes = checks.run_contracts(settings)
        context.outcomes.extend(outcomes)
        batch = context.batch
        metadata = {"batch_id": batch.batch_id, "already_landed": batch.already_landed} if batch else {}
        yield dg.MaterializeResult(asset_key=checks.LANDING, metadata=metadata)
        yield from checks.results(outcomes, checks.LANDING)
        checks.stop_on_blocking(outcomes)

    models = warehouse.assets(settings, context, checks.LANDING)

    @dg.asset(
        key=["reports", "billing_proposals"],
        group_name="reports",
        deps=[dg.AssetKey(["flags", "findings"]), dg.AssetKey(["marts", "fct_proposed_lines"])],
        description="What could still be billed, after every rule was asked about it. Person-level.",
    )
    def billing_proposals() -> None:
        with context.progress.step("proposals"):
            warehouse.propose(settings, context)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                checks.DISPARITY,
                group_name="reports",
                deps=[
                    dg.AssetKey(["marts", "fct_measure_counts"]),
                    dg.AssetKey(["reports", "rpt_capture_by_month"]),
                ],
                description="Measures of reach by year and group, with what may be shown of them.",
            )
        ],
        check_specs=checks.disclosure_specs(),
        name="disparity",
    )
    def disparity() -> Iterator[Any]:
        from pipelines.disparity import reach

        with context.progress.step("disparities"):
            made = reach.publish(settings, context.window().as_of)
        yield dg.MaterializeResult(asset_key=checks.DISPARITY, metadata={"rows": made.measures.height})
        yield dg.AssetCheckResult(
            passed=made.told == 0,
            asset_key=checks.DISPARITY,
            check_name="disclosure_audit",
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"asked": made.asked, "told": made.told},
        )
        if made.told:
            raise dg.Failure(description="the disclosure audit found numbers that can be told")

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                checks.RELEASE,
                group_name="publish",
                deps=[
                    dg.AssetKey(["flags", "findings"]),
                    dg.AssetKey(["marts", "capture_months"]),
                    checks.DISPARITY,
                    billing_proposals,
                ],
                description="The gate before anything is published.",
            )
        ],
        check_specs=checks.release_specs(),
        name="release",
    )
    def release() -> Iterator[Any]:

        with context.progress.step("release checks"):
            outcomes = checks.run_release(settings, context.window())
        context.outcomes.extend(outcomes)
        yield dg.MaterializeResult(asset_key=checks.RELEASE)
        yield checks.summarised(outcomes, checks.RELEASE, "release")
        checks.stop_on_blocking(outcomes)

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
        description="The pages: aggregates with small cells suppressed, and person-level ones in a private folder of their own.",
    )
    def reports() -> dg.MaterializeResult:
        from pipelines.publish.site import build as build_pages

        with context.progress.step("pages"):
            page = build_pages(settings, context.window(), context.outcomes)
        files = [path for path in page.parent.rglob("*") if path.is_file()]
        return dg.MaterializeResult(
            metadata={
                "first_page": dg.MetadataValue.path(page),
                "pages": sum(path.suffix == ".html" for path in files),
                "bytes": sum(path.stat().st_size for path in files),
            }
        )

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

    @dg.asset(
        key=["publish", "ledger"],
        group_name="publish",
        deps=[reports, worklists],
        description="What this run showed, kept where the next one finds it; last, so that only published runs are kept.",
    )
    def findings_ledger() -> dg.MaterializeResult:
        from pipelines import ledger
        from pipelines.disparity import reach

        with context.progress.step("ledger"):
            added = ledger.remember_findings(settings)
            reach.remember(settings)
        return dg.MaterializeResult(metadata={"added": added is not None})

    return dg.Definitions(
        assets=[
            *(landing, models, billing_proposals, disparity, release),
            *(tables, reports, worklists, findings_ledger),
        ],
        jobs=[dg.define_asset_job(JOB, selection=dg.AssetSelection.all())],
        resources={"dbt": warehouse.resource()},
        executor=dg.in_process_executor,
    )


def land_delivery(context: RunContext, extracts: Path) -> Any:
    """Land the context's delivery; what cannot be read is kept on the context, for the command line to tell."""
    from pipelines.extracts.delivery import UnreadableExtract
    from pipelines.extracts.landing import LandingError, land

    try:
        batch = land(extracts, context.settings, format=context.format, received=context.received)
        context.window()
    except (UnreadableExtract, NothingLanded, LandingError) as problem:
        context.unreadable = problem
        raise dg.Failure(description=str(problem)) from None
    return batch


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` loads: the job over what is landed under CCM_OUT."""
    return build(RunContext(settings=from_environment()))
