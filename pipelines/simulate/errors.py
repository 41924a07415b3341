"""Billing errors planted on purpose, at most one a person, each with what a sound audit should find.

The plan is made before any claim exists, so that the record, the coverage and the bill of a planted month
are made wrong in exactly one way. Months that carry no error stay clean by construction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.simulate.bills import other_lane
from pipelines.simulate.companions import (
    BESIDE_ANY_BILL,
    IN_PLACE_OF_CCM,
    companions,
    general_code_alone,
    in_force,
    paying_model,
)
from pipelines.simulate.events import Events, days_in_stays
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.policy import priced_by_component_from
from pipelines.simulate.policy_conditions import most_counted
from pipelines.simulate.programme import (
    BILLED,
    COMPLEX,
    LEAD,
    PRACTITIONER,
    STAFF,
    Episodes,
    Months,
    another_practice,
    someone,
)
from pipelines.simulate.streams import stream
from pipelines.simulate.world import PHYSICIAN, Bools, Ints, World

# Rules that a planted error may set off besides its own, for the same practitioner-month.
# F10: an add-on whose base falls to another rule has no base left.
COLLATERAL: dict[str, list[str]] = {
    "F01": ["F10", "F12", "F14", "F15"],
    "F02": ["F10"],
    "F03": ["F01", "F10", "F12", "F14", "F15"],
    "F04": ["F10"],
    "F05": ["F10"],
    "F07": ["F10"],
    "F08": ["F10"],
    "F09": [],
    "F10": ["F15"],
    "F11": ["F15"],
    "F12": ["F01", "F14", "F15"],
    "F13": ["F10", "F11", "F14", "F15"],
    "F14": ["F15"],
    "F15": ["F14"],
    "F24": [],
    "F26": ["F27"],
    "F28": [],
    "F32": [],
    "F37": [],
    "F38": [],
    "F39": [],
    "F40": [],
    "F44": [],
    "F45": [],
    "F52": [],
    "F41": [],
    "F42": [],
    "F43": ["F06"],
    "F49": [],
    "F35": ["F14", "F15", "F17", "F24", "F26", "F28", "F30", "F50"],
}


class Picker:
    """Chooses what to spoil: by rate, at least the minimum in the first chunk, one error a person."""

    def __init__(self, parameters: dict[str, Any], people: People, seed: int, chunk: int) -> None:
        self.rates: dict[str, float] = parameters["errors"]["rates"]
        self.scale = float(parameters["errors"]["scale"])
        self.minimum = int(parameters["errors"]["minimum_each"]) if chunk == 0 and self.scale > 0 else 0
        self.spoilt = np.zeros(people.size, dtype=bool)
        self.seed, self.chunk = seed, chunk
        self.weight = most_counted(parameters)

    def pick(
        self, rule: str, person: Ints, able: Bools, population: Bools, share: float = 1.0, tag: str = ""
    ) -> Ints:
        """Rows of `able` for `rule`; as many as the rate gives over `population`, one a person."""
        luck = stream(self.seed, f"errors {rule}{tag}", self.chunk).random(len(person))
        wanted = int((luck[population] < self.rates[rule] * self.scale * share).sum())
        rows = np.flatnonzero(able & ~self.spoilt[person])
        rows = rows[np.argsort(luck[rows], kind="stable")]
        _, once = np.unique(person[rows], return_index=True)
        chosen = rows[np.sort(once)][: max(wanted, self.minimum)]
        self.spoilt[person[chosen]] = True
        return chosen


def spoil_episodes(
    world: World, people: People, events: Events, episodes: Episodes, calendar: Calendar, picker: Picker
) -> Episodes:
    """Mark users without consent (F24) or initiating visit (F26); add users with too few conditions (F28)."""
    everybody = np.ones(len(episodes.person), dtype=bool)
    regular = world.practice_type[episodes.practice] == PHYSICIAN
    records = world.practice_keeps_records[episodes.practice]
    chosen = picker.pick("F24", episodes.person, records & regular, everybody)
    episodes.error[chosen] = "F24"
    # A practice must keep some consent, else the missing one would look like a practice that keeps none.
    practice = episodes.practice
    left = np.bincount(practice, minlength=world.practices)
    left -= np.bincount(practice[chosen], minlength=world.practices)
    luck = stream(picker.seed, "late consent", picker.chunk).random(len(chosen))
    episodes.late_consent[chosen] = (luck < 0.5) | (left[practice[chosen]] < 1)
    # Only a year of claims without a visit shows that there was none.
    year = np.maximum(episodes.first[:, None] - np.arange(1, 13), 0)
    seen = people.covered[episodes.person[:, None], year].all(axis=1)
    strangers = ~episodes.own & (episodes.error == "") & seen
    chosen = picker.pick("F26", episodes.person, strangers, ~episodes.own)
    episodes.error[chosen] = "F26"
    return _add_few_conditions(world, people, events, episodes, calendar, picker)


def _add_few_conditions(
    world: World, people: People, events: Events, episodes: Episodes, calendar: Calendar, picker: Picker
) -> Episodes:
    """People with at most one condition, and no stay that could add one, enrolled by another practice."""
    months = np.arange(calendar.total)
    few = (people.condition | people.false_positive) @ picker.weight <= 1
    few[events.stay_person] = False
    few[episodes.person] = False
    whole = (people.covered & ~people.hospice & (months < people.death_month[:, None])).all(axis=1)
    able = few & whole & ~people.esrd & (calendar.opens < calendar.total) & (people.identifier_day == 0)
    random = stream(picker.seed, "few conditions", picker.chunk)
    # The rate is a share of users; picked among everybody able to play the part.
    share = len(episodes.person) / max(1, people.size)
    chosen = picker.pick("F28", np.arange(people.size), able, np.ones(people.size, dtype=bool), share)
    u = random.random((4, people.size))[:, chosen]
    room = calendar.total - calendar.opens - LEAD
    first = calendar.opens + LEAD + np.floor(u[0] * max(1, room - 4)).astype(np.int64)
    first = np.minimum(first, calendar.total - 1)
    practice = another_practice(world, people.practice[chosen], u[1], keeps_records=True)
    added = Episodes(
        person=chosen,
        first=first,
        last=np.minimum(first + np.floor(u[3] * 4).astype(np.int64), calendar.total - 1),
        practice=practice,
        practitioner=someone(world, practice, u[2]),
        lane=np.full(len(chosen), STAFF),
        own=np.zeros(len(chosen), dtype=bool),
        error=np.full(len(chosen), "F28", dtype="<U3"),
        late_consent=np.zeros(len(chosen), dtype=bool),
        second_biller=np.zeros(len(chosen), dtype=bool),
    )
    return join_episodes(episodes, added)


def join_episodes(one: Episodes, two: Episodes) -> Episodes:
    return Episodes(**{name: np.concatenate([getattr(one, name), getattr(two, name)]) for name in vars(one)})


def join_months(one: Months, two: Months) -> Months:
    return Months(**{name: np.concatenate([getattr(one, name), getattr(two, name)]) for name in vars(one)})


def spoil_months(
    world: World,
    people: People,
    events: Events,
    episodes: Episodes,
    months: Months,
    calendar: Calendar,
    picker: Picker,
) -> tuple[Episodes, Months]:
    """Plant the errors of single months; changes `people.part_b` for lapses. Returns the extended plan."""
    person = episodes.person[months.episode]
    lane, records = (
        episodes.lane[months.episode],
        world.practice_keeps_records[episodes.practice[months.episode]],
    )
    whole, when = episodes.error[months.episode], months.month
    billed = months.status == BILLED
    paid = billed & ~months.denied & (whole != "")  # a denied bill costs nobody anything
    months.error[paid] = whole[paid]
    # A late consent is an error of the first month only.
    late = episodes.late_consent[months.episode] & (months.month > episodes.first[months.episode])
    months.error[late] = ""
    # Errors are planted where the rules of physician practices apply.
    regular = world.practice_type[episodes.practice[months.episode]] == PHYSICIAN
    clean = billed & ~months.denied & ~months.under_billed & (whole == "") & regular
    staff = clean & (lane == STAFF)
    planned = slice(len(clean))  # bills without coverage will stand behind the plan
    minute = stream(picker.seed, "spoilt minutes", picker.chunk).random((2, len(person)))

    def mark(rule: str, able: Bools, minutes: tuple[int, int] | None = None) -> Ints:
        chosen = picker.pick(rule, person, able, billed)
        months.error[chosen] = rule
        if minutes is not None:
            low, high = minutes
            drawn = low + np.floor(minute[0, chosen] * (high - low + 1)).astype(np.int64)
            months.seconds[chosen] = drawn * 60 + np.floor(minute[1, chosen] * 60).astype(np.int64)
        return chosen

    def one_more(rows: Ints, low: int, high: int) -> None:
        """Minutes of `rows` from `low` to `high` around the first add-on's threshold."""
        drawn = low + np.floor(minute[0, rows] * (high - low + 1)).astype(np.int64)
        threshold = calendar.ladder.add_on_first[lane[rows], when[rows]]
        months.seconds[rows] = (threshold + drawn) * 60 + np.floor(minute[1, rows] * 60).astype(np.int64)

    episodes, months, no_cover = _outside_coverage(world, people, episodes, months, calendar, picker, clean)
    clean[no_cover] = False
    staff[no_cover] = False
    mark("F01", clean)
    second = mark("F02", clean)
    mark("F03", staff & (other_lane(calendar.ladder) != "")[when])
    mark("F04", clean & (lane != PRACTITIONER))
    mark("F05", clean)
    # Where the staff lane has no add-on yet, the complex lane shows what can go wrong with one.
    addable = calendar.ladder.add_on[:, when] != ""
    extra = np.where(addable[STAFF], staff, clean & (lane == COMPLEX) & addable[COMPLEX])
    rows = mark("F10", extra)
    one_more(rows, 0, 18)
    months.base_units[rows], months.add_on_units[rows] = 0, 1
    rows = mark("F11", staff & addable[STAFF], (80, 95))
    months.add_on_units[rows] = 3
    rows = mark("F12", staff, (20, 38))
    months.base_units[rows], months.add_on_units[rows] = 2, 0
    rows = mark("F13", staff, (40, 58))
    months.add_on_units[rows] = 0
    rows = mark("F14", staff & records, (5, 19))
    months.base_units[rows], months.add_on_units[rows] = 1, 0
    rows = mark("F15", extra & records)
    one_more(rows, -18, -2)
    months.base_units[rows], months.add_on_units[rows] = 1, 1
    _other_programmes(people, events, episodes, months, calendar, picker, clean, records)
    # The same code and minutes, wrongly priced; before the years of known components no price of a locality can be told.
    priced = staff & (calendar.starts[when] >= priced_by_component_from())
    mark("F37", priced)
    mark("F49", priced)
    centre = world.is_health_centre[episodes.practice[months.episode[planned]]]
    ordinary = billed & ~months.denied[planned] & (whole == "")
    alone = general_code_alone(calendar.starts[:-1], calendar.ladder.base[STAFF])
    mark("F38", ordinary & centre & alone[when])
    mark("F44", clean & (paying_model(calendar.starts[:-1]) != "")[when])
    told = world.practice_tells_staffing[episodes.practice[months.episode[planned]]]
    mark("F52", clean & told & (lane != PRACTITIONER))
    return _second_billers(world, people, episodes, months, second, picker)


