"""How each kind of practice bills a visit: where, on which claim and under which facility number."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.book import CARRIER, OUTPATIENT, text
from pipelines.simulate.world import HOSPITAL_CLINIC, RHC, Ints, World

OFFICE, HOSPITAL_DEPARTMENT = "11", "22"
RURAL_CLINIC, HEALTH_CENTRE, HOSPITAL, NURSING, AGENCY, HOSPICE_CCN = 3800, 1800, 1, 5001, 7001, 1501


def facility_number(place: Ints, first: int) -> Ints:
    """Six-digit number of a made-up facility of the place; 99 is the made-up state."""
    return 990_000 + first + place


def clinic_number(world: World, practice: Ints) -> Ints:
    """Six-digit number of a clinic; a hospital's departments share the hospital's."""
    kind = world.practice_type[practice]
    own = 990_000 + np.where(kind == RHC, RURAL_CLINIC, HEALTH_CENTRE) + practice % 100
    return np.where(kind == HOSPITAL_CLINIC, facility_number(world.practice_place[practice], HOSPITAL), own)


def place_of_service(world: World, practice: Ints) -> pl.Series:
    """Office, nothing on a clinic's outpatient claim, or a hospital's outpatient department."""
    return text([OFFICE, "", "", HOSPITAL_DEPARTMENT], world.practice_type[practice])


def clinic_revenue(world: World, practice: Ints) -> pl.Series:
    return text(["", "0521"], world.is_health_centre[practice].astype(np.int64))


def clinic_claim(world: World, practice: Ints) -> dict[str, Any]:
    """Claim columns of a practice's visit: professional, or outpatient of a rural clinic or health centre."""
    centre = world.is_health_centre[practice]
    return {
        "type": np.where(centre, OUTPATIENT, CARRIER),
        "bill_type": text(["", "711", "771", ""], world.practice_type[practice]),
        "ccn": np.where(centre, clinic_number(world, practice), 0),
    }
