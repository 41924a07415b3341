"""Every planted error is in the extracts, an independent audit finds it, and the audit finds nothing else."""

from __future__ import annotations

import pytest

from pipelines.settings import POLICY_SEEDS

BASES = "('99490', '99487', '99491')"
CCM = "('99490', '99487', '99491', '99439', '99489', '99437', 'G2058')"
# Minutes of the practice's record, seconds summed and floored once; null where the practice keeps none.
SETUP = f"""
create or replace temp view billed as
    select * from final_lines where hcpcs_code in {CCM} and not is_denied
    -- what the hospital is paid beside its department's practitioner is no bill of the practitioner
    and coalesce(revenue_center_code, '') <> '0510';
create or replace temp view subjects as
    select beneficiary_id, service_month, rendering_npi as npi, any_value(billing_tin) as tin,
           coalesce(sum(units) filter (where hcpcs_code in {BASES}), 0) as base_units,
           coalesce(sum(units) filter (where hcpcs_code = '99490'), 0) as u99490,
           coalesce(sum(units) filter (where hcpcs_code = '99439'), 0) as u99439,
           coalesce(sum(units) filter (where hcpcs_code = '99487'), 0) as u99487,
           coalesce(sum(units) filter (where hcpcs_code = '99489'), 0) as u99489,
           coalesce(sum(units) filter (where hcpcs_code = '99491'), 0) as u99491,
           coalesce(sum(units) filter (where hcpcs_code = '99437'), 0) as u99437,
           coalesce(sum(units) filter (where hcpcs_code = 'G2058'), 0) as retired,
           count(*) filter (where hcpcs_code in {BASES}) as base_lines,
           max(units) filter (where hcpcs_code in {BASES}) as most_base_units,
           min(from_date) as first_day
    from billed group by 1, 2, 3;
create or replace temp view activity as
    select distinct t.* exclude (beneficiary_id), i.beneficiary_id,
           date_trunc('month', t.started_at)::date as service_month,
           staff_credential in ('MD', 'NP') as by_practitioner
    from care_management_time t join people_ids i on i.delivered_id = t.beneficiary_id
    where not is_voided and programme = 'CCM';
create or replace temp view record as
    select beneficiary_id, service_month, practitioner_npi as npi,
           sum(seconds) // 60 as minutes,
           coalesce(sum(seconds) filter (where by_practitioner), 0) // 60 as own_minutes,
           min(started_at)::date as first_day
    from activity group by 1, 2, 3;
create or replace temp view audited as
    select s.*, coalesce(r.minutes, 0) as minutes, coalesce(r.own_minutes, 0) as own_minutes,
           r.first_day as first_counted,
           s.tin in (select practice_tin from care_management_time) as keeps_time,
           s.tin in (select practice_tin from consents) as keeps_consents
    from subjects s left join record r using (beneficiary_id, service_month, npi);
create or replace temp view evidence as
    select c.beneficiary_id, k.condition, c.from_date as day, k.one_claim, k.counted,
           c.claim_type in ('inpatient', 'snf', 'hha') as institution
    from claim_diagnoses d
    join final_claims c using (claim_id, claim_version)
    join codes k on k.code = upper(replace(d.diagnosis_code, '.', ''))
    where not c.is_denied;
"""
APCM = "('G0556', 'G0557', 'G0558')"
PRICED = f"""select l.beneficiary_id, l.service_month, l.rendering_npi
    from billed l
    join read_csv('{POLICY_SEEDS}/fee_schedule.csv', types = {{'hcpcs_code': 'VARCHAR'}}) p
        on p.hcpcs_code = l.hcpcs_code and p.conversion_factor_group = 'other'
        and l.from_date between p.effective_from and p.effective_to
    where l.claim_type = 'carrier'"""


def beside(codes: str, other: str) -> str:
    """Practitioner-months with a line of `codes` and, by the same practitioner, one of `other`."""
    return (
        "select l.beneficiary_id, l.service_month, l.rendering_npi from final_lines l join final_lines o"
        " using (beneficiary_id, service_month, rendering_npi)"
        f" where l.hcpcs_code in {codes} and o.hcpcs_code in {other} and not l.is_denied and not o.is_denied"
    )


