"""The extracts keep the contracts; what does not is exactly the faults that were planted."""

from __future__ import annotations

import pytest
import yaml

from pipelines.settings import CONTRACTS

TABLES = sorted(path.stem for path in CONTRACTS.glob("*.yml"))


def contract(table: str) -> dict:
    return yaml.safe_load((CONTRACTS / f"{table}.yml").read_text(encoding="utf-8"))


def breaches(table: str, extract_date: str) -> str:
    """Condition that is true for rows that break a column rule of the contract."""
    broken = []
    for column in contract(table)["columns"]:
        name = column["name"]
        value = f"cast({name} as varchar)"
        if column.get("normalise") == "icd_code":
            value = f"upper(replace({value}, '.', ''))"
        if column.get("nullable") is False:
            broken.append(f"{name} is null")
        if "allowed" in column:
            allowed = ", ".join(f"'{item}'" for item in column["allowed"])
            broken.append(f"{value} not in ({allowed})")
        if "pattern" in column:
            broken.append(f"not regexp_full_match({value}, '{column['pattern']}')")
        if column.get("first_of_month"):
            broken.append(f"extract(day from {name}) <> 1")
        if "minimum" in column:
            broken.append(f"{name} < {column['minimum']}")
        if "maximum" in column:
            broken.append(f"{name} > {column['maximum']}")
        if "not_before" in column:
            broken.append(f"{name}::date < date '{column['not_before']}'")
        if "not_after" in column:
            limit = extract_date if column["not_after"] == "received_date" else column["not_after"]
            broken.append(f"{name}::date > date '{limit}'")
        if "not_before_column" in column:
            broken.append(f"{name} < {column['not_before_column']}")
    return " or ".join(f"coalesce({item}, false)" for item in broken)


@pytest.mark.parametrize("table", TABLES)
def test_rows_that_break_a_column_rule_are_exactly_the_planted_ones(population, table):
    found = population.value(
        f"select count(*) from {table} where {breaches(table, population.record['extract_date'])}"
    )
    planted = population.value(f"""
        select count(*) from truth_planted_faults
        where table_name = '{table}' and fault in ('year_one', 'future_date')
    """)
    assert found == planted


@pytest.mark.parametrize("table", TABLES)
def test_repeated_keys_are_exactly_the_planted_copies(population, table):
    key = ", ".join(contract(table)["key"])
    repeated = population.value(f"select count(*) - count(distinct ({key})) from {table}")
    planted = population.value(f"""
        select count(*) from truth_planted_faults where table_name = '{table}' and fault = 'duplicate_row'
    """)
    assert repeated == planted


def test_lines_and_diagnoses_without_a_claim_are_exactly_the_planted_orphans(population):
    orphans = population.value(
        "select count(*) from claim_lines l anti join claims c using (claim_id, claim_version)"
    )
    assert orphans == population.record["planted_faults"]["claim_lines.orphan_line"]
    assert (
        population.value(
            "select count(*) from claim_diagnoses anti join claims using (claim_id, claim_version)"
        )
        == 0
    )


def test_untidy_codes_are_counted_and_normalise_to_listed_codes(population):
    untidy = population.value("""
        select count(*) from claim_diagnoses where diagnosis_code <> upper(replace(diagnosis_code, '.', ''))
    """)
    # A three-character code has no dot to add, so it may have stayed as it was.
    assert 0 < untidy <= population.record["planted_faults"]["claim_diagnoses.untidy_code"]


def test_every_kind_of_fault_is_planted(population):
    assert set(population.record["planted_faults"]) == {
        "claim_diagnoses.untidy_code",
        "claim_lines.duplicate_row",
        "claim_lines.orphan_line",
        "claims.year_one",
        "encounters.future_date",
        "enrollment_months.duplicate_row",
        "care_management_time.duplicate_row",
    }


def test_columns_stand_in_the_order_of_the_contract(population):
    for table in TABLES:
        columns = [row[0] for row in population.rows(f"describe {table}")]
        assert columns == [column["name"] for column in contract(table)["columns"]]


def test_every_table_has_rows(population):
    assert set(population.record["rows"]) == set(TABLES)
    for table in TABLES:
        assert population.value(f"select count(*) from {table}") == population.record["rows"][table] > 0


def test_every_kind_of_claim_appears_with_its_claim_type_code(population):
    kinds = dict(population.rows("select distinct claim_type, nch_claim_type_code from claims"))
    assert kinds == {
        "carrier": "71",
        "outpatient": "40",
        "inpatient": "60",
        "snf": "20",
        "hha": "10",
        "hospice": "50",
        "dme": "82",
    }


def test_line_amounts_add_up_to_what_was_allowed(population):
    # Sequestration holds back two per cent of the payment, so paid is a little less than the remainder.
    wrong = population.value("""
        select count(*) from claim_lines where allowed_usd is not null and (
            allowed_usd < 0 or deductible_usd < 0 or coinsurance_usd < 0 or deductible_usd > allowed_usd
            or abs(paid_usd - 0.98 * (allowed_usd - deductible_usd - coinsurance_usd)) > 0.011)
        and claim_id in (select claim_id from final_claims where action = 'original')
    """)
    assert wrong == 0


