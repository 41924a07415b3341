"""The population looks like the published one, within the bands that `marginals.py` states."""

from __future__ import annotations

import datetime as dt

import pytest

from pipelines.simulate import simulate
from pipelines.simulate.marginals import (
    AT_FAULT,
    HEAD,
    MEASURES,
    PREVALENCE,
    Marginal,
    as_markdown,
    measure,
    prepare,
    uptake_by_year,
    write_doc,
)
from pipelines.simulate.opened import open_population

NAMES = [row[0] for row in MEASURES] + [f"prevalence: {name}" for name in PREVALENCE]


@pytest.fixture(scope="module")
def marginals(population):
    return {marginal.name: marginal for marginal in measure(population.con)}


@pytest.mark.parametrize("name", NAMES)
def test_marginal_lies_in_its_band(marginals, name):
    found = marginals[name]
    assert found.low <= found.got <= found.high, f"{name}: {found.got:.4f}"


def test_a_marginal_outside_its_band_is_marked_in_the_table():
    table = as_markdown([Marginal("share", ".1", 0.05, 0.15, 0.2), Marginal("months", "4-7", 4, 7, 5.04)])
    assert "| share | .1 | 0.05 to 0.15 | 0.200 (outside) |" in table
    assert "| months | 4-7 | 4 to 7 | 5.0 |" in table


@pytest.mark.parametrize("year", [2023, 2024, 2025])
def test_uptake_holds_in_every_year(marginals, year):
    found = marginals[f"CCM uptake of eligible people in {year}"]
    # The population of the tests is small: its sampling error comes on top of the accepted band.
    assert 0.9 * found.low <= found.got <= 1.1 * found.high


@pytest.mark.parametrize("last", ["2017-12", "2021-12"])
def test_uptake_of_earlier_years_follows_the_published_rise(tmp_path, last):
    simulate(20_000, 36, 31, tmp_path, last_month=dt.date.fromisoformat(f"{last}-01"))
    with open_population(tmp_path) as con:
        prepare(con)
        found = uptake_by_year(con)
    assert len(found) == 3
    for marginal in found:
        assert 0.9 * marginal.low <= marginal.got <= 1.1 * marginal.high, (marginal.name, marginal.got)
    if last == "2017-12":
        assert found[0].got < 0.7 * found[1].got < found[2].got


@pytest.mark.parametrize("rate", [0.02, 0.06])
def test_the_share_of_dollars_at_fault_is_what_was_asked_for(tmp_path, rate):
    more_users = tmp_path / "own.yml"
    more_users.write_text("ccm: {uptake_scale: 8}\n", encoding="utf-8")
    simulate(8_000, 36, 8, tmp_path, parameters=more_users, error_rate=rate)
    with open_population(tmp_path) as con:
        (share,) = con.execute(AT_FAULT).fetchone()
    assert 0.7 * rate < share < 1.3 * rate


def test_the_table_of_the_documentation_is_replaced_and_nothing_else(tmp_path):
    doc = tmp_path / "doc.md"
    doc.write_text(
        f"before\n\n{HEAD}\n|---|---|---|---|\n| old | 1 | 0 to 2 | 1 |\n\nafter\n", encoding="utf-8"
    )
    write_doc(as_markdown([Marginal("share", ".1", 0.05, 0.15, 0.1)]), doc)
    text = doc.read_text(encoding="utf-8")
    assert text.startswith("before\n\n| marginal |")
    assert text.endswith("| share | .1 | 0.05 to 0.15 | 0.100 |\n\nafter\n")
    assert "old" not in text
    doc.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no table of marginals"):
        write_doc("x", doc)


def test_conditions_that_are_not_held_are_hardly_ever_found(population, marginals):
    share = population.value("""
        select count(*) filter (where not t.is_held) / ((select count(*) from full_years) * 20.0)
        from truth_conditions t join full_years using (beneficiary_id)
        join found f using (beneficiary_id, condition)
    """)
    assert 0 < share < 0.01


def test_deaths_follow_age(population):
    young, old = population.rows("""
        select avg((d.beneficiary_id is not null)::int) filter (where p.age_mid_window between 65 and 75),
               avg((d.beneficiary_id is not null)::int) filter (where p.age_mid_window >= 85)
        from truth_people p left join (
            select distinct beneficiary_id from beneficiaries where death_date is not null
        ) d using (beneficiary_id)
    """)[0]
    assert old > 1.5 * young


def test_people_whom_groups_leave_behind_take_up_less(population):
    rate = dict(
        population.rows("""
        select p.is_dual, count(distinct e.beneficiary_id) / count(distinct p.beneficiary_id)::double
        from truth_people p left join truth_episodes e using (beneficiary_id)
        where p.condition_count between 4 and 7 group by 1
    """)
    )
    assert rate[True] < rate[False]


def test_capture_states_of_the_plan_occur_at_their_rates(population):
    states = dict(
        population.rows("""
        select expected_state, count(*) / (select count(*) from truth_ccm_months where keeps_records)::double
        from truth_ccm_months where expected_state is not null and keeps_records group by 1
    """)
    )
    assert 0.03 <= states["billable_not_billed"] <= 0.10
    assert 0.04 <= states["served_below_threshold"] <= 0.12
    assert 0.01 <= states["billed_below_record"] <= 0.08
    assert 0.60 <= states["billed_as_supported"] <= 0.90
    assert states["billed_beyond_record"] > 0