# What each rule looks for, over practitioner-months. (F39 and F41 begin in 2026, after this window: test_planted_errors_other_years.)
AUDIT = {
    "F01": "select s.* from audited s where base_lines > 1 and (u99490 > 1 or u99487 > 1 or u99491 > 1)"
    " and most_base_units = 1",
    "F02": "select a.* from audited a join audited b using (beneficiary_id, service_month)"
    " where a.npi <> b.npi and a.base_units > 0 and b.base_units > 0",
    "F03": "select s.* from audited s where (u99490 > 0)::int + (u99487 > 0)::int + (u99491 > 0)::int > 1",
    "F04": "select s.* from audited s join final_lines l using (beneficiary_id, service_month)"
    " where l.rendering_npi = s.npi and l.hcpcs_code in ('G0181', 'G0182') and not l.is_denied",
    "F05": "select s.* from audited s join final_lines l using (beneficiary_id, service_month)"
    " where l.rendering_npi = s.npi and l.hcpcs_code = '90960' and not l.is_denied",
    "F07": beside(BASES, "('99424', '99425', '99426', '99427', 'G2064', 'G2065')"),
    "F08": beside(BASES, APCM),
    "F09": "select beneficiary_id, service_month, max(rendering_npi) from final_lines"
    f" where hcpcs_code in {APCM} and not is_denied group by all having count(*) > 1",
    "F10": "select s.* from audited s where (u99439 > 0 and u99490 = 0) or (u99489 > 0 and u99487 = 0)"
    " or (u99437 > 0 and u99491 = 0)",
    "F11": "select s.* from audited s where u99439 > 2 or u99489 > 10 or u99437 > 2",
    "F12": "select s.* from audited s where most_base_units > 1",
    "F13": "select s.* from audited s where retired > 0",
    "F14": "select s.* from audited s where keeps_time and ((u99490 > 0 and minutes < 20)"
    " or (u99487 > 0 and minutes < 60) or (u99491 > 0 and own_minutes < 30))",
    "F15": "select s.* from audited s where keeps_time and minutes >= 20"
    " and (u99439 > greatest(0, (minutes - 20) // 20)"
    " or u99489 > greatest(0, (minutes - 60) // 30) or u99437 > greatest(0, (own_minutes - 30) // 30))",
    "F24": "select s.* from audited s where keeps_consents and first_counted is not null and not exists ("
    " select 1 from consents c join people_ids i on i.delivered_id = c.beneficiary_id"
    " where i.beneficiary_id = s.beneficiary_id and c.practice_tin = s.tin"
    " and c.consent_date <= s.first_counted"
    " and coalesce(c.revoked_date, date '9999-12-31') >= s.service_month)",
    "F26": "select s.* from audited s where not exists (select 1 from final_lines l"
    " where l.beneficiary_id = s.beneficiary_id and l.rendering_npi = s.npi and not l.is_denied"
    " and l.hcpcs_code in ('99203', '99204', '99212', '99213', '99214', '99215', 'G0438', 'G0439',"
    " '99495', '99496')"
    " and l.from_date < s.service_month and l.from_date >= s.service_month - interval 12 month)",
    "F28": """
        select s.* from audited s where (
            select count(*) from (
                select e.condition from evidence e
                where e.beneficiary_id = s.beneficiary_id and e.counted and e.day < s.service_month
                  and e.day >= s.service_month - interval 24 month
                group by e.condition
                having bool_or(e.institution) or count(distinct e.day) >= 2 or bool_or(e.one_claim)
            )
        ) < 2""",
    "F32": "select beneficiary_id, max(service_month), rendering_npi from final_lines"
    " where hcpcs_code = 'G0506' and not is_denied group by all having count(*) > 1",
    # only in a hospital's department are the two prices apart; a rounded cent may separate two that are one
    "F37": f"{PRICED} and l.place_of_service_code = '22' and abs(l.allowed_usd - l.units * p.nonfacility_usd) < 0.011"
    f" or {PRICED.split('where')[1]} and l.place_of_service_code = '22'"
    " and abs(l.allowed_usd - 0.85 * l.units * p.nonfacility_usd) < 0.011",
    "F49": f"{PRICED} and l.allowed_usd > 1.01 * l.units * p.nonfacility_usd",
    "F38": "select distinct l.beneficiary_id, l.service_month, l.rendering_npi from final_lines l"
    " join practices p on p.practice_tin = l.billing_tin and p.practice_type in ('rhc', 'fqhc')"
    f" where l.hcpcs_code in {CCM} and not l.is_denied and l.from_date between date '2018-01-01' and date '2024-12-31'",
    "F40": "select l.beneficiary_id, l.service_month, l.rendering_npi from final_lines l"
    " join people_ids i using (beneficiary_id)"
    " join enrollment_months e on e.beneficiary_id = i.delivered_id and e.service_month = l.service_month"
    " where l.hcpcs_code = 'G0558' and not l.is_denied and e.dual_status_code not in ('01', '02')",
    "F42": beside("('99484')", "('99492', '99493', '99494')"),
    "F43": "select l.beneficiary_id, l.service_month, l.rendering_npi from final_lines l"
    " where l.hcpcs_code in ('99495', '99496') and not l.is_denied and not exists ("
    " select 1 from final_claims c where c.beneficiary_id = l.beneficiary_id and not c.is_denied"
    " and c.claim_type in ('inpatient', 'snf')"
    " and c.through_date between l.from_date - interval 30 day and l.from_date)",
    "F44": "select distinct s.beneficiary_id, s.service_month, s.npi from audited s"
    " join people_ids i using (beneficiary_id) join model_rosters r on r.beneficiary_id = i.delivered_id"
    " where r.practice_tin = s.tin and s.first_day >= r.aligned_from"
    " and s.first_day <= coalesce(r.aligned_through, date '9999-12-31')",
    "F45": "select l.beneficiary_id, l.service_month, l.rendering_npi from final_lines l where l.hcpcs_code = 'G0019'"
    " and not l.is_denied and 3600 > (select coalesce(sum(t.seconds), 0) from care_management_time t"
    " join people_ids i on i.delivered_id = t.beneficiary_id where i.beneficiary_id = l.beneficiary_id"
    " and t.programme = 'CHI' and date_trunc('month', t.started_at) = l.service_month)",
    "F52": "select distinct s.beneficiary_id, s.service_month, s.npi from audited s"
    " join activity a on a.beneficiary_id = s.beneficiary_id and a.service_month = s.service_month"
    " and a.practitioner_npi = s.npi where a.staff_country_code <> 'US' or a.supervision = 'none'",
    "F35": """
        select s.* from audited s
        left join (select i.beneficiary_id, max(death_date) as died from beneficiaries b
                   join people_ids i on i.delivered_id = b.beneficiary_id group by 1) d using (beneficiary_id)
        left join (select distinct i.beneficiary_id, service_month, has_part_b, is_medicare_advantage
                   from enrollment_months e join people_ids i on i.delivered_id = e.beneficiary_id) e
            using (beneficiary_id, service_month)
        where s.first_day > d.died or e.is_medicare_advantage or not e.has_part_b
           or e.service_month is null""",
}


