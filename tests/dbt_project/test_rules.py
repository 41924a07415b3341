"""A rule stands in one place: its SQL, the YAML beside it and the ledger agree about it."""

from __future__ import annotations

import csv
import datetime
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines import rules
from pipelines.settings import DBT_PROJECT, POLICY_SEEDS, REPOSITORY, RULES

SEVERITIES = {"payment_not_supported", "likely_error", "warning", "information"}
CERTAINTIES = {"certain_on_claims", "needs_record", "warning_only"}
CONFIDENCES = {"high", "medium", "low", "recalled"}
FOUNDATIONS = {"rule", "same_day_edit", "claims_proxy", "assumption"}
CATALOGUE = rules.catalogue()
with (POLICY_SEEDS / "care_management_codes.csv").open(encoding="utf-8") as _codes:
    FAMILIES = {row["family"] for row in csv.DictReader(_codes)}
ALIKE = (DBT_PROJECT / "macros" / "rules_that_are_alike.sql").read_text(encoding="utf-8")
each_rule = pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.rule_id)


def _sql(rule: rules.Rule) -> str:
    """The rule's file, with the macro that writes it out where it is one of several alike."""
    sql = (RULES / f"{rule.model}.sql").read_text(encoding="utf-8")
    for name in re.findall(r"{{ (rule_on_\w+)\(", sql):
        sql += re.findall(rf"macro {name}\(.*?endmacro", ALIKE, re.S)[0]
    return sql


def test_the_rules_are_there() -> None:
    numbers = [*range(1, 51), 52]
    assert {f"F{number:02}" for number in numbers} <= {rule.rule_id for rule in CATALOGUE}


def test_every_flag_of_the_catalogue_has_a_rule_or_a_stated_place(manifest: Any) -> None:
    flags = {f"F{number:02}" for number in range(1, 53)}
    rules_there = {rule.rule_id for rule in CATALOGUE}
    assert flags - rules_there == {*rules.ELSEWHERE}
    assert rules_there.isdisjoint(rules.ELSEWHERE)
    for flag in rules.ELSEWHERE.values():
        model = manifest.nodes[f"model.ccm.{flag.model}"]
        assert {*flag.columns} <= {*model.columns}
        assert f"seed.ccm.{flag.policy}" in model.depends_on.nodes


def test_a_flag_that_is_no_rule_says_where_its_answer_stands() -> None:
    said = rules.render_elsewhere(rules.ELSEWHERE["F51"])
    assert "findings: identified_on, return_by" in said
    assert "401.305" in said and "recalled" in said


def test_every_rule_is_a_pair_of_files() -> None:
    assert {path.stem for path in RULES.glob("*.sql")} == {path.stem for path in RULES.glob("*.yml")}


def test_no_two_rules_share_an_id() -> None:
    assert len({rule.rule_id for rule in CATALOGUE}) == len(CATALOGUE)


@each_rule
def test_file_name_metadata_and_sql_name_the_same_rule(rule: rules.Rule) -> None:
    sql = _sql(rule)
    assert (RULES / f"{rule.model}.yml").exists()
    assert rule.model.startswith(f"rule_{rule.rule_id.lower()}_")
    assert {*re.findall(r"rule_id ?= ?'(\w+)'", sql)} == {rule.rule_id}
    assert sql.startswith(f"-- {rule.rule_id}: ")


@each_rule
def test_a_rule_states_its_authority_and_its_limits(rule: rules.Rule) -> None:
    for text in (rule.title, rule.citation, rule.evidence, rule.does_not_cover, rule.determinism):
        assert len(text.strip()) > 5
    assert rule.severity in SEVERITIES
    assert rule.certainty in CERTAINTIES
    assert rule.confidence in CONFIDENCES
    assert rule.rests_on in FOUNDATIONS
    assert {*rule.subjects.split()} <= {*rules.SUBJECTS}
    assert {*rule.families.split()} <= FAMILIES
    first, last, reviewed = (
        datetime.date.fromisoformat(text) for text in (rule.effective_from, rule.effective_to, rule.reviewed)
    )
    assert first <= min(reviewed, last)
    assert first.day == 1, "a rule comes into force with a month"


