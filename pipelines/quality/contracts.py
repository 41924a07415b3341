"""The contracts' suites on landed batches, each batch asked once: what passed and has not changed by a byte passes again.

A run compares every landed file with its checksum before it asks anything (`landing_step.py`), and nothing that is asked of a row depends
on another batch. So a month asks about what arrived, however many deliveries lie before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from expectations.run import Outcome, run
from expectations.suites.contract import LANDED, NEW, suites
from pipelines import engine
from pipelines.extracts.contract import contract_version, load_contracts
from pipelines.extracts.landed import manifests
from pipelines.lineage import digest_of
from pipelines.settings import REPOSITORY, Settings


def outcomes(settings: Settings) -> list[Outcome]:
    """Outcomes (counts only) of the suites on batches that have not passed them; what passes now is remembered beside the landing."""
    asked = version()
    marks = {batch["batch_id"]: mark(batch, asked) for batch in manifests(settings)}
    passed = read(settings.passed_batches)
    fresh = [batch for batch, now in marks.items() if now is None or passed.get(batch) != now]
    database = catalogue(settings, fresh)
    try:
        found = run(
            database,
            [suite for contract in load_contracts().values() for suite in suites(contract)],
            engine.limits(settings),
        )
    finally:
        database.unlink()
    if all(outcome.success for outcome in found):
        write(settings.passed_batches, {batch: now for batch, now in marks.items() if now is not None})
    return found


def catalogue(settings: Settings, fresh: Sequence[str]) -> Path:
    """A DuckDB file of views on the landed Parquet, for the checks alone: `NEW.<table>` of the batches `fresh`, `LANDED.<table>` of all."""
    settings.temporary.mkdir(parents=True, exist_ok=True)
    path = settings.temporary / "landing_catalogue.duckdb"
    path.unlink(missing_ok=True)
    with engine.connect(settings, path) as con:
        for schema in (NEW, LANDED):
            con.execute(f"create schema {schema}")
        for table in load_contracts():
            every = f"read_parquet('{settings.landing}/batch-*/{table}.parquet')"
            files = [f"{settings.landing}/{batch}/{table}.parquet" for batch in fresh]
            new = f"read_parquet({files})" if files else f"{every} where false"
            con.execute(f"create view {LANDED}.{table} as select * from {every}")
            con.execute(f"create view {NEW}.{table} as select * from {new}")
    return path


def version() -> str:
    """Changes with the contracts and with anything in `expectations/` that says what is asked of them."""
    folder = REPOSITORY / "expectations"
    return f"{contract_version()} {digest_of([*folder.rglob('*.py'), *folder.glob('*.yml')])}"


def mark(batch: Mapping[str, Any], asked: str) -> str | None:
    """Stands for a batch's files, by their checksums, and for what was asked; None for a batch that has none, landed by an earlier version."""
    checksums = batch.get("sha256")
    if not checksums:
        return None
    return hashlib.sha256(json.dumps([asked, checksums], sort_keys=True).encode()).hexdigest()


def read(path: Path) -> dict[str, str]:
    """Batch -> mark of those that passed; empty where that is not known."""
    try:
        found: dict[str, str] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, passed: Mapping[str, str]) -> None:
    """Put the record in place at once, so that a run cut off leaves the one before."""
    fresh = path.with_suffix(".incoming")
    fresh.write_text(json.dumps(passed, indent=1, sort_keys=True) + "\n")
    fresh.chmod(0o600)
    fresh.replace(path)
