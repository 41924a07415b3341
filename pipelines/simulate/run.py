"""The simulator: people in chunks, each made from its own random streams and written before the next."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate import (
    ccm_visits,
    emergencies,
    errors,
    faults,
    programme,
    records,
    render,
    render_world,
    statements,
    stays,
    truth,
    visits,
    write_cclf,
    write_fhir,
    write_rif,
)
from pipelines.simulate.bills import DENIED, bill_lines
from pipelines.simulate.book import CCM_BILL, NONE, SETTINGS, ClaimBook, claim_key, order_within
from pipelines.simulate.deliveries import (
    MonthlyFolders,
    Restatements,
    month_ends,
    sent_every_january,
    stamp_claims,
    stamp_people,
)
from pipelines.simulate.diagnoses import build_diagnoses
from pipelines.simulate.events import apply_effect, build_events
from pipelines.simulate.parameters import Calendar, calendar, digest, load, with_options
from pipelines.simulate.payment import add_amounts
from pipelines.simulate.people import People, build_people
from pipelines.simulate.programme import Episodes, Months
from pipelines.simulate.record_deliveries import stamp_records
from pipelines.simulate.truth_schemas import SCHEMAS
from pipelines.simulate.world import World, build_world
from pipelines.simulate.writing import OneFolder, TableFile, contract_schemas

# What writes the extracts of a format, from the contract tables of one delivery.
WRITERS = {"cclf": write_cclf.rewrite, "fhir": write_fhir.rewrite, "rif": write_rif.rewrite}
FORMATS = ["practice", *WRITERS]
FILES = ["parquet", "csv"]
DELIVERIES = ["single", "monthly"]


def simulate(
    people: int,
    months: int,
    seed: int,
    out: Path,
    *,
    format: str = "practice",
    parameters: Path | None = None,
    twin: bool = False,
    files: str = "parquet",
    last_month: date | None = None,
    error_scale: float | None = None,
    error_rate: float | None = None,
    deliveries: str = "single",
) -> dict[str, Any]:
    """Write a synthetic Medicare population of `people` persons over `months` months into `out`.

    `out/extracts/` gets one file a contract table (`files`: parquet or csv), `out/truth/` what was planted
    and `truth.json`; both folders are replaced. The same arguments and parameter file give the same bytes.
    `twin` makes the same draws without the effect of CCM. `deliveries` "monthly" writes one folder a month of what was
    known then. `last_month` (any day of it) ends the window elsewhere than
    the parameter file says; `error_scale` multiplies its error rates, `error_rate` sets them so that about this share
    of CCM dollars is paid in error as OIG audits it. Returns the content of `truth.json`.
    ValueError: an argument or parameter that cannot be used.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r} cannot be simulated; formats: {', '.join(FORMATS)}")
    if files not in FILES:
        raise ValueError(f"files {files!r} cannot be written; kinds: {', '.join(FILES)}")
    if deliveries not in DELIVERIES:
        raise ValueError(f"deliveries {deliveries!r} are unknown; kinds: {', '.join(DELIVERIES)}")
    if format != "practice" and files != "parquet":
        raise ValueError(f"format {format!r} is made from parquet files")
    if people < 1 or people > 50_000_000:
        raise ValueError("people must be between 1 and 50,000,000")
    if months < 1:
        raise ValueError("months must be at least 1")
    if seed < 0:
        raise ValueError("seed must not be negative")
    settings = with_options(load(parameters), last_month, error_scale, error_rate)
    covered = calendar(settings, months)
    world = build_world(settings, people, seed, covered)
    extracts, truths = Path(out) / "extracts", Path(out) / "truth"
    for folder in (extracts, truths):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    counts: Counter[str] = Counter()
    schemas, monthly = contract_schemas(), deliveries == "monthly"
    tables: OneFolder | MonthlyFolders
    if monthly:
        tables = MonthlyFolders(extracts, schemas, files, month_ends(covered))
    else:
        tables = OneFolder(extracts, schemas, files, covered.extract_day)
    known = {name: TableFile(truths / f"{name}.parquet", schema) for name, schema in SCHEMAS.items()}
    try:
        for name, frame in render_world.world_tables(settings, world).items():
            tables.write(name, sent_every_january(frame, covered) if monthly else frame)
        size = int(settings["window"]["chunk_people"])
        for chunk, first in enumerate(range(0, people, size)):
            made, facts = make_chunk(
                settings, covered, world, seed, chunk, first, min(size, people - first), twin, monthly
            )
            for name, frame in made.items():
                tables.write(name, frame)
            for name, frame in facts.items():
                known[name].write(frame)
            counts.update(_counted(facts))
    finally:
        tables.close()
        for file in known.values():
            file.close()
    if format in WRITERS:
        for sent in tables.described:
            WRITERS[format](Path(out) / sent["folder"], received=date.fromisoformat(sent["received"]))
    record = {
        "people": people,
        "months": months,
        "seed": seed,
        "format": format,
        "twin": twin,
        "parameters_sha256": digest(settings),
        "first_claim_month": str(np.datetime64(int(covered.starts[0]), "D"))[:7],
        "first_window_month": str(np.datetime64(int(covered.starts[covered.history]), "D"))[:7],
        "last_window_month": str(np.datetime64(int(covered.starts[-2]), "D"))[:7],
        "extract_date": str(np.datetime64(covered.extract_day, "D")),
        "planted_effect": settings["ccm"]["effect"],
        "planted_odds_ratios": settings["ccm"]["odds_ratios"],
        "rows": tables.rows,
        "deliveries": tables.described,
        "truth_rows": {name: file.rows for name, file in known.items()},
        "planted_errors": {k[6:]: v for k, v in sorted(counts.items()) if k.startswith("error ")},
        "planted_faults": {k[6:]: v for k, v in sorted(counts.items()) if k.startswith("fault ")},
    }
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    (truths / "truth.json").write_text(text, encoding="utf-8")
    return record


