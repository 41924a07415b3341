"""Months that run by themselves: an asset a month, a sensor on the inbox, and a schedule for the day by which a month is due.

The asset runs the main job as `ccm run` does, in a process of its own, so that there is one way to run, and a run that is killed
takes nothing with it. The sensor hands over one delivery at a time, oldest first, and the next when that run has ended.
"""

# No `from __future__ import annotations` here: Dagster reads the annotations of `context` and `config` as objects.

import json
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines import alerts, faults, inbox, run_records
from pipelines.partitions import FORMAT, month_before, months
from pipelines.pseudonyms import pseudonym
from pipelines.settings import Settings, Timetable
from pipelines.window import NothingLanded, window

MONTH = dg.AssetKey(["months", "published_month"])
JOB = "monthly_run"
# Before the first of two further tries; the second waits about twice as long again.
RETRY_SECONDS = 60
IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class Delivery(dg.Config):
    """What a monthly run takes in: a delivery of the inbox by its pseudonym, or nothing but what is landed."""

    delivery: str = ""
    received: str = ""


def assets(settings: Settings, timetable: Timetable) -> dg.AssetsDefinition:
    """The partitioned asset: a month that was published."""

    @dg.asset(
        key=MONTH,
        group_name="months",
        partitions_def=months(timetable),
        retry_policy=dg.RetryPolicy(
            max_retries=2,
            delay=RETRY_SECONDS,
            backoff=dg.Backoff.EXPONENTIAL,
            jitter=dg.Jitter.PLUS_MINUS,
        ),
        description="One month through the whole main job. Its checks, tables and pages are those of the assets beside it.",
    )
    def published_month(context: dg.AssetExecutionContext, config: Delivery) -> dg.MaterializeResult:
        return run_month(settings, timetable, context, config)

    return published_month


def run_month(
    settings: Settings, timetable: Timetable, context: dg.AssetExecutionContext, config: Delivery
) -> dg.MaterializeResult:
    """Run the main job in its own process; raises Failure where it stopped, to be retried where that may help."""
    before = look_of(settings.run_record)
    log = settings.run_records / f"{context.run_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("a") as lines:
        start = lines.tell()
        done = subprocess.run(command(settings, timetable, context.partition_key, config),
                              stdout=lines, stderr=lines, check=False)  # fmt: skip
    # A run that was killed leaves the record of the one before; the clock may have been set back since.
    written = look_of(settings.run_record) != before
    record = json.loads(settings.run_record.read_text()) if written else {}
    if done.returncode == 0:
        kept = {name: record.get(name) for name in ("as_of", "through", "policy_version")}
        return dg.MaterializeResult(
            metadata={**kept, "checks": dg.MetadataValue.json(record.get("checks") or {})}
        )
    with log.open(errors="replace") as lines:
        lines.seek(start)
        told = faults.diagnose(lines)
    fault = record.get("fault") or ({} if written else run_records.as_fact(told)) or {}
    was_killed = done.returncode < 0
    reason = fault.get("says") or ("it was killed" if was_killed else "see the log and run.json")
    if not written:  # nobody has told of it yet
        how = "was killed" if was_killed else f"ended with status {done.returncode} and left no record"
        says = f"A monthly run {how}; what was published before stands."
        alerts.send(settings, alerts.Alert("failure", says, [fault["says"]] if fault else []))
    raise dg.Failure(
        description=f"the run stopped: {reason}",
        metadata={"exit_status": done.returncode, "log": str(log)},
        allow_retries=was_killed or bool(fault.get("is_transient")),
    )


def look_of(record: Path) -> tuple[int, int] | None:
    """What changes when a record is written anew, None where there is none."""
    try:
        stat = record.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def command(settings: Settings, timetable: Timetable, month: str, config: Delivery) -> list[str]:
    """The call of `ccm run` for one month; raises Failure where the delivery is no longer in the inbox."""
    call = [sys.executable, "-m", "pipelines.cli", "run", "--wait", "--out", str(settings.out)]
    if not config.delivery:
        return [*call, "--landed", "--through", month]
    for arrival in inbox.arrivals(timetable.inbox):
        if pseudonym(settings, "delivery", arrival.path.name) == config.delivery:
            received = ["--received", config.received] if config.received else []
            return [*call, "--extracts", str(arrival.path), *received]
    raise dg.Failure(description="the delivery is no longer in the inbox", allow_retries=True)


def job(timetable: Timetable) -> Any:
    return dg.define_asset_job(
        JOB, selection=dg.AssetSelection.assets(MONTH), partitions_def=months(timetable)
    )


