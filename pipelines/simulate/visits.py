"""Ordinary care in the office, at specialists and in outpatient departments, and the visits CCM rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.simulate.book import (
    CAPITATION,
    DME,
    EQUIPMENT,
    NONE,
    OUTPATIENT,
    OUTPATIENT_VISIT,
    PRIMARY_VISIT,
    SETTINGS,
    SPECIALIST_VISIT,
    WELLNESS,
    ClaimBook,
    claim_key,
    order_within,
    pick_by_chance,
    text,
)
from pipelines.simulate.clinics import (
    HOSPITAL,
    OFFICE,
    clinic_claim,
    clinic_revenue,
    facility_number,
    place_of_service,
)
from pipelines.simulate.events import Events
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.programme import someone
from pipelines.simulate.streams import draw_member, stream
from pipelines.simulate.world import SPECIALIST, Floats, Ints, World


def build_visits(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    book: ClaimBook,
    seed: int,
    chunk: int,
) -> None:
    """Regular visits of everybody covered."""
    v = parameters["visits"]
    conditions = people.condition.sum(axis=1)
    for name, kind in (
        ("primary_care", PRIMARY_VISIT),
        ("specialist", SPECIALIST_VISIT),
        ("outpatient", OUTPATIENT_VISIT),
    ):
        random = stream(seed, f"visits {name}", chunk)
        rate = v[name]["base"] + v[name]["per_condition"] * conditions
        person, month, day = _days(calendar, people, events, rate / 12, random)
        order = order_within(person * 1000 + month)
        key = claim_key(kind, people.number[person], month, order)
        if kind == PRIMARY_VISIT:
            _primary(parameters, world, people, book, key, person, day, random)
        elif kind == SPECIALIST_VISIT:
            _specialist(world, people, book, key, person, day, random)
        else:
            _outpatient(parameters, calendar, people, book, key, person, month, day, seed, chunk)
    _wellness(parameters, calendar, world, people, events, book, seed, chunk)
    _capitation(calendar, world, people, book, seed, chunk)
    _equipment(parameters, calendar, people, events, book, seed, chunk)


def _days(
    calendar: Calendar, people: People, events: Events, rate: Floats, random: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Person, month and day of Poisson visits in covered months, outside stays and before death."""
    counts = np.minimum(random.poisson(rate[:, None] * np.ones(calendar.total)), 9)
    counts = counts * people.covered
    person, month = np.nonzero(counts)
    number = counts[person, month]
    person, month = np.repeat(person, number), np.repeat(month, number)
    day = calendar.starts[month] + np.floor(random.random(len(month)) * calendar.days_in(month)).astype(
        np.int64
    )
    good = (day < people.death_day[person]) & ~events.inside_stay(person, day)
    return person[good], month[good], day[good]


def _primary(
    parameters: dict[str, Any],
    world: World,
    people: People,
    book: ClaimBook,
    key: Ints,
    person: Ints,
    day: Ints,
    random: np.random.Generator,
) -> None:
    u = random.random((4, len(person)))
    practice = people.practice[person]
    colleague = u[0] < parameters["visits"]["colleague"]
    practitioner = np.where(colleague, someone(world, practice, u[1]), people.practitioner[person])
    code = pick_by_chance(["99213", "99214", "99212", "99215"], [0.41, 0.49, 0.05, 0.05], u[2])
    office_claims(world, people, book, key, person, day, practice, practitioner, code)
    tested = u[3] < parameters["visits"]["laboratory"]
    book.add_lines(
        key[tested],
        day[tested],
        line=2,
        code=text(["36415", "80053"], (u[3][tested] * 1000).astype(np.int64) % 2),
        place=place_of_service(world, practice[tested]),
        practitioner=practitioner[tested],
        practice=practice[tested],
    )


def office_claims(
    world: World,
    people: People,
    book: ClaimBook,
    key: Ints,
    person: Ints,
    day: Ints,
    practice: Ints,
    practitioner: Ints,
    code: Any,
    forced: bool = False,
    deniable: bool = True,
) -> None:
    """Professional claims, or outpatient claims where the practice is a rural or federal clinic."""
    book.add_visits(
        key,
        person,
        day,
        code,
        place_of_service(world, practice),
        revenue=clinic_revenue(world, practice),
        **clinic_claim(world, practice),
        practitioner=practitioner,
        practice=practice,
        setting=SETTINGS.index("primary_care"),
        forced=forced,
        deniable=deniable,
    )


