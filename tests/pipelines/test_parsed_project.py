"""The project as dbt parsed it is taken again only while it would be parsed to the same, by any output folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import dbt_process, parsed, warehouse
from pipelines.settings import Settings


class Parser:
    """Stands in for dbt: writes what its parser leaves and counts how often it is asked."""

    asked: list[list[str]]
    fails = False

    def invoke(self, command: list[str]) -> Any:
        self.asked.append(command)
        target = Path(command[command.index("--target-path") + 1])
        (target / "manifest.json").write_text("{}")
        (target / parsed.PARSED_FILE).write_bytes(b"parsed")
        return SimpleNamespace(success=not self.fails, exception="no")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    monkeypatch.setattr(parsed, "KEPT", tmp_path / "kept")
    monkeypatch.setattr("dbt.cli.main.dbtRunner", Parser)
    Parser.asked = []
    return Parser.asked


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(out=tmp_path / "out")


def test_limits_of_the_machine_and_other_places_do_not_matter(settings: Settings, tmp_path: Path) -> None:
    mark = parsed.parse_mark(settings, {})
    assert parsed.parse_mark(replace(settings, memory_limit="1GB", threads=7, in_the_making=True), {}) == mark
    assert parsed.parse_mark(Settings(out=tmp_path / "elsewhere"), {}) == mark


def test_another_variant_of_conditions_is_parsed_anew(settings: Settings) -> None:
    assert parsed.parse_mark(replace(settings, conditions="another"), {}) != parsed.parse_mark(settings, {})


def test_what_the_rules_are_asked_about_is_parsed_anew(settings: Settings) -> None:
    assert parsed.parse_mark(settings, warehouse.ABOUT_PROPOSALS) != parsed.parse_mark(settings, {})


def test_every_variable_that_the_project_reads_is_known() -> None:
    read = set()
    for path in parsed.DBT_PROJECT.rglob("*"):
        # profiles.yml is read whenever dbt starts
        if path.suffix in {".sql", ".yml"} and path.name != "profiles.yml" and "target" not in path.parts:
            read |= {part.split("'")[0] for part in path.read_text(encoding="utf-8").split("env_var('")[1:]}
    assert read == {*parsed.READ_WHEN_PARSED, *dbt_process.PLACES}


def test_two_folders_take_one_parse(asked: list[list[str]], tmp_path: Path) -> None:
    for name in ("one", "other"):
        settings = Settings(out=tmp_path / name)
        assert warehouse.manifest(settings) == settings.dbt_target / "manifest.json"
        assert (settings.dbt_target / parsed.PARSED_FILE).read_bytes() == b"parsed"
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["manifest.json", parsed.PARSED_FILE, parsed.WHOLE])
def test_a_parse_that_was_damaged_or_removed_is_made_anew(
    asked: list[list[str]], settings: Settings, name: str
) -> None:
    kept = parsed.parsed(settings, {})
    (kept / name).write_text("{")
    parsed.take(settings, settings.dbt_target)
    (kept / name).unlink()
    parsed.take(settings, settings.dbt_target)
    assert len(asked) == 3
    assert (settings.dbt_target / "manifest.json").read_text() == "{}"


def test_what_cannot_be_parsed_is_kept_nowhere(
    asked: list[list[str]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Parser, "fails", True)
    with pytest.raises(RuntimeError, match="cannot parse"):
        parsed.take(settings, settings.dbt_target)
    assert list(parsed.KEPT.iterdir()) == []


def test_where_nothing_can_be_written_the_output_folder_holds_it(
    asked: list[list[str]], settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(parsed, "KEPT", tmp_path / "file" / "kept")
    for _ in range(2):
        parsed.take(settings, settings.dbt_target)
    assert len(asked) == 1


def test_the_oldest_parses_go(
    asked: list[list[str]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(parsed.MOST_KEPT + 3):
        parsed.take(settings, settings.dbt_target, {"CCM_RULES_ABOUT": str(number)})
    assert len(list(parsed.KEPT.iterdir())) == parsed.MOST_KEPT
    parsed.take(settings, settings.dbt_target, {"CCM_RULES_ABOUT": str(number)})
    assert len(asked) == parsed.MOST_KEPT + 3


def test_places_of_files_are_those_of_the_run_that_reads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = parsed.take(settings, settings.dbt_target)
    assert "<CCM_LANDING>" in path.with_name("manifest.json").read_text()
    for name in dbt_process.PLACES:
        monkeypatch.setenv(name, str(tmp_path / name))
    sources = dbt_process.parsed_project(path).sources.values()
    told = " ".join(source.config["external_location"] for source in sources)
    assert "<" not in told
    assert {name for name in dbt_process.PLACES if str(tmp_path / name) in told} == set(dbt_process.PLACES)


def test_a_parsed_project_that_is_missing_stops_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dbt_process.PARSED, str(tmp_path / "none.msgpack"))
    with pytest.raises(FileNotFoundError):
        dbt_process.main(["parse"])