def _other_programmes(
    people: People,
    events: Events,
    episodes: Episodes,
    months: Months,
    calendar: Calendar,
    picker: Picker,
    clean: Bools,
    records: Bools,
) -> None:
    """Services of other programmes billed beside CCM, or in its place, that should not have been."""
    services = companions(calendar.starts[:-1])
    planned = slice(len(clean))  # bills without coverage stand behind the plan
    person, when = episodes.person[months.episode[planned]], months.month[planned]
    billed = months.status[planned] == BILLED
    able = {
        rule: clean & in_force(services[rule])[when]
        for rule in (*BESIDE_ANY_BILL, "F40", "F43", "F39", "F45")
    }
    able["F40"] &= ~people.dual[person]
    able["F45"] &= records
    # Transitional care without a discharge: no stay in this month or the two before.
    stays = days_in_stays(events, people, calendar)
    for back in range(3):
        able["F43"] &= stays[person, np.maximum(when - back, 0)] == 0
    for rule, rows in able.items():
        chosen = picker.pick(rule, person, rows, billed)
        months.error[chosen] = rule
        if rule in IN_PLACE_OF_CCM:
            months.base_units[chosen], months.add_on_units[chosen] = 0, 0


def _outside_coverage(
    world: World,
    people: People,
    episodes: Episodes,
    months: Months,
    calendar: Calendar,
    picker: Picker,
    clean: Bools,
) -> tuple[Episodes, Months, Ints]:
    """F35: bills after death, in Medicare Advantage, and in a month without Part B."""
    person, last = episodes.person, episodes.last
    regular = (episodes.error == "") & (episodes.lane == STAFF)
    regular &= world.practice_type[episodes.practice] == PHYSICIAN
    everyone = np.ones(len(person), dtype=bool)
    per_user = months.status.size / max(1, len(person)) / 3
    dead = regular & (people.death_month[person] == last + 1) & (last + 2 < calendar.total)
    after = picker.pick("F35", person, dead, everyone, per_user, " death")
    following = np.minimum(last + 1, calendar.total - 1)
    moved = regular & (last + 1 < calendar.total) & people.advantage[person, following]
    elsewhere = picker.pick("F35", person, moved, everyone, per_user, " advantage")
    owner, month = months.episode, months.month
    lapse = clean & (month == last[owner]) & (month > episodes.first[owner])
    lapse &= (month - episodes.first[owner]) % 5 != 0  # no follow-up visit falls in the month
    lapsed = picker.pick("F35", person[owner], lapse, np.ones(len(owner), dtype=bool), 1 / 3, " part b")
    people.part_b[person[owner[lapsed]], month[lapsed]] = False
    months.error[lapsed], months.detail[lapsed] = "F35", "without_part_b"

    episode = np.concatenate([after, elsewhere])
    count = len(episode)
    in_advantage = np.arange(count) >= len(after)
    added = Months(
        episode=episode,
        month=np.where(in_advantage, last[episode] + 1, last[episode] + 2),
        status=np.full(count, BILLED),
        seconds=np.where(in_advantage, 25 * 60 + 30, 0),
        base_units=np.ones(count, dtype=np.int64),
        add_on_units=np.zeros(count, dtype=np.int64),
        under_billed=np.zeros(count, dtype=bool),
        denied=np.zeros(count, dtype=bool),
        error=np.full(count, "F35", dtype="<U16"),
        detail=np.where(in_advantage, "in_advantage", "after_death").astype("<U16"),
    )
    return episodes, (join_months(months, added) if count else months), lapsed


