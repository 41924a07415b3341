"""The rules against planted errors elsewhere: the first years of CCM, the years of G2058, and clinics of every kind."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb
import pytest

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build
from tests.dbt_project.test_planted_errors import IN_CLINICS, UNPLANTED
from tests.dbt_project.test_planted_errors import PLANTED as PLANTED_BEFORE_2026

PEOPLE, MONTHS, SEED = 1500, 36, 20
PLANTED = PLANTED_BEFORE_2026 | IN_CLINICS | {"F39", "F41"}
PLANTED_LATE = {"F07", "F08", "F09", "F37", "F39", "F40", "F41", "F42", "F44", "F45", "F49"}
# Last month of the window, planted rules that its policy leaves no room for (no staff add-on before 2020), practices.
WINDOWS = {
    "2015 to 2017": (
        "2017-12",
        {"F07", "F08", "F09", "F11", "F37", "F38", "F39", "F40", "F41", "F42", "F45", "F49"},
        "",
    ),
    "2019 to 2021": ("2021-12", {"F08", "F09", "F39", "F40", "F41", "F44", "F45"}, ""),
    "clinics and 2026": ("2026-08", set(), "practices: {rhc: 0.2, fqhc: 0.1, hospital_outpatient: 0.4}\n"),
}


@pytest.fixture(scope="module", params=sorted(WINDOWS))
def years(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Built, Path, set[str]]:
    last, absent, practices = WINDOWS[request.param]
    folder = tmp_path_factory.mktemp("simulated")
    more_users = folder / "more_users.yml"  # so that a small population has room for every kind of error
    more_users.write_text(f"ccm: {{uptake_scale: 7}}\n{practices}", encoding="utf-8")
    last_month = dt.date.fromisoformat(f"{last}-01")
    record = simulate(PEOPLE, MONTHS, SEED, folder, last_month=last_month, parameters=more_users)
    assert record["last_window_month"] == last
    received = dt.date.fromisoformat(record["extract_date"])
    out = tmp_path_factory.mktemp("built")
    options = ("--exclude-resource-type", "unit_test")
    return build(out, folder / "extracts", received, last, *options), folder, absent


def _truth(folder: Path, condition: str) -> set[tuple[str, str, dt.date, str]]:
    columns = "rule_id, beneficiary_id, service_month, practitioner_npi"
    with duckdb.connect() as con:
        sql = f"select {columns} from '{folder}/truth/planted_findings.parquet' where {condition}"
        return set(con.execute(sql).fetchall())


def test_every_planted_error_is_found_and_nothing_else(years: tuple[Built, Path, set[str]]) -> None:
    built, folder, absent = years
    columns = "rule_id, beneficiary_id, service_month, practitioner_npi"
    found = set(built.rows(f"select {columns} from flags.findings where subject_kind = 'practitioner_month'"))
    planted = _truth(folder, "is_planted")
    kinds = set(json.loads((folder / "truth" / "truth.json").read_text())["planted_errors"])
    assert built.failures == []
    assert {"F01", "F02", "F03", "F10", "F12", "F13", "F14", "F15", "F24", "F26", "F28", "F35"} <= kinds
    assert absent.isdisjoint(kinds)
    assert kinds >= {"F32", "F43", "F52", *PLANTED_LATE} - absent
    assert absent or kinds >= IN_CLINICS
    assert planted - found == set()
    assert {finding for finding in found if finding[0] in PLANTED} - _truth(folder, "true") == set()
    spoilt = {(person, month) for _, person, month, _ in _truth(folder, "true")}
    others = {finding for finding in found if finding[0] not in PLANTED | UNPLANTED}
    assert {finding for finding in others if finding[1:3] not in spoilt} == set()


def test_capture_states_are_those_of_the_plan(years: tuple[Built, Path, set[str]]) -> None:
    built, folder, _ = years
    states = dict_of(built.rows("select beneficiary_id, service_month, state from marts.capture_months"))
    with duckdb.connect() as con:
        expected = con.execute(
            "select beneficiary_id, service_month, expected_state "
            f"from '{folder}/truth/ccm_months.parquet' where expected_state is not null"
        ).fetchall()
    assert len(expected) > 50
    wrong = [
        (month, state, states.get((person, month)))
        for person, month, state in expected
        if states.get((person, month)) != state
    ]
    assert wrong == []


def dict_of(rows: list[tuple[str, dt.date, str]]) -> dict[tuple[str, dt.date], str]:
    return {(person, month): state for person, month, state in rows}
