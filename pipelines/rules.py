"""The rule catalogue as text, read from the YAML beside each rule's SQL: no database, no dbt.

`ccm rules` must start in well under a second, so this module needs PyYAML and nothing else.
"""

from __future__ import annotations

import csv
import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipelines.settings import POLICY_SEEDS, RULES

# The C loader where PyYAML was built with it: the files are mostly unit tests and parse ten times faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnknownRule(Exception):
    """No rule has this id; str() is one line that names the ids there are."""


@dataclass(frozen=True)
class RuleTest:
    """One dbt unit test of a rule: its name is a sentence, `description` says why it holds."""

    name: str
    description: str
    statuses: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One rule as its YAML states it; dates are ISO text, both ends included.

    `subjects` says what the rule is asked of (SUBJECTS), `optional_evidence` which table or columns that few deliver it needs
    (`none` otherwise), `policy` names the seeds that its SQL reads itself, `audits` the tests of OIG audits that it stands for.
    """

    rule_id: str
    families: str
    title: str
    citation: str
    effective_from: str
    effective_to: str
    severity: str
    certainty: str
    determinism: str
    confidence: str
    rests_on: str
    evidence: str
    does_not_cover: str
    reviewed: str
    subjects: str
    optional_evidence: str
    model: str
    description: str
    policy: tuple[str, ...]
    audits: tuple[str, ...]
    tests: tuple[RuleTest, ...]


_META = (
    "rule_id",
    "families",
    "title",
    "citation",
    "effective_from",
    "effective_to",
    "severity",
    "certainty",
    "determinism",
    "confidence",
    "rests_on",
    "evidence",
    "does_not_cover",
    "reviewed",
)


# What a rule's YAML need not say, as in the model rule_catalogue.
_DEFAULTS = {"subjects": "practitioner_month", "optional_evidence": "none"}
# Words of `subjects`, as people say them.
SUBJECTS = {
    "practitioner_month": "practitioner-month",
    "clinic_month": "practitioner-month of a rural health clinic or health centre",
    "practice_year": "practice's year",
    "worker_year": "worker's year",
}


def _read(path: Path, with_tests: bool = True) -> Rule:
    text = path.read_text(encoding="utf-8")
    if not with_tests:  # most of a file, and what takes the time to parse
        text = text.partition("\nunit_tests:\n")[0]
    document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    (model,) = document["models"]
    meta = model["config"]["meta"]
    tests = tuple(
        RuleTest(
            name=test["name"],
            description=test.get("description", ""),
            statuses=tuple(row["status"] for row in test["expect"]["rows"]),
        )
        for test in document.get("unit_tests", [])
    )
    return Rule(
        **{key: str(meta[key]) for key in _META},
        **{key: str(meta.get(key, usual)) for key, usual in _DEFAULTS.items()},
        model=model["name"],
        description=model["description"],
        policy=_seeds(path.with_suffix(".sql")),
        audits=_audits().get(str(meta["rule_id"]), ()),
        tests=tests,
    )


def _seeds(sql: Path) -> tuple[str, ...]:
    names = re.findall(r"ref\('(\w+)'\)", sql.read_text(encoding="utf-8"))
    return tuple(sorted({name for name in names if (POLICY_SEEDS / f"{name}.csv").exists()}))


@cache
def _audits() -> dict[str, tuple[str, ...]]:
    """Rule -> tests of OIG audits that are made of it, as `audit test`."""
    found: dict[str, list[str]] = {}
    with (POLICY_SEEDS / "oig_audit_tests.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["rule_id"], []).append(f"{row['audit']} {_words(row['test_id'])}")
    return {rule_id: tuple(tests) for rule_id, tests in found.items()}


@dataclass(frozen=True)
class Elsewhere:
    """A flag that auditors look for and that is no rule: where its answer stands. `columns` are of the model `model`."""

    flag_id: str
    title: str
    says: str
    model: str
    columns: tuple[str, ...]
    policy: str


# Not a fault of a bill, so no rule can fail on it: it begins when a reviewer confirms a finding.
ELSEWHERE = {
    "F51": Elsewhere(
        "F51",
        "Sixty days to report and return an overpayment",
        "information on every confirmed finding: the day on which it was confirmed, and the day by which the practice that was"
        " paid reports and returns; `ccm review` starts the clock, `ccm explain` shows it",
        "findings",
        ("identified_on", "return_by", "practice_tin"),
        "overpayment_deadlines",
    )
}


def render_elsewhere(flag: Elsewhere) -> str:
    """What is said of a flag that is no rule, with the source of its policy."""
    with (POLICY_SEEDS / f"{flag.policy}.csv").open(encoding="utf-8", newline="") as file:
        citations = [f"{row['citation']} (confidence {row['confidence']})" for row in csv.DictReader(file)]
    return "\n".join(
        [
            f"{flag.flag_id}  {flag.title}",
            "",
            *textwrap.wrap(f"no rule, but {flag.says}", 100),
            f"columns   {flag.model}: {', '.join(flag.columns)}",
            f"policy    {flag.policy}",
            *(f"citation  {citation}" for citation in citations),
        ]
    )


def as_json(rules: Sequence[Rule | Elsewhere]) -> str:
    """Rules as a JSON list; every test with the statuses that it expects and why."""
    return json.dumps([asdict(rule) for rule in rules], indent=2)


def catalogue(folder: Path = RULES, *, with_tests: bool = True) -> list[Rule]:
    """Every rule, by id; `with_tests` false leaves their tests out, which is several times faster."""
    found = (_read(path, with_tests) for path in folder.glob("rule_*.yml"))
    return sorted(found, key=lambda rule: rule.rule_id)


def find(rule_id: str, folder: Path = RULES) -> Rule:
    """The rule with this id (case does not matter). Raises UnknownRule."""
    wanted = rule_id.strip().lower()
    # the file name starts with the id, so only one file is parsed
    for path in folder.glob(f"rule_{wanted}_*.yml"):
        return _read(path)
    known = sorted(path.stem.split("_")[1].upper() for path in folder.glob("rule_*.yml"))
    raise UnknownRule(f"no rule {rule_id!r}; there are {', '.join(known)}")


def render_list(rules: list[Rule]) -> str:
    """One line a rule: id, severity, certainty, title."""
    if not rules:
        return "no rules"
    severity = max(len(rule.severity) for rule in rules)
    certainty = max(len(rule.certainty) for rule in rules)
    return "\n".join(
        f"{rule.rule_id}  {_words(rule.severity):<{severity}}  {_words(rule.certainty):<{certainty}}  "
        f"{rule.title}"
        for rule in rules
    )


def render_rule(rule: Rule, width: int = 100) -> str:
    """One rule with its authority, its dates, its limits and its tests by name."""
    until = "open" if rule.effective_to == "9999-12-31" else rule.effective_to
    fields = (
        ("answers", rule.description.strip()),
        ("asked of", asked_of(rule)),
        ("citation", rule.citation),
        ("in force", f"{rule.effective_from} to {until}"),
        ("severity", _words(rule.severity)),
        ("certainty", f"{_words(rule.certainty)}; {rule.determinism}"),
        ("source", f"confidence {rule.confidence}; rests on: {_words(rule.rests_on)}"),
        ("evidence", rule.evidence),
        *([("needs", rule.optional_evidence)] if rule.optional_evidence != "none" else []),
        ("not covered", rule.does_not_cover),
        ("policy read", ", ".join(rule.policy) or "through the models it reads"),
        *([("audits", "; ".join(rule.audits))] if rule.audits else []),
        ("reviewed", rule.reviewed),
        ("model", rule.model),
    )
    label = max(len(name) for name, _ in fields) + 2
    lines = [f"{rule.rule_id}  {rule.title}", ""]
    for name, text in fields:
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=f"{name:<{label}}",
            subsequent_indent=" " * label,
            break_long_words=False,
        )
    lines += ["", f"tests ({len(rule.tests)})"]
    lines += [f"  {_words(test.name)}: {', '.join(_words(s) for s in test.statuses)}" for test in rule.tests]
    return "\n".join(lines)


def asked_of(rule: Rule) -> str:
    """What the rule is asked of: every such subject that was paid for one of its programmes."""
    subjects = " or ".join(SUBJECTS[word] for word in rule.subjects.split())
    return f"every {subjects} with paid {rule.families.replace(' ', ', ')}"


def _words(name: str) -> str:
    return name.replace("_", " ")
