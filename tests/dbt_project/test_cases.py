"""Named patients, end to end: one delivery, one build, and every story must come out as told.

The same build runs every dbt unit and data test, so a failing one is a failing test here, by name.
"""

from __future__ import annotations

import datetime as dt

import pytest

from pipelines import rules
from tests.dbt_project.built_warehouse import Built, build
from tests.dbt_project.named_patients import (
    Patient,
    crowds,
    patients,
    practitioners,
    write_delivery,
)

RECEIVED = dt.date(2026, 12, 31)
PATIENTS = patients()
each_patient = pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("cases")
    rows = write_delivery(out / "delivery", [*PATIENTS, *crowds()])
    built = build(out, out / "delivery", RECEIVED, "2026-11")
    landed = {table: count["rows_landed"] for table, count in built.batch.counts.items()}
    assert landed == rows, built.batch.reasons
    return built


def test_every_model_builds_and_every_dbt_test_passes(built: Built) -> None:
    assert built.failures == []
    assert sum(result["unique_id"].startswith("unit_test.") for result in built.results) > 100


@each_patient
def test_the_story_of_each_month_comes_out_as_told(built: Built, patient: Patient) -> None:
    for month, expected in patient.expected.get("months", {}).items():
        columns = {
            "screen": "eligibility.screen_eligible",
            "documented": "eligibility.documented_eligible",
            "conditions": "eligibility.condition_count",
            "failed": "eligibility.failed_criteria",
            "unknown": "eligibility.cannot_assess",
            "state": "capture.state",
            "billed": "capture.billed_codes",
            "supported": "capture.supported_codes",
            "gap_usd": "cast(capture.gap_usd as double)",
            "billed_usd": "cast(capture.billed_usd as double)",
            "gap_range": "[cast(capture.supported_low_usd as double), cast(capture.supported_high_usd as double)]",
            "potential_range": "[cast(capture.potential_low_usd as double), cast(capture.potential_high_usd as double)]",
            "priced_by": "capture.price_region",
        }
        (row,) = built.rows(
            f"""
            select {", ".join(columns[key] for key in expected)}
            from marts.eligibility_months as eligibility
            inner join marts.capture_months as capture using (beneficiary_id, service_month)
            where beneficiary_id = ? and service_month = ?
            """,
            patient.id,
            f"{month}-01",
        )
        assert dict(zip(expected, row, strict=True)) == expected, f"{patient.title}: {month}"


@each_patient
def test_exactly_the_findings_told_are_found(built: Built, patient: Patient) -> None:
    names = {person["npi"]: name for name, person in practitioners().items()}
    by_rule = {rule.rule_id: rule for rule in rules.catalogue()}
    found = {
        (rule_id, month, names[npi], usd, severity, certainty)
        for rule_id, month, npi, usd, severity, certainty in built.rows(
            """
            select rule_id, strftime(service_month, '%Y-%m'), practitioner_npi, cast(amount_usd as double),
                severity, certainty
            from flags.findings
            where beneficiary_id = ?
            """,
            patient.id,
        )
    }
    told = {
        (
            finding["rule"],
            finding["month"],
            finding["by"],
            finding["usd"],
            finding.get("severity", by_rule[finding["rule"]].severity),
            finding.get("certainty", by_rule[finding["rule"]].certainty),
        )
        for finding in patient.expected["findings"]
    }
    assert found == told, patient.title


@each_patient
def test_exactly_what_is_told_cannot_be_assessed(built: Built, patient: Patient) -> None:
    # what needs a table that nobody has to deliver is open nearly everywhere: told where the story is about it
    told = patient.expected.get("cannot_assess", {})
    about = {rule_id for rules_told in told.values() for rule_id in rules_told}
    optional = {rule.rule_id for rule in rules.catalogue() if rule.optional_evidence != "none"} - about
    open_questions: dict[str, list[str]] = {}
    for month, rule_id in built.rows(
        """
        select strftime(service_month, '%Y-%m'), rule_id
        from flags.rule_results
        where beneficiary_id = ? and status = 'cannot_assess'
        order by 1, 2
        """,
        patient.id,
    ):
        if rule_id not in optional:
            open_questions.setdefault(month, []).append(rule_id)
    assert open_questions == told, patient.title


