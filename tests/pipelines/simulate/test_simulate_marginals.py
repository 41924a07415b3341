"""The population looks like the published one, within the tolerances stated here."""

from __future__ import annotations

import pytest

FFS = "has_part_b and not is_medicare_advantage"


@pytest.fixture(scope="module")
def tables(population):
    population.con.execute(f"""
        create or replace table covered as
        select distinct i.beneficiary_id, e.service_month, e.dual_status_code
        from enrollment_months e join people_ids i on i.delivered_id = e.beneficiary_id where {FFS};
        create or replace table full_years as
        select beneficiary_id from covered
        where service_month between '2023-01-01' and '2024-12-01' group by 1 having count(*) = 24;
        create or replace table found as
        select c.beneficiary_id, k.condition, k.counted
        from claim_diagnoses d join final_claims c using (claim_id, claim_version)
        join codes k on k.code = upper(replace(d.diagnosis_code, '.', ''))
        where c.from_date between '2023-01-01' and '2024-12-31' and not c.is_denied
        group by all
        having bool_or(c.claim_type in ('inpatient', 'snf', 'hha')) or count(distinct c.from_date) >= 2
            or bool_or(k.one_claim);
        create or replace table found_count as
        select beneficiary_id, count(condition) as conditions
        from full_years left join found using (beneficiary_id) group by 1;
        create or replace table user_months as
        select distinct beneficiary_id, service_month, billing_tin from final_lines
        where hcpcs_code in ('99490', '99487', '99491') and not is_denied
    """)
    return population


def test_demographics(tables):
    people = "(select distinct on (i.beneficiary_id) b.* exclude (beneficiary_id), i.beneficiary_id"
    people += " from beneficiaries b join people_ids i on i.delivered_id = b.beneficiary_id)"
    female, black, hispanic, unknown = tables.rows(f"""
        select avg((sex = 'female')::int), avg((race_ethnicity_code = '2')::int),
               avg((race_ethnicity_code = '5')::int), avg((race_ethnicity_code = '0')::int) from {people}
    """)[0]
    assert abs(female - 0.54) < 0.015
    assert abs(black - 0.086) < 0.01
    assert abs(hispanic - 0.059) < 0.01
    assert abs(unknown - 0.02) < 0.005
    rural, under_65, over_85 = tables.rows("""
        select avg(is_rural::int), avg((age_mid_window < 65)::int), avg((age_mid_window >= 85)::int)
        from truth_people
    """)[0]
    assert 0.18 < rural < 0.24
    assert 0.12 < under_65 < 0.17
    assert 0.09 < over_85 < 0.13


def test_share_of_months_with_medicaid(tables):
    assert 0.16 <= tables.value("select avg((dual_status_code <> 'NA')::int) from covered") <= 0.20


def test_two_or_more_conditions_by_the_claim_rules(tables):
    two, six = tables.rows("""
        select avg((conditions >= 2)::int), avg((conditions >= 6)::int) from found_count
    """)[0]
    assert 0.66 <= two <= 0.76
    assert 0.17 <= six <= 0.27


@pytest.mark.parametrize(
    ("condition", "low", "high"),
    [
        ("Hypertension", 0.52, 0.61),
        ("Hyperlipidemia", 0.43, 0.53),
        ("Rheumatoid Arthritis/Osteoarthritis", 0.30, 0.37),
        ("Diabetes", 0.24, 0.29),
        ("Ischemic Heart Disease", 0.22, 0.29),
        ("Chronic Kidney Disease", 0.22, 0.28),
        ("Depression, Bipolar, or Other Depressive Mood Disorders", 0.15, 0.20),
        ("Heart Failure and Non-Ischemic Heart Disease", 0.12, 0.16),
        ("Chronic Obstructive Pulmonary Disease", 0.09, 0.13),
        ("Atrial Fibrillation and Flutter", 0.07, 0.11),
        ("Benign Prostatic Hyperplasia", 0.06, 0.10),
    ],
)
def test_prevalence_by_the_claim_rules(tables, condition, low, high):
    share = tables.value(f"""
        select count(*) / (select count(*) from full_years)::double
        from found join full_years using (beneficiary_id) where condition = '{condition}'
    """)
    assert low <= share <= high


def test_coded_conditions_are_found_and_uncoded_ones_are_not(tables):
    sensitivity, false_positive = tables.rows("""
        select
            avg((f.condition is not null)::int)
                filter (where t.is_held and t.onset_month <= date '2023-06-01'),
            count(*) filter (where f.condition is not null and not t.is_held)
                / ((select count(*) from full_years) * 20.0)
        from truth_conditions t join full_years using (beneficiary_id)
        left join found f using (beneficiary_id, condition)
    """)[0]
    assert 0.75 <= sensitivity <= 0.88
    assert false_positive < 0.01


