"""Which deliveries in the inbox are complete. A folder or a zip archive in it is one delivery.

A delivery says itself that it is complete, or its files have stopped changing:

- `SHA256SUMS` in it (as `sha256sum *` writes it): complete when every file of the list is there with its checksum, never before;
- `_SUCCESS` in it: complete;
- neither: complete when two looks, `settle` seconds or more apart, found the same files, sizes and times of change.

Files that senders rename at the end (`.part`, `.tmp`, …), an empty folder and an archive without its end are not complete.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

SUMS, MARK = "SHA256SUMS", "_SUCCESS"
UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload", ".incomplete", ".download")
DAY = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


@dataclass(frozen=True)
class Arrival:
    """One delivery as it looks now. `received`: the day in its name, if any."""

    path: Path
    state: str
    received: date | None


def arrivals(inbox: Path) -> list[Arrival]:
    """Deliveries in the inbox whose files are not visibly unfinished, in the order of the days in their names, then of names."""
    found = []
    for path in _deliveries(inbox):
        state = None if path.suffix.lower() in UNFINISHED else fingerprint(path)
        if state is not None:
            found.append(Arrival(path, state, day_in(path.name)))
    return sorted(found, key=lambda one: (one.received or date.max, one.path.name))


def kept_waiting(inbox: Path) -> int:
    """How many deliveries will not be taken as they are: visibly unfinished, or with a checksum in their list that does not hold."""
    ready = {one.path for one in arrivals(inbox) if not (one.path / SUMS).is_file() or sums_hold(one.path)}
    return len(set(_deliveries(inbox)) - ready)


def _deliveries(inbox: Path) -> list[Path]:
    """Folders and archives in the inbox, those that are being copied under another name among them."""
    if not inbox.is_dir():
        return []
    shown = [path for path in inbox.iterdir() if not path.name.startswith((".", "_"))]
    return [path for path in shown if path.is_dir() or path.suffix.lower() in {".zip", *UNFINISHED}]


def day_in(name: str) -> date | None:
    """The day that a delivery's name states, as in `2026-03-15` or `claims_2026-03-15.zip`."""
    for text in DAY.findall(name):
        try:
            return date.fromisoformat(text)
        except ValueError:
            continue
    return None


def fingerprint(path: Path) -> str | None:
    """Digest of a delivery's file names, sizes and times of change; None while it is visibly unfinished."""
    digest = hashlib.sha256()
    count = 0
    try:
        for file in sorted(_files(path)):
            if file.suffix.lower() in UNFINISHED or (
                file.suffix.lower() == ".zip" and not zipfile.is_zipfile(file)
            ):
                return None
            stat = file.stat()
            digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
            count += file.name not in (SUMS, MARK)
    except OSError:  # a file was moved while we looked
        return None
    return digest.hexdigest() if count else None


def is_complete(arrival: Arrival, unchanged_seconds: float | None, settle: float) -> bool:
    """Whether a delivery is complete. `unchanged_seconds`: since when it has looked as it does now, None at the first look."""
    if unchanged_seconds is None:
        return (arrival.path / MARK).is_file() and not (arrival.path / SUMS).is_file()
    if (arrival.path / SUMS).is_file():
        return sums_hold(arrival.path)
    return (arrival.path / MARK).is_file() or unchanged_seconds >= settle


def sums_hold(folder: Path) -> bool:
    """Whether every file that `SHA256SUMS` lists is there with its checksum. A name that leads outside does not hold, nor does a
    list or file that cannot be read: one delivery's may not keep the others waiting."""
    try:
        text = (folder / SUMS).read_text(encoding="utf-8")
        listed = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
        return bool(listed) and all(len(parts) == 2 and _holds(folder, *parts) for parts in listed)
    except (OSError, ValueError):
        return False


def _holds(folder: Path, checksum: str, name: str) -> bool:
    file = folder / name.strip().lstrip("*")
    if file.parent != folder or not file.is_file():
        return False
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == checksum.lower()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (file for file in path.iterdir() if file.is_file())
