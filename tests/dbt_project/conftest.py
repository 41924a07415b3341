"""One parse of the dbt project, shared by the tests of its structure."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.dbt_process import parsed_project
from pipelines.parsed import take
from pipelines.settings import Settings


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """dbt's manifest of the project as it stands; nothing is run and no warehouse is opened."""
    scratch = tmp_path_factory.mktemp("parse")
    return parsed_project(take(Settings(out=scratch), scratch / "parsed_project"))
