"""Where the public sample files lie; tests that read them say so when they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.settings import REPOSITORY


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public sample files: CCM_PUBLIC_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("CCM_PUBLIC_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "CONTROL_TOTALS.csv").exists():
        pytest.skip(f"the public sample files are not at {folder} (set CCM_PUBLIC_DATA)")
    return folder
