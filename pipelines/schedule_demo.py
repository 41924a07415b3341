"""Three months that arrive and go through by themselves: what `ccm dagster` starts, its sensor and its queue, watched from outside.

Each month is copied into the inbox file by file, slowly enough that the sensor sees it half there. Ends with exit status 0 when all
are published, 1 when a run stopped or the time is up. `make schedule-demo` calls it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.settings import Settings, from_environment
from pipelines.simulate import simulate
from pipelines.ui import prepared, services

LOOK_SECONDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("out/schedule-demo"))
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=60, help="give up after so many")
    chosen = parser.parse_args()
    os.umask(0o077)
    shutil.rmtree(chosen.out, ignore_errors=True)
    settings = from_environment(chosen.out / "out")
    inbox = chosen.out.resolve() / "inbox"
    inbox.mkdir(parents=True)
    deliveries = simulate(
        chosen.people, chosen.months + 1, 1, chosen.out / "simulated", deliveries="monthly"
    )["deliveries"][: chosen.months]
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True)

    with daemon(settings, inbox):
        say("the daemon runs; nobody will touch it")
        for delivery in deliveries:
            arrived = time.monotonic()
            copy(chosen.out / "simulated" / delivery["folder"], inbox / delivery["received"], say)
            while not (record := record_of(settings, delivery["received"])).get("success"):
                if time.monotonic() - started > chosen.minutes * 60:
                    say(f"time is up; see {settings.run_records} and {settings.dagster_home}")
                    return 1
                if record and not (record["fault"] or {}).get("is_transient"):
                    say(f"the run stopped: {', '.join(record['failed'])}; see {settings.run_records}")
                    return 1
                time.sleep(2)
            say(
                f"published: as of {record['as_of']}, through {record['through']}, {len(record['inputs'])} deliveries,"
                f" {time.monotonic() - arrived:.0f} s after the first file came"
            )
    say("all months went through by themselves")
    return 0


@contextmanager
def daemon(settings: Settings, inbox: Path) -> Iterator[None]:
    """Everything that `ccm dagster` starts, on a port of its own, while the block lasts."""
    environment = {
        **prepared(settings),
        "CCM_INBOX": str(inbox),
        "CCM_SETTLE_SECONDS": str(2 * LOOK_SECONDS),
        "CCM_LOOK_SECONDS": str(LOOK_SECONDS),
    }
    with (settings.dagster_home / "services.log").open("w") as log:
        running = subprocess.Popen(services(free_port()), env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        running.send_signal(signal.SIGINT)  # as Ctrl-C: the services end their own children
        with suppress(subprocess.TimeoutExpired):
            running.wait(60)
        if running.poll() is None:
            running.kill()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def copy(source: Path, target: Path, say: Any) -> None:
    """Copy a delivery file by file with pauses in which the sensor looks."""
    files = sorted(source.iterdir())
    target.mkdir()
    for number, file in enumerate(files):
        shutil.copy(file, target / file.name)
        if number == len(files) // 2:
            say(f"{target.name}: {number + 1} of {len(files)} files are there")
            time.sleep(1.5 * LOOK_SECONDS)
    say(f"{target.name}: all {len(files)} files are there")


def record_of(settings: Settings, received: str) -> dict[str, Any]:
    """The record of the last run where that was the run of the delivery received that day, else empty.

    It is written last: what it tells is published and in the ledger.
    """
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(settings.run_record.read_text())
        return found if found.get("as_of") == received else {}
    return {}


if __name__ == "__main__":
    sys.exit(main())
