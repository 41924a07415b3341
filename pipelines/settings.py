"""Where things are and how much of the machine may be used: the only reader of the environment.

Every path hangs off one output folder so that a run can be moved, compared or deleted as a whole.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DBT_PROJECT = REPOSITORY / "dbt_project"
CONTRACTS = REPOSITORY / "expectations" / "contracts"
SUITES = REPOSITORY / "expectations" / "suites"
POLICY_SEEDS = DBT_PROJECT / "seeds" / "policy"
RULES = DBT_PROJECT / "models" / "flags" / "rules"


@dataclass(frozen=True)
class Settings:
    """One run's folders and limits; `out` is absolute.

    `in_the_making` gives the places of the publication that a run is still making (`publish/publication.py`) instead of
    those of the one that stands.
    """

    out: Path
    memory_limit: str = "6GB"
    threads: int = 2
    # Models that dbt builds at the same time, as many as threads by default; they share the memory, so that large ones do better alone.
    models_at_once: int | None = None
    in_the_making: bool = False
    # Published variant of "two or more chronic conditions" to screen by, and whether all variants are built side by side.
    conditions: str = "ccm_default_ge2"
    compare_conditions: bool = False
    # Engine that builds the models: duckdb or spark.
    target: str = "duckdb"

    @property
    def encrypted(self) -> Path:
        """What lies on the disk of an output folder that is encrypted at rest (`encryption.py`)."""
        return self.out.with_name(f"{self.out.name}.encrypted")

    @property
    def is_locked(self) -> bool:
        """Whether the folder is encrypted and not unlocked: nothing may be written in its place."""
        return self.encrypted.is_dir() and not self.out.is_mount()

    @property
    def landing(self) -> Path:
        return self.out / "landing"

    @property
    def quarantine(self) -> Path:
        return self.out / "quarantine"

    @property
    def passed_batches(self) -> Path:
        """Batches of the landing that passed the contracts' checks, and what they were then."""
        return self.out / "passed_batches.json"

    @property
    def building(self) -> Path:
        """Where a run makes what it will publish; the next run clears it."""
        return self.out / "building"

    @property
    def published(self) -> Path:
        """What runs have published, a numbered folder each; `current` leads to the one that stands."""
        return self.out / "published"

    @property
    def _shown(self) -> Path:
        return self.building if self.in_the_making else self.out

    @property
    def warehouse(self) -> Path:
        return self._shown / "warehouse.duckdb"

    @property
    def tables(self) -> Path:
        return self._shown / "tables"

    @property
    def reports(self) -> Path:
        return self._shown / "reports"

    @property
    def worklists(self) -> Path:
        return self._shown / "worklists"

    @property
    def standing_worklists(self) -> Path:
        """The worklists that people have before them, also while a run makes the next ones."""
        return self.out / "worklists"

    @property
    def backfill(self) -> Path:
        """One folder a month that was built again, beside what is published now."""
        return self.out / "backfill"

    @property
    def ledger(self) -> Path:
        """What must survive a rebuild of the warehouse: first-seen dates and review states of findings."""
        return self.out / "ledger"

    @property
    def dbt_target(self) -> Path:
        return self.out / "dbt"

    @property
    def spark(self) -> Path:
        """Spark's tables, where no other place is named (CCM_SPARK_WAREHOUSE); the next run makes them anew."""
        return self.out / "spark"

    @property
    def dagster_home(self) -> Path:
        return self.out / "dagster"

    @property
    def temporary(self) -> Path:
        return self.out / "tmp"

    @property
    def alerts(self) -> Path:
        return self.out / "alerts.jsonl"

    @property
    def run_records(self) -> Path:
        """Records of all runs, a file each, named by the moment that it ended: the history that checks compare with."""
        return self.out / "runs"

    @property
    def run_lock(self) -> Path:
        return self.out / ".run.lock"

    @property
    def run_record(self) -> Path:
        """What the last run did, whether or not it published."""
        return self.out / "run.json"

    @property
    def published_record(self) -> Path:
        """The record of the run that made what is published."""
        return self.published / "current" / "run.json"

    def dbt_environment(self) -> dict[str, str]:
        """Environment that `dbt_project/profiles.yml` and the sources read."""
        return {
            "CCM_LANDING": str(self.landing),
            "CCM_QUARANTINE": str(self.quarantine),
            "CCM_LEDGER": str(self.ledger),
            "CCM_WAREHOUSE": str(self.warehouse),
            "CCM_SPARK_WAREHOUSE": os.environ.get("CCM_SPARK_WAREHOUSE", str(self.spark)),
            "CCM_TEMPORARY": str(self.temporary),
            "CCM_MEMORY_LIMIT": self.memory_limit,
            "CCM_THREADS": str(self.threads),
            "CCM_MODELS_AT_ONCE": str(self.models_at_once or self.threads),
            "CCM_CONDITIONS": self.conditions,
            "CCM_COMPARE_CONDITIONS": str(self.compare_conditions).lower(),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            # An engine's error quotes rows, and dbt's own log would keep it.
            "DBT_LOG_LEVEL_FILE": "none",
        }