def _specialist(
    world: World,
    people: People,
    book: ClaimBook,
    key: Ints,
    person: Ints,
    day: Ints,
    random: np.random.Generator,
) -> None:
    """Each person sees up to three specialists of the same place again and again."""
    u = random.random((2, len(person)))
    steady = random.random((2, 3, people.size))
    which = np.floor(u[0] * 3).astype(np.int64)
    weight = np.where(world.practice_kind == SPECIALIST, world.practice_weight, 0.0)
    own = np.stack([draw_member(weight, world.practice_place, people.place, steady[0, i]) for i in range(3)])
    practice = own[which, person]
    practitioner = someone(world, practice, steady[1, which, person])
    code = pick_by_chance(["99214", "99213", "99203", "99204"], [0.5, 0.36, 0.09, 0.05], u[1])
    book.add_visits(
        key,
        person,
        day,
        code,
        OFFICE,
        practitioner=practitioner,
        practice=practice,
        setting=SETTINGS.index("specialist"),
        deniable=True,
    )
    imaged = u[1] * 100 % 1 < 0.15
    book.add_lines(
        key[imaged],
        day[imaged],
        line=2,
        code=text(["93306", "71046"], (key[imaged] % 2).astype(np.int64)),
        place=OFFICE,
        practitioner=practitioner[imaged],
        practice=practice[imaged],
    )


def _outpatient(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    book: ClaimBook,
    key: Ints,
    person: Ints,
    month: Ints,
    day: Ints,
    seed: int,
    chunk: int,
) -> None:
    """Hospital outpatient departments: tests, drugs and procedures, most of them cheap and a few dear."""
    cost = parameters["costs"]["outpatient"]
    random = stream(seed, "outpatient costs", chunk)
    level = random.normal(0, cost["person_sigma"], people.size)
    noise = random.normal(0, cost["sigma"], len(person))
    since = calendar.months_after(parameters["costs"]["of_month"], month)
    growth = (1 + parameters["costs"]["growth_per_month"]) ** since
    dollars = cost["median"] * np.exp(level[person] + noise + 0.35 * people.frailty[person]) * growth
    book.add_visits(
        key,
        person,
        day,
        "",
        "",
        revenue=pick_by_chance(
            ["0510", "0320", "0300", "0636", "0360"], [4, 3, 4, 1, 1], random.random(len(person))
        ),
        cents=np.minimum(np.round(dollars * 100), 20_000_000).astype(np.int64),
        type=OUTPATIENT,
        bill_type="131",
        ccn=facility_number(people.place[person], HOSPITAL),
        setting=SETTINGS.index("outpatient"),
        deniable=True,
    )


def _wellness(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    book: ClaimBook,
    seed: int,
    chunk: int,
) -> None:
    """A yearly wellness visit for some; the first ever bills the first-visit code."""
    years = -(-calendar.total // 12)
    random = stream(seed, "wellness", chunk)
    u = random.random((3, people.size, years))
    person, year = np.nonzero(u[0] < parameters["visits"]["wellness"])
    # A fixed month for a person keeps a year between visits.
    month = year * 12 + np.floor(u[1, person, 0] * 12).astype(np.int64)
    inside = month < calendar.total
    person, month, year = person[inside], month[inside], year[inside]
    day = calendar.starts[month] + np.floor(u[2, person, year] * calendar.days_in(month)).astype(np.int64)
    good = people.covered[person, month] & (day < people.death_day[person]) & ~events.inside_stay(person, day)
    person, month, day = person[good], month[good], day[good]
    first = (order_within(person) == 0) & (people.entry[person] > 0)
    key = claim_key(WELLNESS, people.number[person], month, 0)
    code = text(["G0439", "G0438"], first.astype(np.int64))
    office_claims(
        world, people, book, key, person, day, people.practice[person], people.practitioner[person], code
    )


def _capitation(
    calendar: Calendar, world: World, people: People, book: ClaimBook, seed: int, chunk: int
) -> None:
    """Monthly kidney-failure capitation by a nephrologist."""
    person, month = np.nonzero(people.covered & people.esrd[:, None])
    day = calendar.last_day(month)
    alive = day < people.death_day[person]
    person, month, day = person[alive], month[alive], day[alive]
    kidney = np.flatnonzero(world.practitioner_specialty == "39")
    doctor = kidney[(people.number[person] * 7) % len(kidney)]
    book.add_visits(
        claim_key(CAPITATION, people.number[person], month, 0),
        person,
        day,
        "90960",
        "65",
        practitioner=doctor,
        practice=world.practitioner_practice[doctor],
        setting=SETTINGS.index("specialist"),
        deniable=True,
    )


def _equipment(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    events: Events,
    book: ClaimBook,
    seed: int,
    chunk: int,
) -> None:
    """Supplies and equipment for some people with diabetes, lung or heart disease."""
    names = [item["name"] for item in parameters["conditions"]["list"]]
    wanted = ["Diabetes", "Chronic Obstructive Pulmonary Disease"]
    needs = people.condition[:, [k for k, name in enumerate(names) if name in wanted]].any(axis=1)
    rate = parameters["visits"]["equipment"] * needs
    random = stream(seed, "equipment", chunk)
    person, month, day = _days(calendar, people, events, rate.astype(np.float64), random)
    order = order_within(person * 1000 + month)
    book.add_visits(
        claim_key(EQUIPMENT, people.number[person], month, order),
        person,
        day,
        pick_by_chance(["A4253", "E1390", "E0143"], [6, 3, 1], random.random(len(person))),
        "12",
        type=DME,
        practitioner=NONE,
        setting=SETTINGS.index("equipment"),
        deniable=True,
    )
