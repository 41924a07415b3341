"""`ccm audit oig` on the named patients: the figures of their stories, each line once, and plain words where data are missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipelines.audit import SCHEMA, Row, oig, render
from pipelines.cli import main
from pipelines.settings import Settings
from tests.dbt_project.named_patients import patients

BY_RULE = {
    "duplicate_same": "F01",
    "duplicate_other": "F02",
    "overlap_plan_oversight": "F04",
    "overlap_dialysis": "F05",
}


@pytest.fixture(scope="module")
def found(patients_built: Settings) -> Row:
    return oig(patients_built)


@pytest.fixture
def changed(patients_built: Settings, tmp_path: Path) -> Callable[[str], Settings]:
    """A copy of the warehouse with its audit table changed by a statement."""

    def change(statement: str) -> Settings:
        shutil.copy(patients_built.warehouse, tmp_path / "warehouse.duckdb")
        with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
            con.execute(statement)
        return Settings(out=tmp_path)

    return change


def asked_of(found: Row, audit: str) -> dict[str, Row]:
    (asked,) = (one for one in found["audits"] if one["audit"] == audit)
    return {row["test_id"]: row for row in asked["tests"]}


def told(rule: str) -> list[float]:
    return [
        finding["usd"]
        for patient in patients()
        for finding in patient.expected["findings"]
        if finding["rule"] == rule
    ]


@pytest.mark.parametrize("audit", ["A-07-17-05101", "A-07-19-05122"])
@pytest.mark.parametrize("test_id", BY_RULE)
def test_a_test_names_the_lines_that_the_stories_tell(found: Row, audit: str, test_id: str) -> None:
    expected = told(BY_RULE[test_id])
    row = asked_of(found, audit)[test_id]
    assert expected and row["status"] == "assessed"
    assert row["lines_named"] >= len(expected) > 0
    if row["lines_named"] == row["claim_lines"]:
        assert row["paid_usd"] == pytest.approx(sum(expected))
    else:
        assert row["paid_usd"] < sum(expected)


def test_totals_count_each_line_once(found: Row, patients_built: Settings) -> None:
    with duckdb.connect(str(patients_built.warehouse), read_only=True) as con:
        once = dict(
            con.execute(
                "select audit, sum(paid_usd)::double from (select distinct audit, claim_line_id, paid_usd from"
                " flags.oig_lines where not is_potential) group by audit"
            ).fetchall()
        )
    for audit, paid in once.items():
        rows = asked_of(found, audit)
        assert rows["total"]["paid_usd"] == pytest.approx(paid)
        parts = [row for row in rows.values() if row["bucket"] != "total" and not row["is_potential"]]
        assert sum(row["paid_usd"] for row in parts) == pytest.approx(paid)
        assert sum(row["claim_lines"] for row in parts) == rows["total"]["claim_lines"]
        assert rows["total"]["people"] <= sum(row["people"] for row in parts)


def test_years_add_up_to_the_whole(found: Row) -> None:
    for audit in found["audits"]:
        total = asked_of(found, audit["audit"])["total"]
        assert sum(year["paid_usd"] for year in audit["years"]) == pytest.approx(total["paid_usd"])
        assert sum(year["ccm_paid_usd"] for year in audit["years"]) == pytest.approx(
            found["paid"]["ccm_paid_usd"]
        )
        assert [year["year"] for year in audit["years"]] == sorted(year["year"] for year in audit["years"])


def test_what_the_oig_found_stands_beside_it(found: Row) -> None:
    shares = {audit["audit"]: audit["oig_found"]["share"] for audit in found["audits"]}
    assert shares == {
        "A-07-17-05101": pytest.approx(0.0062, abs=5e-5),
        "A-07-19-05122": pytest.approx(0.0053, abs=5e-5),
    }


def test_the_table_says_that_it_is_not_for_publication(
    patients_built: Settings, found: Row, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "oig", "--out", str(patients_built.out)]) == 0
    said = capsys.readouterr().out
    assert said == render(found) + "\n"
    assert "Not for publication" in said.splitlines()[0]
    assert all(len(line) <= 130 for line in said.splitlines())
    assert main(["audit", "oig", "--json", "--out", str(patients_built.out)]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made == found and made["schema"] == SCHEMA


def test_a_test_without_its_data_says_what_is_needed(changed: Callable[[str], Settings]) -> None:
    settings = changed("update flags.oig_audit set status = 'cannot_assess' where test_id = 'facility_alone'")
    said = render(oig(settings))
    assert "cannot assess; needs: Outpatient facility claims beside professional ones" in said


def test_without_paid_ccm_nothing_is_assessed_and_nothing_is_divided(
    changed: Callable[[str], Settings],
) -> None:
    settings = changed(
        "create or replace table flags.oig_audit as select * replace (0 as ccm_lines, 0.0 as ccm_paid_usd,"
        " 0.0 as paid_usd, 'cannot_assess' as status) from flags.oig_audit where period = 'all'"
    )
    made = oig(settings)
    assert {row["share"] for audit in made["audits"] for row in audit["tests"]} == {None}
    assert "no test can be assessed" in render(made)


def test_without_a_warehouse_it_is_one_line_and_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "oig", "--out", str(tmp_path)]) == 2
    assert "run `ccm run` first" in capsys.readouterr().err
