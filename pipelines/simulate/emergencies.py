"""Claims of emergency visits and of the ambulances that bring people there."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.simulate.book import (
    AMBULANCE,
    EMERGENCY_FACILITY,
    EMERGENCY_VISIT,
    OUTPATIENT,
    SETTINGS,
    ClaimBook,
    claim_key,
    pick_by_chance,
)
from pipelines.simulate.clinics import HOSPITAL, facility_number
from pipelines.simulate.events import Events
from pipelines.simulate.people import People
from pipelines.simulate.streams import stream
from pipelines.simulate.world import HOSPITALIST, Ints, World


def build_emergencies(
    parameters: dict[str, Any],
    world: World,
    people: People,
    events: Events,
    book: ClaimBook,
    seed: int,
    chunk: int,
) -> None:
    """A facility claim and a professional claim for every emergency visit."""
    random = stream(seed, "emergency claims", chunk)
    person, day = events.emergency_person, events.emergency_day
    u, noise = random.random(len(person)), random.standard_normal(len(person))
    cost = parameters["costs"]["emergency_facility"]
    cents = np.round(cost["median"] * np.exp(cost["sigma"] * noise) * 100).astype(np.int64)
    good = ~events.emergency_prevented & (day <= people.death_day[person])
    person, day, month = person[good], day[good], events.emergency_month[good]
    u, cents = u[good], cents[good]
    code = pick_by_chance(["99283", "99284", "99285"], [0.25, 0.45, 0.30], u)
    setting = SETTINGS.index("emergency")
    book.add_visits(
        claim_key(EMERGENCY_FACILITY, people.number[person], month, 0),
        person,
        day,
        code,
        "",
        revenue="0450",
        cents=cents,
        type=OUTPATIENT,
        bill_type="131",
        ccn=facility_number(people.place[person], HOSPITAL),
        setting=setting,
    )
    doctor = hospital_doctor(world, people, person, day)
    book.add_visits(
        claim_key(EMERGENCY_VISIT, people.number[person], month, 0),
        person,
        day,
        code,
        "23",
        practitioner=doctor,
        practice=world.practitioner_practice[doctor],
        setting=setting,
        deniable=True,
    )
    # Ambulance claims are professional claims that no condition rule may count.
    ride = np.flatnonzero(u * 10 % 1 < parameters["visits"]["ambulance"])
    book.add_visits(
        claim_key(AMBULANCE, people.number[person[ride]], month[ride], 0),
        person[ride],
        day[ride],
        "A0429",
        "41",
        setting=setting,
    )


def hospital_doctor(world: World, people: People, person: Ints, salt: Ints) -> Ints:
    """A hospital practitioner of the person's place."""
    hospitalists = np.flatnonzero(world.practice_kind == HOSPITALIST)
    of_place = np.empty(len(world.place_weight), dtype=np.int64)
    of_place[world.practice_place[hospitalists]] = hospitalists
    practice = of_place[people.place[person]]
    return world.first_practitioner[practice] + (people.number[person] + salt) % 8
