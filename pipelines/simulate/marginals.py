"""Measures a simulated population from its files and sets the result beside the published marginals.

`python -m pipelines.simulate.marginals FOLDER` prints the table of `docs/simulation.md`; with `--doc` it is written there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.settings import REPOSITORY
from pipelines.simulate.opened import open_population

DOC = REPOSITORY / "docs" / "simulation.md"
HEAD = "| marginal | published | accepted | got |"
COVERED = "has_part_b and not is_medicare_advantage"


@dataclass(frozen=True)
class Marginal:
    """One measured number with the band that it is accepted in; `target` is the published value in words."""

    name: str
    target: str
    low: float
    high: float
    got: float

    @property
    def holds(self) -> bool:
        return self.low <= self.got <= self.high


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Tables that the measures share: two full years of the window and what the claim rules find in them."""
    con.execute(f"""
        create or replace table covered as
        select distinct i.beneficiary_id, e.service_month, e.dual_status_code
        from enrollment_months e join people_ids i on i.delivered_id = e.beneficiary_id where {COVERED};
        create or replace table years as
        select max(service_month) - interval 23 month as first_month, max(service_month) as last_month,
               min(service_month) + interval 24 month as opens
        from covered;
        create or replace table full_years as
        select beneficiary_id from covered, years where service_month between first_month and last_month
        group by 1 having count(*) = 24;
        create or replace table not_counted as
        select distinct claim_id from claim_lines where betos_code in ('O1A', 'D1C', 'D1E', 'D1F');
        create or replace table found as
        select c.beneficiary_id, k.condition, k.counted
        from claim_diagnoses d join final_claims c using (claim_id, claim_version)
        join codes k on k.code = upper(replace(d.diagnosis_code, '.', '')), years
        where c.from_date between first_month and last_month + interval 1 month - interval 1 day
          and not c.is_denied and c.claim_type not in ('dme', 'hospice')
          and c.claim_id not in (select * from not_counted)
        group by all
        having bool_or(c.claim_type in ('inpatient', 'snf', 'hha')) or count(distinct c.from_date) >= 2
            or bool_or(k.one_claim);
        create or replace table user_months as
        select distinct beneficiary_id, service_month, billing_tin from final_lines
        where hcpcs_code in ('99490', '99487', '99491', 'G0511') and not is_denied;
        create or replace table spend as
        select f.beneficiary_id, coalesce(sum(c.paid_usd), 0)::double as dollars
        from full_years f left join (
            select final_claims.* from final_claims, years where from_date > last_month - interval 11 month
        ) c using (beneficiary_id) group by 1
    """)


FOUND_COUNT = """(select beneficiary_id, count(condition) as n
                  from full_years left join found using (beneficiary_id) group by 1)"""
UPTAKE = """
    (select y, (select count(distinct beneficiary_id) from user_months where year(service_month) = y)
               / nullif((select count(*) from (
                    select t.beneficiary_id from truth_conditions t
                    join (select distinct condition, counted from codes) using (condition)
                    join (select distinct beneficiary_id from covered where year(service_month) = y)
                        using (beneficiary_id)
                    where is_coded and counted group by 1 having count(*) >= 2)), 0)::double as share
     from (select distinct year(service_month) as y from covered, years where service_month >= opens))
"""
# Yearly uptake among eligible people as published (Jang, JAGS 2024, 5 % sample); later years only "about 4 %".
PUBLISHED_UPTAKE = {2015: 0.011, 2016: 0.020, 2017: 0.029, 2018: 0.033, 2019: 0.034}
LATER_UPTAKE = (0.028, 0.045)
MONTHS = "(select count(*) from covered)"
SPENT = "(select *, percent_rank() over (order by dollars desc) as place from spend)"
AUDITED = "('F01', 'F02', 'F03', 'F04', 'F05', 'F10', 'F11', 'F12', 'F13', 'F35')"
CCM = "('99490', '99487', '99491', '99439', '99489', '99437', 'G2058')"
AT_FAULT = f"""select (select sum(paid_usd) from truth_planted_errors where rule_id in {AUDITED})
               / sum(paid_usd) from final_lines where hcpcs_code in {CCM}"""
