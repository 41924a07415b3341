"""Upside and downside share one rule set: whatever is recommended for billing is billed, and no rule may flag it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build
from tests.dbt_project.spoilt_world import spoil
from tests.dbt_project.trial_bills import MARK, write_trial_bills

PEOPLE, MONTHS, SEED = 1500, 36, 11
# Last month of the window, whether the records are spoilt, practices.
WORLDS = {
    "as simulated": ("2025-06", False, ""),
    "spoilt, 2016 to 2018": ("2018-12", True, ""),
    "spoilt, 2023 to 2026, clinics": (
        "2026-06",
        True,
        "practices: {rhc: 0.1, fqhc: 0.1, hospital_outpatient: 0.2}\n",
    ),
}
NO_TESTS = ("--exclude-resource-type", "unit_test", "test")


@dataclass(frozen=True)
class Trial:
    """A warehouse as delivered, and the same with every recommended month billed: `lines` are the bills' lines."""

    before: Built
    after: Built
    lines: dict[str, tuple[str, dt.date, str]]
    is_spoilt: bool


@pytest.fixture(scope="module", params=sorted(WORLDS))
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    last, is_spoilt, practices = WORLDS[request.param]
    folder = tmp_path_factory.mktemp("simulated")
    much_unbilled = folder / "much_unbilled.yml"
    much_unbilled.write_text(
        f"ccm: {{uptake_scale: 5, unbilled_supported: 0.5}}\nerrors: {{scale: 3}}\n{practices}",
        encoding="utf-8",
    )
    last_month = dt.date.fromisoformat(f"{last}-01")
    record = simulate(PEOPLE, MONTHS, SEED, folder, last_month=last_month, parameters=much_unbilled)
    received = dt.date.fromisoformat(record["extract_date"])
    delivery = folder / "extracts"
    if is_spoilt:
        spoil(delivery, folder / "spoilt")
        delivery = folder / "spoilt"
    before = build(tmp_path_factory.mktemp("before"), delivery, received, last, *NO_TESTS)
    assert before.failures == []
    months = before.rows(
        # dated on the last day of the month that the person saw
        """
        select beneficiary_id, service_month, practitioner_npi, practice_id, supported_codes, billed_codes,
            least(last_day(service_month), coalesce(death_date, last_day(service_month)))
        from flags.recommended_months
        inner join core.core_beneficiaries using (beneficiary_id)
        where is_recommended order by all
        """
    )
    bills = folder / "bills"
    lines = write_trial_bills(bills, months, received)
    after = build(tmp_path_factory.mktemp("after"), delivery, received, last, *NO_TESTS, also=[bills])
    assert after.failures == []
    return Trial(before, after, lines, is_spoilt)


def test_every_bill_of_the_trial_is_paid(trial: Trial) -> None:
    landed = trial.after.rows(
        "select claim_line_id from marts.fct_billed_lines where not is_denied and family = 'CCM' "
        f"and claim_id like '{MARK}%'"
    )
    assert {line for (line,) in landed} == set(trial.lines)
    assert len(trial.lines) > 50


def test_no_rule_flags_what_was_recommended(trial: Trial) -> None:
    flagged = trial.after.rows(
        """
        select distinct rule_id, severity, line, beneficiary_id, service_month, observed
        from (select *, unnest(claim_line_ids) as line from flags.findings where closed_as_of is null)
        where severity != 'information'
        """
    )
    assert [row for row in flagged if row[2] in trial.lines] == []


def test_what_is_billed_is_no_longer_recommended(trial: Trial) -> None:
    (row,) = trial.after.rows("select count(*) from flags.recommended_months where is_recommended")
    assert row == (0,)


def test_months_are_held_back_where_records_are_spoilt(trial: Trial) -> None:
    # capture itself keeps out months that somebody else billed, or that dialysis capitation makes ineligible
    held = {
        rule
        for (rules,) in trial.before.rows("select held_by from flags.recommended_months")
        for rule in rules
    }
    expected = {"F04", "F21", "F24", "F25", "F30", "F34", "F50"} if trial.is_spoilt else set()
    assert expected - held == set()


def test_most_of_what_the_record_supports_is_recommended_where_nothing_is_spoilt(trial: Trial) -> None:
    if trial.is_spoilt:
        pytest.skip("months are held back here")
    (row,) = trial.before.rows(
        "select count(*) filter (where is_recommended), count(*) from flags.recommended_months"
    )
    assert row[0] > 0.6 * row[1]


def test_each_candidate_is_recommended_or_names_the_rules_that_hold_it(trial: Trial) -> None:
    rows = trial.before.rows(
        "select is_recommended, held_by, recommended_usd, gap_usd from flags.recommended_months"
    )
    assert all(is_recommended == (not held) for is_recommended, held, _, _ in rows)
    assert all(usd == (gap if is_recommended else 0) for is_recommended, _, usd, gap in rows)


def test_every_candidate_of_the_capture_ledger_is_judged(trial: Trial) -> None:
    (row,) = trial.before.rows(
        "select count(*) from marts.capture_months full join flags.recommended_months as judged "
        "using (beneficiary_id, service_month) "
        "where (capture_months.state in ('billable_not_billed', 'billed_below_record')) "
        "!= (judged.beneficiary_id is not null)"
    )
    assert row == (0,)