def test_a_claim_paid_by_line_is_paid_the_sum_of_its_lines(population):
    wrong = population.value("""
        select count(*) from (
            select any_value(c.paid_usd) as claim_paid, sum(l.paid_usd) as lines_paid
            from final_claims c join final_lines l using (claim_id, claim_version)
            where c.claim_type in ('carrier', 'outpatient', 'dme') group by claim_id
        ) where claim_paid <> lines_paid
    """)
    assert wrong == 0


def test_nobody_pays_more_than_the_yearly_deductible(population):
    most = population.rows("""
        select year(l.from_date), max(paid) from (
            select beneficiary_id, from_date, sum(deductible_usd) over (
                partition by beneficiary_id, year(from_date)) as paid
            from final_lines) l group by 1 order by 1
    """)
    limits = {2021: 203, 2022: 233, 2023: 226, 2024: 240, 2025: 257, 2026: 283}
    assert len(most) >= 5
    assert all(paid is None or paid <= limits[year] for year, paid in most)


def test_ordinary_claims_fall_in_months_of_fee_for_service_coverage(population):
    outside = population.value("""
        select count(*) from final_claims c
        left join (select distinct i.beneficiary_id, e.service_month from enrollment_months e
                   join people_ids i on i.delivered_id = e.beneficiary_id
                   where has_part_b and not is_medicare_advantage) e
            on e.beneficiary_id = c.beneficiary_id and e.service_month = date_trunc('month', c.from_date)
        where c.claim_type in ('carrier', 'outpatient', 'inpatient', 'dme') and e.service_month is null
        and c.claim_id not in (select unnest(claim_ids) from truth_planted_errors where rule_id = 'F35')
        and c.from_date < date '2026-01-01'
    """)
    assert outside == 0


def test_nothing_happens_after_death_but_the_planted_bills(population):
    after = population.value("""
        select count(*) from final_claims c
        join (select i.beneficiary_id, max(death_date) as died from beneficiaries b
              join people_ids i on i.delivered_id = b.beneficiary_id group by 1) d using (beneficiary_id)
        where c.through_date > d.died
        and c.claim_id not in (
            select unnest(claim_ids) from truth_planted_errors where detail = 'after_death')
    """)
    assert after == 0


def test_stays_of_a_person_do_not_overlap(population):
    overlaps = population.value("""
        select count(*) from final_claims a join final_claims b using (beneficiary_id)
        where a.claim_type = 'inpatient' and b.claim_type = 'inpatient' and a.claim_id < b.claim_id
        and a.from_date <= b.through_date and b.from_date <= a.through_date
    """)
    assert overlaps == 0


def test_people_whose_identifier_changed_keep_one_history(population):
    assert population.value("select count(*) from beneficiary_xref") > 0
    both = population.value("""
        select count(*) from beneficiary_xref x
        where x.previous_beneficiary_id in (select beneficiary_id from claims)
        and x.current_beneficiary_id in (select beneficiary_id from claims)
    """)
    assert both > 0
    assert (
        population.value("""
        select count(*) from claims c join beneficiary_xref x on x.previous_beneficiary_id = c.beneficiary_id
        where c.from_date > x.obsolete_date
    """)
        == 0
    )
    # Resolved, there is still one row a person and month.
    assert (
        population.value("""
        select count(*) - count(distinct (i.beneficiary_id, service_month))
        from enrollment_months e join people_ids i on i.delivered_id = e.beneficiary_id
    """)
        == population.record["planted_faults"]["enrollment_months.duplicate_row"]
    )


def test_npis_carry_a_wrong_check_digit_so_that_none_is_real(population):
    def is_valid(npi: str) -> bool:
        total = 24
        for place, digit in enumerate(map(int, reversed(npi))):
            doubled = digit * 2 if place % 2 == 1 else digit
            total += doubled // 10 + doubled % 10
        return total % 10 == 0

    npis = [row[0] for row in population.rows("select npi from providers")]
    assert len(set(npis)) == len(npis) > 100
    assert not any(is_valid(npi) for npi in npis)
    assert is_valid("1234567893")


def test_bills_name_practitioners_and_practices_that_are_delivered(population):
    assert (
        population.value("""
        select count(*) from claim_lines l anti join providers p
        on p.npi = l.rendering_npi and p.practice_tin = l.billing_tin where l.rendering_npi is not null
    """)
        == 0
    )


def test_statements_include_corrections_and_cancellations_under_both_kinds_of_identifier(population):
    kinds = {
        row[:2] for row in population.rows("select distinct action, adjusted_claim_id is null from claims")
    }
    assert {
        ("replacement", True),
        ("replacement", False),
        ("cancellation", True),
        ("cancellation", False),
    } <= kinds
    assert (
        population.value("""
        select count(*) from claims a anti join claims b on b.claim_id = a.adjusted_claim_id
        where a.adjusted_claim_id is not null
    """)
        == 0
    )
    late = population.value(
        "select avg((processed_date - through_date > 120)::int) from claims"
        " where action = 'original' and from_date < date '2025-10-01'"
    )
    assert 0.03 < late < 0.07
