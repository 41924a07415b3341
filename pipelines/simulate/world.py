"""What is made once, before any person: places, practices, practitioners and facilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.parameters import Calendar
from pipelines.simulate.policy import day_number
from pipelines.simulate.streams import WORLD, choose, choose_band, stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SPECIALTIES = ["06", "39", "46", "29", "13", "34", "18", "66", "20", "83"]
PRIMARY_SPECIALTIES = ["08", "11", "38"]
NEVER = 10_000  # a month index or size that no run reaches
PRIMARY, SPECIALIST, HOSPITALIST = 0, 1, 2
PHYSICIAN, RHC, FQHC, HOSPITAL_CLINIC = 0, 1, 2, 3
PRACTICE_TYPES = ["physician", "rhc", "fqhc", "hospital_outpatient"]
CLINICS = PRACTICE_TYPES[1:]


@dataclass(frozen=True)
class World:
    """Practices [p], practitioners [q] and places [g] as parallel arrays; indexes tie them together."""

    place_weight: Floats
    place_rural: Bools
    place_south: Bools
    practice_kind: Ints  # PRIMARY, SPECIALIST or HOSPITALIST
    practice_type: Ints  # PHYSICIAN, RHC, FQHC or HOSPITAL_CLINIC
    practice_place: Ints
    practice_weight: Floats  # share of a place's people
    practice_tin: Ints
    practice_aco: Ints  # 0 = none
    practice_starts_ccm: Ints  # month index from which it bills CCM; NEVER
    practice_keeps_records: Bools
    practice_tells_staffing: Bools  # of those: its time log says where staff work and under whose supervision
    practice_tells_charges: Bools  # of those: it delivers what patients were charged
    practice_waives: Bools  # of those: it asks nobody (planted)
    first_practitioner: Ints  # practice p has practitioners first[p] to first[p + 1] - 1
    practitioner_practice: Ints
    practitioner_npi: Ints
    practitioner_is_nurse: Bools  # NP or PA
    practitioner_specialty: NDArray[np.str_]

    @property
    def practices(self) -> int:
        return len(self.practice_tin)

    @property
    def is_health_centre(self) -> Bools:
        """Rural health clinics and federally qualified health centres, which bill on outpatient claims."""
        return (self.practice_type == RHC) | (self.practice_type == FQHC)

    @property
    def bills_ccm(self) -> Bools:
        return self.practice_starts_ccm < NEVER


def npi_numbers(count: int) -> Ints:
    """Ten-digit numbers with a wrong check digit on purpose, so that none is a real practitioner's."""
    body = 100_000_000 + np.arange(count, dtype=np.int64) * 7
    total = np.full(count, 24, dtype=np.int64)  # the fixed prefix 80840 adds 24
    rest = body.copy()
    for place in range(9):
        digit = rest % 10
        rest //= 10
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled // 10 + doubled % 10
    return body * 10 + (10 - total % 10 + 1) % 10


def build_world(parameters: dict[str, Any], people: int, seed: int, calendar: Calendar) -> World:
    """The same world for the same parameters, size, seed and window."""
    opens, room = calendar.opens, calendar.total - calendar.opens
    settings, places = parameters["practices"], parameters["geography"]
    random = stream(seed, "world", WORLD)
    place_weight = np.array([p["weight"] for p in places], dtype=np.float64)
    south = np.array([p["south"] for p in places], dtype=bool)

    primary = max(int(settings["at_least"]), 2 * len(places), round(people / settings["people_each"]))
    specialist = max(len(places), round(primary * settings["specialist_ratio"]))
    # Two practices in every place first, so that nobody is without one; the others fall by weight.
    spread = choose(place_weight, random.random(primary - 2 * len(places)))
    primary_place = np.concatenate([np.arange(len(places)).repeat(2), spread])
    specialist_place = np.concatenate(
        [np.arange(len(places)), choose(place_weight, random.random(specialist - len(places)))]
    )
    kind = np.concatenate(
        [np.full(primary, PRIMARY), np.full(specialist, SPECIALIST), np.full(len(places), HOSPITALIST)]
    ).astype(np.int64)
    place = np.concatenate([primary_place, specialist_place, np.arange(len(places))]).astype(np.int64)
    count = len(kind)

    bands = settings["sizes"]
    size = choose_band(bands, random.random(count), random.random(count))
    size[kind == HOSPITALIST] = 8
    clinic = choose(
        [1 - sum(settings[k] for k in CLINICS), *(settings[k] for k in CLINICS)], random.random(count)
    )
    clinic[kind != PRIMARY] = PHYSICIAN
    weight = size * random.uniform(0.7, 1.3, count)

    starts, keeps = _adoption(settings, random, kind, clinic, weight, place, south, place_weight, opens, room)
    clinics_open = int(calendar.month_of(np.array([day_number(settings["health_centres_bill_from"])]))[0])
    centre = (clinic == RHC) | (clinic == FQHC)
    starts = np.where(centre & (starts < NEVER), np.maximum(starts, clinics_open), starts)
    first = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    owner = np.repeat(np.arange(count), size)
    heads = len(owner)
    nurse = (random.random(heads) < settings["nurse_or_assistant"]) & (kind[owner] == PRIMARY)
    nurse[first[:-1]] = False  # every practice has at least one physician, its first practitioner
    primary_code = np.array(PRIMARY_SPECIALTIES)[choose([5, 5, 1], random.random(heads))]
    specialty = np.where(
        kind[owner] == PRIMARY, primary_code, np.array(SPECIALTIES)[owner % len(SPECIALTIES)]
    )
    specialty = np.where(kind[owner] == HOSPITALIST, "11", specialty)
    specialty = np.where(nurse, np.where(np.arange(heads) % 3 == 0, "97", "50"), specialty)
    staffing, charges, waives = _optional_records(parameters, seed, clinic, weight, keeps, starts <= opens)
    in_aco = random.random(count) < settings["accountable_care"]
    return World(
        place_weight=place_weight,
        place_rural=np.array([p["rural"] for p in places], dtype=bool),
        place_south=south,
        practice_kind=kind,
        practice_type=clinic,
        practice_place=place,
        practice_weight=weight.astype(np.float64),
        practice_tin=1_000_000 + np.arange(count, dtype=np.int64) * 37,
        practice_aco=np.where(in_aco, 1 + place % 12, 0),
        practice_starts_ccm=starts,
        practice_keeps_records=keeps,
        practice_tells_staffing=staffing,
        practice_tells_charges=charges,
        practice_waives=waives,
        first_practitioner=first,
        practitioner_practice=owner,
        practitioner_npi=npi_numbers(heads),
        practitioner_is_nurse=nurse,
        practitioner_specialty=specialty,
    )


