"""The runs of a range of months again, from landing, each into a folder of its own; what is published now is left alone.

One process at a time can write a DuckDB file, so months that are built side by side have folders of their own: the range is cut into
as many stretches as there are jobs, and the months of a stretch follow one another. A month's tables, pages, worklists and record end in `backfill/YYYY-MM/`, all or none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipelines.settings import REPOSITORY, Settings

# What a month keeps of its run; the warehouse is dropped, it can be built again at any time.
KEPT = ("tables", "reports", "worklists", "run.json", "quality.json")


class CannotBackfill(Exception):
    """The range cannot be built; str() is one clear line."""


@dataclass(frozen=True)
class Month:
    """A month to build, and the day to whose knowledge it is built."""

    through: date
    as_of: date

    @property
    def name(self) -> str:
        return f"{self.through:%Y-%m}"


def backfill(settings: Settings, first: date, last: date, *, as_of: date | None = None, jobs: int = 1) -> int:
    """Build every month from `first` to `last`; returns 0, or 1 where a month failed (the others stand).

    `as_of`: the day to whose knowledge all are built; None: for each month the day on which it was first covered. Raises
    CannotBackfill where a month of the range is not covered by what is landed.
    """
    months = planned(settings, first, last, as_of)
    jobs = min(jobs, len(months))
    size = -(-len(months) // jobs)
    stretches = [months[start : start + size] for start in range(0, len(months), size)]
    with ThreadPoolExecutor(max_workers=len(stretches)) as pool:
        numbered = enumerate(stretches)
        failed = [
            name
            for names in pool.map(lambda one: build(settings, one[0], one[1], len(stretches)), numbered)
            for name in names
        ]
    for name in failed:
        print(f"failed: {name} (see {settings.backfill / name}.log)", file=sys.stderr)
    print(f"built {len(months) - len(failed)} of {len(months)} months under {settings.backfill}/")
    return 1 if failed else 0


def planned(settings: Settings, first: date, last: date, as_of: date | None) -> list[Month]:
    """The months of the range with their days; nothing is read that was received later."""
    months = [
        months_before(first, -number)
        for number in range((last.year - first.year) * 12 + last.month - first.month + 1)
    ]
    if not any(settings.landing.glob("batch-*/manifest.json")):
        raise CannotBackfill(f"nothing is landed under {settings.landing}")
    with duckdb.connect() as con:
        covered = dict(
            con.execute(
                "select service_month, min(received_date)"
                f" from read_parquet('{settings.landing}/batch-*/enrollment_months.parquet') group by service_month"
            ).fetchall()
        )
    for month in months:
        if month not in covered or (as_of is not None and covered[month] > as_of):
            known = "" if as_of is None else f" by {as_of}"
            raise CannotBackfill(f"no delivery{known} covers {month:%Y-%m}")
    return [Month(month, as_of or covered[month]) for month in months]


def build(settings: Settings, number: int, months: list[Month], stretches: int) -> list[str]:
    """Build one stretch of months in a folder of its own; returns the names of those that failed."""
    work = settings.backfill / f".work-{number}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    for name in ("landing", "quarantine"):
        (work / name).symlink_to(settings.out / name, target_is_directory=True)
    # Findings are dated by what earlier runs showed, and reviewed: read, never added to.
    if settings.ledger.exists():
        shutil.copytree(settings.ledger, work / "ledger")
    failed = []
    for month in sorted(months, key=lambda one: (one.as_of, one.through)):
        if not run(settings, work, month, stretches):
            failed.append(month.name)
            continue
        target, fresh = settings.backfill / month.name, settings.backfill / f".{month.name}.incoming"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for kept in KEPT:
            if (work / kept).is_dir():
                shutil.copytree((work / kept).resolve(), fresh / kept)
            elif (work / kept).exists():
                shutil.copy2(work / kept, fresh / kept)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
        print(f"{month.name}, as of {month.as_of}: done", flush=True)
    shutil.rmtree(work, ignore_errors=True)
    return failed


def run(settings: Settings, work: Path, month: Month, stretches: int) -> bool:
    """One `ccm run` over what is landed, in a process of its own and with its share of the machine."""
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        "--landed",
        "--out",
        str(work),
        "--as-of",
        month.as_of.isoformat(),
    ]
    limits = {
        "CCM_THREADS": str(max(1, settings.threads // stretches)),
        "CCM_MODELS_AT_ONCE": str(max(1, (settings.models_at_once or settings.threads) // stretches)),
        "CCM_MEMORY_LIMIT": share_of(settings.memory_limit, stretches),
    }
    log = settings.backfill / f"{month.name}.log"
    with log.open("w") as told:
        done = subprocess.run(
            [*command, "--through", month.name],
            cwd=REPOSITORY,
            env={**os.environ, **limits},
            stdout=told,
            stderr=subprocess.STDOUT,
            check=False,
        )
    log.chmod(0o600)
    return done.returncode == 0


def share_of(memory_limit: str, parts: int) -> str:
    """A memory limit as DuckDB takes it (`6GB`), divided."""
    number = memory_limit.rstrip("BGKMTikb ")
    return f"{float(number) / parts:g}{memory_limit[len(number) :].strip()}"


def months_before(month: date, count: int) -> date:
    """The first day of the month so many months before (after, where negative)."""
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)
