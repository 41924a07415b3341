"""The rules against the simulator's truth: every planted error is found, and nothing else is.

The simulator knows nothing of the rules' SQL, so this is an independent answer to the same question.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb
import pytest

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build

PEOPLE, MONTHS, SEED = 1500, 36, 20
# Rules whose errors the simulator plants; of the others it shows that they keep silent where nothing is wrong.
NUMBERS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 26, 28, 32, 35, 37, 40, 42, 43, 44, 45, 49, 52)
PLANTED = {f"F{number:02}" for number in NUMBERS}
# Planted in clinics only, of which a small population has few.
IN_CLINICS = {"F38"}
# What happens in the simulated world without being planted: transitional care beside CCM before 2020, minutes left
# unbilled, two entries of one worker at one time, staff time on the day of a visit, plans not revised every month.
UNPLANTED = {"F06", "F16", "F20", "F21", "F23", "F31"}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    more_users = folder / "more_users.yml"  # so that a small population has room for every kind of error
    more_users.write_text("ccm: {uptake_scale: 3}\n", encoding="utf-8")
    simulate(PEOPLE, MONTHS, SEED, folder, parameters=more_users)
    return folder


@pytest.fixture(scope="module")
def built(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    truth = json.loads((simulated / "truth" / "truth.json").read_text(encoding="utf-8"))
    received = dt.date.fromisoformat(truth["extract_date"])
    out = tmp_path_factory.mktemp("built")
    return build(
        out,
        simulated / "extracts",
        received,
        truth["last_window_month"],
        "--exclude-resource-type",
        "unit_test",
    )


def _findings(built: Built) -> set[tuple[str, str, dt.date, str]]:
    return {
        (rule, person, month, npi)
        for rule, person, month, npi in built.rows(
            "select rule_id, beneficiary_id, service_month, practitioner_npi from flags.findings"
            " where subject_kind = 'practitioner_month'"
        )
    }


def _truth(simulated: Path, condition: str) -> set[tuple[str, str, dt.date, str]]:
    with duckdb.connect() as con:
        return set(
            con.execute(
                "select rule_id, beneficiary_id, service_month, practitioner_npi "
                f"from '{simulated}/truth/planted_findings.parquet' where {condition}"
            ).fetchall()
        )


def test_every_model_builds_and_every_data_test_passes(built: Built) -> None:
    assert built.failures == []


def test_every_planted_error_is_found(built: Built, simulated: Path) -> None:
    planted = _truth(simulated, "is_planted")
    assert {rule for rule, *_ in planted} - IN_CLINICS == PLANTED
    assert planted - _findings(built) == set()


def test_nothing_is_found_that_was_not_planted(built: Built, simulated: Path) -> None:
    found = {finding for finding in _findings(built) if finding[0] in PLANTED | IN_CLINICS}
    assert found - _truth(simulated, "true") == set()


def test_the_other_rules_speak_only_where_something_is_wrong(built: Built, simulated: Path) -> None:
    spoilt = {(person, month) for _, person, month, _ in _truth(simulated, "true")}
    others = {finding for finding in _findings(built) if finding[0] not in PLANTED | UNPLANTED}
    assert {finding for finding in others if finding[1:3] not in spoilt} == set()


def test_the_practice_that_charges_nobody_is_the_one_pattern(built: Built, simulated: Path) -> None:
    """In every year in which it has months enough; nobody else's charges, entries or people make a pattern."""
    with duckdb.connect() as con:
        planted = set(con.execute(f"from '{simulated}/truth/planted_patterns.parquet'").fetchall())
    found = built.rows(
        "select rule_id, practice_tin, count(*) from flags.findings where subject_kind <> 'practitioner_month' group by all"
    )
    years = built.rows(
        "select practice_tin, count(*) from flags.rule_results where rule_id = 'F48' and status in ('pass', 'fail') group by all"
    )
    assert len(planted) == 1
    assert {(rule, practice) for rule, practice, _ in found} == planted
    assert len(years) >= 2
    assert dict(years)[found[0][1]] == found[0][2]


def test_a_bill_below_the_record_is_one_in_capture_too(built: Built) -> None:
    (row,) = built.rows(
        """
        select count(*), count(*) filter (where months.state != 'billed_below_record')
        from flags.findings as findings
        inner join marts.capture_months as months using (beneficiary_id, service_month, practitioner_npi)
        where findings.rule_id = 'F16' and not list_contains(
            (select list(concat(others.beneficiary_id, others.service_month)) from flags.findings as others
            where others.rule_id != 'F16'), concat(findings.beneficiary_id, findings.service_month))
        """
    )
    assert row[0] > 0
    assert row[1] == 0


def test_the_measures_count_the_months_that_were_planted_and_no_others(built: Built, simulated: Path) -> None:
    """Of each recorded race, year by year: clinics, whose code does not say CCM, and planted errors stand apart."""
    truth = f"read_parquet('{simulated}/truth/ccm_months.parquet')"
    by_group = """
        select extract(year from service_month), people.race_ethnicity_code, count(*), count(distinct beneficiary_id)
        from ({months}) inner join core.core_beneficiaries as people using (beneficiary_id) group by all order by all"""
    planted = (
        f"select distinct truth.beneficiary_id, truth.service_month from {truth} as truth"
        " inner join core.core_practices as practices using (practice_tin)"
        " where truth.is_billed and coalesce(truth.planted_error, '') = ''"
        " and practices.practice_type not in ('rhc', 'fqhc')"
    )
    left_out = (
        f"select truth.beneficiary_id, truth.service_month from {truth} as truth"
        " inner join core.core_practices as practices using (practice_tin)"
        " where coalesce(truth.planted_error, '') <> '' or practices.practice_type in ('rhc', 'fqhc')"
    )
    counted = (
        "select beneficiary_id, service_month from marts.fct_person_months where billed = 1"
        f" and (beneficiary_id, service_month) not in ({left_out})"
    )
    planted += f" and (beneficiary_id, service_month) not in ({left_out})"
    expected = built.rows(by_group.format(months=planted))
    assert len(expected) > 9
    assert built.rows(by_group.format(months=counted)) == expected
