"""The records of runs: the last one as `run.json`, all of them under `runs/`, and the alerts that they call for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pipelines import alerts, faults
from pipelines.publish.publication import write_record
from pipelines.settings import Settings

Record = dict[str, Any]


def keep(settings: Settings, record: Record) -> None:
    """Write a run's record and send what it calls for; a disk that is full by now only costs the file."""
    before = last(settings)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    try:
        write_record(settings.run_record, record)
        settings.run_records.mkdir(mode=0o700, exist_ok=True)
        write_record(settings.run_records / f"{stamp}.json", record)
    except OSError as fault:
        print(f"ccm: the record of the run could not be written ({fault.strerror})", file=sys.stderr)
    for alert in alerts.of_run(settings, record, before):
        alerts.send(settings, alert)


def last(settings: Settings) -> Record | None:
    """The record of the last run, None where there is none that can be read."""
    with suppress(OSError, ValueError):
        found: Record = json.loads(settings.run_record.read_text())
        return found
    return None


def published(settings: Settings, at_most: int) -> list[Record]:
    """Records of runs that published, newest first, `at_most` of them; one that cannot be read is passed over."""
    found: list[Record] = []
    for path in sorted(settings.run_records.glob("*.json"), reverse=True):
        with suppress(OSError, ValueError):
            record = json.loads(path.read_text())
            if record.get("success"):
                found.append(record)
        if len(found) == at_most:
            break
    return found


def stopped_early(settings: Settings, step: str, problem: BaseException) -> Record:
    """Keep the record of a run that ended before it had anything to record; returns it."""
    fault = faults.of_error(problem)
    record: Record = {
        "success": False,
        "published": False,
        "failed": [step],
        "fault": as_fact(fault),
        "as_of": None,
        "through": None,
    }
    keep(settings, record)
    return record


def as_fact(fault: faults.Fault | None) -> Record | None:
    """A fault as a record holds it."""
    if fault is None:
        return None
    return {"name": fault.name, "says": fault.says, "is_transient": fault.is_transient}


def breaches(outcomes: Iterable[Any]) -> list[Record]:
    """Expectations that were not met, as a record and an alert hold them: names and counts."""
    return [
        {
            "check": f"{one.suite}{f' on {one.column}' if one.column else ''}",
            "says": one.says,
            "effect": "block" if one.blocking else "warn",
            "unexpected": one.unexpected,
        }
        for one in outcomes
        if not one.success
    ]
