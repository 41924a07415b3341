"""The layers of the warehouse flow one way, and what CMS can change stands in the policy seeds only."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.settings import DBT_PROJECT, POLICY_SEEDS, REPOSITORY

LAYERS = ("staging", "core", "marts", "flags", "reports")
# What outlives a rebuild is no extract: the ledger of findings is read where findings are made.
SOURCE_LAYER = {"landing": "staging", "quarantine": "staging", "ledger": "flags", "practice_notes": "reports"}
PREFIXES = {"staging": ("stg_",), "core": ("core_",)}
CLOCKS = re.compile(
    r"\b(current_date|current_timestamp|localtimestamp|getdate|sysdate|run_started_at|now\s*\(|today\s*\()",
    re.I,
)
CODE_SHAPE = re.compile(r"'(?:\d{5}|[A-Z]\d{4}|\d{4}[A-Z])'")


def _layer(node: Any) -> str:
    return Path(node.original_file_path).parts[1]


def _models(manifest: Any) -> dict[str, Any]:
    return {key: node for key, node in manifest.nodes.items() if node.resource_type == "model"}


def _parents(manifest: Any, node: Any) -> list[Any]:
    return [manifest.nodes.get(key) or manifest.sources[key] for key in node.depends_on.nodes]


def _without_comments(sql: str) -> str:
    sql = re.sub(r"\{#.*?#\}", " ", sql, flags=re.S)
    return re.sub(r"--[^\n]*", " ", sql)


@pytest.fixture(scope="module")
def sql_files() -> dict[str, str]:
    paths = [*DBT_PROJECT.glob("models/**/*.sql"), *DBT_PROJECT.glob("macros/**/*.sql")]
    assert len(paths) > 20
    return {
        str(path.relative_to(DBT_PROJECT)): _without_comments(path.read_text(encoding="utf-8"))
        for path in paths
    }


@pytest.fixture(scope="module")
def policy_codes() -> set[str]:
    codes: set[str] = set()
    for path in POLICY_SEEDS.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                codes |= {value for column, value in row.items() if column.endswith("hcpcs_code")}
    codes = {code for code in codes if re.fullmatch(r"[0-9A-Z]{5}", code)}
    assert len(codes) > 100
    return codes


def test_every_model_lies_in_a_known_layer(manifest: Any) -> None:
    assert {_layer(node) for node in _models(manifest).values()} <= set(LAYERS)


def test_a_model_reads_its_own_layer_or_an_earlier_one(manifest: Any) -> None:
    models = _models(manifest)
    assert len(models) > 40
    backwards = [
        f"{node.name} reads {parent.name}"
        for node in models.values()
        for parent in _parents(manifest, node)
        if parent.resource_type == "model" and LAYERS.index(_layer(parent)) > LAYERS.index(_layer(node))
    ]
    assert backwards == []


def test_staging_reads_sources_and_nothing_else(manifest: Any) -> None:
    staging = [node for node in _models(manifest).values() if _layer(node) == "staging"]
    assert staging
    wrong = [
        f"{node.name} reads {parent.name}"
        for node in staging
        for parent in _parents(manifest, node)
        if parent.resource_type != "source"
    ]
    assert wrong == []


def test_a_source_is_read_in_one_layer_only(manifest: Any) -> None:
    wrong = [
        f"{node.name} reads {parent.source_name}.{parent.name}"
        for node in _models(manifest).values()
        for parent in _parents(manifest, node)
        if parent.resource_type == "source" and SOURCE_LAYER[parent.source_name] != _layer(node)
    ]
    assert wrong == []


def test_only_core_reads_staging(manifest: Any) -> None:
    wrong = [
        f"{node.name} reads {parent.name}"
        for node in _models(manifest).values()
        for parent in _parents(manifest, node)
        if parent.resource_type == "model" and _layer(parent) == "staging" and _layer(node) != "core"
    ]
    assert wrong == []


def test_the_name_of_a_staging_or_core_model_tells_its_layer(manifest: Any) -> None:
    wrong = [
        node.name
        for node in _models(manifest).values()
        if _layer(node) in PREFIXES and not node.name.startswith(PREFIXES[_layer(node)])
    ]
    assert wrong == []


def test_every_seed_is_policy(manifest: Any) -> None:
    seeds = [node for node in manifest.nodes.values() if node.resource_type == "seed"]
    assert seeds
    assert {Path(node.original_file_path).parts[:2] for node in seeds} == {("seeds", "policy")}


def test_no_model_or_macro_asks_the_clock(sql_files: dict[str, str]) -> None:
    assert [name for name, sql in sql_files.items() if CLOCKS.search(sql)] == []


def test_no_model_or_macro_holds_a_billing_code(sql_files: dict[str, str], policy_codes: set[str]) -> None:
    found = {
        name: sorted(set(re.findall(r"[0-9A-Z]{5}", sql)) & policy_codes) + CODE_SHAPE.findall(sql)
        for name, sql in sql_files.items()
    }
    assert {name: codes for name, codes in found.items() if codes} == {}


def test_no_pipeline_outside_the_simulator_holds_a_billing_code(policy_codes: set[str]) -> None:
    paths = [
        path
        for path in (REPOSITORY / "pipelines").glob("**/*.py")
        if "simulate" not in path.relative_to(REPOSITORY).parts
    ]
    assert paths
    found = {
        str(path.relative_to(REPOSITORY)): sorted(
            set(re.findall(r"\b[0-9A-Z]{5}\b", path.read_text(encoding="utf-8"))) & policy_codes
        )
        for path in paths
    }
    assert {name: codes for name, codes in found.items() if codes} == {}


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [("select now()", True), ("select Current_Date", True), ("-- now()\nselect known()", False)],
)
def test_the_clock_is_recognised(sql: str, is_found: bool) -> None:
    assert bool(CLOCKS.search(_without_comments(sql))) is is_found
