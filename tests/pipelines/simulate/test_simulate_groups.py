"""Truth by group: the way to CCM, its planted effect, and what the twin says about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.simulate import simulate
from pipelines.simulate.effect import as_markdown, measure
from pipelines.simulate.opened import open_population

OWN = """
ccm:
  uptake_scale: 20
  effect: {admission_ratio: 0.5, admission_ratio_dual: 0.3, further_ratios: {rural: 0.8}, emergency_power: 0.5}
practices: {rhc: 0.15, fqhc: 0.15, hospital_outpatient: 0.2, billing_share: 0.6}
errors: {scale: 0}
"""
PEOPLE, MONTHS, SEED = 6000, 30, 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("worlds")
    own = folder / "own.yml"
    own.write_text(OWN, encoding="utf-8")
    record = simulate(PEOPLE, MONTHS, SEED, folder / "world", parameters=own)
    twin = simulate(PEOPLE, MONTHS, SEED, folder / "twin", parameters=own, twin=True)
    return folder / "world", folder / "twin", record, twin


@pytest.fixture(scope="module")
def world(folders) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_population(folders[0]) as con:
        yield con


def value(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = con.execute(sql).fetchone()
    return None if row is None else row[0]


@pytest.mark.parametrize(
    ("group", "condition"),
    [
        ("everybody", "true"),
        ("dual", "is_dual"),
        ("rural", "is_rural"),
        ("black", "race = '2'"),
        ("deprived", "deprivation_percentile >= 75"),
    ],
)
def test_the_funnel_of_a_group_counts_the_people_that_the_truth_lists(folders, world, group, condition):
    steps = folders[2]["funnel_by_group"][group]
    people = f"(select beneficiary_id from truth_people where {condition})"
    assert steps["served"] == value(
        world,
        f"select count(distinct beneficiary_id) from truth_episodes join {people} using (beneficiary_id)",
    )
    billed = f"""
        select beneficiary_id, count(*) filter (where not is_denied) as paid, count(*) as months
        from truth_ccm_months join {people} using (beneficiary_id) where is_billed group by 1
    """
    assert steps["billed"] == value(world, f"select count(*) from ({billed})")
    assert steps["paid"] == value(world, f"select count(*) from ({billed}) where paid > 0")
    assert steps["billed_three_months"] == value(world, f"select count(*) from ({billed}) where months >= 3")
    assert steps["covered"] == value(
        world,
        f"""
        select count(distinct i.beneficiary_id) from enrollment_months e
        join people_ids i on i.delivered_id = e.beneficiary_id
        where has_part_b and not is_medicare_advantage and service_month >= date '2023-07-01'
        and i.beneficiary_id in {people}
    """,
    )
    assert (
        steps["covered"]
        >= steps["with_two_conditions"]
        >= steps["served"]
        >= steps["billed"]
        >= steps["paid"]
    )
    assert steps["billed"] >= steps["billed_three_months"] > 0


def test_groups_that_part_the_population_add_up(folders):
    funnel = folders[2]["funnel_by_group"]
    for one, other in (("dual", "non_dual"), ("rural", "urban"), ("deprived", "not_deprived")):
        for step, number in funnel["everybody"].items():
            assert funnel[one][step] + funnel[other][step] == number, (one, step)


def test_planted_gaps_in_uptake_show_in_the_funnel(folders):
    funnel = folders[2]["funnel_by_group"]

    def odds(group: str) -> float:
        served, needing = funnel[group]["served"], funnel[group]["with_two_conditions"]
        return served / (needing - served)

    assert 0.45 < odds("dual") / odds("non_dual") < 0.95
    assert odds("black") < odds("white")


def test_effects_by_group_count_the_prevented_events_that_the_truth_lists(folders, world):
    effects = folders[2]["effect_by_group"]
    for group, condition in (("everybody", "true"), ("dual", "is_dual"), ("rural", "is_rural")):
        for kind, measure_name in (("inpatient", "admissions"), ("emergency", "emergency_visits")):
            listed = value(
                world,
                f"""
                select count(*) from truth_prevented_events join truth_people using (beneficiary_id)
                where kind = '{kind}' and {condition}
            """,
            )
            assert effects[group][f"{measure_name}_prevented"] == listed
            assert effects[group][f"{measure_name}_without_ccm"] > listed > 0
    share = effects["dual"]["admissions_prevented"] / effects["dual"]["admissions_without_ccm"]
    assert abs(share - 0.7) < 0.15
    share = effects["non_dual"]["admissions_prevented"] / effects["non_dual"]["admissions_without_ccm"]
    assert abs(share - 0.5) < 0.12


def test_exposed_months_are_those_of_the_exposures(folders, world):
    months = value(
        world,
        """
        select count(distinct (x.beneficiary_id, e.service_month)) from truth_exposures x
        join people_ids i on i.beneficiary_id = x.beneficiary_id
        join enrollment_months e on e.beneficiary_id = i.delivered_id
        and e.service_month between x.first_exposed_month and x.last_exposed_month
    """,
    )
    assert months == folders[2]["effect_by_group"]["everybody"]["exposed_months"]
    ratios = dict(
        world.execute("""
        select (is_dual::int, is_rural::int)::varchar, min(admission_ratio) from truth_exposures
        join truth_people using (beneficiary_id) group by 1 having min(admission_ratio) = max(admission_ratio)
    """).fetchall()
    )
    assert {key: round(ratio, 6) for key, ratio in ratios.items()} == {
        "(0, 0)": 0.5,
        "(1, 0)": 0.3,
        "(0, 1)": 0.4,
        "(1, 1)": 0.24,
    }


def test_the_twin_has_the_events_that_ccm_prevented_and_nothing_else_differs(folders):
    record, twin = folders[2], folders[3]
    assert all(group["admissions_prevented"] == 0 for group in twin["effect_by_group"].values())
    assert twin["funnel_by_group"] == record["funnel_by_group"]
    effects = {effect.group: effect for effect in measure(folders[0], folders[1])}
    everybody = effects["everybody"]
    prevented = record["effect_by_group"]["everybody"]
    assert everybody.months == prevented["exposed_months"]
    assert everybody.admissions == pytest.approx(
        -1000 * prevented["admissions_prevented"] / everybody.months, rel=0.03
    )
    visits = -1000 * prevented["emergency_visits_prevented"] / everybody.months
    assert everybody.emergency_visits == pytest.approx(visits, rel=0.05)
    assert everybody.paid_usd < -20
    assert effects["dual"].admissions < effects["non-dual"].admissions < 0
    assert everybody.ccm_paid_usd > 0
    assert "| everybody |" in as_markdown(list(effects.values()))


def test_worlds_of_other_people_are_no_twins(folders, tmp_path):
    simulate(500, 24, 3, tmp_path / "other")
    with pytest.raises(ValueError, match="not a simulated world and its twin"):
        measure(folders[0], tmp_path / "other")


def test_clinics_of_every_kind_bill_in_their_own_way(world):
    rows = dict(
        world.execute("""
        select (p.practice_type, c.claim_type, l.hcpcs_code)::varchar, count(*) from final_lines l
        join final_claims c using (claim_id, claim_version) join practices p on p.practice_tin = l.billing_tin
        where l.hcpcs_code in ('99490', 'G0511') group by 1
    """).fetchall()
    )
    assert rows["(rhc, outpatient, G0511)"] > 20
    assert rows["(fqhc, outpatient, G0511)"] > 20
    assert (
        rows["(hospital_outpatient, carrier, 99490)"] >= rows["(hospital_outpatient, outpatient, 99490)"] > 20
    )
    assert not any(
        key.startswith("(physician, outpatient") or "physician, carrier, G0511" in key for key in rows
    )
    last = value(world, "select max(from_date) from final_lines where hcpcs_code = 'G0511'")
    assert str(last) == "2025-09-30"
    places = world.execute("""
        select distinct l.place_of_service_code, p.practice_type from final_lines l
        join practices p on p.practice_tin = l.billing_tin
        where hcpcs_code = '99490' and l.claim_type = 'carrier' order by 1
    """).fetchall()
    assert places == [("11", "physician"), ("22", "hospital_outpatient")]


def test_the_measures_of_areas_cover_every_person_and_tell_what_was_planted(world):
    missing = value(
        world,
        "select count(*) from beneficiaries where county_fips_code not in (select area_code from area_measures where measure = 'svi')"
        " or zip_code not in (select area_code from area_measures where measure = 'ruca')",
    )
    assert missing == 0
    wrong = value(
        world,
        "select count(*) from truth_people t join beneficiaries b using (beneficiary_id)"
        " join area_measures r on r.area_code = b.zip_code and r.measure = 'ruca'"
        " join area_measures d on d.area_code = b.zip_code and d.measure = 'adi_national'"
        " where b.beneficiary_id in (select beneficiary_id from beneficiaries group by 1 having count(*) = 1)"
        " and (t.is_rural <> (r.measure_value::int >= 4) or t.deprivation_percentile <> d.measure_value::int)",
    )
    # A mover with a new identifier has one description under it, of the new place.
    assert wrong < 0.005 * PEOPLE
    share = value(world, "select avg((deprivation_percentile >= 75)::int) from truth_people")
    assert 0.1 < share < 0.35