@pytest.fixture(scope="module")
def audit(population):
    population.con.execute(SETUP)
    return {rule: {tuple(map(str, row[:3])) for row in population.rows(sql)} for rule, sql in AUDIT.items()}


@pytest.fixture(scope="module")
def planted(population):
    found: dict[str, dict[bool, set]] = {}
    for rule, person, month, npi, is_planted in population.rows(
        "select rule_id, beneficiary_id, service_month, practitioner_npi, is_planted"
        " from truth_planted_findings"
    ):
        found.setdefault(rule, {True: set(), False: set()})[is_planted].add((person, str(month), npi))
    return found


@pytest.mark.parametrize("rule", sorted(AUDIT))
def test_an_independent_audit_finds_every_planted_error_and_nothing_that_was_not_planted(
    rule, audit, planted
):
    expected = planted[rule][True]
    assert len(expected) >= 2
    assert expected <= audit[rule], f"{rule}: {len(expected - audit[rule])} planted errors cannot be found"
    false_alarms = audit[rule] - expected - planted[rule][False]
    assert not false_alarms, f"{rule}: {len(false_alarms)} clean practitioner-months break the rule"


def test_every_rule_of_the_list_is_planted(population):
    assert set(population.record["planted_errors"]) == set(AUDIT)
    counted = dict(population.rows("select rule_id, count(*) from truth_planted_errors group by 1"))
    assert counted == population.record["planted_errors"]


