"""A population written as FHIR and read back is the population, up to what FHIR can carry."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import duckdb
import pytest

from pipelines.extracts.contract import load_contracts
from pipelines.extracts.landing import LandedBatch, land
from pipelines.settings import Settings
from pipelines.simulate import simulate, write_fhir

RECEIVED = datetime.date(2026, 3, 31)
# What comes back otherwise than it was: nothing of it, or what the payer says in its own words.
NOT_CARRIED = {
    "enrollment_months": {"has_hospice_election"},  # no such part; hospice claims say it
    "claims": {"is_final_action"},  # an active claim is final, whatever the source says
    "claim_lines": {"is_denied"},  # for facilities: no status of a line
}
A_YEAR = {"enrollment_months": {"medicare_status_code"}}  # a Coverage has one a year
NOT_IN_FHIR = [
    "area_measures",
    "care_management_time",
    "care_plans",
    "consents",
    "do_not_contact",
    "encounters",
    "locality_gpci",
    "model_rosters",
    "patient_charges",
    "practices",
    "problems",
    "providers",
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same population as contract tables and as FHIR: folders of extracts."""
    root = tmp_path_factory.mktemp("both")
    for name in ("practice", "fhir"):
        simulate(150, 18, 11, root / name, format=name)
    return {name: root / name / "extracts" for name in ("practice", "fhir")}


@pytest.fixture(scope="module")
def landed(both: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, LandedBatch]:
    root = tmp_path_factory.mktemp("landed")
    return {
        name: land(folder, Settings(out=root / name, memory_limit="1GB", threads=2), received=RECEIVED)
        for name, folder in both.items()
    }


@pytest.mark.parametrize(
    "table",
    ["beneficiaries", "beneficiary_xref", "enrollment_months", "claims", "claim_lines", "claim_diagnoses"],
)
def test_what_is_read_back_is_what_was_written(landed: dict[str, LandedBatch], table: str) -> None:
    contract = load_contracts()[table]
    left_out = NOT_CARRIED.get(table, set()) | A_YEAR.get(table, set())
    columns = ", ".join(column.name for column in contract.columns if column.name not in left_out)
    practice, fhir = (
        f"select {columns} from read_parquet('{landed[name].folder}/{table}.parquet')"
        for name in ("practice", "fhir")
    )
    assert duckdb.sql(f"({practice}) except all ({fhir})").fetchall() == []
    assert duckdb.sql(f"({fhir}) except all ({practice})").fetchall() == []
    assert landed["fhir"].counts[table]["rows_landed"] == landed["practice"].counts[table]["rows_landed"]
    assert table == "beneficiary_xref" or landed["fhir"].counts[table]["rows_landed"] > 0


def test_the_status_of_a_year_is_that_of_its_last_month(landed: dict[str, LandedBatch]) -> None:
    select = """
        select beneficiary_id, year(service_month), {} from read_parquet('{}/enrollment_months.parquet')
        group by all order by all"""
    expected = select.format("max_by(medicare_status_code, service_month)", landed["practice"].folder)
    got = select.format("any_value(medicare_status_code)", landed["fhir"].folder)
    assert duckdb.sql(got).fetchall() == duckdb.sql(expected).fetchall()


def test_what_fhir_does_not_carry_lies_beside_it_as_contract_tables(both: dict[str, Path]) -> None:
    assert sorted(path.stem for path in (both["fhir"] / "practice").iterdir()) == NOT_IN_FHIR
    assert sorted(path.suffix for path in both["fhir"].iterdir()) == ["", ".ndjson", ".ndjson", ".ndjson"]


def test_parts_hold_the_same_resources_as_one_file(
    both: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fhir.write(both["practice"], tmp_path / "one", received=RECEIVED)
    monkeypatch.setattr(write_fhir, "ROWS_AT_ONCE", 3_000)
    write_fhir.write(both["practice"], tmp_path / "many", received=RECEIVED)
    parts = sorted((tmp_path / "many").glob("ExplanationOfBenefit-*.ndjson"))
    assert len(parts) > 3
    together = "".join(part.read_text() for part in parts)
    assert together == (tmp_path / "one" / "ExplanationOfBenefit.ndjson").read_text()


def test_every_line_is_a_resource_without_empty_parts(both: dict[str, Path]) -> None:
    def empty(value: object) -> bool:
        if isinstance(value, dict):
            return not value or any(map(empty, value.values()))
        if isinstance(value, list):
            return not value or any(map(empty, value))
        return value is None

    for path in both["fhir"].glob("*.ndjson"):
        for line in path.read_text().splitlines():
            resource = json.loads(line)
            assert resource["resourceType"] == path.stem
            assert not empty(resource), resource["id"]


def test_monthly_deliveries_are_written_one_by_one(tmp_path: Path) -> None:
    made = simulate(40, 12, 5, tmp_path / "made", format="fhir", deliveries="monthly")
    settings = Settings(out=tmp_path / "out", memory_limit="1GB", threads=2)
    rows = 0
    for sent in made["deliveries"]:
        folder = tmp_path / "made" / sent["folder"]
        if not sent["rows"]:
            continue  # nothing arrived in that month
        batch = land(folder, settings, received=datetime.date.fromisoformat(sent["received"]))
        assert batch.format == ("fhir" if "claims" in sent["rows"] else "practice")
        rows += batch.counts["claims"]["rows_in"]
    assert rows == made["rows"]["claims"] > 0


def test_a_folder_without_claims_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no table that FHIR carries"):
        write_fhir.write(tmp_path, tmp_path / "out", received=RECEIVED)
