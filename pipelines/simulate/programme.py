"""The CCM programme: who is served by which practice, in which months, for how many minutes, billed how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.simulate.events import Events, days_in_stays, had_event
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import BLACK, HISPANIC, People
from pipelines.simulate.policy_conditions import counted_conditions
from pipelines.simulate.streams import choose, choose_band, draw_member, stream
from pipelines.simulate.world import NEVER, PHYSICIAN, Bools, Floats, Ints, World

LANES = ["staff", "complex", "practitioner"]
STAFF, COMPLEX, PRACTITIONER = range(3)
BILLED, UNBILLED, BELOW = range(3)
# Monthly chance to start for a wanted share of yearly users: some users began the year before, and the mean
# propensity is not 1. The people of a billing practice run out, so its chance must be higher.
STARTS_PER_UPTAKE = 0.050
FILLING = 1.65
DISADVANTAGED = ["dual", "rural", "black", "hispanic", "deprived"]
LEAD = 6  # months of coverage before a clean start, room for the visits that establish it


@dataclass
class Episodes:
    """One row a person and practice that serves them; `last` is the last served month index."""

    person: Ints
    first: Ints
    last: Ints
    practice: Ints
    practitioner: Ints
    lane: Ints
    own: Bools
    error: np.ndarray  # '', F24, F26 or F28: what is wrong with the whole episode
    late_consent: Bools  # with F24: consent came after the first counted minute of the first month
    second_biller: Bools  # exists only to bill a month that another practitioner bills (F02)


@dataclass
class Months:
    """One row a served person-month and practitioner."""

    episode: Ints
    month: Ints
    status: Ints  # BILLED, UNBILLED or BELOW
    seconds: Ints  # counted seconds in the record; 0 = nothing was recorded
    base_units: Ints
    add_on_units: Ints
    under_billed: Bools
    denied: Bools
    error: np.ndarray  # '' or the rule that the month was made to break
    detail: np.ndarray  # how, where a rule has several ways

    @property
    def minutes(self) -> Ints:
        return self.seconds // 60


def disadvantaged(parameters: dict[str, Any], world: World, people: People) -> Bools:
    """[groups, n] who belongs to each of DISADVANTAGED."""
    percentile = np.array([place["deprivation"] for place in parameters["geography"]])[
        people.place, people.zip_first
    ]
    deprived = percentile >= parameters["people"]["deprived_from_percentile"]
    rural = world.place_rural[people.place]
    return np.stack([people.dual, rural, people.race == BLACK, people.race == HISPANIC, deprived])


def established(people: People, counted: Bools, months_known: int) -> Ints:
    """[n, months] conditions that count in the month, are coded and began at least `months_known` months before;
    `counted` is [months, conditions].
    """
    total = len(counted)
    number = np.zeros((people.size, total), dtype=np.int64)
    months = np.arange(total)
    for k in np.flatnonzero(counted.any(axis=0)):
        since = people.onset[:, k, None] + months_known * (people.onset[:, k, None] > 0)
        number += people.coded[:, k, None] & (months >= since) & counted[:, k]
    return number


def _all_of_last(flag: Bools, months: int) -> Bools:
    """[n, months] whether `flag` held in this month and the `months` before it."""
    running = np.cumsum(np.pad(flag, ((0, 0), (months + 1, 0))), axis=1, dtype=np.int64)
    return running[:, months + 1 :] - running[:, : -months - 1] == months + 1


def plan_episodes(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    seed: int,
    chunk: int,
) -> Episodes:
    """Start at most one episode a person, by a monthly hazard of need, place and group."""
    ccm = parameters["ccm"]
    random = stream(seed, "programme", chunk)
    months = np.arange(calendar.total)
    known = established(people, counted_conditions(parameters, calendar.starts[:-1]), 8)
    whole = people.covered & ~people.hospice & (months < people.death_month[:, None])
    able = _all_of_last(whole, LEAD) & (known >= 2) & ~people.esrd[:, None]
    able &= (months >= calendar.history) & calendar.ladder.payable[STAFF]

    recent = had_event(events, people, calendar.total)
    before = np.zeros_like(recent)
    for back in (1, 2, 3):
        before[:, back:] |= recent[:, :-back]
    groups = disadvantaged(parameters, world, people)
    log_ratio = np.log(np.array([ccm["odds_ratios"][name] for name in DISADVANTAGED]))
    personal = log_ratio @ groups.astype(np.float64)
    personal += ccm["hazard"]["south"] * world.place_south[people.place]
    propensity = personal[:, None] + ccm["hazard"]["per_condition"] * (known - 4)
    propensity = np.exp(propensity + ccm["hazard"]["recent_event"] * before)
    monthly = _uptake(ccm, calendar) * ccm["uptake_scale"] * STARTS_PER_UPTAKE
    share_other = ccm["by_another_practice"]
    active = months >= world.practice_starts_ccm[people.practice][:, None]
    own = (
        monthly * (1 - share_other) / parameters["practices"]["billing_share"] * FILLING * propensity * active
    )
    other = monthly * share_other * propensity
    own, other = np.minimum(own, 0.5) * able, np.minimum(other, 0.5) * able
    begins = random.random((people.size, calendar.total)) < own + other - own * other
    person = np.flatnonzero(begins.any(axis=1))
    first = begins[person].argmax(axis=1)
    by_own = random.random(people.size)[person] < own[person, first] / (
        own[person, first] + other[person, first]
    )
    u = random.random((6, people.size))[:, person]
    ratios = np.array([ccm["one_month_only_ratios"][name] for name in DISADVANTAGED])
    stops = u[0] < ccm["one_month_only"] * np.where(groups[:, person].T, ratios, 1.0).prod(axis=1)
    further = 1 + np.floor(np.log(u[1]) / np.log1p(-1 / ccm["further_months_mean"])).astype(np.int64)
    wanted = first + np.where(stops, 0, further)
    last = np.minimum(np.minimum(wanted, _last_whole(whole, person, first)), calendar.total - 1)
    practice = np.where(
        by_own, people.practice[person], another_practice(world, people.practice[person], u[2])
    )
    practitioner = np.where(by_own, people.practitioner[person], someone(world, practice, u[3]))
    lane = choose([ccm["lanes"][lane] for lane in LANES], u[4])
    lane = np.where(calendar.ladder.payable[lane, first] & ~world.is_health_centre[practice], lane, STAFF)
    count = len(person)
    return Episodes(
        person=person,
        first=first,
        last=last,
        practice=practice,
        practitioner=practitioner,
        lane=lane,
        own=by_own,
        error=np.full(count, "", dtype="<U3"),
        late_consent=np.zeros(count, dtype=bool),
        second_biller=np.zeros(count, dtype=bool),
    )


def _uptake(ccm: dict[str, Any], calendar: Calendar) -> Floats:
    """[months] yearly uptake wanted in each month's year; the first and last year stated serve years beyond."""
    stated = {int(year): float(share) for year, share in ccm["annual_uptake"].items()}
    year = np.clip(calendar.year_of(calendar.starts[:-1]), min(stated), max(stated))
    missing = sorted(set(year.tolist()) - set(stated))
    if missing:
        raise ValueError(f"simulation parameters: no annual uptake for the year {missing[0]}")
    return np.array([stated[y] for y in year.tolist()])