@each_rule
def test_a_rule_without_firm_ground_warns_and_never_denies(rule: rules.Rule) -> None:
    is_firm = rule.rests_on == "rule" and rule.confidence != "recalled" and rule.certainty != "warning_only"
    if not is_firm:
        assert rule.severity in {"warning", "information"}
        assert rule.certainty == "warning_only"


@each_rule
def test_a_rule_is_tested_for_every_status_that_it_can_give(rule: rules.Rule) -> None:
    tested = {status for test in rule.tests for status in test.statuses}
    assert {"pass", "fail"} <= tested
    if "not_applicable=" in _sql(rule):
        assert "not_applicable" in tested
    if rule.certainty == "needs_record" or rule.optional_evidence != "none":
        assert "cannot_assess" in tested


@each_rule
def test_every_unit_test_says_why(rule: rules.Rule) -> None:
    assert all(test.description and test.name == test.name.lower() for test in rule.tests)


def test_every_rule_reaches_the_ledger(manifest: Any) -> None:
    ledger = manifest.nodes["model.ccm.rule_results"]
    parents = {manifest.nodes[key].name for key in ledger.depends_on.nodes}
    assert {rule.model for rule in CATALOGUE} <= parents


def test_the_catalogue_without_tests_is_the_same_but_for_them() -> None:
    assert rules.catalogue(with_tests=False) == [replace(rule, tests=()) for rule in CATALOGUE]


def test_dbt_and_the_command_know_the_same_rules(manifest: Any) -> None:
    models = {
        node.name: node.config.meta
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.config.meta.get("rule_id")
    }
    assert {rule.model: rule.rule_id for rule in CATALOGUE} == {
        name: meta["rule_id"] for name, meta in models.items()
    }
    in_folder = {
        node.name
        for node in manifest.nodes.values()
        if node.resource_type == "model" and Path(node.original_file_path).parts[1:3] == ("flags", "rules")
    }
    assert in_folder == set(models), "a model among the rules has lost its metadata"


def test_a_rule_reads_no_staging_and_no_source(manifest: Any) -> None:
    for rule in CATALOGUE:
        for key in manifest.nodes[f"model.ccm.{rule.model}"].depends_on.nodes:
            assert key.startswith(("model.", "seed.")), f"{rule.rule_id} reads {key}"
            assert ".stg_" not in key, f"{rule.rule_id} reads {key}"


def test_the_list_shows_every_rule_on_one_line() -> None:
    lines = rules.render_list(CATALOGUE).splitlines()
    assert [line.split()[0] for line in lines] == [rule.rule_id for rule in CATALOGUE]
    assert all(rule.title in line for rule, line in zip(CATALOGUE, lines, strict=True))


def test_one_rule_is_shown_with_its_citation_dates_limits_and_tests() -> None:
    rule = rules.find("f24")
    text = " ".join(rules.render_rule(rule).split())
    assert rule.rule_id == "F24"
    assert " ".join(rule.citation.split()) in text
    assert " ".join(rule.does_not_cover.split()) in text
    assert "2015-01-01 to open" in text
    assert all(test.name.replace("_", " ") in text for test in rule.tests)


def test_an_unknown_rule_is_answered_with_the_known_ones() -> None:
    with pytest.raises(rules.UnknownRule, match=r"no rule 'F99'; there are F01, F02"):
        rules.find("F99")


def test_the_catalogue_needs_no_heavy_import() -> None:
    program = (
        "import sys; from pipelines import rules; rules.catalogue(); "
        "heavy = {'dbt', 'dagster', 'duckdb', 'polars', 'pandas', 'great_expectations'}; "
        "print(sorted(heavy & {*sys.modules}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
