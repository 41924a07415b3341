"""One parse of the dbt project, shared by the tests of its structure."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from pipelines.settings import DBT_PROJECT


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """dbt's manifest of the project as it stands; nothing is run and no warehouse is opened."""
    scratch = tmp_path_factory.mktemp("parse")
    folders = ["CCM_LANDING", "CCM_QUARANTINE", "CCM_LEDGER", "CCM_TEMPORARY"]
    with pytest.MonkeyPatch.context() as environment:
        for name in folders:
            environment.setenv(name, str(scratch / name.lower()))
        environment.setenv("CCM_WAREHOUSE", str(scratch / "w.duckdb"))
        outcome = dbtRunner().invoke(
            [
                "--quiet",
                "parse",
                "--project-dir",
                str(DBT_PROJECT),
                "--profiles-dir",
                str(DBT_PROJECT),
                "--target-path",
                str(scratch / "target"),
                "--log-path",
                str(scratch / "logs"),
            ]
        )
    assert outcome.success, outcome.exception
    return outcome.result