def _last_whole(whole: Bools, person: Ints, first: Ints) -> Ints:
    """Last month of the unbroken run of whole months that `first` belongs to."""
    total = whole.shape[1]
    broken = ~whole[person] & (np.arange(total) > first[:, None])
    return np.where(broken.any(axis=1), broken.argmax(axis=1), total) - 1


def another_practice(world: World, own: Ints, uniform: Floats, keeps_records: bool = False) -> Ints:
    """A physician practice that bills CCM from the start of the window and is not `own`, drawn by size."""
    ready = (
        world.bills_ccm
        & (world.practice_type == PHYSICIAN)
        & (world.practice_starts_ccm <= world.practice_starts_ccm.min())
    )
    if keeps_records:
        ready &= world.practice_keeps_records
    members = np.flatnonzero(ready)
    weight = world.practice_weight[members]
    at = draw_member(
        weight, np.zeros(len(members), dtype=np.int64), np.zeros(len(own), dtype=np.int64), uniform
    )
    same = members[at] == own
    return members[np.where(same, (at + 1) % len(members), at)]


def someone(world: World, practice: Ints, uniform: Floats) -> Ints:
    """A practitioner of each practice."""
    size = world.first_practitioner[practice + 1] - world.first_practitioner[practice]
    return world.first_practitioner[practice] + np.floor(uniform * size).astype(np.int64)


def serve(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    episodes: Episodes,
    seed: int,
    chunk: int,
) -> Months:
    """Served months of the episodes with minutes and the honest bill. Months spent in stays are left out."""
    ccm, random = parameters["ccm"], stream(seed, "served", chunk)
    length = episodes.last - episodes.first + 1
    episode = np.repeat(np.arange(len(length)), length)
    step = np.arange(len(episode)) - np.repeat(np.cumsum(length) - length, length)
    month = episodes.first[episode] + step
    u = random.random((7, len(episode)))
    in_stays = days_in_stays(events, people, calendar)[episodes.person[episode], month]
    served = calendar.days_in(month) - in_stays >= 12
    lane = episodes.lane[episode]
    minutes = np.zeros(len(episode), dtype=np.int64)
    for code, name in enumerate(LANES):
        bands = choose_band(ccm["minutes"][name], u[0], u[1])
        minutes = np.where(lane == code, bands, minutes)
    status = np.where(u[2] < ccm["unbilled_supported"], UNBILLED, BILLED)
    status = np.where(u[2] > 1 - ccm["below_threshold"], BELOW, status)
    # A first month is always billed, so that every user of the plan is one in the claims.
    status = np.where(step == 0, BILLED, status)
    minutes = np.where(status == BELOW, 3 + np.floor(u[1] * 16).astype(np.int64), minutes)
    base_units, add_on_units = calendar.ladder.earned(lane, month, minutes)
    # One code without add-ons, often denied, is what health centres have for all care management.
    general = world.is_health_centre[episodes.practice[episode]] & (calendar.ladder.general != "")[month]
    add_on_units = np.where(general, 0, add_on_units)
    denied = (status == BILLED) & (u[4] < np.where(general, ccm["denied_general"], ccm["denied"]))
    under = (status == BILLED) & (add_on_units > 0) & (u[3] < ccm["under_billed"])
    billed = status == BILLED
    empty = np.full(int(served.sum()), "", dtype="<U16")
    return Months(
        episode=episode[served],
        month=month[served],
        status=status[served],
        seconds=(minutes * 60 + np.floor(u[5] * 60).astype(np.int64))[served],
        base_units=(base_units * billed)[served],
        add_on_units=(add_on_units * (billed & ~under))[served],
        under_billed=under[served],
        denied=denied[served],
        error=empty.copy(),
        detail=empty.copy(),
    )


def users(people: People, episodes: Episodes) -> tuple[Ints, Ints]:
    """First and last served month of each person; (NEVER, -1) for people nobody serves."""
    first = np.full(people.size, NEVER, dtype=np.int64)
    last = np.full(people.size, -1, dtype=np.int64)
    np.minimum.at(first, episodes.person, episodes.first)
    np.maximum.at(last, episodes.person, episodes.last)
    return first, last