def _counted(facts: dict[str, pl.DataFrame]) -> Counter[str]:
    rules = Counter(f"error {rule}" for rule in facts["planted_errors"]["rule_id"])
    pairs = facts["planted_faults"].select(pl.concat_str("table_name", "fault", separator="."))
    return rules + Counter(f"fault {pair}" for pair in pairs.to_series())


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
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Contract tables and truth tables of one chunk; depends on nothing but its arguments."""
    people = build_people(settings, months, world, seed, chunk, first, size)
    events = build_events(settings, months, people, seed, chunk)
    episodes = programme.plan_episodes(settings, months, world, people, events, seed, chunk)
    picker = errors.Picker(settings, people, seed, chunk)
    episodes = errors.spoil_episodes(world, people, events, episodes, months, picker)
    served = programme.serve(settings, months, people, events, episodes, seed, chunk)
    episodes, served = errors.spoil_months(world, people, episodes, served, months, picker)
    started, ended = programme.users(people, episodes)
    apply_effect(settings, events, people, started, ended, twin)

    book = ClaimBook()
    visits.build_visits(settings, months, world, people, events, book, seed, chunk)
    stays.build_stays(settings, months, world, people, events, ended >= 0, book, seed, chunk)
    emergencies.build_emergencies(settings, world, people, events, book, seed, chunk)
    initiating = ccm_visits.build_ccm_visits(months, world, people, events, episodes, book, seed, chunk)
    lines_of_plan = bill_lines(settings, months, episodes, served, seed, chunk)
    add_bills(world, people, episodes, served, months, lines_of_plan, book)
    claims, lines = book.frames()
    claims = statements.deny(settings, claims, seed, chunk)
    claims, lines = add_amounts(settings, months, world, claims, lines)
    slots = build_diagnoses(settings, months, people, claims, seed, chunk)

    facts = truth.people_truth(settings, months, world, people)
    facts |= truth.programme_truth(months, world, people, episodes, served)
    facts |= truth.error_truth(months, world, people, episodes, served, claims, lines)
    facts |= truth.effect_truth(months, people, events)
    consents, plans = records.build_consents(
        settings, months, world, people, episodes, served, initiating, seed, chunk
    )
    time = records.build_time(settings, months, world, people, events, episodes, served, seed, chunk)
    codes = lines.filter(pl.col("line") == 1).select("key", "code")
    met = claims.join(codes, on="key", how="left", maintain_order="left")
    notes = Restatements(int(month_ends(months)[0]))
    tables = render.person_tables(settings, months, people)
    tables["encounters"] = render.encounters(world, people, met)
    tables |= render.record_tables(world, people, consents, plans, time)
    claims, lines, slots = statements.state(settings, months, claims, lines, slots, seed, chunk)
    if monthly:
        claims, lines, slots = stamp_claims(
            settings, months, people, claims, lines, slots, notes, seed, chunk
        )
    tables |= render.claim_tables(world, people, claims, lines, slots)
    if monthly:
        tables |= stamp_people(settings, months, people, tables, notes, seed, chunk)
        current = render.identifiers(people)
        tables |= stamp_records(settings, months, tables, current, notes, seed, chunk)
    planted = faults.plant_faults(settings, tables, seed, chunk)
    facts["planted_faults"] = planted.faults
    facts["restatements"] = notes.frame()
    return planted.tables, facts


def add_bills(
    world: World,
    people: People,
    episodes: Episodes,
    served: Months,
    months: Calendar,
    plan: pl.DataFrame,
    book: ClaimBook,
) -> None:
    """CCM claims of the plan: one claim a (row, claim) with its lines."""
    row, claim = plan["row"].to_numpy(), plan["claim"].to_numpy()
    owner = served.episode[row]
    person, practitioner = episodes.person[owner], episodes.practitioner[owner]
    practice = episodes.practice[owner]
    order = 10 * episodes.second_biller[owner] + claim
    key = claim_key(CCM_BILL, people.number[person], served.month[row], order)
    day, decoy = plan["day"].to_numpy(), plan["decoy"]
    head = np.flatnonzero(order_within(row * 10 + claim) == 0)
    # Of two bills for one month the planted one is always processed later.
    paired = np.isin(served.error[row], ["F01", "F03"])
    first = (paired & (claim == 0)) | (served.detail[row] == "billed_twice")
    second = (paired & (claim == 1)) | (served.error[row] == "F02")
    lag = np.where(first, 12, np.where(second, 45, NONE))
    refused = (served.denied[row] & (claim == 0)) | (decoy == DENIED).to_numpy()
    book.add_claims(
        key[head],
        person[head],
        day[head],
        practitioner=practitioner[head],
        practice=practice[head],
        setting=SETTINGS.index("primary_care"),
        forced=True,
        denied=refused[head],
        decoy=decoy.gather(head),
        lag=lag[head],
    )
    book.add_lines(
        key,
        day,
        line=plan["line"].to_numpy(),
        code=plan["code"],
        units=plan["units"].to_numpy(),
        place="11",
        practitioner=practitioner,
        practice=practice,
        row=row,
        planted=plan["planted"].to_numpy(),
    )