# name, published value, lowest and highest accepted, query
MEASURES: list[tuple[str, str, float, float, str]] = [
    ("female", ".54", 0.52, 0.56, "select avg((sex = 'female')::int) from beneficiaries"),
    ("under 65", ".13", 0.12, 0.17, "select avg((age_mid_window < 65)::int) from truth_people"),
    ("85 and over", ".11", 0.09, 0.13, "select avg((age_mid_window >= 85)::int) from truth_people"),
    ("Black", ".088", 0.075, 0.10, "select avg((race = '2')::int) from truth_people"),
    ("Hispanic", ".065", 0.054, 0.076, "select avg((race = '5')::int) from truth_people"),
    (
        "race recorded as unknown",
        ".02",
        0.014,
        0.026,
        "select avg((race_ethnicity_code = '0')::int) from beneficiaries",
    ),
    ("rural", ".20-.21", 0.18, 0.24, "select avg(is_rural::int) from truth_people"),
    ("dual, of months", ".16-.20", 0.16, 0.20, "select avg((dual_status_code <> 'NA')::int) from covered"),
    ("2+ conditions", ".66-.76", 0.66, 0.76, f"select avg((n >= 2)::int) from {FOUND_COUNT}"),
    ("6+ conditions", ".17-.27", 0.17, 0.27, f"select avg((n >= 6)::int) from {FOUND_COUNT}"),
    (
        "coded conditions found (of held)",
        ".85 by design",
        0.75,
        0.88,
        """select avg((f.condition is not null)::int) from truth_conditions t
           join full_years using (beneficiary_id) left join found f using (beneficiary_id, condition), years
           where t.is_held and t.onset_month <= first_month + interval 6 month""",
    ),
    (
        "admissions per 1,000 person-years",
        "220-270",
        200,
        280,
        f"select 12000.0 * count(*) / {MONTHS} from final_claims where claim_type = 'inpatient'",
    ),
    (
        "emergency visits per 1,000 person-years",
        "450-650",
        400,
        650,
        f"select 12000.0 * count(*) / {MONTHS} from final_lines where revenue_center_code = '0450'",
    ),
    (
        "paid a person-month, USD",
        "850-1,000",
        780,
        1000,
        f"select sum(paid_usd) / {MONTHS} from final_claims",
    ),
    (
        "spending share of the top 5 %",
        ".40-.45",
        0.36,
        0.46,
        f"select sum(dollars) filter (where place <= .05) / sum(dollars) from {SPENT}",
    ),
    (
        "spending share of the top 25 %",
        ".83",
        0.78,
        0.89,
        f"select sum(dollars) filter (where place <= .25) / sum(dollars) from {SPENT}",
    ),
    (
        "spending share of the bottom half",
        ".04",
        0.02,
        0.07,
        f"select sum(dollars) filter (where place > .5) / sum(dollars) from {SPENT}",
    ),
    (
        "billed months a user",
        "4-7",
        4,
        7,
        "select avg(n) from"
        " (select count(distinct service_month) n from user_months group by beneficiary_id)",
    ),
    (
        "users with one billed month only",
        ".19",
        0.14,
        0.26,
        "select avg((n = 1)::int) from"
        " (select count(distinct service_month) n from user_months group by beneficiary_id)",
    ),
    (
        "users of a practice not their own",
        ".25",
        0.18,
        0.33,
        """select avg((not is_own_practice)::int) from truth_episodes
           where not is_second_biller and planted_error <> 'F28'""",
    ),
    (
        "primary-care practices that bill CCM",
        ".07-.11",
        0.05,
        0.20,
        """select count(distinct billing_tin) / (select count(*) from practices
           where practice_name like 'Primary%')::double from user_months""",
    ),
    (
        "deaths a person-year",
        ".045",
        0.03,
        0.06,
        """select count(distinct beneficiary_id) / (select count(*) / 12.0 from enrollment_months, years
           where service_month >= opens) from beneficiaries where death_date is not null""",
    ),
    (
        "moved to Medicare Advantage",
        ".10",
        0.07,
        0.14,
        """select count(distinct beneficiary_id) filter (where is_medicare_advantage
           and service_month > (select opens from years)) / count(distinct beneficiary_id)::double
           from enrollment_months""",
    ),
    (
        "audited errors, of CCM dollars",
        ".005-.006",
        0.003,
        0.013,
        AT_FAULT,
    ),
]
PREVALENCE = {
    "Hypertension": (".55-.60", 0.52, 0.61),
    "Hyperlipidemia": (".45-.52", 0.43, 0.53),
    "Rheumatoid Arthritis/Osteoarthritis": (".32-.36", 0.30, 0.37),
    "Diabetes": (".25-.28", 0.24, 0.29),
    "Ischemic Heart Disease": (".25-.28", 0.22, 0.29),
    "Chronic Kidney Disease": (".24-.27", 0.22, 0.28),
    "Depression, Bipolar, or Other Depressive Mood Disorders": (".17-.20", 0.15, 0.20),
    "Heart Failure and Non-Ischemic Heart Disease": (".13-.15", 0.12, 0.16),
    "Chronic Obstructive Pulmonary Disease": (".11-.12", 0.09, 0.13),
    "Atrial Fibrillation and Flutter": (".09", 0.07, 0.11),
    "Benign Prostatic Hyperplasia": (".08", 0.06, 0.10),
}


