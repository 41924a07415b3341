"""Where the public sample files lie; tests that read them say so when they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from pipelines.settings import REPOSITORY

# Files of few tests that take minutes each: they begin first, so that no worker ends long after the others.
LONG = (
    "tests/pipelines/test_run.py",
    "tests/pipelines/test_spark_rows.py",
    "tests/dbt_project/test_cases.py",
    "tests/dbt_project/test_billing_proposals.py",
    "tests/pipelines/test_ledger_end_to_end.py",
    "tests/dbt_project/test_planted_errors_other_years.py",
    "tests/dbt_project/test_round_trip.py",
)

# The same examples every time, so that a change is judged by what it changes; `make search` looks for new ones.
settings.register_profile("held", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("held")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONG)))


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public sample files: CCM_PUBLIC_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("CCM_PUBLIC_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "CONTROL_TOTALS.csv").exists():
        pytest.skip(f"the public sample files are not at {folder} (set CCM_PUBLIC_DATA)")
    return folder
