"""Landing as a step of a run: tried again where a fault may pass, told by the command line where it cannot be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.faults import of_error
from pipelines.lineage import lost_batches
from pipelines.run_context import RunContext
from pipelines.window import NothingLanded


def refuse_broken_landing(context: RunContext) -> None:
    """Stop where landed files are damaged, gone, or of another version; the command line tells it as it tells of a delivery."""
    from pipelines.extracts.landing import LandingError, refuse_broken

    lost = lost_batches(context.settings)
    try:
        if lost:
            raise LandingError(f"landing/{lost[0]} is gone: restore landing/ from the backup")
        refuse_broken(context.settings, to_the_end=True)
    except LandingError as problem:
        context.unreadable = problem
        raise dg.Failure(description=str(problem)) from None


def files_of(extracts: Path) -> set[str]:
    """Names of a delivery's files."""
    return {str(path.relative_to(extracts)) for path in extracts.rglob("*") if path.is_file()} or {
        extracts.name
    }


def landed_metadata(batch: Any) -> dict[str, Any]:
    """Counts of a batch by table as a table, and where it lies; no value of a row."""
    records = [dg.TableRecord({"table": name, **counts}) for name, counts in batch.counts.items()]
    return {
        "batch_id": batch.batch_id,
        "already_landed": batch.already_landed,
        "format": batch.format,
        "received": batch.received_date.isoformat(),
        "rows_in": batch.rows_in,
        "rows_landed": batch.rows_landed,
        "rows_quarantined": batch.rows_quarantined,
        "folder": dg.MetadataValue.path(batch.folder),
        **({"tables": dg.MetadataValue.table(records)} if records else {}),
    }


def land_delivery(context: RunContext, extracts: Path) -> Any:
    """Land the context's delivery, again where a fault may pass; what cannot be read is kept on the context, for the command
    line to tell."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    from pipelines.extracts.delivery import UnreadableExtract
    from pipelines.extracts.landing import LandingError, land

    def may_pass(problem: BaseException) -> bool:
        fault = of_error(problem)
        return fault is not None and fault.is_transient

    before = files_of(extracts)
    try:
        for attempt in Retrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(3),
            wait=wait_exponential(multiplier=2, max=30),
            reraise=True,
        ):
            with attempt:
                # tried again, a delivery must not land without the file that made the first try fail
                if before - files_of(extracts):
                    raise LandingError(
                        "files of the delivery went away while it was read: deliver it again, whole"
                    )
                batch = land(extracts, context.settings, format=context.format, received=context.received)
        context.window()
    except (UnreadableExtract, NothingLanded, LandingError) as problem:
        context.unreadable = problem
        # Dagster keeps what it is told, and names of files are the sender's: the command line tells them
        raise dg.Failure(description="the delivery could not be landed; the run's log says why") from None
    return batch
