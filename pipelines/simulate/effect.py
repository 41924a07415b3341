"""The true effect of CCM: this world and its twin, month by month, over the people and months that CCM reached.

`python -m pipelines.simulate.effect FOLDER TWIN` prints the table; both folders come from one set of arguments, the
second with `--twin`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.simulate.opened import open_population

GROUPS = {
    "everybody": "true",
    "dual": "is_dual",
    "non-dual": "not is_dual",
    "rural": "is_rural",
    "urban": "not is_rural",
    "Black": "race = '2'",
    "Hispanic": "race = '5'",
    "White": "race = '1'",
}


@dataclass(frozen=True)
class Effect:
    """Differences (this world minus its twin) per exposed month of a group; rates are per 1,000 months."""

    group: str
    people: int
    months: int
    paid_usd: float
    ccm_paid_usd: float
    admissions: float
    emergency_visits: float


def _monthly(con: duckdb.DuckDBPyConnection) -> None:
    """Table `monthly`: what each exposed month cost and held in the world of `con`."""
    con.execute("""
        create or replace table exposed as
        select x.beneficiary_id, e.service_month
        from truth_exposures x
        join people_ids i on i.beneficiary_id = x.beneficiary_id
        join (select distinct beneficiary_id, service_month from enrollment_months) e on e.beneficiary_id = i.delivered_id
        where e.service_month between x.first_exposed_month and x.last_exposed_month
        group by all;
        create or replace table monthly as
        select x.beneficiary_id, x.service_month, coalesce(sum(c.paid_usd), 0)::double as paid,
               count(*) filter (where c.claim_type = 'inpatient') as admissions
        from exposed x left join final_claims c
          on c.beneficiary_id = x.beneficiary_id and date_trunc('month', c.from_date) = x.service_month
        group by all;
        create or replace table visits as
        select x.beneficiary_id, x.service_month,
               count(*) filter (where l.revenue_center_code = '0450') as emergency_visits,
               coalesce(sum(l.paid_usd) filter (where l.hcpcs_code in
                   ('99490', '99439', 'G2058', '99487', '99489', '99491', '99437', 'G0511')), 0)::double as ccm_paid
        from exposed x left join final_lines l using (beneficiary_id, service_month) group by all
    """)


def measure(folder: Path, twin: Path) -> list[Effect]:
    """Effects by group; ValueError where the folders are not a world and its twin."""
    with open_population(folder) as world, open_population(twin) as other:
        totals = []
        for con in (world, other):
            _monthly(con)
            totals.append({group: _totals(con, condition) for group, condition in GROUPS.items()})
    found = []
    for group in GROUPS:
        (people, months, *here), (also, equal, *there) = totals[0][group], totals[1][group]
        if (people, months) != (also, equal):
            raise ValueError("the folders are not a simulated world and its twin: other people were exposed")
        paid, admissions, visits, ccm = (a - b for a, b in zip(here, there, strict=True))
        del ccm  # the same in both worlds: CCM is billed in the twin too, it only prevents nothing
        each = max(months, 1)
        found.append(
            Effect(
                group,
                people,
                months,
                paid / each,
                here[3] / each,
                1000 * admissions / each,
                1000 * visits / each,
            )
        )
    return found


def _totals(con: duckdb.DuckDBPyConnection, condition: str) -> tuple[int, int, float, float, float, float]:
    row = con.execute(f"""
        select count(distinct m.beneficiary_id), count(*), coalesce(sum(paid), 0), coalesce(sum(admissions), 0),
               coalesce(sum(emergency_visits), 0), coalesce(sum(ccm_paid), 0)
        from monthly m join visits using (beneficiary_id, service_month)
        join truth_people p using (beneficiary_id) where {condition}
    """).fetchone()
    if row is None:
        raise ValueError("no exposed month")
    people, months, paid, admissions, visits, ccm = row
    return int(people), int(months), float(paid), float(admissions), float(visits), float(ccm)


def as_markdown(effects: list[Effect]) -> str:
    lines = [
        "| group | people | exposed months | paid a month, USD | of it CCM | admissions per 1,000 | emergency visits per 1,000 |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {e.group} | {e.people:,} | {e.months:,} | {e.paid_usd:+.2f} | {e.ccm_paid_usd:.2f} "
        f"| {e.admissions:+.2f} | {e.emergency_visits:+.2f} |"
        for e in effects
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_markdown(measure(Path(sys.argv[1]), Path(sys.argv[2]))))
