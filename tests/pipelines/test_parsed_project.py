"""The project as dbt parsed it is taken again only while it would be parsed to the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import dbt_process, warehouse
from pipelines.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(out=tmp_path / "out")
    made.dbt_target.mkdir(parents=True)
    (made.dbt_target / warehouse.PARSED_FILE).write_bytes(b"parsed")
    return made


def test_limits_of_the_machine_do_not_matter(settings: Settings) -> None:
    mark = warehouse.parse_mark(settings)
    assert warehouse.parse_mark(replace(settings, memory_limit="1GB", threads=7, in_the_making=True)) == mark


def test_another_variant_of_conditions_is_parsed_anew(settings: Settings) -> None:
    assert warehouse.parse_mark(replace(settings, conditions="another")) != warehouse.parse_mark(settings)


def test_what_the_rules_are_asked_about_is_parsed_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = warehouse.parse_mark(settings)
    monkeypatch.setenv("CCM_RULES_ABOUT", "proposals")
    assert warehouse.parse_mark(settings) != mark


def test_another_place_of_the_landed_files_is_parsed_anew(settings: Settings, tmp_path: Path) -> None:
    elsewhere = Settings(out=tmp_path / "elsewhere")
    elsewhere.dbt_target.mkdir(parents=True)
    (elsewhere.dbt_target / warehouse.PARSED_FILE).write_bytes(b"parsed")
    assert warehouse.parse_mark(elsewhere) != warehouse.parse_mark(settings)


def test_a_parse_that_another_command_left_is_not_taken(settings: Settings) -> None:
    mark = warehouse.parse_mark(settings)
    (settings.dbt_target / warehouse.PARSED_FILE).write_bytes(b"parsed by another")
    assert warehouse.parse_mark(settings) != mark


def test_every_variable_that_the_project_reads_is_known() -> None:
    read = set()
    for path in warehouse.DBT_PROJECT.rglob("*"):
        # profiles.yml is read whenever dbt starts
        if path.suffix in {".sql", ".yml"} and path.name != "profiles.yml" and "target" not in path.parts:
            read |= {part.split("'")[0] for part in path.read_text(encoding="utf-8").split("env_var('")[1:]}
    assert read == set(warehouse.READ_WHEN_PARSED)


def test_a_parsed_project_that_is_missing_stops_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dbt_process.PARSED, str(tmp_path / "none.msgpack"))
    with pytest.raises(FileNotFoundError):
        dbt_process.main(["parse"])
