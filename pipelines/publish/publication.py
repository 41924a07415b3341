"""What a run shows appears all at once or not at all: warehouse, tables, pages and worklists of one run, exchanged by one rename.

A run makes everything under `building/`. Publishing moves that folder to `published/<number>/` and points `published/current` at
it; `tables`, `reports`, `worklists` and `warehouse.duckdb` in the output folder lead through `current`. So a reader never sees
two runs side by side, a run that dies changes nothing that is shown, and nobody who reads keeps a run from starting.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines import engine
from pipelines.settings import Settings

CURRENT = "current"
# In a publication until the ledger holds what it showed.
UNREMEMBERED = "not_yet_in_the_ledger"
# In one that was damaged before the ledger held what it showed.
NEVER_REMEMBERED = "never_in_the_ledger"


def begin(settings: Settings, *, keep_warehouse: bool = False) -> Settings:
    """Clear what earlier runs left unfinished and return the settings of a new publication.

    `keep_warehouse`: start from a copy of the published warehouse, for a run that changes part of it. The publication before the
    one that stands goes only now, so that who still reads it can end.
    """
    shutil.rmtree(settings.building, ignore_errors=True)
    standing = current(settings)
    for folder in _numbered(settings):
        if folder.name != standing:
            shutil.rmtree(folder, ignore_errors=True)
    if standing is not None:
        _lead_through_current(settings)
    settings.building.mkdir(mode=0o700)
    making = replace(settings, in_the_making=True)
    if keep_warehouse and settings.warehouse.exists():
        shutil.copyfile(settings.warehouse, making.warehouse)
    return making


def publish(settings: Settings, record: Mapping[str, Any]) -> Path:
    """Make what lies under `building/` the publication that stands; returns its folder. `record` goes with it as `run.json`."""
    building = settings.building
    making = replace(settings, in_the_making=True)
    if making.warehouse.exists():
        with engine.connect(making, making.warehouse) as con:
            con.execute(
                "checkpoint"
            )  # nothing may be left in a log beside the file: its name would not follow
    write_record(building / "run.json", record)
    (building / UNREMEMBERED).touch(mode=0o600)
    _sync(building)
    settings.published.mkdir(mode=0o700, exist_ok=True)
    _adopt_plain_folders(settings)
    place = settings.published / f"{_last_number(settings) + 1:06d}"
    building.rename(place)
    _point(settings.published / CURRENT, place.name)
    _lead_through_current(settings)
    return place


def current(settings: Settings) -> str | None:
    """Number of the publication that stands, as its folder is called; None before the first."""
    link = settings.published / CURRENT
    return link.readlink().name if link.is_symlink() and link.exists() else None


def is_remembered(settings: Settings) -> bool:
    """Whether the ledger holds what the publication that stands showed; True where there is none."""
    return not (settings.published / CURRENT / UNREMEMBERED).exists()


def remembered(settings: Settings) -> None:
    """Note that the ledger holds what the publication that stands showed."""
    (settings.published / CURRENT / UNREMEMBERED).unlink(missing_ok=True)


def given_up(settings: Settings) -> None:
    """Note that what the publication that stands showed can no longer be entered into the ledger."""
    held = settings.published / CURRENT
    (held / UNREMEMBERED).replace(held / NEVER_REMEMBERED)


def is_given_up(settings: Settings) -> bool:
    return (settings.published / CURRENT / NEVER_REMEMBERED).exists()


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, whole or not at all."""
    fresh = path.with_suffix(".incoming")
    fresh.write_text(json.dumps(record, indent=1, default=str) + "\n")
    fresh.chmod(0o600)
    fresh.replace(path)


def _numbered(settings: Settings) -> list[Path]:
    if not settings.published.is_dir():
        return []
    return [path for path in settings.published.iterdir() if path.name.isdigit()]


def _last_number(settings: Settings) -> int:
    return max((int(path.name) for path in _numbered(settings)), default=0)


def _adopt_plain_folders(settings: Settings) -> None:
    """An output folder of an earlier version holds plain folders where links belong: they become a publication."""
    plain = [path for path in _shown_places(settings) if path.exists() and not path.is_symlink()]
    if plain and current(settings) is None:
        place = settings.published / f"{_last_number(settings) + 1:06d}"
        place.mkdir(mode=0o700)
        _point(settings.published / CURRENT, place.name)
    for path in plain:
        # Where this is cut off, the next run makes the missing link and takes over the rest.
        path.rename(settings.published / CURRENT / path.name)
        _lead_through_current(settings)


def _shown_places(settings: Settings) -> list[Path]:
    shown = replace(settings, in_the_making=False)
    return [shown.warehouse, shown.tables, shown.reports, shown.worklists]


def _lead_through_current(settings: Settings) -> None:
    """Links in the output folder to whatever the publication that stands holds of what is shown."""
    held = settings.published / CURRENT
    for path in _shown_places(settings):
        wanted = Path(settings.published.name) / CURRENT / path.name
        if (held / path.name).exists() and not (path.is_symlink() and path.readlink() == wanted):
            _point(path, str(wanted))


def _point(link: Path, target: str) -> None:
    """Make or change a symbolic link in one step."""
    fresh = link.with_name(f".{link.name}.incoming")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    _sync_folder(link.parent)


def _sync(folder: Path) -> None:
    """Bring every file under `folder` to the disk before it is shown, so that a power cut cannot leave it half there."""
    for path in folder.rglob("*"):
        if path.is_dir():
            _sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