def _second_billers(
    world: World, people: People, episodes: Episodes, months: Months, spoilt: Ints, picker: Picker
) -> tuple[Episodes, Months]:
    """F02: another practice, with its own visit, consent and minutes, bills the same month."""
    count = len(spoilt)
    if not count:
        return episodes, months
    owner = months.episode[spoilt]
    u = stream(picker.seed, "second biller", picker.chunk).random((3, count))
    practice = another_practice(world, episodes.practice[owner], u[0], keeps_records=True)
    clash = practice == people.practice[episodes.person[owner]]
    added = Episodes(
        person=episodes.person[owner],
        first=months.month[spoilt],
        last=months.month[spoilt],
        practice=practice,
        practitioner=np.where(
            clash, people.practitioner[episodes.person[owner]], someone(world, practice, u[1])
        ),
        lane=np.full(count, STAFF),
        own=clash,
        error=np.full(count, "", dtype="<U3"),
        late_consent=np.zeros(count, dtype=bool),
        second_biller=np.ones(count, dtype=bool),
    )
    billed = Months(
        episode=len(episodes.person) + np.arange(count),
        month=months.month[spoilt],
        status=np.full(count, BILLED),
        seconds=(20 + np.floor(u[2] * 19).astype(np.int64)) * 60 + 12,
        base_units=np.ones(count, dtype=np.int64),
        add_on_units=np.zeros(count, dtype=np.int64),
        under_billed=np.zeros(count, dtype=bool),
        denied=np.zeros(count, dtype=bool),
        error=np.full(count, "F02", dtype="<U16"),
        detail=np.full(count, "second_biller", dtype="<U16"),
    )
    # The first biller's month is the counterpart: it breaks the rule too, but the second bill is planted.
    months.error[spoilt], months.detail[spoilt] = "", "billed_twice"
    return join_episodes(episodes, added), join_months(months, billed)