def sensor(settings: Settings, timetable: Timetable, target: Any) -> dg.SensorDefinition:
    """Looks at the inbox; asks for one run for the oldest complete delivery that was not handed over yet."""

    @dg.sensor(
        name="inbox",
        job=target,
        minimum_interval_seconds=timetable.look_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A complete delivery in the inbox starts the run of its month.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = json.loads(context.cursor) if context.cursor else {}
        busy = bool(
            context.instance.get_run_records(dg.RunsFilter(job_name=JOB, statuses=IN_PROGRESS), limit=1)
        )
        asked, seen, says = next_delivery(settings, timetable, seen, time.time(), busy)
        return dg.SensorResult(
            run_requests=[asked] if asked else None,
            skip_reason=None if asked else dg.SkipReason(says),
            cursor=json.dumps(seen),
        )

    return look


def next_delivery(
    settings: Settings, timetable: Timetable, seen: dict[str, Any], now: float, busy: bool
) -> tuple[dg.RunRequest | None, dict[str, Any], str]:
    """One look at the inbox: the run to ask for, what to remember until the next look, and why there is none to ask for.

    `seen`: pseudonym of a delivery -> [digest of its look, when it was first seen so, whether it was handed over]. `now` in
    seconds; a clock that was set back starts the wait again.
    """
    remembered: dict[str, Any] = {}
    ready = []
    for arrival in inbox.arrivals(timetable.inbox):
        name = pseudonym(settings, "delivery", arrival.path.name)
        state, since, handed_over = seen.get(name, ["", now, False])
        is_known = state == arrival.state
        if not is_known or since > now:
            since, handed_over = now, handed_over and is_known
        remembered[name] = [arrival.state, since, handed_over]
        # A mark that came with a first copy says nothing of a second one over it.
        has_just_changed = name in seen and not is_known
        unchanged = now - since if is_known else None
        if not (handed_over or has_just_changed) and inbox.is_complete(
            arrival, unchanged, timetable.settle_seconds
        ):
            ready.append((name, arrival))
    waiting = sum(not handed_over for _, _, handed_over in remembered.values())
    if not ready or busy:
        waiting = max(waiting, inbox.kept_waiting(timetable.inbox))
        says = "a run is in progress" if busy else f"{waiting} deliveries are not complete yet"
        return None, remembered, says if waiting or busy else "nothing new in the inbox"
    name, arrival = ready[0]
    remembered[name][2] = True
    received = arrival.received or date.fromtimestamp(now)
    asked = dg.RunRequest(
        run_key=f"{name}-{arrival.state[:16]}",
        partition_key=month_before(received),
        run_config=run_config(Delivery(delivery=name, received=received.isoformat())),
    )
    return asked, remembered, ""


def run_config(delivery: Delivery) -> dg.RunConfig:
    return dg.RunConfig(ops={MONTH.to_python_identifier(): delivery})


def schedule(settings: Settings, timetable: Timetable, target: Any) -> dg.ScheduleDefinition:
    """The day by which a month is due: run it if nothing did, and tell where its data have not come."""

    @dg.schedule(
        name="month_is_due",
        job=target,
        cron_schedule=f"0 {timetable.run_hour} {timetable.run_day} * *",
        execution_timezone=timetable.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="After the run-out day of a month: its run, unless a delivery has already brought it.",
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return month_due(settings, context.scheduled_execution_time, timetable.inbox)

    return due


def month_due(settings: Settings, when: datetime, deliveries: Path) -> dg.RunRequest | dg.SkipReason:
    """What the schedule asks for at `when`: the month before, from what is landed; nothing where it is published or not there.

    `deliveries`: the inbox, where some may wait for their end.
    """
    month = month_before(when.date())
    if published_through(settings) >= month:
        return dg.SkipReason(f"{month} is published")
    try:
        landed = window(settings, None, None).through.strftime(FORMAT)
    except (NothingLanded, OSError):
        landed = ""
    if landed < month:
        says = f"{month} is due and its data have not come; the newest month landed is {landed or 'none'}."
        waiting = inbox.kept_waiting(deliveries)
        particulars = [f"{waiting} deliveries in the inbox are not complete"] if waiting else []
        alerts.send(settings, alerts.Alert("staleness", says, particulars))
        return dg.SkipReason(f"no data of {month} have come")
    return dg.RunRequest(run_key=f"due-{month}", partition_key=month, run_config=run_config(Delivery()))


def published_through(settings: Settings) -> str:
    """Last month of the publication that stands, YYYY-MM; empty where there is none."""
    if not settings.published_record.exists():
        return ""
    return str(json.loads(settings.published_record.read_text()).get("through") or "")


def staleness(settings: Settings, timetable: Timetable, target: Any) -> dg.SensorDefinition:
    """Tells once a publication that nothing newer has followed it for too long."""

    @dg.sensor(
        name="staleness",
        job=target,
        minimum_interval_seconds=max(timetable.look_seconds, 3600),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells when the last publication is older than CCM_STALE_DAYS.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told = tell_staleness(settings, timetable, context.cursor, time.time())
        return dg.SensorResult(skip_reason=dg.SkipReason("nothing to run"), cursor=told)

    return look


def tell_staleness(settings: Settings, timetable: Timetable, told: str | None, now: float) -> str | None:
    """Send the alert where it is due; returns the publication that it was sent for."""
    if not settings.published_record.exists():
        return told
    published = settings.published_record.stat().st_mtime
    standing = str(published)
    if told == standing or timedelta(seconds=now - published) < timedelta(days=timetable.stale_days):
        return told
    days = int((now - published) // 86_400)
    alerts.send(settings, alerts.Alert("staleness", f"Nothing has been published for {days} days."))
    return standing
