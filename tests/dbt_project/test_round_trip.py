"""A population written as RIF, as a claim feed and as FHIR comes out of core as it went in, up to what each carries.

What a format cannot carry is listed here column by column; everything else must be equal, row for row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import build

FORMATS = ("practice", "rif", "cclf", "fhir")
WRITTEN = ("rif", "cclf", "fhir")
# Tables that come beside all of them in the contract's own form.
BESIDE = (
    "core_care_management_time",
    "core_care_plans",
    "core_problems",
    "core_model_rosters",
    "core_patient_charges",
    "core_area_measures",
    "core_consents",
    "core_encounters",
    "core_practices",
    "core_providers",
    "core_practice_records",
)
# Columns that name the delivery, or how a statement was said rather than what stands.
OF_THE_DELIVERY = {"batch_id", "claim_version", "action", "adjusted_claim_id"}
# What comes back otherwise: format -> table -> column -> on which rows (of kinds of claim; all where empty).
FACILITIES = ("inpatient", "snf", "hha", "outpatient", "hospice")
NOT_CARRIED: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "rif": {
        "core_enrollment_months": {"has_hospice_election": ()},
        "core_claims": {"billing_tin": FACILITIES, "discharge_date": ("hha",)},
        "core_claim_lines": {
            "allowed_usd": FACILITIES,
            "practice_tin": FACILITIES,  # falls back to the facility's number
            "through_date": FACILITIES,  # a revenue line has one day
        },
    },
    "cclf": {
        "core_beneficiaries": {"race_ethnicity_source": ()},
        # The feed knows the status of today; the alignment report knows spans.
        "core_enrollment_months": {"medicare_status_code": (), "coverage_grain": ()},
        # Claim numbers are the feed's own; of equal claims of a family it is open which was cancelled.
        "core_claims": {
            "claim_id": (),
            "claim_group_id": (),
            "billing_npi": ("carrier",),
            "billing_tin": FACILITIES,
            "discharge_date": ("hha",),
        },
        "core_claim_lines": {
            "claim_line_id": (),
            "claim_id": (),
            "allowed_usd": FACILITIES,
            "practice_tin": FACILITIES,
            "deductible_usd": (),
            "coinsurance_usd": (),
            "betos_code": ("dme",),
        },
        "core_diagnoses": {"claim_id": ()},
    },
    # A Coverage has the status of the year; no part of it is an election of hospice.
    "fhir": {"core_enrollment_months": {"has_hospice_election": (), "medicare_status_code": ()}},
}
# Rows that a format has no place for.
LEFT_OUT = {
    # The principal diagnosis, listed a second time.
    ("rif", "core_diagnoses"): "role = 'other' and diagnosis_code = principal",
    # File 6 has no diagnoses.
    ("cclf", "core_diagnoses"): "claim_type = 'dme'",
    # A person is in the feed while aligned: both parts, Original Medicare.
    ("cclf", "core_enrollment_months"): "not (has_part_a and has_part_b and not is_medicare_advantage)",
    ("cclf", "core_person_months"): "not (has_part_a and has_part_b and not is_medicare_advantage)",
}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Core tables of one population by format, a schema a format."""
    root = tmp_path_factory.mktemp("round_trip")
    own = root / "own.yml"
    own.write_text("people: {identifier_change: 0.1}\n", encoding="utf-8")
    con = duckdb.connect()
    for name in FORMATS:
        made = simulate(300, 18, 11, root / name, format=name, parameters=own)
        extracts = root / name / "extracts"
        built = build(
            root / name / "out",
            extracts,
            dt.date.fromisoformat(made["extract_date"]),
            made["last_window_month"],
            *("--select", "+path:models/core", "--resource-type", "model", "--resource-type", "seed"),
            also=[] if name == "practice" else [extracts / "practice"],
        )
        assert built.batch.format == name
        assert built.failures == []
        con.execute(f"create schema {name}")
        _copy(built.warehouse, con, name)
    yield con
    con.close()


