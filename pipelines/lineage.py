"""What a run's tables were made from: deliveries by checksum, window, policy, models and code. Equal lineage, equal rows.

It stands in `run.json`, in `tables/lineage.json` and in the metadata of every published Parquet file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.extracts.contract import contract_version
from pipelines.extracts.landed import manifests
from pipelines.settings import DBT_PROJECT, POLICY_SEEDS, REPOSITORY, Settings
from pipelines.window import RunWindow

FILE = "lineage.json"


@dataclass(frozen=True)
class Lineage:
    """`batches`: batch_id -> SHA-256 over the checksums of its source files, of every batch received by `as_of`."""

    as_of: str
    through: str
    policy_version: str
    models_version: str
    contract_version: str
    code_version: str
    batches: dict[str, str]

    def makes_the_same_as(self, other: Lineage) -> bool:
        """Whether both give the same rows; commits that touch neither models nor policy do not matter."""
        return {**asdict(self), "code_version": ""} == {**asdict(other), "code_version": ""}

    def can_follow(self, earlier: Lineage) -> bool:
        """Whether this is the same history told later: nothing that the earlier one read is gone."""
        return earlier.as_of <= self.as_of and earlier.batches.items() <= self.batches.items()

    def as_metadata(self) -> dict[str, str]:
        """The same as texts, for the metadata of a Parquet file."""
        values = {f"ccm.{name}": value for name, value in asdict(self).items() if isinstance(value, str)}
        return {**values, "ccm.batches": json.dumps(self.batches, sort_keys=True)}


def lineage(settings: Settings, window: RunWindow) -> Lineage:
    """The lineage of a run in this window over what is landed now."""
    return Lineage(
        as_of=window.as_of.isoformat(),
        through=window.through.isoformat()[:7],
        policy_version=policy_version(),
        models_version=models_version(),
        contract_version=contract_version(),
        code_version=code_version(),
        batches={
            batch["batch_id"]: checksum(batch)
            for batch in manifests(settings)
            if batch["received_date"] <= window.as_of.isoformat()
        },
    )


def checksum(batch: dict[str, Any]) -> str:
    """SHA-256 over names and checksums of a batch's source files."""
    files = sorted((file["name"], file["sha256"]) for file in batch["files"])
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def read(folder: Path) -> Lineage | None:
    """The lineage that was written beside tables, or None where there is none that this version can read."""
    try:
        return Lineage(**json.loads((folder / FILE).read_text()))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, TypeError):
        return None


def lost_batches(settings: Settings) -> list[str]:
    """Batches that the publication that stands was made from and that are no longer landed: a run would go on without them."""
    standing = read(replace(settings, in_the_making=False).tables)
    held = {batch["batch_id"] for batch in manifests(settings)}
    return sorted(set(standing.batches) - held) if standing else []


def write(folder: Path, made: Lineage) -> None:
    path = folder / FILE
    path.write_text(json.dumps(asdict(made), indent=1, sort_keys=True) + "\n")
    path.chmod(0o600)


@cache
def policy_version() -> str:
    """SHA-256 over the policy seeds, shortened: two runs with one value used the same policy."""
    return digest_of(POLICY_SEEDS.glob("*.csv"))


@cache
def models_version() -> str:
    """SHA-256 over the dbt project's models and macros, shortened."""
    return digest_of([*DBT_PROJECT.glob("models/**/*.sql"), *DBT_PROJECT.glob("macros/**/*.sql")])


def digest_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def code_version() -> str:
    """Git commit of the checkout, or the package's version outside one."""
    git = shutil.which("git")
    if git:
        found = subprocess.run(
            [git, "-C", str(REPOSITORY), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            return found.stdout.strip()
    return version("ccm-warehouse")
