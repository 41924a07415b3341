"""Health events: hospital and skilled-nursing stays and emergency visits, before any effect of CCM.

Every event of the world without CCM is drawn here. The effect of CCM only removes some of them (`prevented`),
so the worlds with and without the effect share all their draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import BLACK, HISPANIC, People
from pipelines.simulate.streams import stream
from pipelines.simulate.world import Bools, Floats, Ints, World


@dataclass
class Events:
    """Stays and emergency visits as parallel arrays by person, then day. snf_end < snf_start: none."""

    stay_person: Ints
    stay_month: Ints
    stay_start: Ints
    stay_end: Ints
    snf_start: Ints
    snf_end: Ints
    stay_luck: Floats  # uniform: the stay happens under effect ratio r where luck < r
    emergency_person: Ints
    emergency_month: Ints
    emergency_day: Ints
    emergency_luck: Floats
    stay_prevented: Bools
    emergency_prevented: Bools
    _key: Ints
    _until: Ints

    def inside_stay(self, person: Ints, day: Ints) -> Bools:
        """Whether each (person, day) lies in a hospital or skilled-nursing stay of the world without CCM."""
        if not len(self._key):
            return np.zeros(len(person), dtype=bool)
        at = np.searchsorted(self._key, person * SPAN + day, side="right") - 1
        found = np.maximum(at, 0)
        return (at >= 0) & (self._key[found] // SPAN == person) & (self._until[found] >= day)

    def day_outside(
        self, person: Ints, low: Ints, high: Ints, random: np.random.Generator, tries: int = 12
    ) -> Ints:
        """A day in [low, high] outside every stay for each entry; the last draw where none was found."""
        width = high - low + 1
        day = low + np.floor(random.random(len(person)) * width).astype(np.int64)
        for _ in range(tries):
            again = np.flatnonzero(self.inside_stay(person, day))
            draw = random.random(len(person))  # always the same number of draws
            day[again] = low[again] + np.floor(draw[again] * width[again]).astype(np.int64)
        for step in range(31):
            again = np.flatnonzero(self.inside_stay(person, day))
            if not len(again):
                break
            day[again] = np.minimum(low[again] + step, high[again])
        return day


SPAN = 100_000  # days; a key of person * SPAN + day orders by person, then day


def build_events(
    parameters: dict[str, Any], calendar: Calendar, people: People, seed: int, chunk: int
) -> Events:
    """Draw all stays and emergency visits of a chunk."""
    h = parameters["health"]
    random = stream(seed, "events", chunk)
    size, total = people.size, calendar.total
    shock = np.empty((size, total))
    noise = random.standard_normal((size, total))
    keep = h["shock_persistence"]
    shock[:, 0] = noise[:, 0]
    for t in range(1, total):
        shock[:, t] = keep * shock[:, t - 1] + np.sqrt(1 - keep**2) * noise[:, t]
    log_hazard = (
        h["admission"] + h["frailty_slope"] * people.frailty[:, None] + h["shock_slope"] * shock - 0.1
    )
    hazard = np.minimum(np.exp(log_hazard), 0.6) * people.covered
    u_stay, u_day, u_emergency = (random.random((size, total)) for _ in range(3))
    length = 1 + random.gamma(1.1, (h["stay_days"]["mean"] - 1) / 1.1, (size, total)).astype(np.int64)
    length = np.minimum(length, h["stay_days"]["longest"])
    nursing = h["skilled_nursing_after"]
    p_nursing = np.clip(nursing["base"] + nursing["per_year_over_70"] * (people.age - 70), 0.02, 0.5)
    to_nursing = random.random((size, total)) < p_nursing[:, None]
    nursing_days = 3 + random.gamma(1.6, (nursing["mean_days"] - 3) / 1.6, (size, total)).astype(np.int64)
    nursing_days = np.minimum(nursing_days, nursing["longest"])

    last_end = np.full(size, -1, dtype=np.int64)
    parts = []
    for t in range(total):
        who = np.flatnonzero(u_stay[:, t] < hazard[:, t])
        start, final = calendar.starts[t], calendar.starts[t + 1] - 1
        day = start + np.floor(u_day[who, t] * (np.minimum(final, people.death_day[who]) - start + 1)).astype(
            np.int64
        )
        free = day > last_end[who] + 1
        who, day = who[free], day[free]
        limit = np.minimum(people.death_day[who], calendar.extract_day - 20)
        end = np.minimum(day + length[who, t], limit)
        nursed = to_nursing[who, t] & (end < limit) & (end < calendar.starts[-1])
        snf_end = np.where(nursed, np.minimum(end + nursing_days[who, t], limit), end - 1)
        last_end[who] = np.maximum(end, snf_end)
        parts.append((who, np.full(len(who), t), day, end, snf_end, u_stay[who, t] / hazard[who, t]))
    person, month, day, end, snf_end, luck = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((day, person))
    person, month, day, end, snf_end, luck = (c[order] for c in (person, month, day, end, snf_end, luck))

    e_person, e_month = np.nonzero(u_emergency < np.minimum(hazard * h["emergency_ratio"], 0.8))
    e_luck = (
        u_emergency[e_person, e_month] / np.minimum(hazard * h["emergency_ratio"], 0.8)[e_person, e_month]
    )
    e_low = calendar.starts[e_month]
    e_high = np.minimum(calendar.starts[e_month + 1] - 1, people.death_day[e_person])
    events = Events(
        stay_person=person,
        stay_month=month,
        stay_start=day,
        stay_end=end,
        snf_start=end,
        snf_end=snf_end,
        stay_luck=luck,
        emergency_person=e_person,
        emergency_month=e_month,
        emergency_day=e_low,
        emergency_luck=e_luck,
        stay_prevented=np.zeros(len(person), dtype=bool),
        emergency_prevented=np.zeros(len(e_person), dtype=bool),
        _key=person * SPAN + day,
        _until=np.maximum(end, snf_end),
    )
    events.emergency_day = events.day_outside(e_person, e_low, e_high, stream(seed, "emergency", chunk))
    return events


def had_event(events: Events, people: People, total: int) -> Bools:
    """[n, months] whether a stay began or an emergency visit happened in the month (world without CCM)."""
    happened = np.zeros((people.size, total), dtype=bool)
    happened[events.stay_person, events.stay_month] = True
    happened[events.emergency_person, events.emergency_month] = True
    return happened


def days_in_stays(events: Events, people: People, calendar: Calendar) -> Ints:
    """[n, months] days of each month spent in a hospital or skilled-nursing stay (world without CCM)."""
    days = np.zeros((people.size, calendar.total), dtype=np.int64)
    for shift in range(5):  # the longest stay with its nursing days touches at most five months
        month = events.stay_month + shift
        inside = month < calendar.total
        index = np.where(inside, month, 0)
        low = np.maximum(events.stay_start, calendar.starts[index])
        high = np.minimum(events._until, calendar.starts[index + 1] - 1)
        here = inside & (high >= low)
        np.add.at(days, (events.stay_person[here], index[here]), (high - low + 1)[here])
    return days


def effect_ratio(parameters: dict[str, Any], world: World, people: People) -> Floats:
    """[n] admissions with CCM to admissions without, by the groups that a person belongs to."""
    effect = parameters["ccm"]["effect"]
    ratio = np.where(people.dual, effect["admission_ratio_dual"], effect["admission_ratio"])
    further = effect["further_ratios"]
    for name, inside in (
        ("rural", world.place_rural[people.place]),
        ("black", people.race == BLACK),
        ("hispanic", people.race == HISPANIC),
    ):
        ratio = np.where(inside, ratio * further[name], ratio)
    return np.minimum(ratio, 1.0)


def apply_effect(
    parameters: dict[str, Any],
    world: World,
    events: Events,
    people: People,
    started: Ints,
    ended: Ints,
    twin: bool,
) -> None:
    """Mark the events CCM prevents; `started` and `ended` are month indexes (started > ended: no user)."""
    if twin:
        return
    effect = parameters["ccm"]["effect"]
    ratio = effect_ratio(parameters, world, people)

    def exposed(person: Ints, month: Ints) -> Bools:
        return (month > started[person]) & (month <= ended[person] + effect["months_after"])

    stays = exposed(events.stay_person, events.stay_month)
    events.stay_prevented = stays & (events.stay_luck >= ratio[events.stay_person])
    visits = exposed(events.emergency_person, events.emergency_month)
    softer = ratio[events.emergency_person] ** effect["emergency_power"]
    events.emergency_prevented = visits & (events.emergency_luck >= softer)
