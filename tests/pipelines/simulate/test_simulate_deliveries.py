"""Monthly deliveries: nothing is told before it was known, and the truth names every row that restates a month."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.simulate import simulate

PEOPLE, MONTHS, SEED = 1200, 14, 11
OWN = """
window: {chunk_people: 500}
ccm: {uptake_scale: 4}
people: {identifier_change: 0.05}
faults: {scale: 0}
"""
KEYS = {
    "claims": "claim_id, claim_version",
    "claim_lines": "claim_id, claim_version, line_number",
    "claim_diagnoses": "claim_id, claim_version, line_number, role, position",
    "enrollment_months": "beneficiary_id, service_month",
    "beneficiaries": "beneficiary_id, reference_date",
    "beneficiary_xref": "previous_beneficiary_id",
    "care_management_time": "activity_id",
    "consents": "consent_id",
    "care_plans": "care_plan_id",
    "problems": "problem_id",
    "encounters": "encounter_id",
    "model_rosters": "model, beneficiary_id, aligned_from",
    "patient_charges": "charge_id",
    "do_not_contact": "request_id",
    "practices": "practice_tin",
    "area_measures": "area_kind, area_code, measure, effective_from",
    "locality_gpci": "pricing_locality, effective_from",
    "providers": "npi, practice_tin",
}


@dataclass(frozen=True)
class Monthly:
    """`one_<table>`: the single delivery; `<table>`: all deliveries with the day each was received."""

    con: duckdb.DuckDBPyConnection
    record: dict[str, Any]
    folder: Path

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]


@pytest.fixture(scope="module")
def monthly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monthly]:
    folder = tmp_path_factory.mktemp("deliveries")
    own = folder / "own.yml"
    own.write_text(OWN, encoding="utf-8")
    simulate(PEOPLE, MONTHS, SEED, folder / "one", parameters=own)
    record = simulate(PEOPLE, MONTHS, SEED, folder / "many", parameters=own, deliveries="monthly")
    with duckdb.connect() as con:
        for table in KEYS:
            con.execute(f"create view one_{table} as select * from '{folder}/one/extracts/{table}.parquet'")
            con.execute(f"""
                create view {table} as
                select * exclude (filename),
                       last_day((regexp_extract(filename, '/(\\d{{4}}-\\d{{2}})/', 1) || '-01')::date) as received
                from read_parquet('{folder}/many/extracts/*/{table}.parquet', filename = true)
            """)
        for path in (folder / "many" / "truth").glob("*.parquet"):
            con.execute(f"create view truth_{path.stem} as select * from '{path}'")
        yield Monthly(con, record, folder)


def test_there_is_one_delivery_a_month_until_the_end_of_the_run_out(monthly):
    deliveries = monthly.record["deliveries"]
    assert [d["folder"] for d in deliveries] == [
        f"extracts/{year}-{month:02d}"
        for year in (2024, 2025, 2026)
        for month in range(1, 13)
        if (2024, 11) <= (year, month) <= (2026, 3)
    ]
    assert deliveries[-1]["received"] == monthly.record["extract_date"]
    for delivery in deliveries:
        assert delivery["rows"]["claims"] > 0
    for table in KEYS:
        rows = sum(delivery["rows"].get(table, 0) for delivery in deliveries)
        assert rows == monthly.value(f"select count(*) from {table}") == monthly.record["rows"][table]


@pytest.mark.parametrize("table", sorted(KEYS))
def test_the_last_statement_of_every_key_is_that_of_the_single_delivery(monthly, table):
    columns = ", ".join(name for name, *_ in monthly.rows(f"describe one_{table}"))
    newest = f"""
        select {columns} from {table}
        qualify row_number() over (partition by {KEYS[table]} order by received desc) = 1
    """
    missing = monthly.value(f"select count(*) from (select {columns} from one_{table} except all ({newest}))")
    assert missing == 0
    extra = monthly.value(f"select count(*) from (({newest}) except all select {columns} from one_{table})")
    # Descriptions within a year come on top: the single delivery has only those of the year's end.
    assert extra == 0 if table != "beneficiaries" else extra > 0


def test_a_key_stands_once_in_a_delivery(monthly):
    for table, key in KEYS.items():
        assert monthly.value(f"select count(*) - count(distinct ({key}, received)) from {table}") == 0, table


@pytest.mark.parametrize(
    ("table", "day"),
    [
        ("claims", "processed_date"),
        ("encounters", "start_date"),
        ("consents", "consent_date"),
        ("consents", "revoked_date"),
        ("care_plans", "last_revised_date"),
        ("care_plans", "given_to_patient_date"),
        ("problems", "recorded_date"),
        ("care_management_time", "started_at::date"),
        ("enrollment_months", "service_month"),
        ("beneficiaries", "death_date"),
        ("beneficiary_xref", "obsolete_date"),
    ],
)
def test_nothing_is_told_before_it_happened(monthly, table, day):
    last = monthly.record["extract_date"]
    assert (
        monthly.value(f"select count(*) from {table} where {day} > received and {day} <= date '{last}'") == 0
    )
    assert monthly.value(f"select count({day}) from {table}") > 0


def test_claims_come_in_the_month_in_which_they_were_processed(monthly):
    early = monthly.record["deliveries"][0]["received"]
    off = monthly.value(f"""
        select count(*) from claims c where last_day(processed_date) <> received and received > date '{early}'
        and not exists (select 1 from truth_restatements r where r.kind = 'sent_again'
                        and r.row_key = c.claim_id || '|' || c.claim_version and r.received_date = c.received)
    """)
    assert off == 0
    late = monthly.value("""
        select avg((processed_date - through_date > 120)::int) from claims
        where action = 'original' and through_date < date '2025-08-01'
    """)
    assert 0.04 < late < 0.06


def test_the_truth_names_every_row_that_states_a_claim_again(monthly):
    again = """
        select claim_id || '|' || claim_version as row_key, received from claims
        qualify row_number() over (partition by claim_id, claim_version order by received) > 1
    """
    truth = "select row_key, received_date from truth_restatements where kind = 'sent_again'"
    assert monthly.value(f"select count(*) from ({again})") > 20
    assert monthly.value(f"select count(*) from (({again}) except ({truth}))") == 0
    assert monthly.value(f"select count(*) from (({truth}) except ({again}))") == 0
    early = monthly.record["deliveries"][0]["received"]
    for action in ("replacement", "cancellation"):
        assert (
            monthly.value(f"""
            select count(*) from claims c full join (select * from truth_restatements where kind = '{action}') r
            on r.row_key = c.claim_id || '|' || c.claim_version and r.received_date = c.received
            where (c.action = '{action}' and c.received > date '{early}') is distinct from (r.row_key is not null)
        """)
            == 0
        )


def test_the_truth_names_every_coverage_month_that_was_put_right(monthly):
    corrected = """
        select beneficiary_id || '|' || service_month as row_key, max(received) as received
        from enrollment_months group by beneficiary_id, service_month having count(*) > 1
    """
    truth = "select row_key, received_date from truth_restatements where kind = 'coverage_correction'"
    assert monthly.value(f"select count(*) from ({corrected})") > 20
    assert monthly.value(f"select count(*) from (({corrected}) except ({truth}))") == 0
    assert monthly.value(f"select count(*) from (({truth}) except ({corrected}))") == 0


def test_every_kind_of_restatement_happens_and_speaks_of_an_earlier_day(monthly):
    kinds = dict(monthly.rows("select kind, count(*) from truth_restatements group by 1"))
    assert set(kinds) == {
        "sent_again",
        "replacement",
        "cancellation",
        "late_claim",
        "coverage_correction",
        "withdrawn_consent",
        "plan_given",
        "revised_plan",
        "late_activity",
        "withdrawn_activity",
    }
    assert (
        monthly.value(
            "select count(*) from truth_restatements where last_day(service_month) > received_date or received_date <= date '2024-11-30'"
        )
        == 0
    )


def test_a_death_shows_after_it_happened_and_some_weeks_later(monthly):
    months = monthly.rows("""
        select datediff('month', death_date, min(received)) from beneficiaries
        where death_date is not null group by beneficiary_id, death_date
    """)
    assert min(months)[0] >= 0
    assert max(months)[0] >= 1


def test_the_same_arguments_give_the_same_deliveries(monthly, tmp_path):
    own = tmp_path / "own.yml"
    own.write_text(OWN, encoding="utf-8")
    simulate(PEOPLE, MONTHS, SEED, tmp_path / "many", parameters=own, deliveries="monthly")

    def checksums(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    first = checksums(monthly.folder / "many")
    assert len(first) > 100
    assert first == checksums(tmp_path / "many")
    assert dt.date.fromisoformat(monthly.record["extract_date"]).year == 2026