def test_the_lines_named_by_the_truth_are_in_the_extracts_with_the_same_dollars(population):
    missing = population.value("""
        select count(*) from (select unnest(claim_line_ids) as id from truth_planted_errors) t
        left join final_lines l on l.claim_id || '-' || l.line_number = t.id where l.claim_id is null
    """)
    assert missing == 0
    assert population.value("select min(len(claim_line_ids)) from truth_planted_errors") >= 1
    different = population.value("""
        select count(*) from truth_planted_errors t join (
            select e.error_id, sum(l.allowed_usd) as allowed, sum(l.paid_usd) as paid
            from (select error_id, rule_id, unnest(claim_line_ids) as id from truth_planted_errors) e
            join final_lines l on l.claim_id || '-' || l.line_number = e.id
            where l.hcpcs_code not in (
                select unnest(case when e.rule_id in ('F04', 'F05', 'F07', 'F08')
                    then ['G0181', '90960', '99426', 'G0556'] else [] end)
            ) group by 1
        ) d using (error_id) where d.allowed <> t.allowed_usd or d.paid <> t.paid_usd
    """)
    assert different == 0


def test_a_person_carries_at_most_one_kind_of_error(population):
    assert (
        population.value("""
        select max(kinds) from (
            select count(distinct rule_id) as kinds from truth_planted_errors group by beneficiary_id)
    """)
        == 1
    )


def test_decoys_are_in_the_extracts_but_are_neither_final_nor_paid(population):
    kinds = dict(population.rows("select kind, count(*) from truth_decoys group by 1"))
    assert set(kinds) == {"denied_duplicate", "cancelled_duplicate"}
    assert (
        population.value(
            "select count(*) from truth_decoys d where claim_id not in (select claim_id from claims)"
        )
        == 0
    )
    assert (
        population.value("""
        select count(*) from truth_decoys d join final_claims c using (claim_id) where not c.is_denied
    """)
        == 0
    )


def test_record_minutes_are_what_the_truth_says(population):
    population.con.execute(SETUP)
    different = population.value("""
        select count(*) from truth_ccm_months t
        left join (select beneficiary_id, service_month, practitioner_npi, sum(seconds) as seconds
                   from activity group by 1, 2, 3) a using (beneficiary_id, service_month, practitioner_npi)
        where coalesce(a.seconds, 0) <> t.record_seconds
    """)
    assert different == 0
    assert population.value("select count(*) from truth_ccm_months where record_seconds > 0") > 1000


def test_no_counted_activity_falls_in_a_stay_or_outside_its_month(population):
    population.con.execute(SETUP)
    inside = population.value("""
        select count(*) from activity a join final_claims c using (beneficiary_id)
        where c.claim_type in ('inpatient', 'snf')
        and a.started_at::date between c.from_date and c.through_date
    """)
    assert inside == 0


def test_practices_without_records_bill_but_deliver_nothing(population):
    silent = population.value("""
        select count(distinct practice_tin) from truth_episodes where not keeps_records
    """)
    assert silent >= 1
    for table in ("care_management_time", "consents", "care_plans", "problems", "encounters"):
        assert (
            population.value(f"""
            select count(*) from {table} where practice_tin in
            (select practice_tin from truth_episodes where not keeps_records)
        """)
            == 0
        )


def test_errors_scale_with_the_parameter(tmp_path, population):
    from pipelines.simulate import simulate

    own = tmp_path / "own.yml"
    own.write_text("errors: {scale: 0, minimum_each: 2}\n", encoding="utf-8")
    record = simulate(1500, 12, 3, tmp_path / "none", parameters=own)
    assert record["planted_errors"] == {}
    own.write_text("errors: {scale: 30, minimum_each: 0}\nccm: {uptake_scale: 3}\n", encoding="utf-8")
    many = simulate(1500, 24, 3, tmp_path / "many", parameters=own)
    own.write_text("errors: {scale: 1, minimum_each: 0}\nccm: {uptake_scale: 3}\n", encoding="utf-8")
    few = simulate(1500, 24, 3, tmp_path / "few", parameters=own)
    assert sum(many["planted_errors"].values()) > 4 * sum(few["planted_errors"].values())
