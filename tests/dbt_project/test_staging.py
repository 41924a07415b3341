"""Staging shows what was landed: the contract's columns and where each row came from, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipelines.settings import CONTRACTS, DBT_PROJECT

STAGING = DBT_PROJECT / "models" / "staging"
DELIVERED = ["batch_id", "received_date", "source_file", "source_row"]
CONTRACT_FILES = sorted(CONTRACTS.glob("*.yml"))


def _select_list(path: Path) -> list[str]:
    match = re.search(r"select\n(.*?)\nfrom ", path.read_text(encoding="utf-8"), re.S)
    assert match, path.name
    return [column.strip() for column in match[1].split(",")]


@pytest.mark.parametrize("contract", CONTRACT_FILES, ids=lambda path: path.stem)
def test_a_staging_model_has_the_columns_of_its_contract_and_of_the_delivery(contract: Path) -> None:
    columns = [column["name"] for column in yaml.safe_load(contract.read_text(encoding="utf-8"))["columns"]]
    assert _select_list(STAGING / f"stg_landing__{contract.stem}.sql") == columns + DELIVERED


def test_the_text_of_a_refused_row_stays_in_its_file() -> None:
    assert "source_text" not in _select_list(STAGING / "stg_landing__quarantine.sql")


def test_every_staging_model_reads_only_what_was_received_by_then() -> None:
    models = list(STAGING.glob("*.sql"))
    assert len(models) == len(CONTRACT_FILES) + 3
    for model in models:
        words = " ".join(model.read_text(encoding="utf-8").split())
        assert """where received_date <= cast('{{ var("as_of") }}' as date)""" in words, model.name