def _copy(warehouse: Path, con: duckdb.DuckDBPyConnection, schema: str) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as core:
        names = core.execute(
            "select table_name from information_schema.tables where table_schema = 'core'"
        ).fetchall()
        for (name,) in names:
            rows = core.execute(f"select * from core.{name}").to_arrow_table()
            assert rows is not None
            con.execute(f"create table {schema}.{name} as select * from rows")


def _compared(con: duckdb.DuckDBPyConnection, schema: str, written: str, table: str) -> str:
    """SQL of the rows and columns of `table` that `written` carries."""
    lost = NOT_CARRIED[written].get(table, {})
    described = [row[0] for row in con.execute(f"describe practice.{table}").fetchall()]
    columns = []
    for column in described:
        kinds = lost.get(column)
        if column in OF_THE_DELIVERY or kinds == ():
            continue
        listed = ", ".join(f"'{kind}'" for kind in kinds or ())
        columns.append(
            column if kinds is None else f"case when claim_type not in ({listed}) then {column} end"
        )
    rows = f"select * from {schema}.{table}"
    if table == "core_claims":
        rows += " where is_final"
    if table == "core_person_months":
        columns = ["beneficiary_id", "service_month", "month_end", "is_alive_on_first", "death_date"]
        rows = f"""
            select months.*, has_part_a, has_part_b, is_medicare_advantage from {schema}.core_person_months as months
            inner join {schema}.core_enrollment_months using (beneficiary_id, service_month)"""
    if table == "core_diagnoses":
        rows = f"""
            select codes.*, claims.claim_type, max(codes.diagnosis_code) filter (
                       where role = 'principal' and line_number = 0) over (partition by claim_id) as principal
            from {schema}.core_diagnoses as codes
            inner join {schema}.core_claims as claims using (claim_id) where claims.is_final"""
    left_out = LEFT_OUT.get((written, table), "false") if schema == "practice" else "false"
    return f"select {', '.join(columns)} from ({rows}) where not coalesce({left_out}, false)"


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(
    "table",
    [
        "core_beneficiary_ids",
        "core_beneficiaries",
        "core_enrollment_months",
        "core_person_months",
        "core_claims",
        "core_claim_lines",
        "core_diagnoses",
        "core_hospice_periods",
        "core_visits",
        *BESIDE,
    ],
)
def test_core_is_what_went_in(con: duckdb.DuckDBPyConnection, written: str, table: str) -> None:
    if table == "core_visits":
        # Visits are named like claim lines, and their practice may be the facility's number.
        keys = "beneficiary_id, visit_date, practitioner_npi, hcpcs_code, source"
        before, after = (f"select {keys} from {schema}.core_visits" for schema in ("practice", written))
    else:
        before, after = (_compared(con, schema, written, table) for schema in ("practice", written))
    assert con.execute(f"select count(*) from ({before})").fetchall()[0][0] > 0
    assert con.execute(f"({before}) except all ({after})").fetchall() == []
    assert con.execute(f"({after}) except all ({before})").fetchall() == []


@pytest.mark.parametrize("written", WRITTEN)
def test_the_population_holds_what_the_formats_differ_in(
    con: duckdb.DuckDBPyConnection, written: str
) -> None:
    ((changed,),) = con.execute(
        "select count(*) from practice.core_beneficiary_ids where delivered_id <> beneficiary_id"
    ).fetchall()
    reasons = {
        row[0]
        for row in con.execute(f"select distinct not_final_reason from {written}.core_claims").fetchall()
    }
    assert changed > 10
    expected = {
        "rif": "superseded_statement",
        "cclf": "cancelled_by_another_claim",
        "fhir": "cancelled_by_another_claim",
    }
    assert {"cancellation", expected[written], None} <= reasons
    ((hospice,),) = con.execute(
        "select count(*) from practice.core_enrollment_months where has_hospice_election"
    ).fetchall()
    assert hospice > 0
