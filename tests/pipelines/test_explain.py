"""One person-month as a story: what it tells, that it says the same as the tables, and what it refuses."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest

from pipelines.built import NoWarehouse
from pipelines.cli import main
from pipelines.explain import SCHEMA, story
from pipelines.explain_text import render
from pipelines.settings import REPOSITORY, Settings
from tests.dbt_project.named_patients import Patient, patients
from tests.pipelines.conftest import FORMER_ID

DOCUMENTED = json.loads((REPOSITORY / "docs" / "explain.schema.json").read_text(encoding="utf-8"))


def told(settings: Settings, person: str, month: str) -> dict[str, Any]:
    return story(settings, person, date.fromisoformat(f"{month}-01"))


def shown(settings: Settings, person: str, month: str) -> str:
    return render(told(settings, person, month))


def test_the_documented_schema_is_the_one_that_the_story_names() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENTED)
    assert DOCUMENTED["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("patient", patients(), ids=lambda patient: patient.id)
def test_every_month_that_a_story_tells_fits_the_documented_schema(
    patients_built: Settings, patient: Patient
) -> None:
    months = {*patient.expected.get("months", {}), *(one["month"] for one in patient.expected["findings"])}
    assert months
    for month in sorted(months):
        made = json.loads(json.dumps(told(patients_built, patient.id, month), allow_nan=False))
        jsonschema.validate(made, DOCUMENTED)
        assert render(made).startswith(f"{patient.id}  {month}\n")


@pytest.mark.parametrize("patient", patients(), ids=lambda patient: patient.id)
def test_the_story_holds_exactly_the_findings_that_are_told_of_the_month(
    patients_built: Settings, patient: Patient
) -> None:
    for month in {one["month"] for one in patient.expected["findings"]}:
        expected = sorted(one["rule"] for one in patient.expected["findings"] if one["month"] == month)
        made = told(patients_built, patient.id, month)
        assert sorted(one["rule_id"] for one in made["findings"]) == expected
        assert sorted(row["rule_id"] for row in made["rules"] if row["status"] == "fail") == expected
        text = render(made)
        for finding in made["findings"]:
            assert finding["finding_id"] in text and finding["claim_line_ids"][0] in text


def test_every_activity_is_listed_and_what_does_not_count_says_why(patients_built: Settings) -> None:
    made = told(patients_built, "anna", "2023-05")
    assert [(row["seconds"], row["is_counted"], row["not_counted_reason"]) for row in made["activities"]] == [
        (720, True, None),
        (720, True, None),
        (1800, False, "voided"),
    ]
    assert "not counted: withdrawn" in render(made)
    assert made["record"][0]["total_seconds"] == 1440


def test_the_counted_activities_of_every_month_add_up_to_its_record(patients_built: Settings) -> None:
    with duckdb.connect(str(patients_built.warehouse), read_only=True) as con:
        different = con.execute(
            """
            select count(*) from marts.fct_record_months as record
            inner join (
                select beneficiary_id, service_month, practitioner_npi,
                    coalesce(sum(seconds) filter (where not_counted_reason is null), 0) as seconds
                from marts.fct_care_activities group by all
            ) as activities using (beneficiary_id, service_month, practitioner_npi)
            where record.total_seconds <> activities.seconds
            """
        ).fetchone()
        compared = con.execute("select count(*) from marts.fct_record_months").fetchone()
    assert different == (0,)
    assert compared is not None and compared[0] > 20


def test_the_counted_conditions_of_every_month_are_as_many_as_its_count(patients_built: Settings) -> None:
    with duckdb.connect(str(patients_built.warehouse), read_only=True) as con:
        rows = con.execute(
            """
            select months.condition_count, count(told.condition) filter (where told.is_counted) as listed
            from marts.fct_condition_months as months
            left join marts.fct_month_conditions as told using (beneficiary_id, service_month)
            group by months.beneficiary_id, months.service_month, months.condition_count
            """
        ).fetchall()
    assert len(rows) > 200 and max(count for count, _ in rows) >= 2
    assert [row for row in rows if row[0] != row[1]] == []


def test_a_former_identifier_leads_to_the_same_month(patients_built: Settings) -> None:
    now, before = told(patients_built, "anna", "2023-05"), told(patients_built, FORMER_ID, "2023-05")
    assert before["person"] == {**now["person"], "given_id": FORMER_ID}
    assert {**before, "person": None} == {**now, "person": None}
    assert now["person"]["former_ids"] == [FORMER_ID]
    assert f"asked for as {FORMER_ID}, a former identifier" in render(before)


def test_a_month_of_a_known_person_without_enrolment_is_still_told(patients_built: Settings) -> None:
    made = told(patients_built, "gloria", "2022-05")
    jsonschema.validate(made, DOCUMENTED)
    assert made["enrolment"] is None and made["capture"] is None and made["criteria"] == []
    assert "no enrolment is on file for this month" in render(made)


def test_a_person_whom_nobody_serves_has_a_short_story(patients_built: Settings) -> None:
    text = shown(patients_built, "anna", "2023-04")
    assert "eligible not served" in text and "worth $62.69" in text
    assert "no care management was paid this month" in text


def test_a_practice_that_delivers_no_records_is_not_blamed_for_it(patients_built: Settings) -> None:
    made = told(patients_built, "maria", next(iter(patient_months("maria"))))
    consent = next(row for row in made["criteria"] if row["criterion"] == "consent")
    assert consent["status"] == "cannot_assess"
    assert "\n  ?   consent" in render(made)


def patient_months(person: str) -> list[str]:
    (patient,) = (one for one in patients() if one.id == person)
    return sorted(patient.expected["months"])


def test_nobody_by_this_identifier_is_one_line_without_the_identifier(
    patients_built: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", "--out", str(patients_built.out), "--month", "2023-05", "--beneficiary", "nobody_77"]
    assert main(asked) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "beneficiary identifier" in said.err and "nobody_77" not in said.err


@pytest.mark.parametrize("month", ["2009-11", "2027-01"])
def test_a_month_outside_the_warehouse_is_refused_with_its_limits(
    patients_built: Settings, month: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", "--out", str(patients_built.out), "--beneficiary", "anna", "--month", month]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "it covers 20" in said and "anna" not in said and said.count("\n") == 1


def test_without_a_warehouse_the_way_to_one_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", "--out", str(tmp_path), "--beneficiary", "anna", "--month", "2023-05"]
    assert main(asked) == 2
    assert "run `ccm run` first" in capsys.readouterr().err


def test_a_warehouse_that_a_run_left_incomplete_is_refused(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    duckdb.connect(str(settings.warehouse)).close()
    with pytest.raises(NoWarehouse, match="not complete"):
        story(settings, "anna", date(2023, 5, 1))


def test_explaining_changes_nothing(patients_built: Settings, tmp_path: Path) -> None:
    shutil.copy(patients_built.warehouse, tmp_path / "warehouse.duckdb")
    before = (tmp_path / "warehouse.duckdb").read_bytes()
    story(Settings(out=tmp_path), "anna", date(2023, 5, 1))
    assert (tmp_path / "warehouse.duckdb").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["warehouse.duckdb"]


def test_json_and_text_come_from_one_story(
    patients_built: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", "--out", str(patients_built.out), "--beneficiary", "hugo", "--month", "2023-05"]
    assert main([*asked, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert main(asked) == 0
    assert capsys.readouterr().out == render(made) + "\n"
