"""What practices keep: consents, care plans, problem lists, the time log of served months, charges and rosters of models."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.book import order_within, pick_by_chance, text
from pipelines.simulate.companions import paying_model
from pipelines.simulate.diagnoses import spellings
from pipelines.simulate.events import Events
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.policy import needs_written_consent
from pipelines.simulate.programme import COMPLEX, PRACTITIONER, STAFF, Episodes, Months
from pipelines.simulate.streams import stream
from pipelines.simulate.world import SPECIALIST, Floats, Ints, World

STAFF_CREDENTIALS = ["RN", "LPN", "MA", "MSW", "PHARMD"]
ACTIVITIES = ["call", "care_coordination", "medication_review", "plan_update"]
DAY = 86_400


def build_consents(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    episodes: Episodes,
    months: Months,
    initiating: Ints,
    seed: int,
    chunk: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Consents and care plans of users whose practice keeps records."""
    u = stream(seed, "consents", chunk).random((5, len(initiating)))
    kept = world.practice_keeps_records[episodes.practice]
    final = np.zeros(len(initiating), dtype=np.int64)
    np.maximum.at(final, months.episode, months.month)
    ended = (final == episodes.last) & (episodes.last < calendar.total - 1)
    revoked = ended & (u[0] < parameters["records"]["revoked"]) & ~episodes.second_biller
    day = np.where(episodes.late_consent, calendar.last_day(episodes.first), initiating)
    has = kept & ~((episodes.error == "F24") & ~episodes.late_consent)
    number = people.number[episodes.person] * 10 + episodes.second_biller
    frame = pl.DataFrame(
        {
            "number": number,
            "person": episodes.person,
            "practitioner": episodes.practitioner,
            "practice": episodes.practice,
            "day": day,
            "mode": text(
                ["verbal", "written"],
                (needs_written_consent(calendar.starts[episodes.first]) | (u[1] < 0.4)).astype(np.int64),
            ),
            "revoked": np.where(revoked, calendar.last_day(episodes.last), -1),
            "created": initiating + np.floor(u[2] * 10).astype(np.int64),
            "has": has,
            "kept": kept,
        }
    )
    plans = _plans(calendar, episodes, frame, u[3], u[4])
    return frame.filter("has"), plans.filter("kept")


