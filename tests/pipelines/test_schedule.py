"""What the daemon evaluates: months, the inbox's sensor, the schedule of the due day, and what a monthly run does."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines import inbox, schedule
from pipelines.definitions import defs
from pipelines.partitions import month_before, months
from pipelines.publish.publication import write_record
from pipelines.settings import Settings, Timetable, timetable
from pipelines.window import RunWindow


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(out=tmp_path / "out")
    made.out.mkdir()
    return made


@pytest.fixture
def when(tmp_path: Path) -> Timetable:
    (tmp_path / "inbox").mkdir()
    return Timetable(inbox=tmp_path / "inbox")


def test_months_are_those_that_are_over(when: Timetable) -> None:
    keys = months(when).get_partition_keys(current_time=datetime(2026, 3, 1, 0, 1, tzinfo=UTC))
    assert keys[0] == "2015-01" and keys[-1] == "2026-02"
    before = months(when).get_partition_keys(current_time=datetime(2026, 2, 28, 23, 59, tzinfo=UTC))
    assert before[-1] == "2026-01"
    assert month_before(datetime(2026, 1, 1).date()) == "2025-12"


def published(settings: Settings, through: str) -> None:
    settings.published_record.parent.mkdir(parents=True, exist_ok=True)
    write_record(settings.published_record, {"through": through})


DUE = datetime(2026, 3, 15, 4, tzinfo=UTC)


def landed(monkeypatch: pytest.MonkeyPatch, through: str) -> None:
    day = datetime.fromisoformat(f"{through}-01").date()
    monkeypatch.setattr(schedule, "window", lambda *_: RunWindow(as_of=day, through=day))


def test_a_due_month_that_is_landed_and_not_published_is_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(settings, "2026-01")
    landed(monkeypatch, "2026-02")
    asked = schedule.month_due(settings, DUE, settings.out / "inbox")
    assert isinstance(asked, dg.RunRequest) and asked.partition_key == "2026-02"


def test_a_month_that_a_delivery_brought_is_not_run_again(settings: Settings) -> None:
    published(settings, "2026-02")
    assert isinstance(schedule.month_due(settings, DUE, settings.out / "inbox"), dg.SkipReason)
    assert not settings.alerts.exists()


def test_a_due_month_whose_data_have_not_come_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(monkeypatch, "2026-01")
    assert isinstance(schedule.month_due(settings, DUE, settings.out / "inbox"), dg.SkipReason)
    (line,) = settings.alerts.read_text().splitlines()
    told = json.loads(line)
    assert told["kind"] == "staleness" and "2026-02 is due" in told["says"] and "2026-01" in told["says"]
    assert told["particulars"] == []


def test_it_is_told_that_a_delivery_waits_for_its_end(settings: Settings, when: Timetable) -> None:
    copying = when.inbox / "2026-03-12"
    copying.mkdir()
    (copying / "claims.csv.part").write_text("half")
    asked, _, says = schedule.next_delivery(settings, when, {}, DUE.timestamp(), False)
    assert asked is None and says == "1 deliveries are not complete yet"
    schedule.month_due(settings, DUE, when.inbox)
    assert json.loads(settings.alerts.read_text())["particulars"] == [
        "1 deliveries in the inbox are not complete"
    ]


def test_a_due_month_in_an_empty_folder_is_told_too(settings: Settings) -> None:
    assert isinstance(schedule.month_due(settings, DUE, settings.out / "inbox"), dg.SkipReason)
    assert "none" in settings.alerts.read_text()


def test_an_old_publication_is_told_once(settings: Settings, when: Timetable) -> None:
    published(settings, "2026-02")
    now = settings.published_record.stat().st_mtime
    assert schedule.tell_staleness(settings, when, None, now + 44 * 86_400) is None
    told = schedule.tell_staleness(settings, when, None, now + 45 * 86_400)
    assert told is not None
    assert schedule.tell_staleness(settings, when, told, now + 90 * 86_400) == told
    assert len(settings.alerts.read_text().splitlines()) == 1


RUN = """
import json, os, signal, sys
from pathlib import Path
how, out = sys.argv[1], Path(sys.argv[2])
fault = {"name": "locked", "says": "another process holds a file", "is_transient": True}
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "aborted":
    print("cannot allocate memory for thread-local data: ABORT", file=sys.stderr)
    os._exit(127)
record = {"as_of": "2026-03-15", "through": "2026-02", "checks": {"failed": 0}, "success": how == "fine",
          "fault": fault if how == "transient" else None}
