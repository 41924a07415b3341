"""Claims of hospital and nursing stays, home health, hospice and emergency visits."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.simulate.book import (
    HHA,
    HOME_HEALTH,
    HOSPICE,
    HOSPICE_MONTH,
    HOSPITAL_STAY,
    HOSPITAL_VISIT,
    INPATIENT,
    NURSING_STAY,
    SETTINGS,
    SNF,
    TRANSITION,
    ClaimBook,
    claim_key,
    order_within,
    text,
)
from pipelines.simulate.ccm_visits import build_oversight
from pipelines.simulate.clinics import AGENCY, HOSPICE_CCN, HOSPITAL, NURSING, OFFICE, facility_number
from pipelines.simulate.emergencies import hospital_doctor
from pipelines.simulate.events import Events
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.streams import choose, stream
from pipelines.simulate.world import Bools, Ints, World


def build_stays(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    served: Bools,
    book: ClaimBook,
    seed: int,
    chunk: int,
) -> None:
    """Claims of the events that CCM did not prevent; all draws are made for all events."""
    costs, health = parameters["costs"], parameters["health"]
    random = stream(seed, "stay claims", chunk)
    person, day, end = events.stay_person, events.stay_start, events.stay_end
    count = len(person)
    month = calendar.month_of(day)
    u = random.random((6, count))
    happens = ~events.stay_prevented
    dies = end >= people.death_day[person]
    nursed = events.snf_end >= events.snf_start
    at_home = ~dies & ~nursed
    agency = at_home & (u[0] < health["home_health_after"])
    status = text(["01", "06", "03", "20"], np.where(dies, 3, np.where(nursed, 2, np.where(agency, 1, 0))))
    dollars = random.gamma(costs["stay"]["shape"], costs["stay"]["scale"], count)
    dollars = 2500 + dollars * (1 + costs["growth_per_month"]) ** calendar.months_after(
        costs["of_month"], month
    )
    code = choose(list(parameters["conditions"]["stay_codes"].values()), u[1])
    # One in three stays is for a chronic condition of the person, listed first.
    principal = np.where(u[2] < 0.33, -1, code)
    key = claim_key(HOSPITAL_STAY, people.number[person], month, order_within(person * 1000 + month))
    place = people.place[person]

    def rows(flag: Bools) -> np.ndarray:
        return np.flatnonzero(flag & happens)

    at = rows(np.ones(count, dtype=bool))
    book.add_claims(
        key[at],
        person[at],
        day[at],
        type=INPATIENT,
        through=end[at],
        admission=day[at],
        discharge=end[at],
        discharge_status=status.gather(at),
        bill_type="111",
        ccn=facility_number(place[at], HOSPITAL),
        setting=SETTINGS.index("inpatient"),
        principal=principal[at],
        facility_cents=np.round(dollars[at] * 100).astype(np.int64),
    )
    book.add_lines(
        key[at], day[at], through=end[at], revenue="0120", units=np.maximum(end - day, 1)[at], unpriced=True
    )
    _hospital_professionals(calendar, world, people, book, person[at], month[at], day[at], end[at], key[at])

    at = rows(nursed)
    first, last = events.snf_start, events.snf_end
    nights = last - first + 1
    book.add_claims(
        claim_key(NURSING_STAY, people.number[person[at]], month[at], key[at] % 1000),
        person[at],
        first[at],
        type=SNF,
        through=last[at],
        admission=first[at],
        discharge=last[at],
        discharge_status=text(["01", "20"], (last >= people.death_day[person]).astype(np.int64)[at]),
        bill_type="211",
        ccn=facility_number(place[at], NURSING),
        setting=SETTINGS.index("snf"),
        facility_cents=(nights * round(costs["skilled_nursing_per_day"] * 100))[at],
    )
    book.add_lines(
        claim_key(NURSING_STAY, people.number[person[at]], month[at], key[at] % 1000),
        first[at],
        through=last[at],
        revenue="0022",
        units=nights[at],
        unpriced=True,
    )
    _after_discharge(parameters, calendar, world, people, events, served, book, key, agency, at_home, u)
    _hospice(parameters, calendar, people, book)


def _hospital_professionals(
    calendar: Calendar,
    world: World,
    people: People,
    book: ClaimBook,
    person: Ints,
    month: Ints,
    day: Ints,
    end: Ints,
    stay_key: Ints,
) -> None:
    """One professional claim a stay: admission, daily visits and discharge."""
    doctor = hospital_doctor(world, people, person, stay_key)
    key = claim_key(HOSPITAL_VISIT, people.number[person], month, stay_key % 1000)
    practice = world.practitioner_practice[doctor]
    book.add_claims(
        key,
        person,
        day,
        through=end,
        practitioner=doctor,
        practice=practice,
        setting=SETTINGS.index("emergency"),
    )
    shared = {"place": "21"}
    book.add_lines(key, day, code="99223", practitioner=doctor, practice=practice, **shared)
    long = end - day >= 2
    book.add_lines(
        key[long],
        day[long] + 1,
        line=2,
        through=end[long] - 1,
        code="99232",
        units=(end - day - 1)[long],
        practitioner=doctor[long],
        practice=practice[long],
        **shared,
    )
    out = end > day
    book.add_lines(
        key[out], end[out], line=3, code="99239", practitioner=doctor[out], practice=practice[out], **shared
    )


def _after_discharge(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    served: Bools,
    book: ClaimBook,
    key: Ints,
    agency: Bools,
    at_home: Bools,
    u: np.ndarray,
) -> None:
    """Home health (with plan oversight for some) and transitional-care visits."""
    person, end = events.stay_person, events.stay_end
    happens = ~events.stay_prevented
    start = end + 2
    last = np.minimum(start + 20 + np.floor(u[3] * 20).astype(np.int64), calendar.extract_day - 5)
    good = agency & happens & (last < people.death_day[person]) & (start < calendar.starts[-1])
    good &= people.covered[person, np.minimum(calendar.month_of(start), calendar.total - 1)]
    at = np.flatnonzero(good)
    of_stay = calendar.month_of(events.stay_start)  # keys follow the stay, so two stays never share one
    home = claim_key(HOME_HEALTH, people.number[person[at]], of_stay[at], key[at] % 1000)
    book.add_claims(
        home,
        person[at],
        start[at],
        type=HHA,
        through=last[at],
        admission=start[at],
        discharge=last[at],
        discharge_status="01",
        bill_type="329",
        ccn=facility_number(people.place[person[at]], AGENCY),
        setting=SETTINGS.index("hha"),
        facility_cents=round(parameters["costs"]["home_health_episode"] * 100),
    )
    book.add_lines(home, start[at], through=last[at], revenue="0023", units=1, unpriced=True)
    overseen = at[u[4][at] < 0.25]
    build_oversight(calendar, world, people, book, person[overseen], last[overseen], served)

    visit = end + 5 + np.floor(u[5] * 8).astype(np.int64)
    month = calendar.month_of(visit)
    good = at_home & happens & (u[4] > 1 - parameters["health"]["transition_visit_after"])
    good &= (
        (visit < people.death_day[person])
        & (visit < calendar.starts[-1])
        & ~events.inside_stay(person, visit)
    )
    good &= people.covered[person, np.minimum(month, calendar.total - 1)]
    good &= ~world.is_health_centre[people.practice[person]]
    at = np.flatnonzero(good)
    book.add_visits(
        claim_key(TRANSITION, people.number[person[at]], of_stay[at], key[at] % 1000),
        person[at],
        visit[at],
        text(["99495", "99496"], (u[5][at] < 0.3).astype(np.int64)),
        OFFICE,
        practitioner=people.practitioner[person[at]],
        practice=people.practice[person[at]],
        setting=SETTINGS.index("primary_care"),
    )


def _hospice(parameters: dict[str, Any], calendar: Calendar, people: People, book: ClaimBook) -> None:
    """One hospice claim a month of election."""
    person, month = np.nonzero(people.hospice & people.covered)
    first = calendar.starts[month]
    last = np.minimum(calendar.last_day(month), people.death_day[person])
    key = claim_key(HOSPICE_MONTH, people.number[person], month, 0)
    days = last - first + 1
    book.add_claims(
        key,
        person,
        first,
        type=HOSPICE,
        through=last,
        admission=first,
        discharge_status=text(["30", "20"], (last >= people.death_day[person]).astype(np.int64)),
        bill_type="812",
        ccn=facility_number(people.place[person], HOSPICE_CCN),
        setting=SETTINGS.index("hospice"),
        facility_cents=days * round(parameters["costs"]["hospice_per_day"] * 100),
    )
    book.add_lines(key, first, through=last, revenue="0651", units=days, unpriced=True)
