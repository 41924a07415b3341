"""What is wrong with this set-up: each thing a run needs, tried."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from pipelines.settings import DBT_PROJECT, REPOSITORY, Settings

ENOUGH_DISK_BYTES = 5 * 2**30
NEEDED = (
    "dagster",
    "dagster-dbt",
    "dbt-core",
    "dbt-duckdb",
    "duckdb",
    "duckdb-engine",
    "great-expectations",
    "polars",
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is fine, in one line."""

    fine: bool
    says: str


def examine(settings: Settings) -> list[Finding]:
    """Look at Python, packages against the lock, the folders, the disk, the warehouse, what is landed and the ledger."""
    return [
        Finding(
            (3, 11) <= sys.version_info[:2] < (3, 14),
            f"Python {sys.version.split()[0]} (3.11 to 3.13 needed)",
        ),
        *packages(),
        Finding((DBT_PROJECT / "dbt_project.yml").exists(), f"dbt project at {DBT_PROJECT}"),
        writable(settings),
        disk(settings),
        warehouse(settings),
        landed(settings),
        kept(settings),
        at_rest(settings),
    ]


def packages() -> list[Finding]:
    locked = dict(
        re.findall(
            r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.M
        )
    )
    found = []
    for name in NEEDED:
        try:
            installed = version(name)
        except PackageNotFoundError:
            found.append(Finding(False, f"{name} is not installed: make setup"))
            continue
        wanted = locked.get(name, installed)
        found.append(
            Finding(
                installed == wanted,
                f"{name} {installed}" + ("" if installed == wanted else f", lock says {wanted}"),
            )
        )
    return found


def writable(settings: Settings) -> Finding:
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        probe = settings.out / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as problem:
        return Finding(False, f"{settings.out} cannot be written: {problem.strerror}")
    return Finding(True, f"{settings.out} can be written")


def disk(settings: Settings) -> Finding:
    place = settings.out if settings.out.exists() else settings.out.parent
    free = shutil.disk_usage(place).free if place.exists() else 0
    return Finding(free >= ENOUGH_DISK_BYTES, f"{free / 2**30:.0f} GiB free for {settings.out}")


def warehouse(settings: Settings) -> Finding:
    if not settings.warehouse.exists():
        return Finding(True, "no warehouse yet: the first run makes it")
    from pipelines.built import NoWarehouse, open_built

    try:
        with open_built(settings, "flags.findings"):
            return Finding(True, f"{settings.warehouse} can be read")
    except NoWarehouse as problem:
        return Finding(False, str(problem))


def landed(settings: Settings) -> Finding:
    from pipelines.extracts.landed import broken_files
    from pipelines.lineage import lost_batches

    batches = [path for path in settings.landing.glob("batch-*") if path.is_dir()]
    broken = [
        *(path.name for path in batches if not (path / "manifest.json").exists()),
        *broken_files(settings, to_the_end=True),
        *lost_batches(settings),
    ]
    return Finding(
        not broken,
        f"{len(batches)} batches landed"
        + (f"; damaged or gone, restore from the backup: {', '.join(broken)}" if broken else ""),
    )


def kept(settings: Settings) -> Finding:
    from pipelines.ledger import broken_files, is_lost

    if is_lost(settings):
        return Finding(False, "ledger/ does not hold what the last run showed: restore it from the backup")
    broken = broken_files(settings)
    says = f"; damaged or gone, restore from the backup: {', '.join(broken)}" if broken else ""
    return Finding(not broken, f"{len(list(settings.ledger.glob('*/*.parquet')))} files in the ledger{says}")


def at_rest(settings: Settings) -> Finding:
    if settings.encrypted.is_dir():
        return Finding(True, f"{settings.out} is encrypted at rest and unlocked")
    return Finding(True, f"{settings.out} is not encrypted by `ccm unlock`; its disk may be")