(out / "run.json").write_text(json.dumps(record))
sys.exit(0 if how == "fine" else 1)
"""


def month(
    settings: Settings, when: Timetable, how: str, monkeypatch: pytest.MonkeyPatch
) -> dg.ExecuteInProcessResult:
    """One monthly run with a stand-in for `ccm run`; retries without their waits."""
    calls = settings.out / "calls"

    def call(*given: object) -> list[str]:
        with calls.open("a") as file:
            file.write("one\n")
        return [sys.executable, "-c", RUN, how, str(settings.out)]

    monkeypatch.setattr(schedule, "command", call)
    monkeypatch.setattr(schedule, "RETRY_SECONDS", 0)
    definitions = dg.Definitions(
        assets=[schedule.assets(settings, when)], jobs=[schedule.job(when)], executor=dg.in_process_executor
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(schedule.JOB).execute_in_process(
            partition_key="2026-02", instance=instance, raise_on_error=False
        )


@pytest.mark.parametrize(
    ("how", "calls"), [("fine", 1), ("stopped", 1), ("transient", 3), ("killed", 3), ("aborted", 1)]
)
def test_only_faults_that_may_pass_are_tried_again(
    settings: Settings, when: Timetable, how: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = month(settings, when, how, monkeypatch)
    assert result.success == (how == "fine")
    assert len((settings.out / "calls").read_text().splitlines()) == calls
    if how == "fine":
        (event,) = result.get_asset_materialization_events()
        assert event.partition == "2026-02"
        assert event.step_materialization_data.materialization.metadata["through"].value == "2026-02"
    if how == "killed":
        assert "killed" in settings.alerts.read_text()
    if how == "aborted":  # by the system's own library, before anything could be recorded
        (told,) = map(json.loads, settings.alerts.read_text().splitlines())
        assert "status 127" in told["says"] and "more memory was needed" in told["particulars"][0]


def test_a_record_written_while_the_clock_was_set_back_is_the_runs_own(
    settings: Settings, when: Timetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule.time, "time", lambda: 2e9)
    result = month(settings, when, "transient", monkeypatch)
    assert not result.success and len((settings.out / "calls").read_text().splitlines()) == 3


def test_a_delivery_is_found_again_by_its_pseudonym(settings: Settings, when: Timetable) -> None:
    (when.inbox / "2026-03-15").mkdir()
    (when.inbox / "2026-03-15" / "claims.csv").write_text("rows")
    (when.inbox / "2026-03-15" / inbox.MARK).touch()
    asked, _, _ = schedule.next_delivery(settings, when, {}, 1_775_000_000, busy=False)
    assert asked is not None
    given = asked.run_config["ops"][schedule.MONTH.to_python_identifier()]["config"]
    call = schedule.command(settings, when, "2026-02", schedule.Delivery(**given))
    assert call[call.index("--extracts") + 1] == str(when.inbox / "2026-03-15")
    assert call[call.index("--received") + 1] == "2026-03-15"
    without = schedule.command(settings, when, "2026-02", schedule.Delivery())
    assert "--landed" in without and without[without.index("--through") + 1] == "2026-02"


def test_a_delivery_that_is_gone_fails_and_says_so(settings: Settings, when: Timetable) -> None:
    with pytest.raises(dg.Failure, match="no longer in the inbox"):
        schedule.command(settings, when, "2026-02", schedule.Delivery(delivery="0" * 16))


def test_the_settings_of_the_timetable_are_read_and_a_day_that_not_every_month_has_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCM_RUN_DAY", "20")
    monkeypatch.setenv("CCM_TIMEZONE", "America/Chicago")
    read = timetable(settings)
    assert read.run_day == 20 and read.timezone == "America/Chicago" and read.inbox == settings.out / "inbox"
    monkeypatch.setenv("CCM_RUN_DAY", "31")
    with pytest.raises(ValueError, match="1 to 28"):
        timetable(settings)


def test_what_the_daemon_loads_looks_at_the_inbox_and_knows_the_due_day(
    settings: Settings, when: Timetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCM_OUT", str(settings.out))
    monkeypatch.setenv("CCM_INBOX", str(when.inbox))
    monkeypatch.setenv("CCM_RUN_DAY", "20")
    loaded = defs()
    if not isinstance(loaded, dg.Definitions):  # `dg.definitions` hands out a lazy one
        loaded = loaded()
    dg.Definitions.validate_loadable(loaded)
    assert loaded.get_schedule_def("month_is_due").cron_schedule == "0 4 20 * *"
    keys = {spec.key for spec in loaded.resolve_all_asset_specs()}
    assert {
        schedule.MONTH,
        dg.AssetKey(["marts", "capture_months"]),
        dg.AssetKey(["publish", "tables"]),
    } <= keys
    (when.inbox / "2026-03-15").mkdir()
    (when.inbox / "2026-03-15" / "claims.csv").write_text("rows")
    (when.inbox / "2026-03-15" / inbox.MARK).touch()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, definitions=loaded, sensor_name="inbox")
        (asked,) = loaded.get_sensor_def("inbox").evaluate_tick(context).run_requests or ()
    assert asked.partition_key == "2026-02"
    assert os.environ["CCM_OUT"] == str(settings.out)
