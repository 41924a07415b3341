"""Alerts about runs: to the log, to a file, and by e-mail, chat or webhook through Apprise. Never with patients' data.

An alert is made of names out of this project (checks, steps, faults), counts and dates. Nothing that came in with a delivery,
not even a file's name, is part of one: it may leave the machine.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.run_summary import not_met
from pipelines.settings import Alerting, Settings, alerting

Kind = Literal["failure", "check_breach", "staleness", "recovery"]


@dataclass(frozen=True)
class Alert:
    """What happened, in one line, and particulars, one line each."""

    kind: Kind
    says: str
    particulars: Sequence[str] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        return f"CCM warehouse: {self.kind.replace('_', ' ')}"

    @property
    def body(self) -> str:
        return "\n".join([self.says, *(f"- {line}" for line in self.particulars)])


def send(settings: Settings, alert: Alert, to: Alerting | None = None) -> bool:
    """Log an alert, add it to `alerts.jsonl` and notify whoever the settings name; whether all of them were reached.

    `to` defaults to the environment's settings. An alert that cannot be delivered never fails a run: the file says so.
    """
    to = alerting() if to is None else to
    print(f"ccm: alert ({alert.kind}): {alert.says}", file=sys.stderr, flush=True)
    reached = notify(alert, to)
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(alert), "notified": reached}
    try:
        with settings.alerts.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        settings.alerts.chmod(0o600)
    except OSError:
        print("ccm: the alert could not be written to alerts.jsonl", file=sys.stderr, flush=True)
    return reached is not False


def notify(alert: Alert, to: Alerting) -> bool | None:
    """Send an alert to every address; None where there is none, False where one was not reached."""
    if not to.addresses and to.file is None:
        return None
    import apprise

    # Addresses hold passwords, and Apprise logs them where it cannot reach one.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    receivers = apprise.Apprise()
    added = [receivers.add(address) for address in to.addresses]
    understood = all(added)
    if to.file is not None:
        config = apprise.AppriseConfig()
        understood = bool(config.add(str(to.file))) and len(config) > 0 and understood
        receivers.add(config)
    kinds = {"failure": apprise.NotifyType.FAILURE, "recovery": apprise.NotifyType.SUCCESS}
    try:
        notify_type = kinds.get(alert.kind, apprise.NotifyType.WARNING)
        sent = bool(receivers.notify(title=alert.title, body=alert.body, notify_type=notify_type))
    except Exception:
        sent = False
    if not (sent and understood):
        print(
            "ccm: an alert did not reach everybody named by CCM_ALERT_URLS or CCM_ALERT_FILE", file=sys.stderr
        )
    return sent and understood


def of_run(settings: Settings, record: dict[str, Any], before: dict[str, Any] | None) -> list[Alert]:
    """The alerts that the record of a run calls for; `before` is the record of the run before it, if any."""
    made: list[Alert] = []
    about = f" (as of {record['as_of']}, through {record['through']})" if record.get("as_of") else ""
    place = f"record: {settings.run_record}"
    if not record["success"]:
        fault = record.get("fault")
        says = (
            f"A run stopped{about}; what was published before stands."
            if not record.get("published")
            else f"A run stopped after it had published{about}."
        )
        reasons = [*(f"failed: {name}" for name in record["failed"]), *not_met(record)]
        made.append(Alert("failure", says, [*([fault["says"]] if fault else []), *reasons, place]))
    breaches = [one for one in record.get("breaches", []) if record["success"] or one["effect"] == "warn"]
    if breaches:
        lines = [f"{one['check']}: {one['says']} ({one['unexpected']} found)" for one in breaches]
        made.append(Alert("check_breach", f"{len(breaches)} checks warn{about}.", [*lines, place]))
    if record["success"] and before is not None and not before.get("success", True):
        made.append(Alert("recovery", f"A run succeeded again{about}.", [place]))
    return made
