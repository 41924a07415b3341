"""One writer of an output folder at a time, and a line that says who it is. The lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from pipelines.settings import Settings


class Busy(Exception):
    """Another process writes this output folder; str() is one line."""


@contextmanager
def only_writer(settings: Settings, doing: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the output folder while the block lasts, `doing` one word for others to read.

    Raises Busy where another process holds it; with `wait` says so on stderr and waits instead. Raises Busy as well where the
    folder cannot be written.
    """
    try:
        settings.out.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = settings.run_lock.open("a+")
    except OSError as fault:
        raise Busy(f"{settings.out} cannot be written ({fault.strerror})") from None
    with handle:
        settings.run_lock.chmod(0o600)
        _take(handle, settings, wait)
        handle.seek(0)
        handle.truncate()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            json.dump({"pid": os.getpid(), "doing": doing, "since": now}, handle)
            handle.flush()
        except OSError:  # a full disk: the lock holds without a name on it
            handle.truncate(0)
        yield
        handle.truncate(0)


def _take(handle: IO[str], settings: Settings, wait: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise Busy(f"{_holder(handle, settings)}; wait for it to end, or use another --out") from None
        print(f"ccm: {_holder(handle, settings)}; waiting for it to end", file=sys.stderr, flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)


def _holder(handle: IO[str], settings: Settings) -> str:
    handle.seek(0)
    try:
        held: dict[str, Any] = json.loads(handle.read())
        who = f"{held['doing']} (process {held['pid']}, since {held['since']})"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return f"{settings.out} is being written by {who}"