def _optional_records(
    parameters: dict[str, Any], seed: int, clinic: Ints, weight: Floats, keeps: Bools, early: Bools
) -> tuple[Bools, Bools, Bools]:
    """Practices whose record says who works where, those that deliver charges, and those that charge nobody.

    The two largest physician practices that bill from the start do both where anybody does, so that a small population shows it.
    """
    random = stream(seed, "optional records", WORLD)
    able = keeps & (clinic == PHYSICIAN)
    first = np.flatnonzero(able & early)
    first = first[np.argsort(-weight[first], kind="stable")]
    told = []
    for share in (parameters["records"]["staffing"], parameters["records"]["charges"]):
        flag = able & (random.random(len(weight)) < share)
        if share > 0:
            flag[first[:2]] = True
        told.append(flag)
    waives = np.zeros(len(weight), dtype=bool)
    if float(parameters["errors"]["scale"]) > 0:
        waives[first[: int(parameters["errors"]["waiving_practices"])]] = True
    return told[0], told[1], waives & told[1]


def _adoption(
    settings: dict[str, Any],
    random: np.random.Generator,
    kind: Ints,
    clinic: Ints,
    weight: Floats,
    place: Ints,
    south: Bools,
    place_weight: Floats,
    opens: int,
    room: int,
) -> tuple[Ints, Bools]:
    """Month in which each practice starts billing CCM, and whether it keeps practice-side records.

    Practices join in random order, likelier in the South, until they hold the wanted share of people; so
    the share is close to its target however few practices there are.
    """
    count = len(kind)
    able = kind == PRIMARY
    # Share of all people in each practice: its part of its place times the place's part of the country.
    in_place = np.bincount(place[kind == PRIMARY], weight[kind == PRIMARY], minlength=len(place_weight))
    share = np.where(able, weight / in_place[place] * (place_weight / place_weight.sum())[place], 0.0)
    ratio = np.where(south[place], settings["south_adoption_ratio"], 1.0)
    key = random.exponential(size=count) / ratio
    wanted = float(settings["billing_share"])
    # A practice bigger than half of what is wanted would decide the outcome alone.
    candidates = np.flatnonzero(able & (share <= wanted / 2))
    order = candidates[np.argsort(key[candidates], kind="stable")]
    wanted_number = max(3, int(np.searchsorted(np.cumsum(share[order]), wanted)) + 1)
    # Three physician practices bill from the start and keep records, so that people can go elsewhere.
    sure = order[clinic[order] == PHYSICIAN][:3]
    chosen = np.concatenate([sure, order[~np.isin(order, sure)][: max(0, wanted_number - len(sure))]])
    early = random.random(count) < settings["adopted_before_window"]
    early[sure] = True
    late = opens + np.floor(random.random(count) * max(1, room * 2 // 3)).astype(np.int64)
    starts = np.full(count, NEVER, dtype=np.int64)
    starts[chosen] = np.where(early[chosen], opens, late[chosen])
    keeps = np.zeros(count, dtype=bool)
    keeps[chosen] = True
    # Practices without records are rather small ones, so that they do not hide most of a small population.
    silent = (
        max(1, round(len(chosen) * settings["without_records"])) if settings["without_records"] > 0 else 0
    )
    others = chosen[~np.isin(chosen, sure)]
    by_share = others[np.argsort(share[others], kind="stable")]
    quiet = by_share[len(others) // 3 :][:silent]
    keeps[quiet] = False
    starts[quiet] = opens
    return starts, keeps