def _plans(
    calendar: Calendar, episodes: Episodes, frame: pl.DataFrame, revising: Floats, giving: Floats
) -> pl.DataFrame:
    """A plan at the start and a new one every nine months, so that none in use is older than a year."""
    number = 1 + np.maximum(0, (episodes.last - episodes.first) // 9)
    owner = np.repeat(np.arange(len(number)), number)
    order = order_within(owner)
    month = np.minimum(episodes.first[owner] + 9 * order, calendar.total - 1)
    created = np.where(order == 0, frame["created"].to_numpy()[owner], calendar.starts[month] - 4)
    return frame[owner].with_columns(
        number=pl.Series(frame["number"].to_numpy()[owner] * 10 + order),
        created=pl.Series(created),
        revised=pl.Series(created + np.floor(revising[owner] * 60).astype(np.int64)),
        given=pl.Series(created + np.floor(giving[owner] * 8).astype(np.int64)),
    )


def build_problems(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    episodes: Episodes,
    initiating: Ints,
) -> pl.DataFrame:
    """Problem lists of users whose practice keeps records: conditions held and coded by the last served month.

    Known ones are listed at the first visit with the practice, others in the month in which they begin.
    """
    conditions = parameters["conditions"]
    codes = [item["codes"] for item in conditions["list"]]
    words = [code for group in codes for code in group]
    spelt, era_starts, icd10_from = spellings(conditions, words)
    known = people.coded[episodes.person] & people.condition[episodes.person]
    known &= people.onset[episodes.person] <= episodes.last[:, None]
    known &= world.practice_keeps_records[episodes.practice][:, None]
    episode, condition = np.nonzero(known)
    person = episodes.person[episode]
    day = np.maximum(initiating[episode], calendar.starts[people.onset[person, condition]])
    size = np.array([len(group) for group in codes])
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    word = first[condition] + people.code_choice[person, condition] % size[condition]
    era = np.searchsorted(era_starts, day, side="right")
    return pl.DataFrame(
        {
            "number": (people.number[person] * 10 + episodes.second_biller[episode]) * 100 + condition,
            "person": person,
            "practice": episodes.practice[episode],
            "day": day,
            "code": pl.Series(spelt[era, word].tolist(), dtype=pl.String),
            "icd_version": np.where(day >= icd10_from, 10, 9),
        }
    )


def build_time(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    events: Events,
    episodes: Episodes,
    months: Months,
    seed: int,
    chunk: int,
) -> pl.DataFrame:
    """Activities whose counted seconds add up to each served month's seconds, none during a stay.

    Voided activities and activities of other programmes come on top and must not be counted.
    """
    random = stream(seed, "time log", chunk)
    kept = world.practice_keeps_records[episodes.practice[months.episode]] & (months.seconds > 0)
    row = np.flatnonzero(kept)
    number = np.clip(1 + months.minutes[row] // 12, 1, 6)
    owner = np.repeat(row, number)
    order = order_within(owner)
    weight = random.uniform(0.5, 1.5, len(owner))
    total = np.bincount(owner, weight, minlength=len(kept))
    seconds = np.floor(months.seconds[owner] * weight / total[owner]).astype(np.int64)
    rest = months.seconds - np.bincount(owner, seconds, minlength=len(kept)).astype(np.int64)
    seconds += np.where(order == 0, rest[owner], 0)
    extra_chance = random.random((2, len(row)))
    voided = row[extra_chance[0] < parameters["records"]["voided"]]
    foreign = row[extra_chance[1] < 0.03]
    owner = np.concatenate([owner, voided, foreign])
    sort = np.argsort(owner, kind="stable")
    kind = np.concatenate([np.zeros(len(order)), np.ones(len(voided)), np.full(len(foreign), 2)]).astype(
        np.int64
    )
    bonus = 300 + np.floor(random.random(len(voided) + len(foreign)) * 1500).astype(np.int64)
    seconds = np.concatenate([seconds, bonus])
    owner, kind, seconds = owner[sort], kind[sort], seconds[sort]
    order = order_within(owner)
    episode, month = months.episode[owner], months.month[owner]
    person, lane = episodes.person[episode], episodes.lane[episode]
    low, high = calendar.starts[month], calendar.last_day(month) - 1
    day = events.day_outside(person, low, high, random)
    u = random.random((5, len(owner)))
    pooled = random.random(len(kept)) < parameters["records"]["pooled_practitioner"]
    by_practitioner = (lane == PRACTITIONER) | (
        pooled[owner] & (order == 1) & (kind == 0) & (lane != PRACTITIONER) & (months.error[owner] == "")
    )
    nurse = world.practitioner_is_nurse[episodes.practitioner[episode]]
    credential = pick_by_chance(STAFF_CREDENTIALS, [45, 20, 20, 8, 7], u[0])
    own = text(["MD", "NP"], nurse.astype(np.int64))
    level = np.where(lane == COMPLEX, np.where(u[1] < 0.3, 3, 2), np.where(u[1] < 0.5, 1, 0))
    recorded = (order == 0) | ((lane == STAFF) & (u[2] < 0.1))
    started = day * DAY + 8 * 3600 + np.floor(u[3] * 480).astype(np.int64) * 60
    staff = 1 + np.floor(u[4] * 4).astype(np.int64)
    log = pl.DataFrame(
        {
            "number": (people.number[person] * 1000 + month) * 100
            + order * 2
            + episodes.second_biller[episode],
            "person": person,
            "practitioner": episodes.practitioner[episode],
            "practice": episodes.practice[episode],
            "by_practitioner": by_practitioner,
            "staff": staff,
            "credential": credential,
            "own_credential": own,
            "started": started,
            "seconds": seconds,
            "activity": text(ACTIVITIES, (order + person) % len(ACTIVITIES)),
            "programme": text(["CCM", "CCM", "RPM"], kind),
            "level": text(["straightforward", "low", "moderate", "high"], level),
            "recorded": recorded & (kind != 1),
            "voided": kind == 1,
            "told": world.practice_tells_staffing[episodes.practice[episode]],
            "abroad": (months.error[owner] == "F52") & (kind == 0),
        }
    )
    return pl.concat([log, _community_time(world, people, events, episodes, months, calendar, seed, chunk)])


def _community_time(
    world: World,
    people: People,
    events: Events,
    episodes: Episodes,
    months: Months,
    calendar: Calendar,
    seed: int,
    chunk: int,
) -> pl.DataFrame:
    """One activity of community health integration, too short, of each month that was planted so (F45)."""
    random = stream(seed, "community time", chunk)
    row = np.flatnonzero(months.error == "F45")
    episode, month = months.episode[row], months.month[row]
    person = episodes.person[episode]
    day = events.day_outside(person, calendar.starts[month], calendar.last_day(month) - 1, random)
    u = random.random((2, len(row)))
    nobody = np.zeros(len(row), dtype=bool)
    return pl.DataFrame(
        {
            "number": (people.number[person] * 1000 + month) * 100 + 98 + episodes.second_biller[episode],
            "person": person,
            "practitioner": episodes.practitioner[episode],
            "practice": episodes.practice[episode],
            "by_practitioner": nobody,
            "staff": np.full(len(row), 9),
            "credential": pl.Series(["CHW"] * len(row), dtype=pl.String),
            "own_credential": pl.Series(["MD"] * len(row), dtype=pl.String),
            "started": day * DAY + 17 * 3600 + np.floor(u[0] * 60).astype(np.int64) * 60,
            "seconds": 1200 + np.floor(u[1] * 2399).astype(np.int64),
            "activity": pl.Series(["care_coordination"] * len(row), dtype=pl.String),
            "programme": pl.Series(["CHI"] * len(row), dtype=pl.String),
            "level": pl.Series(["straightforward"] * len(row), dtype=pl.String),
            "recorded": nobody,
            "voided": nobody,
            "told": world.practice_tells_staffing[episodes.practice[episode]],
            "abroad": nobody,
        }
    )


def build_charges(
    world: World,
    people: People,
    episodes: Episodes,
    months: Months,
    claims: pl.DataFrame,
    lines: pl.DataFrame,
) -> pl.DataFrame:
    """What patients without Medicaid were charged for paid CCM, where the practice tells; a practice that waives asks nobody."""
    told = claims.filter(~pl.col("denied") & (pl.col("decoy") == "")).select("key")
    shares = (
        lines.filter(pl.col("row") >= 0)
        .join(told, on="key", how="semi")
        .group_by("row")
        .agg(
            share=pl.col("deductible").fill_null(0).sum() + pl.col("coinsurance").fill_null(0).sum(),
            day=pl.col("from").max(),
        )
        .sort("row")
    )
    row = shares["row"].to_numpy()
    episode = months.episode[row]
    person, practice = episodes.person[episode], episodes.practice[episode]
    charged = np.where(world.practice_waives[practice], 0, shares["share"].to_numpy())
    frame = pl.DataFrame(
        {
            "number": (people.number[person] * 1000 + months.month[row]) * 10
            + episodes.second_biller[episode],
            "person": person,
            "practice": practice,
            "day": shares["day"],
            "charged": charged,
        }
    )
    return frame.filter(pl.Series(world.practice_tells_charges[practice] & ~people.dual[person]))


def build_rosters(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    people: People,
    episodes: Episodes,
    months: Months,
    ended: Ints,
    seed: int,
    chunk: int,
) -> pl.DataFrame:
    """Alignments to payment models: some people whom nobody serves, through a specialist practice, and the planted months (F44)."""
    models = paying_model(calendar.starts[:-1])
    random = stream(seed, "rosters", chunk)
    u = random.random((2, people.size))
    last = int(np.flatnonzero(models != "").max()) if (models != "").any() else -1
    able = (ended < 0) & (u[0] < parameters["records"]["aligned"]) & (last >= 0)
    aligned = np.flatnonzero(able)
    special = np.flatnonzero(world.practice_kind == SPECIALIST)
    first = int(np.flatnonzero(models == models[last]).min()) if last >= 0 else 0
    row = np.flatnonzero(months.error == "F44")
    month = months.month[row]
    return pl.DataFrame(
        {
            "model": pl.Series([*([models[last]] * len(aligned)), *models[month].tolist()], dtype=pl.String),
            "person": np.concatenate([aligned, episodes.person[months.episode[row]]]),
            "practice": np.concatenate(
                [
                    special[np.floor(u[1, aligned] * len(special)).astype(np.int64)],
                    episodes.practice[months.episode[row]],
                ]
            ),
            "from": np.concatenate([np.full(len(aligned), calendar.starts[first]), calendar.starts[month]]),
            "through": np.concatenate([np.full(len(aligned), -1), calendar.last_day(month)]),
        }
    )


def build_refusals(
    parameters: dict[str, Any], calendar: Calendar, people: People, ended: Ints, seed: int, chunk: int
) -> pl.DataFrame:
    """People whom nobody serves who asked not to be contacted: person and day, one row a request."""
    u = stream(seed, "refusals", chunk).random((2, people.size))
    person = np.flatnonzero((ended < 0) & (u[0] < parameters["records"]["not_to_be_contacted"]))
    first, end = int(calendar.starts[0]), int(calendar.starts[-1])
    day = first + np.floor(u[1, person] * (end - first)).astype(np.int64)
    return pl.DataFrame({"person": person, "day": day})
