"""The capture gap by practice and practitioner with the state of each month. Small numbers stand as they are: inside only."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipelines.disparity.places import NOWHERE, with_limits
from pipelines.pseudonyms import pseudonym
from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.sources import Sources
from pipelines.publish.vocabulary import RUN_OUT, STATES

MONTHS = 13
POSITIONS = {"above": "above the limits", "within": "within the limits", "below": "below the limits"}

MEASURES = """
        count(distinct beneficiary_id) as people,
        {states},
        sum(case when state = 'billable_not_billed' then gap_usd else 0 end) as not_billed_usd,
        sum(case when state = 'billed_below_record' then gap_usd else 0 end) as below_usd,
        -sum(case when state = 'billed_beyond_record' then gap_usd else 0 end) as beyond_usd,
        sum(coalesce(potential_usd, 0)) as potential_usd,
        sum(paid_usd) as paid_usd
"""


def view(sources: Sources) -> dict[str, Any]:
    since = f"service_month > date '{sources.window.through.isoformat()}' - interval {MONTHS} month"
    measures = MEASURES.format(
        states=", ".join(f"count(*) filter (where state = '{state}') as {state}" for state in STATES)
    )
    served = f"from marts.capture_months where practice_id is not null and {since}"
    totals = sources.frame(
        f"select practice_id, coalesce(practitioner_npi, '') as practitioner_npi, {measures}"
        f" {served} group by all order by not_billed_usd + below_usd desc, practice_id, practitioner_npi"
    )
    months = sources.frame(
        f"select practice_id, coalesce(practitioner_npi, '') as practitioner_npi, service_month,"
        f" max(run_out_state) as run_out_state, {measures}"
        f" {served} group by all order by practice_id, practitioner_npi, service_month desc"
    )
    who = [
        Column("practice_id", "Practice", link="worklist.html#practice_id={}"),
        Column("practitioner_npi", "Practitioner", link="worklist.html#practitioner_npi={}"),
    ]
    money = [
        Column("not_billed_usd", "Supported, not billed", "dollars"),
        Column("below_usd", "Billed below the record", "dollars"),
        Column("beyond_usd", "Billed beyond the record", "dollars"),
        Column("potential_usd", "Unserved, at least (estimated)", "dollars"),
        Column("paid_usd", "Paid by Medicare", "dollars", place="detail"),
    ]
    states = [Column(state, label, "number", place="detail") for state, (label, _) in STATES.items()]
    unserved = Column("eligible_not_served", "Unserved", "number")
    choose = [Filter("practice_id", "Practice"), Filter("practitioner_npi", "Practitioner")]
    return {
        "grids": [
            Grid(
                "practices",
                f"Practices and practitioners over the last {MONTHS} months; states count person-months",
                [*who, Column("people", "People", "number"), *money, *states],
                choose,
                totals,
                empty="No practice matches.",
            ),
            uptake(sources),
            Grid(
                "practice-months",
                "The same by month",
                [
                    *who,
                    Column("service_month", "Month", "month"),
                    Column("run_out_state", "Claims", words=RUN_OUT, place="detail"),
                    Column("people", "People", "number"),
                    unserved,
                    *money,
                    *(column for column in states if column.key != unserved.key),
                ],
                [*choose, Filter("service_month", "Month")],
                months,
                empty="No month matches.",
            ),
        ]
    }


def uptake(sources: Sources) -> Grid:
    """Uptake of each practice's people in the newest year against control limits around everybody, numbers as they are."""
    cells = sources.frame(
        "select service_year as year, cell as place, eligible_people as denominator, paid_people as paid"
        " from marts.fct_uptake_cells where group_kind = 'everybody' and cell_kind = 'practice'"
        " and service_year = (select max(service_year) from marts.fct_uptake_cells) order by cell"
    ).with_columns(
        place_kind=pl.lit("practice"), within=pl.lit(None), is_place=pl.col("place") != NOWHERE["practice"]
    )
    paid, people = int(cells["paid"].sum()), int(cells["denominator"].sum())
    rows = with_limits(cells, paid / people if people else None)
    rows = rows.filter(pl.col("place") != NOWHERE["practice"]).sort("denominator", descending=True)
    return Grid(
        "practice-uptake",
        "People paid for, of those eligible, in the newest year against control limits around everybody",
        [
            Column("place", "Practice", link="worklist.html#practice_id={}"),
            Column("denominator", "Eligible", "number"),
            Column("numerator", "Paid for", "number"),
            Column("rate", "Uptake", "percent"),
            Column("lower_3", "Limits, 99.7 %, from", "percent"),
            Column("upper_3", "to", "percent"),
            Column("position", "Against everybody", words=POSITIONS),
            Column("pseudonym", "On the publishable page", place="detail"),
        ],
        [Filter("place", "Practice"), Filter("position", "Against everybody")],
        rows.with_columns(
            pseudonym=pl.col("place").map_elements(
                lambda place: pseudonym(sources.settings, "practice", place), return_dtype=pl.String
            )
        ),
        empty="No practice matches.",
    )