@dataclass(frozen=True)
class Alerting:
    """Who is told of failures: Apprise addresses (`mailto://…`, `json://…`), and a file of more of them."""

    addresses: tuple[str, ...] = ()
    file: Path | None = None


def alerting() -> Alerting:
    """CCM_ALERT_URLS (addresses with blanks between them) and CCM_ALERT_FILE (an Apprise configuration file)."""
    file = os.environ.get("CCM_ALERT_FILE")
    return Alerting(tuple(os.environ.get("CCM_ALERT_URLS", "").split()), Path(file) if file else None)


def spark_python() -> Path | None:
    """CCM_SPARK_PYTHON: a Python with PySpark and dbt-spark, where it is not found by itself."""
    given = os.environ.get("CCM_SPARK_PYTHON")
    return Path(given) if given else None


def pseudonym_key() -> str | None:
    """CCM_PSEUDONYM_KEY, where one key is to be used for several output folders."""
    return os.environ.get("CCM_PSEUDONYM_KEY")


@dataclass(frozen=True)
class EncryptionKey:
    """The key of an output folder that is encrypted at rest: itself, or a file of its owner's that holds it in one line."""

    value: str = field(default="", repr=False)
    file: Path | None = None


def encryption_key() -> EncryptionKey:
    """CCM_ENCRYPTION_KEY, else CCM_ENCRYPTION_KEY_FILE."""
    file = os.environ.get("CCM_ENCRYPTION_KEY_FILE")
    return EncryptionKey(os.environ.get("CCM_ENCRYPTION_KEY", ""), Path(file) if file else None)


@dataclass(frozen=True)
class Timetable:
    """When months run by themselves.

    `inbox`: where deliveries arrive. A month is due on day `run_day` of the next one at `run_hour` in `timezone`: by then the
    claims of the month have had that many days to run out. `settle_seconds`: how long files must not have changed before a
    delivery without marks counts as complete. `look_seconds`: how often the inbox is looked at. `stale_days`: how old the last
    publication may become before somebody is told.
    """

    inbox: Path
    run_day: int = 15
    run_hour: int = 4
    timezone: str = "UTC"
    settle_seconds: int = 60
    look_seconds: int = 60
    stale_days: int = 45
    first_month: str = "2015-01"


def timetable(settings: Settings) -> Timetable:
    """CCM_INBOX (default `inbox/` in the output folder) and the other CCM_ variables named after the fields."""
    given = os.environ.get
    day = int(given("CCM_RUN_DAY", "15"))
    if not 1 <= day <= 28:
        raise ValueError("CCM_RUN_DAY must be a day that every month has: 1 to 28")
    return Timetable(
        inbox=Path(given("CCM_INBOX", str(settings.out / "inbox"))).resolve(),
        run_day=day,
        run_hour=int(given("CCM_RUN_HOUR", "4")),
        timezone=given("CCM_TIMEZONE", "UTC"),
        settle_seconds=int(given("CCM_SETTLE_SECONDS", "60")),
        look_seconds=int(given("CCM_LOOK_SECONDS", "60")),
        stale_days=int(given("CCM_STALE_DAYS", "45")),
        first_month=given("CCM_FIRST_MONTH", "2015-01"),
    )


class Locked(Exception):
    """The output folder is encrypted and not unlocked; str() is one clear line."""


class UnknownVariant(ValueError):
    """Nobody published the variant of chronic conditions that was asked for; str() is one clear line."""


def condition_variants() -> list[str]:
    """Published variants of "two or more chronic conditions", the headline first."""
    with (POLICY_SEEDS / "condition_variants.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["is_headline"] != "true")
    return list(dict.fromkeys(row["variant"] for row in rows))


def from_environment(
    out: Path | None = None,
    conditions: str | None = None,
    compare_conditions: bool = False,
    target: str = "duckdb",
    *,
    may_be_locked: bool = False,
) -> Settings:
    """Settings for `out` (default `out/`); CCM_OUT, CCM_MEMORY_LIMIT, CCM_THREADS, CCM_MODELS_AT_ONCE,
    CCM_CONDITIONS and CCM_COMPARE_CONDITIONS stand for what is not given. Raises UnknownVariant, and Locked unless the folder `may_be_locked`.
    """
    folder = out if out is not None else Path(os.environ.get("CCM_OUT", "out"))
    known = condition_variants()
    chosen = conditions or os.environ.get("CCM_CONDITIONS", known[0])
    if chosen not in known:
        raise UnknownVariant(f"no variant of chronic conditions {chosen!r}; there are {', '.join(known)}")
    at_once = os.environ.get("CCM_MODELS_AT_ONCE")
    made = Settings(
        out=folder.resolve(),
        memory_limit=os.environ.get("CCM_MEMORY_LIMIT", "6GB"),
        threads=int(os.environ.get("CCM_THREADS", str(os.cpu_count() or 2))),
        models_at_once=int(at_once) if at_once else None,
        conditions=chosen,
        compare_conditions=compare_conditions or os.environ.get("CCM_COMPARE_CONDITIONS", "false") == "true",
        target=target,
    )
    if made.is_locked and not may_be_locked:
        raise Locked(f"{made.out} is encrypted and locked: `ccm unlock --out {made.out}`")
    return made
