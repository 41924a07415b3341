"""What earlier publications told in the report tables, and what of it a later one must keep in mind.

A number that is published twice tells how many people came or went in between. So a number that changed by a few people since a
publication told it is not told anew, and one that was hidden is not told while it is near what was hidden
(docs/decisions/small-numbers.md). What each publication told is kept under `ledger/page_releases`, a file each.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipelines import engine
from pipelines.disparity.counts import Numbers
from pipelines.disparity.disclosure import determined
from pipelines.disparity.published import released
from pipelines.settings import Settings

# Numbers of the run before suppression, with what its tables show: written by the run, kept in the ledger once it is published.
NUMBERS = "reports_internal.page_numbers"
DOLLARS = ("gap_usd", "potential_usd", "billed_usd", "paid_usd")


@dataclass(frozen=True)
class Place:
    """Where a kind of numbers stands: report table, columns of its key, columns that go with it, those that mark it hidden and
    whose figures they are."""

    report: str
    key: tuple[str, ...]
    figures: tuple[str, ...]
    hidden: tuple[str, ...] = ("is_suppressed",)
    held_from: str = "held_from"


PLACES = {
    "attrition": Place("rpt_attrition_by_month", ("service_month", "state", "criterion_order"), ("people",)),
    "condition": Place(
        "rpt_condition_prevalence", ("definition", "condition"), ("people", "base_people", "share")
    ),
    "rule": Place("rpt_flags_by_rule", ("rule_id", "status"), ("subjects", "amount_usd")),
    "funnel": Place("rpt_funnel", ("period", "step"), ("people",)),
    "year": Place("rpt_capture_by_year", ("service_year", "state"), ("people",)),
    "capture": Place("rpt_capture_by_month", ("service_month", "state"), ("people", *DOLLARS)),
    "findings": Place(
        "rpt_findings_total", (), ("people", "claim_lines", "amount_usd", "not_supported_usd")
    ),
    "month": Place("rpt_capture_by_month", ("service_month",), ("people_in_month",), (), "total_held_from"),
    # Dollars of a year are no number of people, but go where they would tell the dollars of a month.
    "dollars": Place(
        "rpt_capture_by_year", ("service_year", "state"), DOLLARS, ("dollars_are_suppressed",), "dollars_held_from"
    ),
}  # fmt: skip
FIGURES: dict[str, Any] = {
    **dict.fromkeys(("people", "people_in_month", "base_people", "subjects", "claim_lines"), pl.Int64),
    "share": pl.Float64,
    **dict.fromkeys((*DOLLARS, "amount_usd", "not_supported_usd"), pl.Decimal(14, 2)),
}
SCHEMA = {
    "kind": pl.String, "place": pl.String, "value": pl.Int64, "state": pl.String, "figures_from": pl.Date, **FIGURES,
    "as_of": pl.Date, "last_month": pl.Date,
}  # fmt: skip
# What a publication did with a number: told it, hid it in its own right, or kept it only for what earlier ones told or hid.
TOLD, HIDDEN, KEPT = "told", "hidden", "kept"

Key = tuple[str, str]  # kind, place


@dataclass(frozen=True)
class Names:
    """What numbers of a run are called whatever the run: the funnel and the conditions of its last month by that month."""

    last_month: Any
    steps: Mapping[int, str]  # of the funnel; the criteria are its steps from the second on

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection) -> Names:
        (last,) = con.execute("select max(service_month) from reports_internal.int_capture_cells").fetchall()[
            0
        ]
        steps = con.execute("select distinct step, step_code from reports_internal.int_funnel_counts")
        return cls(last, dict(steps.fetchall()))

    def key(self, name: Hashable) -> Key | None:
        """Kind and place of a number of `published.released`; None for those that are not remembered here."""
        if not isinstance(name, tuple) or name[0] not in PLACES:
            return None
        kind, *place = name
        if kind == "attrition":
            place = [*place[:2], self.steps.get(place[2] + 1)]
        elif kind == "funnel":
            month = self.last_month if place[0] == "month" else place[0]
            place = [month, self.steps.get(place[1])]
        elif kind == "condition":
            place = [self.last_month, *place]
        return kind, "/".join(str(part) for part in place)


@dataclass(frozen=True)
class Memory:
    """What earlier publications did with each number.

    told: values that they told. hidden: values that they hid in their own right. funnels: of each publication, the values of the steps
    it showed by chain (`window` or a month). figures: what stands in the row of the newest publication that is no later than this
    run, with the day as of which it was published. measures: the same of the measures by year and group, as told.
    """

    told: Mapping[Key, set[int]] = field(default_factory=dict)
    hidden: Mapping[Key, set[int]] = field(default_factory=dict)
    funnels: Mapping[str, list[dict[str, int]]] = field(default_factory=dict)
    figures: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    measures: Mapping[Hashable, set[int]] = field(default_factory=dict)

    @property
    def funnel_months(self) -> set[Any]:
        """Months whose funnel stood in a publication."""
        return {dt.date.fromisoformat(chain) for chain in self.funnels if chain != "window"}

    def mark(self, con: duckdb.DuckDBPyConnection, numbers: Numbers) -> None:
        """Say of every number what must be kept in mind of it: protected, to be hidden, or known anyway."""
        names = Names.of(con)
        for name in list(numbers.place):
            key = names.key(name)
            if key:
                self._mark(numbers, name, key)
            elif any(numbers.is_small(abs(numbers.value(name) - one)) for one in self.measures.get(name, ())):
                numbers.protect(name)
        for chain in ("month", "window"):
            self._mark_distances(numbers, names, chain)

    def _mark(self, numbers: Numbers, name: Hashable, key: Key) -> None:
        value = numbers.value(name)
        if self.is_near_hidden(key, value, numbers):
            numbers.frozen.add(name)
        if value in self.told.get(key, ()):
            numbers.known.add(name)
        elif self.has_moved_little(key, value, numbers) or self.was_small(key, value, numbers):
            numbers.protect(name)

    def has_moved_little(self, key: Key, value: int, numbers: Numbers) -> bool:
        """Whether the number changed by a few people since a publication told it, and none told it as it is now."""
        told = self.told.get(key, set())
        return value not in told and any(numbers.is_small(abs(value - one)) for one in told)

    def is_near_hidden(self, key: Key, value: int, numbers: Numbers) -> bool:
        """Whether a publication hid the number as it is now or within the limit of it; a small one up to twice the limit."""
        is_near = any(abs(value - one) <= numbers.limit for one in self.hidden.get(key, ()))
        return is_near or self.was_small(key, value, numbers)

    def was_small(self, key: Key, value: int, numbers: Numbers) -> bool:
        """Whether a publication hid the number because it was small, and it is not above twice the limit yet."""
        return value <= 2 * numbers.limit and any(map(numbers.is_small, self.hidden.get(key, ())))

    def _mark_distances(self, numbers: Numbers, names: Names, chain: str) -> None:
        """Between two steps of a funnel are people too (`dropped`): a distance that changed by a few must not be told."""
        now = {
            names.steps[name[2]]: name
            for name in numbers.place
            if isinstance(name, tuple) and name[:2] == ("funnel", chain)
        }
        said = self.funnels.get("window" if chain == "window" else str(names.last_month), [])
        for one, other in itertools.combinations(now, 2):
            distance = numbers.value(now[one]) - numbers.value(now[other])
            earlier = {before[one] - before[other] for before in said if one in before and other in before}
            if distance in earlier or not any(numbers.is_small(abs(distance - was)) for was in earlier):
                continue
            between = ("between", now[one], now[other])
            numbers.add(between, distance, is_table=False, is_protected=True)
            numbers.equate({now[one]: 1.0, now[other]: -1.0, between: -1.0})


def folder(settings: Settings) -> Path:
    return settings.ledger / "page_releases"


def files(settings: Settings) -> list[Path]:
    return sorted(folder(settings).glob("*.parquet"))


def memory(
    frames: Iterable[pl.DataFrame], as_of: Any, last_month: Any, measures: pl.DataFrame | None = None
) -> Memory:
    """`frames`: what each publication told, oldest first. Figures are those of publications as of `as_of` and through `last_month` or
    before; what any publication told is told."""
    told: dict[Key, set[int]] = defaultdict(set)
    hidden: dict[Key, set[int]] = defaultdict(set)
    funnels: dict[str, list[dict[str, int]]] = defaultdict(list)
    figures: dict[Key, dict[str, Any]] = {}
    newest = sorted(enumerate(frames), key=lambda one: (one[1]["as_of"].max() or dt.date.min, one[0]))
    for _, frame in newest:
        steps: dict[str, dict[str, int]] = defaultdict(dict)
        for row in frame.to_dicts():
            key = (row["kind"], row["place"])
            if row["state"] == TOLD:
                told[key].add(row["value"])
                chain, _, step = row["place"].rpartition("/")
                if row["kind"] == "funnel":
                    steps[chain][step] = row["value"]
            elif row["state"] == HIDDEN:
                hidden[key].add(row["value"])
            if row["figures_from"] and row["as_of"] <= as_of and row["last_month"] <= last_month:
                figures[key] = row
        for chain, one in steps.items():
            funnels[chain].append(one)
    said: dict[Hashable, set[int]] = defaultdict(set)
    if measures is not None:
        for year, kind, group, count, value in (
            measures.drop_nulls("value").select("year", "group_kind", "group_value", "count", "value").rows()
        ):
            said[year, kind, group, count].add(value)
    return Memory(told, hidden, funnels, figures, said)


def recall(settings: Settings, con: duckdb.DuckDBPyConnection, as_of: Any, measures: pl.DataFrame) -> Memory:
    """What the ledger holds for the run whose warehouse `con` is."""
    return memory(
        (pl.read_parquet(file) for file in files(settings)), as_of, Names.of(con).last_month, measures
    )


def record(con: duckdb.DuckDBPyConnection, limit: int, of: Memory, as_of: Any) -> None:
    """Write `reports_internal.page_numbers`: what this run's tables do with each number, and the figures that stand in its row."""
    release, shown = released(con, limit, of)
    zeros = release.is_table & (release.values == 0)
    told = determined(release, (shown & release.is_table) | zeros)
    names, numbers = Names.of(con), Numbers(limit)
    rows: list[dict[str, Any]] = []
    standing = _standing(con, as_of)
    for spot in np.flatnonzero(release.values > 0).tolist():
        name, value = release.names[spot], int(release.values[spot])
        key = names.key(name)
        if key is None:
            continue
        is_kept = of.has_moved_little(key, value, numbers) or (
            of.is_near_hidden(key, value, numbers) and value not in of.hidden.get(key, ())
        )
        state = TOLD if told[spot] else KEPT if is_kept else HIDDEN
        # What stands in no table now, a funnel of an earlier month, is told or not told, never hidden.
        if state == TOLD or release.is_table[spot]:
            rows.append(
                {"kind": key[0], "place": key[1], "value": value, "state": state, **standing.get(name, {})}
            )
    for name, figures in standing.items():
        if name[0] == "dollars":
            rows.append({"kind": "dollars", "place": (names.key(name) or ("", ""))[1], **figures})
    frame = pl.DataFrame(
        [{**row, "as_of": as_of, "last_month": names.last_month} for row in rows], schema=SCHEMA
    )
    con.register("frame", frame.sort("kind", "place").to_arrow())
    con.execute(f"create or replace table {NUMBERS} as select * from frame")
    con.unregister("frame")


