"""Where things are and how much of the machine may be used: the only reader of the environment.

Every path hangs off one output folder so that a run can be moved, compared or deleted as a whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DBT_PROJECT = REPOSITORY / "dbt_project"
CONTRACTS = REPOSITORY / "expectations" / "contracts"
SUITES = REPOSITORY / "expectations" / "suites"
POLICY_SEEDS = DBT_PROJECT / "seeds" / "policy"
RULES = DBT_PROJECT / "models" / "flags" / "rules"


@dataclass(frozen=True)
class Settings:
    """One run's folders and limits; `out` is absolute."""

    out: Path
    memory_limit: str = "6GB"
    threads: int = 2

    @property
    def landing(self) -> Path:
        return self.out / "landing"

    @property
    def quarantine(self) -> Path:
        return self.out / "quarantine"

    @property
    def warehouse(self) -> Path:
        return self.out / "warehouse.duckdb"

    @property
    def tables(self) -> Path:
        return self.out / "tables"

    @property
    def reports(self) -> Path:
        return self.out / "reports"

    @property
    def worklists(self) -> Path:
        return self.out / "worklists"

    @property
    def ledger(self) -> Path:
        """What must survive a rebuild of the warehouse: first-seen dates and review states of findings."""
        return self.out / "ledger"

    @property
    def dbt_target(self) -> Path:
        return self.out / "dbt"

    @property
    def dagster_home(self) -> Path:
        return self.out / "dagster"

    @property
    def temporary(self) -> Path:
        return self.out / "tmp"

    @property
    def run_record(self) -> Path:
        return self.out / "run.json"

    def dbt_environment(self) -> dict[str, str]:
        """Environment that `dbt_project/profiles.yml` and the sources read."""
        return {
            "CCM_LANDING": str(self.landing),
            "CCM_QUARANTINE": str(self.quarantine),
            "CCM_LEDGER": str(self.ledger),
            "CCM_WAREHOUSE": str(self.warehouse),
            "CCM_TEMPORARY": str(self.temporary),
            "CCM_MEMORY_LIMIT": self.memory_limit,
            "CCM_THREADS": str(self.threads),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }


def from_environment(out: Path | None = None) -> Settings:
    """Settings for `out` (default `out/`), with CCM_OUT, CCM_MEMORY_LIMIT and CCM_THREADS as overrides."""
    folder = out if out is not None else Path(os.environ.get("CCM_OUT", "out"))
    return Settings(
        out=folder.resolve(),
        memory_limit=os.environ.get("CCM_MEMORY_LIMIT", "6GB"),
        threads=int(os.environ.get("CCM_THREADS", str(os.cpu_count() or 2))),
    )
