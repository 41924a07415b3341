"""The visits that CCM rests on, and the plan oversight that must not meet it."""

from __future__ import annotations

import numpy as np

from pipelines.simulate.book import (
    CCM_VISIT,
    OVERSIGHT,
    SETTINGS,
    ClaimBook,
    claim_key,
    order_within,
    pick_by_chance,
)
from pipelines.simulate.clinics import OFFICE
from pipelines.simulate.events import Events
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.programme import Episodes
from pipelines.simulate.streams import stream
from pipelines.simulate.visits import office_claims
from pipelines.simulate.world import Bools, Ints, World


def build_ccm_visits(
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    episodes: Episodes,
    book: ClaimBook,
    seed: int,
    chunk: int,
) -> Ints:
    """Visits that establish a served person: two before the start and one every five months.

    They list every established condition, and are with the practitioner who bills CCM, except where the
    planted error is that this practitioner never saw the person. Returns the initiating day of each episode.
    """
    random = stream(seed, "ccm visits", chunk)
    count = len(episodes.person)
    opens = calendar.starts[episodes.first]
    initiating = events.day_outside(episodes.person, opens - 55, opens - 20, random)
    earlier = events.day_outside(episodes.person, opens - 170, opens - 100, random)
    steps = np.maximum(0, (episodes.last - episodes.first) // 5)
    owner = np.repeat(np.arange(count), steps)
    month = episodes.first[owner] + 5 * (1 + order_within(owner))
    low, high = calendar.starts[month] + 2, calendar.starts[month] + 24
    later = events.day_outside(episodes.person[owner], low, high, random)
    # The F02 counterpart needs one visit only; its evidence is the other practice's.
    full = ~episodes.second_biller
    episode = np.concatenate([np.arange(count), np.flatnonzero(full), owner])
    day = np.concatenate([initiating, earlier[full], later])
    order = np.lexsort((day, episode))
    episode, day = episode[order], day[order]
    person = episodes.person[episode]
    stranger = (episodes.error == "F26")[episode]
    practice = np.where(stranger, people.practice[person], episodes.practice[episode])
    practitioner = np.where(stranger, people.practitioner[person], episodes.practitioner[episode])
    code = pick_by_chance(["99214", "99215", "G0439"], [0.75, 0.15, 0.10], random.random(len(person)))
    by_person = np.lexsort((day, person))
    rank = np.empty(len(person), dtype=np.int64)
    rank[by_person] = order_within(person[by_person])
    key = claim_key(CCM_VISIT, people.number[person], calendar.month_of(day), rank)
    office_claims(
        world, people, book, key, person, day, practice, practitioner, code, forced=True, deniable=False
    )
    return initiating


def build_oversight(
    calendar: Calendar, world: World, people: People, book: ClaimBook, person: Ints, day: Ints, served: Bools
) -> None:
    """Home-health plan oversight by the own practitioner of people whom nobody serves with CCM."""
    month = calendar.month_of(day)
    good = ~served[person] & (month < calendar.total)
    person, month = person[good], month[good]
    day = calendar.last_day(month)
    good = people.covered[person, month] & (day < people.death_day[person])
    good &= ~world.is_health_centre[people.practice[person]]
    person, month, day = person[good], month[good], day[good]
    _, once = np.unique(person * 1000 + month, return_index=True)
    person, month, day = person[once], month[once], day[once]
    book.add_visits(
        claim_key(OVERSIGHT, people.number[person], month, 0),
        person,
        day,
        "G0181",
        OFFICE,
        practitioner=people.practitioner[person],
        practice=people.practice[person],
        setting=SETTINGS.index("primary_care"),
        deniable=True,
    )
