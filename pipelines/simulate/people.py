"""Persons of one chunk: who they are, when Medicare covers them, and the conditions they live with."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from pipelines.simulate.parameters import Calendar
from pipelines.simulate.streams import choose, draw_member, stream
from pipelines.simulate.world import NEVER, PRIMARY, Bools, Floats, Ints, World

NO_DAY = 10**7  # a day that never comes
WHITE, BLACK, OTHER, ASIAN, HISPANIC, NATIVE = 1, 2, 3, 4, 5, 6


@dataclass
class People:
    """n persons of a chunk. Days since 1970-01-01, month indexes of the calendar, index arrays into World.

    `enrolled`, `advantage`, `part_b`, `hospice`, `covered` are [n, months]; covered = fee-for-service with
    Parts A and B all month. Conditions are [n, conditions]; `onset` is the month index a condition begins.
    """

    number: Ints  # position in the whole population
    birth: Ints
    female: Bools
    race: Ints
    race_recorded: Ints
    place: Ints
    zip_first: Ints
    zip_later: Ints
    move_day: Ints
    dual: Bools
    dual_code: np.ndarray
    entitlement: Ints
    esrd: Bools
    entry: Ints
    death_day: Ints
    death_month: Ints
    identifier_day: Ints  # day the current identifier began; 0 = it always was
    practice: Ints
    practitioner: Ints
    age: Floats  # at the middle of the window
    latent: Floats
    frailty: Floats
    enrolled: Bools
    advantage: Bools
    part_b: Bools
    hospice: Bools
    condition: Bools
    onset: Ints
    coded: Bools
    false_positive: Bools
    code_choice: Ints

    @property
    def size(self) -> int:
        return len(self.number)

    @property
    def covered(self) -> Bools:
        return self.enrolled & ~self.advantage & self.part_b


def build_people(
    parameters: dict[str, Any], calendar: Calendar, world: World, seed: int, chunk: int, first: int, size: int
) -> People:
    """The people numbered `first` to `first + size - 1`."""
    p, total = parameters["people"], calendar.total
    random = stream(seed, "people", chunk)
    u = random.random((28, size))
    middle = int(calendar.starts[calendar.history + calendar.window // 2])
    bands = np.asarray(p["age_bands"], dtype=np.float64)
    band = choose(bands[:, 0], u[0])
    age = bands[band, 1] + u[1] * (bands[band, 2] - bands[band, 1])
    entrant = u[2] < p["recent_entrants"]
    age = np.where(entrant, 65.0 - u[1] * calendar.window / 24.0, age)
    birth = np.floor(middle - age * 365.25).astype(np.int64)
    female = u[3] < p["female"]
    codes = np.array([int(code) for code in p["race"]], dtype=np.int64)
    race = codes[choose(list(p["race"].values()), u[4])]
    place = choose(world.place_weight, u[5])
    disabled = (age < 65) & ~entrant
    d = p["dual"]
    chance = (
        d["base"]
        + d["under_65"] * disabled
        + d["black"] * (race == BLACK)
        + d["hispanic"] * (race == HISPANIC)
    )
    dual = u[6] < chance
    dual_codes = np.array(list(p["dual_codes"]))
    dual_code = np.where(dual, dual_codes[choose(list(p["dual_codes"].values()), u[7])], "NA")
    esrd = u[8] < p["esrd"]
    # 65th birthday decides when the aged enter; the disabled have been in since before the history.
    birthday_65 = np.floor(birth + 65 * 365.25).astype(np.int64)
    entry = np.where(disabled, 0, np.clip(calendar.month_of(birthday_65), 0, total - 1))
    entitlement = np.where(disabled, np.where(esrd, np.where(u[9] < 0.5, 2, 3), 1), 0)
    entitlement = np.where(~disabled & (age >= 65) & (u[9] < 0.08), 1, entitlement)

    condition, onset, latent = _conditions(parameters, calendar, seed, chunk, age, dual, race, female, esrd)
    frailty = _frailty(parameters, seed, chunk, condition, dual, age)
    death_day, death_month = _deaths(p, calendar, u, age, frailty, entry)
    months = np.arange(total)
    enrolled = (months >= entry[:, None]) & (months <= death_month[:, None])
    practice, practitioner = _own_practice(world, place, u)
    at_coding = stream(seed, "coding", chunk).random((3, size, condition.shape[1]))
    c = parameters["conditions"]
    lengths = np.array([len(item["codes"]) for item in c["list"]])
    reads_white = p["race_read_as_white"]
    as_white = sum(
        ((race == int(k)) & (u[20] < v) for k, v in reads_white.items()), np.zeros(size, dtype=bool)
    )
    moves = (u[21] < p["zip_move"]) & (entry < calendar.history)
    inside = calendar.starts[calendar.history] + np.floor(u[22] * calendar.window * 30).astype(np.int64)
    changes = (stream(seed, "identifier", chunk).random(size) < p["identifier_change"]) & (
        entry < calendar.history
    )
    return People(
        number=first + np.arange(size, dtype=np.int64),
        birth=birth,
        female=female,
        race=race,
        race_recorded=np.where(u[19] < p["race_unknown"], 0, np.where(as_white, WHITE, race)),
        place=place,
        zip_first=(u[23] < 0.5).astype(np.int64),
        zip_later=(u[23] >= 0.5).astype(np.int64),
        move_day=np.where(moves, inside, NO_DAY),
        dual=dual,
        dual_code=dual_code,
        entitlement=entitlement,
        esrd=esrd,
        entry=entry,
        death_day=death_day,
        death_month=death_month,
        identifier_day=np.where(changes, inside, 0),
        practice=practice,
        practitioner=practitioner,
        age=age,
        latent=latent,
        frailty=frailty,
        enrolled=enrolled,
        advantage=enrolled & _advantage(p, calendar, u, entry),
        part_b=enrolled & ~_part_b_lapse(p, calendar, u),
        hospice=enrolled & _hospice(p, u, death_month, death_day, months),
        condition=condition,
        onset=onset,
        coded=condition & (at_coding[0] < c["sensitivity"]),
        false_positive=~condition & (at_coding[1] < c["false_positive"]),
        code_choice=np.floor(at_coding[2] * lengths).astype(np.int64),
    )


def _conditions(
    parameters: dict[str, Any],
    calendar: Calendar,
    seed: int,
    chunk: int,
    age: Floats,
    dual: Bools,
    race: Ints,
    female: Bools,
    esrd: Bools,
) -> tuple[Bools, Ints, Floats]:
    """Latent health drives every liability; a condition is held where the liability passes its threshold."""
    c = parameters["conditions"]
    size, items = len(age), c["list"]
    random = stream(seed, "conditions", chunk)
    latent = random.standard_normal(size)
    noise = random.standard_normal((size, len(items)))
    loading = c["loading"]
    shift = c["per_year_of_age"] * (age - 73) + c["dual"] * dual + c["black"] * (race == BLACK)
    liability = loading * latent[:, None] + np.sqrt(1 - loading**2) * noise + shift[:, None]
    # Liability has this spread in the population, so thresholds must be set on its own scale.
    spread, centre = float(np.sqrt(1 + (c["per_year_of_age"] * 11.5) ** 2 + (c["dual"] * 0.37) ** 2)), 0.02
    held = np.zeros((size, len(items)), dtype=bool)
    for k, item in enumerate(items):
        share = item["prevalence"] / (1.0 if item.get("one_claim") else 0.97) / c["sensitivity"]
        able = np.ones(size, dtype=bool)
        if item.get("sex"):
            able = female if item["sex"] == "female" else ~female
            share = share / 0.5
        threshold = NormalDist(centre, spread).inv_cdf(1 - min(share, 0.97))
        held[:, k] = able & (liability[:, k] > threshold)
    kidney = next((k for k, item in enumerate(items) if item["name"] == "Chronic Kidney Disease"), None)
    if kidney is not None:
        held[esrd, kidney] = True
    u = random.random((2, size, len(items)))
    late = u[0] < c["onset_inside"]
    onset = np.where(late, np.floor(u[1] * calendar.total), 0).astype(np.int64)
    return held, onset, latent


def _frailty(
    parameters: dict[str, Any], seed: int, chunk: int, held: Bools, dual: Bools, age: Floats
) -> Floats:
    f = parameters["health"]["frailty"]
    burden = (np.log1p(held.sum(axis=1)) - f["mean_log_conditions"]) / f["sd_log_conditions"]
    noise = stream(seed, "frailty", chunk).normal(0, f["noise_sd"], len(age))
    return f["conditions"] * burden + f["dual"] * dual + f["over_85"] * (age >= 85) + noise


def _deaths(
    p: dict[str, Any], calendar: Calendar, u: Floats, age: Floats, frailty: Floats, entry: Ints
) -> tuple[Ints, Ints]:
    """Deaths happen in the window only: everyone is alive when it opens (or when they enter)."""
    yearly = p["death_per_year"] * np.exp(0.75 * frailty + 0.07 * (age - 75) - 0.45)
    hazard = np.minimum(yearly, 0.6) / 12
    opens = np.maximum(entry, calendar.history)
    month = opens + np.floor(np.log(u[10]) / np.log1p(-hazard)).astype(np.int64)
    dies = month < calendar.total
    month = np.where(dies, month, NEVER)
    index = np.where(dies, month, 0)
    day = calendar.starts[index] + np.floor(u[11] * calendar.days_in(index)).astype(np.int64)
    return np.where(dies, day, NO_DAY), month


def _advantage(p: dict[str, Any], calendar: Calendar, u: Floats, entry: Ints) -> Bools:
    """Months in a Medicare Advantage plan: from entry for some, from a switch to the end for others."""
    months = np.arange(calendar.total)
    back = entry + 6 + np.floor(u[12] * 24).astype(np.int64)
    from_entry = (u[13] < p["advantage_at_start"])[:, None] & (months < back[:, None])
    january = (
        calendar.starts[:-1].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    ) == 0
    # Most switches take effect in January, the others in any month.
    any_month = calendar.history + np.floor(u[14] * calendar.window).astype(np.int64)
    januaries = np.flatnonzero(january & (months > calendar.history))
    if len(januaries):
        in_january = januaries[np.floor(u[14] * len(januaries)).astype(np.int64)]
        any_month = np.where(u[15] < 0.7, in_january, any_month)
    switch = (u[13] >= 1 - p["advantage_exit"])[:, None] & (months >= any_month[:, None])
    return from_entry | switch


def _part_b_lapse(p: dict[str, Any], calendar: Calendar, u: Floats) -> Bools:
    months = np.arange(calendar.total)
    start = calendar.history + np.floor(u[16] * calendar.window).astype(np.int64)
    length = 2 + np.floor(u[17] * 6).astype(np.int64)
    lapses = (u[18] < p["part_b_lapse"])[:, None]
    return lapses & (months >= start[:, None]) & (months < (start + length)[:, None])


def _hospice(p: dict[str, Any], u: Floats, death_month: Ints, death_day: Ints, months: Ints) -> Bools:
    """A hospice election runs from up to three months before death to the month of death."""
    elects = (death_month < NEVER) & (u[26] < p["hospice_before_death"])
    begins = death_month - np.floor(u[27] * 3).astype(np.int64)
    return elects[:, None] & (months >= begins[:, None]) & (months <= death_month[:, None])


def _own_practice(world: World, place: Ints, u: Floats) -> tuple[Ints, Ints]:
    weight = np.where(world.practice_kind == PRIMARY, world.practice_weight, 0.0)
    practice = draw_member(weight, world.practice_place, place, u[24])
    size = world.first_practitioner[practice + 1] - world.first_practitioner[practice]
    return practice, world.first_practitioner[practice] + np.floor(u[25] * size).astype(np.int64)
