"""Known truth by group: who is in which, how far each group gets along the way to CCM, and who had its effect."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.events import Events, effect_ratio
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import BLACK, HISPANIC, WHITE, People
from pipelines.simulate.policy_conditions import counted_conditions
from pipelines.simulate.programme import BILLED, Episodes, Months, established
from pipelines.simulate.render import current_id
from pipelines.simulate.world import Bools, Ints, World

STEPS = [
    "covered",  # fee-for-service with Parts A and B in at least one month of the window
    "with_two_conditions",  # and two counted conditions coded by then
    "practice_bills",  # and the own practice bills CCM
    "served",  # and somebody serves them
    "billed",  # and a month is billed
    "paid",  # and not denied
    "billed_three_months",
]


def memberships(parameters: dict[str, Any], world: World, people: People) -> dict[str, Bools]:
    """Groups of people, by what is true and not by what the payer recorded; they overlap."""
    rural = world.place_rural[people.place]
    deprived = deprivation(parameters, people) >= parameters["people"]["deprived_from_percentile"]
    return {
        "everybody": np.ones(people.size, dtype=bool),
        "dual": people.dual,
        "non_dual": ~people.dual,
        "rural": rural,
        "urban": ~rural,
        "white": people.race == WHITE,
        "black": people.race == BLACK,
        "hispanic": people.race == HISPANIC,
        "deprived": deprived,
        "not_deprived": ~deprived,
        "under_65": people.age < 65,
        "south": world.place_south[people.place],
    }


def deprivation(parameters: dict[str, Any], people: People) -> Ints:
    """Deprivation percentile (1-100, made up) of each person's ZIP code at the start."""
    table = np.array([place["deprivation"] for place in parameters["geography"]], dtype=np.int64)
    return table[people.place, people.zip_first]


def funnel(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    episodes: Episodes,
    months: Months,
) -> Counter[tuple[str, str]]:
    """People of each (group, step); every step is a part of the one before but for `practice_bills`."""
    counted = counted_conditions(parameters, calendar.starts[:-1])
    window = slice(calendar.history, calendar.total)
    covered = people.covered[:, window]
    needs = (covered & (established(people, counted, 0)[:, window] >= 2)).any(axis=1)
    billed = months.status == BILLED
    person = episodes.person[months.episode]
    number = np.bincount(person[billed], minlength=people.size)
    paid = np.bincount(person[billed & ~months.denied], minlength=people.size)
    served = np.zeros(people.size, dtype=bool)
    served[episodes.person] = True
    steps = {
        "covered": covered.any(axis=1),
        "with_two_conditions": needs,
        "practice_bills": needs & world.bills_ccm[people.practice],
        "served": served,
        "billed": number > 0,
        "paid": paid > 0,
        "billed_three_months": number >= 3,
    }
    groups = memberships(parameters, world, people)
    return Counter(
        {
            (group, step): int((inside & steps[step]).sum())
            for group, inside in groups.items()
            for step in STEPS
        }
    )


def effects(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    started: Ints,
    ended: Ints,
) -> Counter[tuple[str, str]]:
    """Exposed people and months, stays and visits in them without CCM, and those prevented, of each group."""
    until = np.minimum(ended + parameters["ccm"]["effect"]["months_after"], calendar.total - 1)
    users = ended >= 0
    enrolled_months = np.cumsum(np.pad(people.enrolled, ((0, 0), (1, 0))), axis=1)
    rows = np.arange(people.size)
    first = np.minimum(started + 1, calendar.total)
    months = np.where(
        users, enrolled_months[rows, np.maximum(until + 1, first)] - enrolled_months[rows, first], 0
    )

    def at_risk(person: Ints, month: Ints) -> Bools:
        return users[person] & (month > started[person]) & (month <= until[person])

    stays, visits = (
        at_risk(events.stay_person, events.stay_month),
        at_risk(events.emergency_person, events.emergency_month),
    )
    found: Counter[tuple[str, str]] = Counter()
    for group, inside in memberships(parameters, world, people).items():
        found[group, "users"] = int((inside & users).sum())
        found[group, "exposed_months"] = int(months[inside].sum())
        found[group, "admissions_without_ccm"] = int(inside[events.stay_person[stays]].sum())
        found[group, "admissions_prevented"] = int(inside[events.stay_person[events.stay_prevented]].sum())
        found[group, "emergency_visits_without_ccm"] = int(inside[events.emergency_person[visits]].sum())
        prevented = events.emergency_person[events.emergency_prevented]
        found[group, "emergency_visits_prevented"] = int(inside[prevented].sum())
    return found


def exposures(
    parameters: dict[str, Any], calendar: Calendar, world: World, people: People, started: Ints, ended: Ints
) -> pl.DataFrame:
    """exposures: the months in which CCM has its effect on a user, and the ratio of admissions and visits."""
    user = np.flatnonzero(ended >= 0)
    until = np.minimum(ended[user] + parameters["ccm"]["effect"]["months_after"], calendar.total - 1)
    ratio = effect_ratio(parameters, world, people)[user]
    month = pl.Series(calendar.starts)
    first = np.minimum(started[user] + 1, calendar.total)
    return pl.DataFrame(
        {
            "beneficiary_id": current_id(people, user),
            "first_served_month": month.gather(started[user]).cast(pl.Int32).cast(pl.Date),
            "first_exposed_month": month.gather(first).cast(pl.Int32).cast(pl.Date),
            "last_exposed_month": month.gather(until).cast(pl.Int32).cast(pl.Date),
            "admission_ratio": ratio,
            "emergency_ratio": ratio ** parameters["ccm"]["effect"]["emergency_power"],
        }
    )


def by_group(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Counts as nested mappings: group, then step or measure."""
    groups: dict[str, dict[str, int]] = {}
    for (group, measure), number in counts.items():
        groups.setdefault(group, {})[measure] = number
    return groups