def measure(con: duckdb.DuckDBPyConnection) -> list[Marginal]:
    """Every marginal of an opened population of at least 24 window months."""
    prepare(con)
    found = [Marginal(*row[:4], got=_number(con, row[4])) for row in MEASURES]
    found += uptake_by_year(con)
    for condition, (target, low, high) in PREVALENCE.items():
        sql = f"""select count(*) / (select count(*) from full_years)::double
                  from found join full_years using (beneficiary_id) where condition = '{condition}'"""
        found.append(Marginal(f"prevalence: {condition}", target, low, high, _number(con, sql)))
    return found


def uptake_by_year(con: duckdb.DuckDBPyConnection) -> list[Marginal]:
    """Uptake of every year of the window beside the published share; a quarter off either way is accepted."""
    marginals = []
    for year, share in con.execute(f"select y, share from {UPTAKE} where share > 0 order by y").fetchall():
        published = PUBLISHED_UPTAKE.get(year)
        low, high = (0.75 * published, 1.25 * published) if published else LATER_UPTAKE
        target = f"{published:.3f}".lstrip("0") if published else "about .04"
        marginals.append(Marginal(f"CCM uptake of eligible people in {year}", target, low, high, share))
    return marginals


def _number(con: duckdb.DuckDBPyConnection, sql: str) -> float:
    row: tuple[Any, ...] | None = con.execute(sql).fetchone()
    return float(row[0]) if row is not None and row[0] is not None else float("nan")


def as_markdown(marginals: list[Marginal]) -> str:
    """The table of target against got."""
    lines = [HEAD, "|---|---|---|---|"]
    for m in marginals:
        digits = 3 if m.high <= 1 else 1
        band = f"{m.low:g} to {m.high:g}"
        lines.append(
            f"| {m.name} | {m.target} | {band} | {m.got:.{digits}f}{'' if m.holds else ' (outside)'} |"
        )
    return "\n".join(lines) + "\n"


def write_doc(table: str, doc: Path = DOC) -> None:
    """Put `table` in the place of the one in the document; ValueError where the document has none."""
    text = doc.read_text(encoding="utf-8")
    first = text.find(HEAD)
    if first < 0:
        raise ValueError(f"{doc.name} holds no table of marginals")
    end = text.index("\n\n", first) + 1
    doc.write_text(text[:first] + table + text[end:], encoding="utf-8")


if __name__ == "__main__":
    measured = as_markdown(measure(open_population(Path(sys.argv[1]))))
    if "--doc" in sys.argv[2:]:
        write_doc(measured)
    sys.stdout.write(measured)