def _standing(con: duckdb.DuckDBPyConnection, as_of: Any) -> dict[Any, dict[str, Any]]:
    """Name of a number -> the figures in its row, and the day as of which they were published first."""
    found: dict[Any, dict[str, Any]] = {}
    for kind, place in PLACES.items():
        columns = [*place.key, place.held_from, *place.figures]
        rows = con.execute(
            f"select distinct {', '.join(columns)} from reports.{place.report} where {place.figures[0]} is not null"
        ).fetchall()
        for row in rows:
            held_from, *figures = row[len(place.key) :]
            found[kind, *row[: len(place.key)]] = {
                "figures_from": held_from or as_of,
                **dict(zip(place.figures, figures, strict=True)),
            }
    return found


def remember(settings: Settings) -> bool:
    """Keep what the publication that stands told; False where the newest file says the same, or another version built it."""
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        schema, _, table = NUMBERS.partition(".")
        known = "select 1 from information_schema.tables where table_schema = ? and table_name = ?"
        if not con.execute(known, [schema, table]).fetchall():
            return False
        frame = con.execute(f"select * from {NUMBERS} order by kind, place").pl()
    folder(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
    before = files(settings)
    if before and pl.read_parquet(before[-1]).equals(frame):
        return False
    path = folder(settings) / f"{len(before) + 1:06d}.parquet"
    fresh = path.with_suffix(".incoming")
    frame.write_parquet(fresh)
    fresh.chmod(0o600)
    fresh.replace(path)
    return True
