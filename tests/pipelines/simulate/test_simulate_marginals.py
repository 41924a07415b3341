"""The population looks like the published one, within the bands that `marginals.py` states."""

from __future__ import annotations

import pytest

from pipelines.simulate.marginals import MEASURES, PREVALENCE, Marginal, as_markdown, measure

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
def test_uptake_holds_in_every_year(population, marginals, year):
    eligible = population.value(f"""
        select count(*) from (
            select beneficiary_id from truth_conditions t
            join (select distinct condition, counted from codes) using (condition)
            where is_coded and counted
            and beneficiary_id in (select beneficiary_id from covered where year(service_month) = {year})
            group by 1 having count(*) >= 2)
    """)
    users = population.value(
        f"select count(distinct beneficiary_id) from user_months where year(service_month) = {year}"
    )
    assert 0.026 <= users / eligible <= 0.048


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
