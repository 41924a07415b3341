"""One chunk of people from first draw to finished tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.simulate import (
    ccm_visits,
    emergencies,
    errors,
    faults,
    groups,
    programme,
    records,
    render,
    render_people,
    statements,
    stays,
    truth,
    visits,
)
from pipelines.simulate.bills import bill_lines
from pipelines.simulate.book import ClaimBook
from pipelines.simulate.ccm_claims import add_bills
from pipelines.simulate.deliveries import Restatements, month_ends, stamp_claims, stamp_people
from pipelines.simulate.diagnoses import build_diagnoses
from pipelines.simulate.events import apply_effect, build_events
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.payment import add_amounts
from pipelines.simulate.people import build_people
from pipelines.simulate.record_deliveries import stamp_records
from pipelines.simulate.world import World


@dataclass(frozen=True)
class Made:
    """Contract tables and truth tables of a chunk, and its counts by (group, step) and (group, measure)."""

    tables: dict[str, pl.DataFrame]
    facts: dict[str, pl.DataFrame]
    funnel: Counter[tuple[str, str]]
    effects: Counter[tuple[str, str]]


def make_chunk(
    settings: dict[str, Any],
    months: Calendar,
    world: World,
    seed: int,
    chunk: int,
    first: int,
    size: int,
    twin: bool,
    monthly: bool = False,
) -> Made:
    """One chunk; depends on nothing but its arguments."""
    people = build_people(settings, months, world, seed, chunk, first, size)
    events = build_events(settings, months, people, seed, chunk)
    episodes = programme.plan_episodes(settings, months, world, people, events, seed, chunk)
    picker = errors.Picker(settings, people, seed, chunk)
    episodes = errors.spoil_episodes(world, people, events, episodes, months, picker)
    served = programme.serve(settings, months, world, people, events, episodes, seed, chunk)
    episodes, served = errors.spoil_months(world, people, events, episodes, served, months, picker)
    started, ended = programme.users(people, episodes)
    apply_effect(settings, world, events, people, started, ended, twin)

    book = ClaimBook()
    visits.build_visits(settings, months, world, people, events, book, seed, chunk)
    stays.build_stays(settings, months, world, people, events, ended >= 0, book, seed, chunk)
    emergencies.build_emergencies(settings, world, people, events, book, seed, chunk)
    initiating = ccm_visits.build_ccm_visits(months, world, people, events, episodes, book, seed, chunk)
    lines_of_plan = bill_lines(settings, months, world, episodes, served, seed, chunk)
    add_bills(settings, world, people, episodes, served, months, lines_of_plan, book)
    claims, lines = book.frames()
    claims = statements.deny(settings, claims, seed, chunk)
    claims, lines = add_amounts(settings, months, world, claims, lines)
    slots = build_diagnoses(settings, months, people, claims, seed, chunk)

    facts = truth.people_truth(settings, months, world, people)
    facts |= truth.programme_truth(months, world, people, episodes, served)
    facts |= truth.error_truth(months, world, people, episodes, served, claims, lines)
    facts |= truth.effect_truth(months, people, events)
    facts["exposures"] = groups.exposures(settings, months, world, people, started, ended)
    consents, plans = records.build_consents(
        settings, months, world, people, episodes, served, initiating, seed, chunk
    )
    problems = records.build_problems(settings, months, world, people, episodes, initiating)
    time = records.build_time(settings, months, world, people, events, episodes, served, seed, chunk)
    codes = lines.filter(pl.col("line") == 1).select("key", "code")
    met = claims.join(codes, on="key", how="left", maintain_order="left")
    notes = Restatements(int(month_ends(months)[0]))
    tables = render_people.person_tables(settings, months, people)
    tables["encounters"] = render.encounters(world, people, met)
    tables |= render.record_tables(world, people, consents, plans, problems, time)
    rosters = records.build_rosters(settings, months, world, people, episodes, served, ended, seed, chunk)
    charges = records.build_charges(world, people, episodes, served, claims, lines)
    refusals = records.build_refusals(settings, months, people, ended, seed, chunk)
    tables |= render.optional_tables(world, people, rosters, charges, refusals)
    claims, lines, slots = statements.state(settings, months, claims, lines, slots, seed, chunk)
    if monthly:
        claims, lines, slots = stamp_claims(
            settings, months, people, claims, lines, slots, notes, seed, chunk
        )
    tables |= render.claim_tables(world, people, claims, lines, slots)
    if monthly:
        tables |= stamp_people(settings, months, people, tables, notes, seed, chunk)
        current = render_people.identifiers(people)
        tables |= stamp_records(settings, months, tables, current, notes, seed, chunk)
    planted = faults.plant_faults(settings, tables, seed, chunk)
    facts["planted_faults"] = planted.faults
    facts["restatements"] = notes.frame()
    return Made(
        tables=planted.tables,
        facts=facts,
        funnel=groups.funnel(settings, months, world, people, episodes, served),
        effects=groups.effects(settings, months, world, people, events, started, ended),
    )