def test_exactly_the_patterns_told_are_found(built: Built) -> None:
    """The crowds of birch and cedar differ in everything that makes a pattern."""
    found = built.rows(
        """
        select rule_id, subject_kind, practice_name, staff_id, service_month, severity, amount_usd
        from flags.findings as findings
        inner join core.core_practices as practices using (practice_tin)
        where findings.beneficiary_id is null
            and practice_name in ('Birch Care Partners', 'Cedar Family Practice')
        order by all
        """
    )
    year = dt.date(2023, 1, 1)
    assert found == [
        ("F46", "practice_year", "Birch Care Partners", None, year, "warning", 0),
        ("F47", "worker_year", "Birch Care Partners", "birch-worker", year, "warning", 0),
        ("F48", "practice_year", "Birch Care Partners", None, year, "warning", 0),
    ]
    clean = built.rows(
        """
        select rule_id, subject_kind, status
        from flags.rule_results as results
        inner join core.core_practices as practices using (practice_tin)
        where practice_name = 'Cedar Family Practice' and rule_id in ('F46', 'F47', 'F48')
        order by all
        """
    )
    assert clean == [
        ("F46", "practice_year", "pass"),
        ("F47", "practice_year", "not_applicable"),
        ("F47", "worker_year", "pass"),
        ("F48", "practice_year", "pass"),
    ]


def test_a_finding_charges_the_patient_share_of_the_same_lines(built: Built) -> None:
    (row,) = built.rows(
        "select count(*), count(*) filter (where cost_share_usd != round(amount_usd * 0.25, 2)) "
        "from flags.findings"
    )
    assert row[0] > 20
    assert row[1] == 0


def test_every_rule_is_broken_by_somebody_and_kept_by_somebody(built: Built) -> None:
    results = built.rows("select rule_id, list(distinct status) from flags.rule_results group by 1")
    statuses = {rule_id: set(found) for rule_id, found in results}
    missing = {
        rule.rule_id: {"pass", "fail"} - statuses[rule.rule_id]
        for rule in rules.catalogue()
        if {"pass", "fail"} - statuses[rule.rule_id]
    }
    assert missing == {}


def test_every_rule_in_force_is_assessed_for_every_practitioner_month(built: Built) -> None:
    for month in ("2016-12", "2023-05", "2025-02"):
        paid = built.rows(
            """
            select subject_id, list(distinct family), list(distinct family) filter (where is_of_clinic)
            from flags.subject_lines
            where strftime(service_month, '%Y-%m') = ?
            group by subject_id
            """,
            month,
        )
        in_force = [
            rule for rule in rules.catalogue() if rule.effective_from <= f"{month}-01" <= rule.effective_to
        ]
        asked = {
            (rule.rule_id, subject)
            for subject, families, of_clinic in paid
            for rule in in_force
            if (rule.subjects == "practitioner_month" and {*rule.families.split()} & {*families})
            or (rule.subjects == "clinic_month" and {*rule.families.split()} & {*(of_clinic or ())})
        }
        assessed = built.rows(
            "select rule_id, subject_id from flags.rule_results"
            " where strftime(service_month, '%Y-%m') = ? and subject_kind = 'practitioner_month'",
            month,
        )
        assert len(assessed) == len(asked) > 0
        assert {*assessed} == asked


def test_some_patients_are_clean() -> None:
    assert len(PATIENTS) >= 12
    told_only = {rule.rule_id for rule in rules.catalogue() if rule.severity == "information"}
    clean = [
        patient
        for patient in PATIENTS
        if {finding["rule"] for finding in patient.expected["findings"]} <= told_only
    ]
    assert len(clean) >= 3


def test_a_finding_is_open_and_first_seen_in_this_run(built: Built) -> None:
    seen = built.rows("select distinct review_state, first_seen_as_of from flags.findings")
    assert seen == [("open", RECEIVED)]


def test_the_stories_tell_every_state_of_capture() -> None:
    months = [month for patient in PATIENTS for month in patient.expected.get("months", {}).values()]
    assert {month["state"] for month in months if "state" in month} == {
        "not_eligible",
        "eligibility_not_assessable",
        "eligible_not_served",
        "served_below_threshold",
        "billable_not_billed",
        "billed_below_record",
        "billed_as_supported",
        "billed_beyond_record",
        "billed_record_missing",
    }
