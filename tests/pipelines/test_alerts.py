"""Alerts reach the log, the file and whoever is named, and hold nothing that came in with a delivery."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines import faults, run_records
from pipelines.alerts import Alert, of_run, send
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.settings import Alerting, Settings, alerting

ALERT = Alert("failure", "A run stopped.", ["failed: step landing"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(out=tmp_path)


@pytest.fixture
def received() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A webhook on this machine: its port and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1], posted
        server.shutdown()


def test_an_alert_is_logged_kept_and_posted(
    settings: Settings, received: tuple[int, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    port, posted = received
    assert send(settings, ALERT, Alerting((f"json://127.0.0.1:{port}/hook",)))
    assert "alert (failure): A run stopped." in capsys.readouterr().err
    (line,) = map(json.loads, settings.alerts.read_text().splitlines())
    assert line["kind"] == "failure" and line["notified"] is True
    assert settings.alerts.stat().st_mode & 0o077 == 0
    (post,) = posted
    assert post["title"] == "CCM warehouse: failure" and "failed: step landing" in post["message"]
    assert post["type"] == "failure"


def test_addresses_may_stand_in_a_file(
    settings: Settings, received: tuple[int, list[dict[str, Any]]], tmp_path: Path
) -> None:
    port, posted = received
    file = tmp_path / "receivers.txt"
    file.write_text(f"json://127.0.0.1:{port}/hook\n")
    assert send(settings, ALERT, Alerting(file=file))
    assert len(posted) == 1


def test_an_alert_that_cannot_be_delivered_fails_nothing_and_shows_no_address(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not send(settings, ALERT, Alerting(("json://user:secret@127.0.0.1:9/hook", "nonsense")))
    (line,) = map(json.loads, settings.alerts.read_text().splitlines())
    assert line["notified"] is False
    told = capsys.readouterr()
    assert "did not reach everybody" in told.err
    assert "secret" not in told.err + told.out + settings.alerts.read_text()


def test_receivers_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCM_ALERT_URLS", "json://one mailto://two")
    monkeypatch.setenv("CCM_ALERT_FILE", "/etc/ccm/receivers")
    assert alerting() == Alerting(("json://one", "mailto://two"), Path("/etc/ccm/receivers"))


def record(**more: Any) -> dict[str, Any]:
    return {"success": True, "published": True, "failed": [], "fault": None, "breaches": [],
            "as_of": "2026-03-15", "through": "2026-02", **more}  # fmt: skip


BREACH = {"check": "volume on claims", "says": "far fewer rows", "effect": "warn", "unexpected": 3}


def test_a_run_that_went_well_tells_nobody(settings: Settings) -> None:
    assert of_run(settings, record(), record()) == []


def test_failure_breach_and_recovery_are_told(settings: Settings) -> None:
    stopped = record(
        success=False, published=False, failed=["step landing"], fault={"says": "the disk is full"}
    )
    (failure,) = of_run(settings, stopped, record())
    assert failure.kind == "failure" and "the disk is full" in failure.body and "stands" in failure.body
    (failure,) = of_run(settings, {**stopped, "breaches": [{**BREACH, "effect": "block"}]}, record())
    assert "not met: volume on claims: far fewer rows (3 found)" in failure.body
    kinds = [alert.kind for alert in of_run(settings, record(breaches=[BREACH]), stopped)]
    assert kinds == ["check_breach", "recovery"]


@pytest.mark.parametrize(
    "problem",
    [
        UnreadableExtract("CANARY_Smith_John.csv", "bad", column="CANARY", actual="CANARY"),
        OSError(28, "No space left on device", "/CANARY/file"),
        ValueError("could not convert CANARY to a date"),
    ],
)
def test_nothing_of_a_delivery_is_in_an_alert_or_record(settings: Settings, problem: Exception) -> None:
    run_records.stopped_early(settings, "step landing", problem)
    written = [path.read_text() for path in settings.out.rglob("*") if path.is_file()]
    assert len(written) == 3
    assert not any("CANARY" in text for text in written)
    assert "CANARY" not in faults.where(problem)