def test_admissions_and_emergency_visits_per_thousand_person_years(tables):
    months = tables.value("select count(*) from covered")
    stays = tables.value("select count(*) from final_claims where claim_type = 'inpatient'")
    visits = tables.value("select count(*) from final_lines where revenue_center_code = '0450'")
    assert 200 <= stays * 12_000 / months <= 280
    assert 400 <= visits * 12_000 / months <= 650


def test_spending_level_and_skew(tables):
    monthly = tables.value("""
        select (select sum(paid_usd) from final_claims) / (select count(*) from covered)
    """)
    assert 780 <= float(monthly) <= 1000
    tables.con.execute("""
        create or replace temp table spend as
        select f.beneficiary_id, coalesce(sum(c.paid_usd), 0)::double as dollars
        from full_years f left join (select * from final_claims where year(from_date) = 2024) c
            using (beneficiary_id) group by 1
    """)
    top, bottom = tables.rows("""
        select sum(dollars) filter (where place <= 0.05) / sum(dollars),
               sum(dollars) filter (where place > 0.5) / sum(dollars)
        from (select dollars, percent_rank() over (order by dollars desc) as place from spend)
    """)[0]
    assert 0.36 <= top <= 0.46
    assert 0.02 <= bottom <= 0.07


@pytest.mark.parametrize("year", [2023, 2024, 2025])
def test_yearly_uptake_of_eligible_people(tables, year):
    eligible = tables.value(f"""
        select count(*) from (
            select beneficiary_id from truth_conditions t
            join (select distinct condition, counted from codes) using (condition)
            where is_coded and counted
            and beneficiary_id in (select beneficiary_id from covered where year(service_month) = {year})
            group by 1 having count(*) >= 2)
    """)
    users = tables.value(
        f"select count(distinct beneficiary_id) from user_months where year(service_month) = {year}"
    )
    assert 0.026 <= users / eligible <= 0.048


def test_mean_yearly_uptake_months_a_user_and_early_stopping(tables):
    users, months, once = tables.rows("""
        select count(*), avg(n), avg((n = 1)::int)
        from (select count(distinct service_month) as n from user_months group by beneficiary_id)
    """)[0]
    assert users > 400
    assert 4 <= months <= 7
    assert 0.14 <= once <= 0.26


def test_a_quarter_of_users_are_served_by_another_practice(tables):
    share = tables.value("""
        select avg((not is_own_practice)::int) from truth_episodes
        where not is_second_biller and planted_error <> 'F28'
    """)
    assert 0.18 <= share <= 0.33


def test_most_practices_never_bill(tables):
    billing = tables.value("select count(distinct billing_tin) from user_months")
    practices = tables.value("select count(*) from practices where practice_name like 'Primary%'")
    assert 0.05 <= billing / practices <= 0.20


def test_deaths_and_moves_to_medicare_advantage(tables):
    person_years = (
        tables.value("select count(*) from enrollment_months where service_month >= '2023-01-01'") / 12
    )
    deaths = tables.value(
        "select count(distinct beneficiary_id) from beneficiaries where death_date is not null"
    )
    assert 0.03 <= deaths / person_years <= 0.06
    moved = tables.value("""
        select count(distinct beneficiary_id)
                filter (where is_medicare_advantage and service_month >= '2023-02-01')
            / count(distinct beneficiary_id)::double from enrollment_months
    """)
    assert 0.07 <= moved <= 0.14


def test_billing_errors_of_the_audited_kinds_are_a_small_share_of_ccm_dollars(tables):
    paid, wrong = tables.rows("""
        select (select sum(paid_usd) from final_lines where hcpcs_code in
                ('99490', '99487', '99491', '99439', '99489', '99437', 'G2058')),
               (select sum(paid_usd) from truth_planted_errors where rule_id in
                ('F01', 'F02', 'F03', 'F04', 'F05', 'F10', 'F11', 'F12', 'F13', 'F35'))
    """)[0]
    assert 0.003 <= wrong / paid <= 0.013


def test_people_whom_groups_leave_behind_take_up_less(tables):
    rate = dict(
        tables.rows("""
        select p.is_dual, count(distinct e.beneficiary_id) / count(distinct p.beneficiary_id)::double
        from truth_people p left join truth_episodes e using (beneficiary_id)
        where p.condition_count between 4 and 7 group by 1
    """)
    )
    assert rate[True] < rate[False]


def test_capture_states_of_the_plan_occur_at_their_rates(tables):
    states = dict(
        tables.rows("""
        select expected_state, count(*) / (select count(*) from truth_ccm_months where keeps_records)::double
        from truth_ccm_months where expected_state is not null and keeps_records group by 1
    """)
    )
    assert 0.03 <= states["billable_not_billed"] <= 0.10
    assert 0.04 <= states["served_below_threshold"] <= 0.12
    assert 0.01 <= states["billed_below_record"] <= 0.08
    assert 0.60 <= states["billed_as_supported"] <= 0.90
    assert states["billed_beyond_record"] > 0
