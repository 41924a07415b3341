"""CCM claims of the plan: professional claims, those of clinics, and the hospital's beside its department's."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.bills import DENIED
from pipelines.simulate.book import CCM_BILL, NONE, OUTPATIENT, SETTINGS, ClaimBook, claim_key, order_within
from pipelines.simulate.clinics import (
    HOSPITAL_DEPARTMENT,
    clinic_claim,
    clinic_number,
    clinic_revenue,
    place_of_service,
)
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.programme import Episodes, Months
from pipelines.simulate.world import HOSPITAL_CLINIC, Ints, World

ABOVE_THE_SCHEDULE = 130  # percent of the price that a planted F49 is allowed


def add_bills(
    parameters: dict[str, Any],
    world: World,
    people: People,
    episodes: Episodes,
    served: Months,
    months: Calendar,
    plan: pl.DataFrame,
    book: ClaimBook,
) -> None:
    """CCM claims of the plan: one claim a (row, claim) with its lines."""
    row, claim = plan["row"].to_numpy(), plan["claim"].to_numpy()
    owner = served.episode[row]
    person, practitioner = episodes.person[owner], episodes.practitioner[owner]
    practice = episodes.practice[owner]
    order = 10 * episodes.second_biller[owner] + claim
    key = claim_key(CCM_BILL, people.number[person], served.month[row], order)
    day, decoy = plan["day"].to_numpy(), plan["decoy"]
    head = np.flatnonzero(order_within(row * 10 + claim) == 0)
    # Of two bills for one month the planted one is always processed later.
    paired = np.isin(served.error[row], ["F01", "F03", "F09"])
    first = (paired & (claim == 0)) | (served.detail[row] == "billed_twice")
    second = (paired & (claim == 1)) | (served.error[row] == "F02")
    lag = np.where(first, 12, np.where(second, 45, NONE))
    refused = (served.denied[row] & (claim == 0)) | (decoy == DENIED).to_numpy()
    book.add_claims(
        key[head],
        person[head],
        day[head],
        practitioner=practitioner[head],
        practice=practice[head],
        setting=SETTINGS.index("primary_care"),
        forced=True,
        **clinic_claim(world, practice[head]),
        denied=refused[head],
        decoy=decoy.gather(head),
        lag=lag[head],
    )
    book.add_lines(
        key,
        day,
        line=plan["line"].to_numpy(),
        code=plan["code"],
        units=plan["units"].to_numpy(),
        place=_place(world, practice, served.error[row]),
        percent=np.where(served.error[row] == "F49", ABOVE_THE_SCHEDULE, 100),
        office_price=served.error[row] == "F37",
        revenue=clinic_revenue(world, practice),
        practitioner=practitioner,
        practice=practice,
        row=row,
        planted=plan["planted"].to_numpy(),
    )
    # A hospital's department: the hospital is paid too, for the base code, on a claim of its own.
    base = np.flatnonzero((world.practice_type[practice] == HOSPITAL_CLINIC) & (claim == 0) & ~refused)
    base = base[order_within(row[base]) == 0]
    facility = claim_key(CCM_BILL, people.number[person[base]], served.month[row[base]], 100 + order[base])
    book.add_visits(
        facility,
        person[base],
        day[base],
        plan["code"].gather(base),
        "",
        revenue="0510",
        cents=round(parameters["ccm"]["hospital_facility_fee"] * 100),
        type=OUTPATIENT,
        bill_type="131",
        ccn=clinic_number(world, practice[base]),
        practitioner=practitioner[base],
        practice=practice[base],
        setting=SETTINGS.index("primary_care"),
    )


def _place(world: World, practice: Ints, error: np.ndarray) -> pl.Series:
    """Where the month is billed; a planted F37 is said to be in a hospital's department."""
    usual = place_of_service(world, practice)
    return pl.select(
        pl.when(pl.Series(error == "F37")).then(pl.lit(HOSPITAL_DEPARTMENT)).otherwise(usual)
    ).to_series()
