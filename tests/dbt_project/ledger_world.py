"""A small world under the findings ledger: a few findings that come and go, the real ledger folder and the compiled models.

Each candidate finding has one line of one person's month. A cause takes the finding away (or brings it back) by changing the
input that it stands for, as a restatement would.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from pipelines import ledger
from pipelines.settings import Settings

MONTH = dt.date(2023, 5, 1)
MODELS = ("ledger_failures", "ledger_known", "ledger_facts", "ledger_closings", "findings")
INPUTS = {
    "flags.ledger_run": "as_of date, through_month date, policy_version varchar, rules_version varchar",
    "flags.rule_results": """rule_id varchar, subject_kind varchar, subject_id varchar, beneficiary_id varchar,
        service_month date, practitioner_npi varchar, practice_tin varchar, staff_id varchar, status varchar, observed varchar, required varchar, is_certain boolean,
        evidence_claim_line_ids varchar[], related_claim_line_ids varchar[], amount_usd decimal(14, 2),
        cost_share_usd decimal(14, 2)""",
    "flags.rule_catalogue": "rule_id varchar, severity varchar, certainty varchar, citation varchar",
    "flags.subject_lines": "subject_id varchar, practice_tin varchar",
    "core.core_beneficiary_ids": "delivered_id varchar, beneficiary_id varchar",
    "core.core_claim_lines": "claim_line_id varchar, claim_id varchar, is_denied boolean",
    "core.core_superseded_claim_lines": "claim_line_id varchar, claim_id varchar",
    "core.core_claims": "claim_id varchar, not_final_reason varchar",
    "core.core_consents": """beneficiary_id varchar, practice_tin varchar, consent_date date, consent_mode varchar,
        revoked_date date""",
    "core.core_care_plans": "beneficiary_id varchar, practice_tin varchar, created_date date, last_revised_date date",
    "core.core_visits": "beneficiary_id varchar, visit_date date, is_initiating_visit boolean",
    "core.core_enrollment_months": """beneficiary_id varchar, service_month date, has_part_b boolean,
        is_medicare_advantage boolean, has_hospice_election boolean""",
    "core.core_beneficiaries": "beneficiary_id varchar, death_date date",
    "marts.fct_billed_lines": """claim_line_id varchar, beneficiary_id varchar, service_month date, from_date date,
        practitioner_npi varchar, hcpcs_code varchar, units double, paid_usd decimal(12, 2), is_denied boolean""",
    "marts.fct_record_months": """beneficiary_id varchar, service_month date, practitioner_npi varchar,
        staff_seconds bigint, practitioner_seconds bigint, total_seconds bigint, first_counted_date date,
        decision_making_level varchar""",
    "marts.eligibility_months": """beneficiary_id varchar, service_month date, condition_count integer,
        observed_months integer""",
    "policy.overpayment_deadlines": "days_to_return integer, effective_from date, effective_to date",
}
# Cause -> the reason that the ledger must give where nothing else changed, and the status that the rule then has.
CAUSES = {
    "cancelled": ("claim_cancelled", None),
    "denied": ("claim_denied", None),
    "replaced": ("claim_adjusted", None),
    "adjusted": ("claim_adjusted", "pass"),
    "unknown": ("cannot_be_assessed", "cannot_assess"),
    "record": ("record_changed", "pass"),
    "coverage": ("enrolment_changed", "pass"),
    "other_claims": ("other_claims_changed", "pass"),
    "history": ("visits_or_conditions_changed", "pass"),
    "policy": ("policy_changed", "pass"),
    "rules": ("rule_changed", "pass"),
}


@dataclass(frozen=True)
class World:
    """What is delivered and in force: the cause that keeps each candidate away (None: it fails), and renamed people."""

    away: tuple[str | None, ...] = (None, None, "record")
    renamed: frozenset[int] = field(default_factory=frozenset)
    policy: int = 0
    rules: int = 0

    def with_cause(self, candidate: int, cause: str | None) -> World:
        away = (*self.away[:candidate], cause, *self.away[candidate + 1 :])
        return replace(
            self, away=away, policy=self.policy + (cause == "policy"), rules=self.rules + (cause == "rules")
        )

    def person(self, candidate: int) -> str:
        return f"{'new' if candidate in self.renamed else 'old'}_{candidate}"

    def failing(self) -> set[int]:
        return {candidate for candidate, cause in enumerate(self.away) if cause is None}


def line(candidate: int) -> str:
    return f"claim{candidate}-1"


class Bench:
    """One output folder: its ledger is real, its warehouse holds the inputs of a World and the models built on them."""

    def __init__(self, out: Path, compiled: dict[str, str], ledger_path: str) -> None:
        self.settings = Settings(out=out)
        out.mkdir(parents=True, exist_ok=True)
        ledger.prepare(self.settings)
        self.compiled = {
            name: sql.replace(ledger_path, str(self.settings.ledger)) for name, sql in compiled.items()
        }
        with duckdb.connect(str(self.settings.warehouse)) as con:
            for schema in ("flags", "core", "marts", "policy"):
                con.execute(f"create schema {schema}")
            for relation, columns in INPUTS.items():
                con.execute(f"create table {relation} ({columns})")
            con.execute(
                "insert into policy.overpayment_deadlines values (60, date '2010-01-01', date '9999-12-31')"
            )

    def run(self, world: World, as_of: dt.date) -> list[dict[str, Any]]:
        """Build the ledger's models on the world, remember what they show, and return the findings in the order of their ids."""
        with duckdb.connect(str(self.settings.warehouse)) as con:
            con.execute("begin")
            self._load(con, world, as_of)
            for name in MODELS:
                sql = re.sub(r"cast\('9999-12-31' as date\)", f"cast('{as_of}' as date)", self.compiled[name])
                con.execute(f"create or replace table flags.{name} as {sql}")
            con.execute("commit")
            result = con.execute("from flags.findings order by finding_id")
            names = [column[0] for column in result.description or ()]
            found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        ledger.remember_findings(self.settings)
        return found

    def _load(self, con: duckdb.DuckDBPyConnection, world: World, as_of: dt.date) -> None:
        for relation in INPUTS:
            if not relation.startswith("policy."):
                con.execute(f"delete from {relation}")

        rows: dict[str, list[tuple[object, ...]]] = {}

        def add(relation: str, *values: object) -> None:
            rows.setdefault(relation, []).append(values)

        add("flags.ledger_run", as_of, dt.date(2023, 12, 1), f"policy{world.policy}", f"rules{world.rules}")
        add("flags.rule_catalogue", "F01", "payment_not_supported", "certain_on_claims", "law")
        for candidate, cause in enumerate(world.away):
            person, claim, named = world.person(candidate), f"claim{candidate}", line(candidate)
            for delivered in (f"old_{candidate}", f"new_{candidate}"):
                if delivered == person or candidate in world.renamed:
                    add("core.core_beneficiary_ids", delivered, person)
            status = "fail" if cause is None else CAUSES[cause][1]
            if status is not None:
                lines = [named] if status == "fail" else []
                add("flags.subject_lines", f"{person}|{MONTH}", "tin")
                add(
                    "flags.rule_results",
                    *(
                        "F01",
                        "practitioner_month",
                        f"{person}|{MONTH}",
                        person,
                        MONTH,
                        "npi",
                        None,
                        None,
                        status,
                        status,
                        "nothing wrong",
                        True,
                    ),
                    *(lines, [], 50 if lines else 0, 10 if lines else 0),
                )
            if cause in ("cancelled", "replaced"):
                add("core.core_superseded_claim_lines", named, claim)
                reason = "cancellation" if cause == "cancelled" else "replaced_by_another_claim"
                add("core.core_claims", claim, reason)
            else:
                add("core.core_claim_lines", named, claim, cause == "denied")
                add("core.core_claims", claim, None)
                units = 2 if cause == "adjusted" else 1
                add(
                    "marts.fct_billed_lines",
                    named,
                    person,
                    MONTH,
                    MONTH,
                    "npi",
                    "code",
                    units,
                    50,
                    cause == "denied",
                )
            other = 30 if cause == "other_claims" else 20
            add(
                "marts.fct_billed_lines",
                f"other{candidate}",
                person,
                MONTH,
                MONTH,
                "npi",
                "code",
                1,
                other,
                False,
            )
            seconds = 1200 if cause == "record" else 600
            add("marts.fct_record_months", person, MONTH, "npi", seconds, 0, seconds, MONTH, None)
            add("core.core_enrollment_months", person, MONTH, True, cause == "coverage", False)
            add("core.core_beneficiaries", person, None)
            add("core.core_visits", person, dt.date(2022, 12 if cause == "history" else 11, 1), True)
            add("marts.eligibility_months", person, MONTH, 2, 12)
        for relation, made in rows.items():
            marks = ", ".join(f"({', '.join('?' for _ in row)})" for row in made)
            con.execute(f"insert into {relation} values {marks}", [value for row in made for value in row])
