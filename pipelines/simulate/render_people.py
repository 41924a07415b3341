"""The contract's persons: descriptions, identifiers and months of coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.book import text
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import NO_DAY, People
from pipelines.simulate.render import current_id, date, person_id
from pipelines.simulate.world import Ints


def identifiers(people: People) -> pl.DataFrame:
    """Every identifier ever delivered with the current one: delivered_id, beneficiary_id."""
    everyone = np.arange(people.size)
    now = pl.DataFrame(
        {"delivered_id": current_id(people, everyone), "beneficiary_id": current_id(people, everyone)}
    )
    changed = np.flatnonzero(people.identifier_day > 0)
    before = person_id(people, pl.Series(changed), pl.Series(np.zeros(len(changed), dtype=np.int64)))
    former = pl.DataFrame({"delivered_id": before, "beneficiary_id": current_id(people, changed)})
    return pl.concat([now, former])


@dataclass(frozen=True)
class Descriptions:
    """Rows of `beneficiaries` with the person and the day (since 1970-01-01) that each describes."""

    table: pl.DataFrame
    person: Ints
    reference: Ints


def describe(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    person: Ints | None = None,
    reference: Ints | None = None,
) -> Descriptions:
    """Descriptions of `person` as of `reference`; without them, of everybody at the end of each year."""
    if person is None or reference is None:
        month_year = calendar.year_of(calendar.starts[:-1])
        years = np.unique(month_year)
        entry_year = month_year[people.entry]
        final_year = np.where(
            people.death_day < NO_DAY, calendar.year_of(np.minimum(people.death_day, 10**5)), 9999
        )
        person, at = np.nonzero((years >= entry_year[:, None]) & (years <= final_year[:, None]))
        ends = np.array([f"{y}-12-31" for y in years], dtype="datetime64[D]").astype(np.int64)
        reference = ends[at]
    moved = people.move_day[person] <= reference
    zips = [z for place in parameters["geography"] for z in place["zips"][:2]]
    zip_index = people.place[person] * 2 + np.where(moved, people.zip_later[person], people.zip_first[person])
    died = np.where(people.death_day[person] <= reference, people.death_day[person], -1)
    states = [place["state"] for place in parameters["geography"]]
    counties = [place["county_fips"] for place in parameters["geography"]]
    frame = pl.DataFrame({"person": person, "reference": reference})
    table = frame.select(
        beneficiary_id=person_id(people, frame["person"], frame["reference"]),
        reference_date=date(pl.col("reference")),
        birth_date=pl.Series(people.birth[person]).cast(pl.Int32).cast(pl.Date),
        death_date=date(pl.lit(pl.Series(died))),
        sex=text(["male", "female"], people.female[person].astype(np.int64)),
        race_ethnicity_code=pl.Series(people.race_recorded[person]).cast(pl.String),
        race_ethnicity_source=pl.lit("rti"),
        state_code=text(states, people.place[person]),
        county_fips_code=text(counties, people.place[person]),
        zip_code=text(zips, zip_index),
        original_entitlement_code=pl.Series(people.entitlement[person]).cast(pl.String),
        has_esrd=pl.Series(people.esrd[person]),
    )
    return Descriptions(table, person, reference)


def person_tables(parameters: dict[str, Any], calendar: Calendar, people: People) -> dict[str, pl.DataFrame]:
    """beneficiaries (one row a year), beneficiary_xref and enrollment_months."""
    beneficiaries = describe(parameters, calendar, people).table

    changed = np.flatnonzero(people.identifier_day > 0)
    before = pl.Series(np.zeros(len(changed), dtype=np.int64))
    xref = pl.DataFrame(
        {
            "previous_beneficiary_id": person_id(people, pl.Series(changed), before),
            "current_beneficiary_id": current_id(people, changed),
            "effective_date": pl.Series(calendar.starts[people.entry[changed]]).cast(pl.Int32).cast(pl.Date),
            "obsolete_date": pl.Series(people.identifier_day[changed] - 1).cast(pl.Int32).cast(pl.Date),
        }
    )

    person, month = np.nonzero(people.enrolled)
    start = calendar.starts[month]
    aged = start >= people.birth[person] + 65 * 365.25
    status = np.where(aged, 0, 1) * 2 + people.esrd[person]
    months = pl.DataFrame({"person": person, "start": start})
    enrollment = months.select(
        beneficiary_id=person_id(people, months["person"], months["start"]),
        service_month=date(pl.col("start")),
        has_part_a=pl.lit(True),
        has_part_b=pl.Series(people.part_b[person, month]),
        is_medicare_advantage=pl.Series(people.advantage[person, month]),
        dual_status_code=pl.Series(people.dual_code.tolist()).gather(person),
        # Drug plans are not simulated.
        low_income_subsidy_code=pl.lit(None, dtype=pl.String),
        medicare_status_code=text(["10", "11", "20", "21"], status.astype(np.int64)),
        has_hospice_election=pl.Series(people.hospice[person, month]),
        coverage_grain=pl.lit("month"),
    )
    return {"beneficiaries": beneficiaries, "beneficiary_xref": xref, "enrollment_months": enrollment}
