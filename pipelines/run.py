"""The main job from extract files to pages, through Dagster in one process."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from pipelines import faults, run_records
from pipelines.dagster_home import prepare_dagster
from pipelines.progress import Progress
from pipelines.publish import publication
from pipelines.run_lock import only_writer
from pipelines.run_outcome import run_record, what_failed, write_quality
from pipelines.run_summary import stopped, summary
from pipelines.settings import Settings
from pipelines.window import NothingLanded

# The embedded default: small enough for a minute, large enough that every state and rule occurs.
DEFAULT_POPULATION = {"people": 5_000, "months": 36, "seed": 1}


@dataclass(frozen=True)
class Request:
    """One call of `ccm run`: `extracts` None means the simulated population, or with `landed` what is landed and nothing new."""

    settings: Settings
    extracts: Path | None = None
    format: str = "auto"
    as_of: date | None = None
    through: date | None = None
    received: date | None = None
    landed: bool = False
    # For another process that writes the folder to end, instead of stopping.
    wait: bool = False


def run(request: Request) -> int:
    """Run the main job; returns the exit status (0 done, 1 stopped) and writes `run.json` and `quality.json`.

    Raises `UnreadableExtract` when the delivery cannot be read, `LandingError` when it cannot be landed in this folder,
    `NothingLanded` when nothing was received by `as_of`, `LedgerDamaged` when what earlier runs showed cannot be read and `Busy` when
    another run holds the folder.
    """
    from pipelines.extracts.delivery import UnreadableExtract
    from pipelines.extracts.landing import LandingError
    from pipelines.ledger import LedgerDamaged

    settings = request.settings
    with only_writer(settings, "run", wait=request.wait):
        try:
            return run_alone(request)
        except (UnreadableExtract, NothingLanded, LandingError) as problem:
            run_records.stopped_early(settings, "step landing", problem)
            raise
        except LedgerDamaged as problem:
            run_records.stopped_early(settings, "step ledger", problem)
            raise
        except Exception as problem:
            if not faults.is_from_outside(problem):
                raise
            fault = run_records.stopped_early(settings, "the run itself", problem)["fault"]
            says = fault["says"] if fault else faults.where(problem)
            print(f"ccm: the run stopped: {says}", file=sys.stderr)
            return 1


def run_alone(request: Request) -> int:
    """`run` for who already holds the output folder."""
    from pipelines import ledger

    settings = request.settings
    prepare_folders(settings)
    progress = Progress()
    ledger.refuse_broken(settings)
    catch_up(settings)
    making = publication.begin(settings)
    extracts, received, format_ = request.extracts, request.received, request.format
    if extracts is None and not request.landed:
        with progress.step("simulated population"):
            extracts, received = simulated_delivery(settings)
        format_ = "practice"
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with progress.step("start"):
        import dagster as dg

        from pipelines.definitions import JOB, build
        from pipelines.run_context import RunContext

        context = RunContext(
            settings=making,
            extracts=extracts,
            format=format_,
            received=received,
            as_of=request.as_of,
            through=request.through,
            progress=progress,
        )
        job = build(context).resolve_job_def(JOB)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet)
    if context.unreadable is not None:
        raise context.unreadable
    if context.batch is not None:
        from pipelines.extracts.landing import told

        for line in told(settings, context.batch):
            print(line)
    write_quality(settings, context.outcomes)
    record = run_record(context, result, what_failed(context, result))
    run_records.keep(settings, record)
    if context.published:
        publication.write_record(settings.published_record, record)
    for line in summary(settings, record) if record["success"] else stopped(record):
        print(line, file=sys.stdout if record["success"] else sys.stderr)
    return 0 if record["success"] else 1


def remember(settings: Settings) -> bool:
    """Add to the ledger what the publication that stands showed; whether there was anything new."""
    from pipelines import ledger
    from pipelines.disparity import page_releases, reach

    standing = replace(settings, in_the_making=False)
    added = ledger.remember_findings(standing)
    reach.remember(standing)
    page_releases.remember(standing)
    publication.remembered(standing)
    return added is not None


def catch_up(settings: Settings) -> None:
    """Enter what the last publication showed into the ledger, where the run that made it was cut off before it could."""
    if publication.is_remembered(settings):
        return
    try:
        remember(settings)
    except duckdb.Error:
        print(
            f"ccm: {settings.warehouse} is damaged: what the last run showed is missing in the ledger; the warehouse is built anew",
            file=sys.stderr,
        )
        publication.given_up(settings)


def prepare_folders(settings: Settings) -> None:
    """Make the folders of a run, and drop what an interrupted one left; for who holds the output folder."""
    from pipelines.extracts.landing import clear_killed

    clear_killed(settings)
    shutil.rmtree(settings.temporary, ignore_errors=True)
    (settings.dbt_target / "run_results.json").unlink(missing_ok=True)
    settings.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    prepare_dagster(settings)


def simulated_delivery(settings: Settings) -> tuple[Path, date]:
    """The embedded default's extracts (made once) and the day they count as received: the day they were extracted."""
    from pipelines.simulate import simulate

    folder = settings.out / "simulated"
    wanted = json.dumps(DEFAULT_POPULATION, sort_keys=True)
    mark = folder / "population.json"
    if not (mark.exists() and mark.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        simulate(out=folder, **DEFAULT_POPULATION)
        mark.write_text(wanted)
    truth = json.loads((folder / "truth" / "truth.json").read_text())
    return folder / "extracts", date.fromisoformat(truth["extract_date"])
