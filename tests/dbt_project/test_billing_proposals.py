"""Upside and downside share one rule set: a bill that is proposed as ready is sent in full, and no rule objects to it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build, propose
from tests.dbt_project.spoilt_world import spoil

PEOPLE, MONTHS, SEED = 2000, 36, 11
KEYS = "beneficiary_id, service_month, practitioner_npi"
# Many users, so that a small population leaves many months unbilled.
MORE_USERS = "ccm: {uptake_scale: 6, unbilled_supported: 0.3, under_billed: 0.3}\nerrors: {scale: 3}\n"
# Last month of the window and practices. Records are spoilt in every way that keeps a supported month from being billed.
WORLDS = {
    "2018 to 2020": ("2020-12", ""),
    "2023 to 2026, clinics": (
        "2026-06",
        "practices: {rhc: 0.1, fqhc: 0.1, hospital_outpatient: 0.2}\n",
    ),
}


@pytest.fixture(scope="module", params=sorted(WORLDS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("simulated")
    own = made / "more_users.yml"
    month, practices = WORLDS[request.param]
    own.write_text(MORE_USERS + practices, encoding="utf-8")
    last = dt.date.fromisoformat(f"{month}-01")
    simulate(PEOPLE, MONTHS, SEED, made, last_month=last, parameters=own)
    spoil(made / "extracts", made / "spoilt")
    return made


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, str]:
    return json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def proposed(folder: Path, record: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Built:
    built = build(
        tmp_path_factory.mktemp("proposed"),
        folder / "spoilt",
        dt.date.fromisoformat(record["extract_date"]),
        record["last_window_month"],
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
    )
    propose(built, dt.date.fromisoformat(record["extract_date"]), record["last_window_month"])
    return built


@pytest.fixture(scope="module")
def sent(
    folder: Path, record: dict[str, str], proposed: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    """The same deliveries and a further one, in which every ready bill was sent and paid a month later."""
    bills = tmp_path_factory.mktemp("bills")
    with duckdb.connect(str(proposed.warehouse), read_only=True) as con:
        _write_ready_bills(con, bills)
    received = dt.date.fromisoformat(record["extract_date"])
    return build(
        tmp_path_factory.mktemp("sent"),
        folder / "spoilt",
        received,
        record["last_window_month"],
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
        also=[bills],
    )


def _write_ready_bills(con: duckdb.DuckDBPyConnection, bills: Path) -> None:
    """What each ready proposal adds to the lines that are there, as claims of the contract."""
    con.execute(f"""
        create temp table ready as
        select proposed.claim_id, proposed.claim_line_id, proposed.beneficiary_id, proposed.from_date, proposed.practitioner_npi,
            proposed.practice_tin, proposed.hcpcs_code, proposed.units - coalesce(billed.units, 0) as units,
            round(proposed.paid_usd * (proposed.units - coalesce(billed.units, 0)) / proposed.units, 2) as paid_usd
        from marts.fct_proposed_lines as proposed
        semi join (select * from reports.billing_proposals where proposal = 'ready') using ({KEYS})
        -- what a hospital bills beside the practitioner is the same service
        left join (
            select {KEYS}, hcpcs_code, max(units) as units from (
                select {KEYS}, hcpcs_code, sum(units) as units from marts.fct_billed_lines
                where not is_denied group by {KEYS}, hcpcs_code, claim_type)
            group by all
        ) as billed using ({KEYS}, hcpcs_code)
        where proposed.units > coalesce(billed.units, 0)""")
    con.execute(f"""
        copy (
            select claim_id, 1 as claim_version, beneficiary_id, 'carrier' as claim_type, '71' as nch_claim_type_code,
                from_date, from_date as through_date, (select max(received_date) from core.core_deliveries) as processed_date,
                practice_tin as billing_tin, practitioner_npi as billing_npi, 'original' as action, sum(paid_usd) as paid_usd
            from ready group by all
        ) to '{bills}/claims.parquet'""")
    con.execute(f"""
        copy (
            select claim_id, 1 as claim_version, row_number() over (partition by claim_id order by hcpcs_code) as line_number,
                from_date, from_date as through_date, hcpcs_code, units, '11' as place_of_service_code,
                practitioner_npi as rendering_npi, practice_tin as billing_tin, paid_usd as allowed_usd, paid_usd, false as is_denied
            from ready
        ) to '{bills}/claim_lines.parquet'""")


def test_there_are_proposals_of_every_outcome_and_kind(proposed: Built) -> None:
    counted = dict(proposed.rows("select proposal, count(*) from reports.billing_proposals group by all"))
    assert counted["ready"] >= 30
    assert counted["held_back"] >= 30
    named = {
        rule
        for (rules,) in proposed.rows("select objections from reports.billing_proposals")
        for rule in rules
    }
    assert {"F04", "F21", "F24", "F25", "F30", "F50"} - named == set()
    states = proposed.rows(
        "select state from reports.billing_proposals where proposal = 'ready' group by all"
    )
    assert {state for (state,) in states} == {"billable_not_billed", "billed_below_record"}


def test_asking_about_proposals_changes_nothing_that_was_said_of_paid_bills(proposed: Built) -> None:
    (row,) = proposed.rows("""
        select count(*) from flags.rule_results as results
        -- years of practices and workers are of nobody's bill alone
        where results.subject_kind = 'practitioner_month' and not exists (
            select 1 from marts.fct_billed_lines as billed
            where billed.beneficiary_id = results.beneficiary_id and billed.service_month = results.service_month
                and billed.practitioner_npi is not distinct from results.practitioner_npi and not billed.is_denied)""")
    assert row[0] == 0


def test_what_is_held_back_names_its_rules_and_what_is_ready_names_none(proposed: Built) -> None:
    (row,) = proposed.rows("""
        select count(*) filter (where (proposal = 'held_back') <> (len(objections) > 0)),
            count(*) filter (where proposal = 'ready' and len(open_questions) > 0)
        from reports.billing_proposals""")
    assert row == (0, 0)


def test_a_ready_bill_that_was_sent_is_seen_as_supported(proposed: Built, sent: Built) -> None:
    ready = set(proposed.rows(f"select {KEYS} from reports.billing_proposals where proposal = 'ready'"))
    rows = sent.rows(f"select {KEYS}, state from marts.capture_months")
    states = {(person, month, npi): state for person, month, npi, state in rows}
    assert {states.get(key) for key in ready} == {"billed_as_supported"}


def test_no_rule_objects_to_a_ready_bill_that_was_sent(proposed: Built, sent: Built) -> None:
    ready = set(proposed.rows(f"select {KEYS} from reports.billing_proposals where proposal = 'ready'"))
    objections = sent.rows(
        f"select {KEYS}, rule_id from flags.findings where severity <> 'information' and review_state = 'open'"
    )
    assert [objection for objection in objections if objection[:3] in ready] == []


def test_sending_ready_bills_makes_no_other_bill_wrong(proposed: Built, sent: Built) -> None:
    found = f"select rule_id, {KEYS} from flags.findings where severity <> 'information'"
    assert set(sent.rows(found)) - set(proposed.rows(found)) == set()


def test_the_rules_read_every_proposed_line_as_it_is(proposed: Built) -> None:
    columns = (
        "claim_line_id, claim_id, claim_type, beneficiary_id, service_month, from_date, practitioner_npi, practice_tin,"
        " hcpcs_code, family, lane, code_role, performed_by, is_in_force, units, setting, allowed_usd"
    )
    lines = f"select {columns} from marts.fct_proposed_lines"
    read = f"select {columns} from flags_proposals.subject_lines where claim_line_id like 'proposed-%'"
    assert proposed.rows(f"({lines} except {read}) union all ({read} except {lines})") == []
    assert proposed.rows(f"select count(*) from ({lines})")[0][0] > 50
