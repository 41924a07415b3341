"""The only place where Dagster definitions are put together.

Belongs here: which assets, checks, jobs and resources there are, and in what order they hang. Does not belong here: what any
of them does. `build` takes the run's context so that tests and the command line can swap a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from pipelines import checks, schedule, warehouse
from pipelines.dagster_home import spare_the_disk
from pipelines.landing_step import land_delivery, landed_metadata, refuse_broken_landing
from pipelines.run_context import RunContext
from pipelines.settings import from_environment, timetable

JOB = "main_job"

# Whatever process executes the job loads this module: that of the command line, or one of Dagster's own.
spare_the_disk()


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
            with context.step("landing"):
                context.batch = land_delivery(context, context.extracts)
        refuse_broken_landing(context)
        with context.step("contract checks"):
            outcomes = checks.run_contracts(settings)
            of_volumes = checks.run_volumes(settings, context.as_of)
        context.outcomes.extend([*outcomes, *of_volumes])
        batch = context.batch
        metadata = landed_metadata(batch) if batch else {}
        yield dg.MaterializeResult(asset_key=checks.LANDING, metadata=metadata)
        yield from checks.results(outcomes, checks.LANDING)
        yield checks.summarised(of_volumes, checks.LANDING, checks.VOLUMES)
        checks.stop_on_blocking([*outcomes, *of_volumes])

    models = warehouse.assets(settings, context, checks.LANDING)

    @dg.asset(
        key=["reports", "billing_proposals"],
        group_name="reports",
        deps=[dg.AssetKey(["flags", "findings"]), dg.AssetKey(["marts", "fct_proposed_lines"])],
        description="What could still be billed, after every rule was asked about it. Person-level.",
    )
    def billing_proposals() -> None:
        with context.step("proposals"):
            warehouse.propose(settings, context)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                key,
                group_name="reports",
                deps=[
                    dg.AssetKey(["marts", "fct_measure_counts"]),
                    dg.AssetKey(["marts", "fct_uptake_cells"]),
                    dg.AssetKey(["marts", "fct_run_out_periods"]),
                    dg.AssetKey(["reports", "rpt_capture_by_month"]),
                ],
                description=says,
            )
            for key, says in {
                checks.DISPARITY: "Measures of reach by year and group, with what may be shown of them.",
                **checks.DISPARITY_BESIDE,
            }.items()
        ],
        check_specs=checks.disclosure_specs(),
        name="disparity",
    )
    def disparity() -> Iterator[Any]:
        from pipelines.disparity import reach

        with context.step("disparities"):
            made = reach.publish(settings, context.window().as_of)
        yield dg.MaterializeResult(asset_key=checks.DISPARITY, metadata={"rows": made.measures.height})
        for key, frame in zip(
            checks.DISPARITY_BESIDE, (made.gradients, made.parts, made.places), strict=True
        ):
            yield dg.MaterializeResult(asset_key=key, metadata={"rows": frame.height})
        yield dg.AssetCheckResult(
            passed=made.told == 0,
            asset_key=checks.DISPARITY,
            check_name="disclosure_audit",
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "asked": made.asked,
                "told": made.told,
                "kept_back": made.kept_back,
                "hidden_elsewhere": made.closed,
                "told_over_time": made.told_over_time,
            },
        )
        if made.told:
            raise dg.Failure(description="the disclosure audit found numbers that can be told")

    @dg.asset(
        key=["reports", "restatement"],
        group_name="reports",
        deps=[
            dg.AssetKey(["flags", "findings"]),
            dg.AssetKey(["marts", "capture_months"]),
            checks.DISPARITY,
        ],
        description="Which person-months this run tells otherwise than the publication before it, why, and the figures before and"
        " now. Person-level, and tables with small numbers hidden.",
    )
    def restatement() -> dg.MaterializeResult:
        from pipelines.restatement.run import publish

        with context.step("restatement"):
            restated = publish(settings, context.lineage())
        return dg.MaterializeResult(metadata={"person_months": restated})

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                checks.WORKLIST,
                group_name="reports",
                deps=[
                    dg.AssetKey(["reports_internal", "int_worklist_candidates"]),
                    dg.AssetKey(["marts", "fct_outreach_outcomes"]),
                    dg.AssetKey(["reports", "rpt_capture_by_month"]),
                    checks.DISPARITY,
                ],
                description="Whom each practice asks first: candidates ranked by the need foretold (by rule where too little is"
                " known), within capacity and with floors for groups; its tests and fairness report beside it. Person-level.",
            )
        ],
        check_specs=checks.outreach_specs(),
        name="outreach",
    )
    def outreach() -> Iterator[Any]:
        from pipelines.outreach import ranking

        with context.step("outreach"):
            made = ranking.publish(settings)
        context.outcomes.extend(made.outcomes)
        rows = {name: frame.height for name, frame in made.tables.items()}
        yield dg.MaterializeResult(
            asset_key=checks.WORKLIST,
            metadata={"ranked_by": made.ranked_by, **rows, "numbers_told": made.told},
        )
        for name in ranking.CHECKS:
            mine = [one for one in made.outcomes if one.suite == name]
            yield checks.summarised(mine, checks.WORKLIST, name)
        checks.stop_on_blocking(made.outcomes)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                checks.RELEASE,
                group_name="publish",
                deps=[
                    dg.AssetKey(["flags", "findings"]),
                    dg.AssetKey(["marts", "capture_months"]),
                    checks.DISPARITY,
                    checks.WORKLIST,
                    *checks.DISPARITY_BESIDE,
                    billing_proposals,
                    restatement,
                ],
                description="The gate before anything is published.",
            )
        ],
        check_specs=checks.release_specs(),
        name="release",
    )
    def release() -> Iterator[Any]:

        with context.step("release checks"):
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

        with context.step("tables"):
            counts = export(settings, context.lineage())
        return dg.MaterializeResult(
            metadata={"folder": dg.MetadataValue.path(settings.out / "tables"), **counts}
        )

    @dg.asset(
        key=["publish", "reports"],
        group_name="publish",
        deps=[tables],
        description="The pages: aggregates with small cells suppressed, and person-level ones in a private folder of their own.",
    )
    def reports() -> dg.MaterializeResult:
        from pipelines.publish import model_docs
        from pipelines.publish.site import build as build_pages

        with context.step("pages"):
            page = build_pages(settings, context.window(), context.outcomes)
            model_docs.write(settings, page.parent)
        files = [path for path in page.parent.rglob("*") if path.is_file()]
        return dg.MaterializeResult(
            metadata={
                "first_page": dg.MetadataValue.path(settings.out / "reports" / page.name),
                "pages": sum(path.suffix == ".html" for path in files),
                "bytes": sum(path.stat().st_size for path in files),
            }
        )

    @dg.asset(
        key=["publish", "worklists"],
        group_name="publish",
        deps=[tables],
        description="One worklist a practice as workbook and CSV; what practices wrote into the last ones is kept. Person-level.",
    )
    def worklists() -> dg.MaterializeResult:
        from pipelines.publish.worklist import write

        with context.step("worklists"):
            written = write(settings)
        return dg.MaterializeResult(
            metadata={"practices": written, "folder": dg.MetadataValue.path(settings.standing_worklists)}
        )

    @dg.asset(
        key=["publish", "publication"],
        group_name="publish",
        deps=[reports, worklists],
        description="Warehouse, tables, pages and worklists of this run in place of the last one's, all at once.",
    )
    def publication() -> dg.MaterializeResult:
        from pipelines.publish.publication import publish
        from pipelines.run_outcome import what_was_asked

        with context.step("publication"):
            place = publish(settings, what_was_asked(context))
        context.published = True
        return dg.MaterializeResult(metadata={"number": place.name})

    @dg.asset(
        key=["publish", "ledger"],
        group_name="publish",
        deps=[publication],
        description="What this run showed, kept where the next one finds it; last, so that only published runs are kept.",
    )
    def findings_ledger() -> dg.MaterializeResult:
        from pipelines.run import remember

        with context.step("ledger"):
            added = remember(settings)
        return dg.MaterializeResult(metadata={"added": added})

    return dg.Definitions(
        assets=[
            *(landing, models, billing_proposals, disparity, restatement, outreach, release),
            *(tables, reports, worklists, publication, findings_ledger),
        ],
        jobs=[dg.define_asset_job(JOB, selection=dg.AssetSelection.all())],
        resources={"dbt": warehouse.resource()},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `ccm dagster` loads: the months, what starts them, and the main job's assets to look at.

    Those assets are materialised by the runs of months and of `ccm run` only: an asset run by itself would pass by the lock,
    the record and the publication as a whole.
    """
    settings = from_environment()
    when = timetable(settings)
    inside = build(RunContext(settings=settings)).resolve_asset_graph()
    monthly = schedule.job(when)

    @dg.multi_asset_check(
        specs=[inside.get_check_spec(key) for key in sorted(inside.asset_check_keys)], name="made_by_runs"
    )
    def made_by_runs() -> Iterator[Any]:
        """Shows the checks of runs beside their assets; by itself none is made."""
        yield from ()
        raise dg.Failure(
            description="Checks are made by the runs of months and of `ccm run`: start one of those."
        )

    return dg.Definitions(
        asset_checks=[made_by_runs],
        assets=[
            schedule.assets(settings, when),
            *(
                dg.AssetSpec(
                    key,
                    deps=inside.get(key).parent_keys,
                    group_name=inside.get(key).group_name,
                    description=inside.get(key).description,
                )
                for key in inside.get_all_asset_keys()
                if inside.get(key).is_materializable
            ),
        ],
        jobs=[monthly],
        schedules=[schedule.schedule(settings, when, monthly)],
        sensors=[
            schedule.sensor(settings, when, monthly),
            schedule.staleness(settings, when, monthly),
        ],
        executor=dg.in_process_executor,
    )
