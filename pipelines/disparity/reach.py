"""The published table of measures by year and group: what may be shown, with intervals and gaps, and its audit.

Reads the counts of the warehouse, decides year by year what is shown, and makes every figure from what is shown only. What a run
showed is kept under `ledger/`, so that the next one neither shows what this one hid nor lets small changes be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipelines import engine
from pipelines.disparity import breakdowns, closing, explained, page_releases, places
from pipelines.disparity.breakdowns import Breakdown
from pipelines.disparity.counts import counts_of, release_of_year
from pipelines.disparity.disclosure import Audit, Bools, Release, audit, suppress
from pipelines.disparity.measures import measures
from pipelines.disparity.published import largest_small_cell, of_run
from pipelines.pseudonyms import pseudonym
from pipelines.settings import Settings

TABLE = "disparity_measures"
GRADIENTS = "disparity_gradients"
PARTS = "disparity_parts"
PLACES = "disparity_places"
SHOWN = "shown_measure_counts"
SHOWN_SCHEMA: dict[str, Any] = {
    "year": pl.Int64, "group_kind": pl.String, "group_value": pl.String, "count": pl.String, "value": pl.Int64,
}  # fmt: skip
# In the marts only: its groups are parts of those of rurality, which are published.
NOT_PUBLISHED = ("commuting_area",)


@dataclass(frozen=True)
class Published:
    """`measures`, `gradients`, `parts`, `places`: rows of reports.disparity_*; `counts`: what is shown of each count; `told`: numbers
    that the audit says can still be told, `asked` of how many; `kept_back`: statistics of cells that would tell something; `closed`:
    numbers hidden in the other report tables for what they tell beside one another and beside earlier publications; `told_over_time`:
    changes by a few people that can be told all the same."""

    measures: pl.DataFrame
    gradients: pl.DataFrame
    parts: pl.DataFrame
    places: pl.DataFrame
    counts: pl.DataFrame
    told: int
    asked: int
    kept_back: int
    closed: int = 0
    told_over_time: int = 0


def publish(settings: Settings, as_of: Any) -> Published:
    """Build the published tables, write them to `reports.disparity_*`, and hide in the other report tables what all of them tell
    together and beside earlier publications; the tables are gone again where numbers can be told (`told`) all the same."""
    earlier = earlier_releases(settings)
    with engine.connect(settings, settings.warehouse) as con:
        limit = largest_small_cell(con)
        memory = page_releases.recall(settings, con, as_of, earlier)
        # What changed a little is out of the other tables before the measures take these as given.
        _write(con, {SHOWN: pl.DataFrame(schema=SHOWN_SCHEMA)})
        closed = closing.close(con, limit, memory) if memory.told else 0
        while True:
            made = build(con, earlier, lambda kind, place: name_of(settings, kind, place))
            _write(con, _frames(made, as_of))
            hidden = closing.close(con, limit, memory)
            closed += hidden
            # What the other tables told of the measures may be hidden by now: they are asked about once more.
            if not (made.told and hidden):
                break
        page_releases.record(con, limit, memory, as_of)
        over_time = len(closing.told_over_time(con, limit, memory).given_away) if memory.told else 0
        if made.told:
            for name in _frames(made, as_of):
                con.execute(f"drop table reports.{name}")
    return replace(made, closed=closed, told_over_time=over_time)


def _write(con: duckdb.DuckDBPyConnection, frames: Mapping[str, pl.DataFrame]) -> None:
    for name, frame in frames.items():
        con.register("frame", frame.to_arrow())
        con.execute(f"create or replace table reports.{name} as select * from frame")
        con.unregister("frame")


def _frames(made: Published, as_of: Any) -> dict[str, pl.DataFrame]:
    shown = made.counts.with_columns(pl.lit(as_of).alias("as_of"))
    return {
        TABLE: made.measures,
        GRADIENTS: made.gradients,
        PARTS: made.parts,
        PLACES: made.places,
        SHOWN: shown,
    }


def name_of(settings: Settings, kind: str, place: str) -> str:
    """What a place is called where it is published: a county by its code, a practice by a pseudonym, as a practitioner's tax number
    can be that of a person."""
    return pseudonym(settings, kind, place) if kind == "practice" else place


def build(
    con: duckdb.DuckDBPyConnection, earlier: pl.DataFrame, named: Callable[[str, str], str]
) -> Published:
    """Decide what is shown of every year and make the measures of it. `earlier`: rows of what earlier runs showed; `named`: what a
    place of a kind is called."""
    limit = largest_small_cell(con)
    counts = con.execute(
        "select year(period_start) as year, * from marts.fct_measure_counts where period = 'year'"
        " order by period_start, group_kind, group_value"
    ).pl()
    counts = counts.filter(~pl.col("group_kind").is_in(NOT_PUBLISHED))
    states = con.execute(
        "select year(cells.service_month) as year, cells.service_month, cells.state, cells.people,"
        " shown.people is not null and shown.held_from is null as is_shown,"
        " shown.people_in_month is not null and shown.total_held_from is null as is_total_shown"
        " from reports_internal.int_capture_cells as cells"
        " inner join reports.rpt_capture_by_month as shown using (service_month, state)"
        " order by cells.service_month, cells.state"
    ).pl()
    wider = {count: (people, is_shown) for count, people, is_shown in of_run(con)}
    compared, order = references(con), ordered(con)
    cells = con.execute("select * from marts.fct_uptake_cells").pl()
    found = Breakdown()
    shown, at_places, told, asked = [], [places.empty()], 0, 0
    for year in counts["year"].unique(maintain_order=True):
        mine = cells.filter(pl.col("service_year") == year)
        of_places = places.cells_of(mine)
        one, told_here, asked_here = counts_of_year(counts, states, wider, earlier, year, limit, of_places)
        shown.append(one)
        told, asked = told + told_here, asked + asked_here
        every = {(kind, group, count): value for _, kind, group, count, value in one.rows()}
        at_places.append(places.rows(year, every, places.within(of_places), named))
        of_it = {name: value for name, value in every.items() if name[0] not in places.NESTS}
        breakdowns.of_year(year, of_it, mine, compared, order, limit, found, places.paid_of_practices(every))
        if year == counts["year"].max():
            found.parts += explained_gaps(con, year, of_it, compared, limit)
    released = pl.concat(shown) if shown else pl.DataFrame(schema=SHOWN_SCHEMA)
    of_groups = released.filter(~pl.col("group_kind").is_in(list(places.NESTS)))
    complete = run_out(con)
    rates = breakdowns.frame(found.rates, breakdowns.RATES)
    return Published(
        measures=measures(of_groups, compared, rates, complete, headlines(con)),
        gradients=breakdowns.frame(found.gradients, breakdowns.GRADIENTS).sort(
            "year", "measure", "group_kind"
        ),
        parts=breakdowns.frame(found.parts, breakdowns.PARTS).sort(
            "year", "group_kind", "group_value", "method", "part_order"
        ),
        places=pl.concat(at_places)
        .join(
            complete.select(pl.col("period").alias("year"), "run_out_state"),
            on="year",
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("run_out_state").fill_null("cannot_assess")),
        counts=released,
        told=told,
        asked=asked,
        kept_back=found.kept_back,
    )


def explained_gaps(
    con: duckdb.DuckDBPyConnection,
    year: int,
    shown: breakdowns.Shown,
    compared: Mapping[str, str],
    limit: int,
) -> list[dict[str, Any]]:
    """Oaxaca and Blinder's parts of each gap of the newest year whose people paid for are shown."""
    people = con.execute(
        "select *, (paid_months > 0)::int as is_paid from marts.fct_person_years"
        " where service_year = ? and eligible_months > 0 order by beneficiary_id",
        [year],
    ).pl()
    groups = dict.fromkeys((kind, group) for kind, group, _ in shown if kind in compared)
    return [
        row
        for kind, group in groups
        if group not in (compared[kind], breakdowns.UNKNOWN)
        and shown[kind, group, "paid_people"]
        and shown.get((kind, compared[kind], "paid_people"))
        for row in explained.rows(year, people, kind, group, compared[kind], limit)
    ]


def counts_of_year(
    counts: pl.DataFrame,
    states: pl.DataFrame,
    wider: Mapping[str, tuple[int, bool]],
    earlier: pl.DataFrame,
    year: int,
    limit: int,
    of_places: Sequence[places.Cell] = (),
) -> tuple[pl.DataFrame, int, int]:
    """The counts of one year as published (null where hidden), how many can be told all the same, and of how many."""
    by_group = {
        (row["group_kind"], row["group_value"]): row
        for row in counts.filter(pl.col("year") == year).to_dicts()
    }
    said: dict[tuple[str, str, str], list[int | None]] = {}
    for row in earlier.filter(pl.col("year") == year).to_dicts():
        said.setdefault((row["group_kind"], row["group_value"], row["count"]), []).append(row["value"])
    release = release_of_year(
        by_group,
        limit,
        states=states.filter(pl.col("year") == year).drop("year").rows(),
        wider=wider,
        earlier=said,
        more=lambda numbers: places.add_places(numbers, of_places),
    )
    release, shown, result = protected(release)
    place = {name: spot for spot, name in enumerate(release.names)}
    rows = [
        (
            year,
            kind,
            group,
            count,
            int(release.values[spot])
            if shown[spot] or (release.is_table[spot] and not release.values[spot])
            else None,
        )
        for kind, group, count in [
            *((kind, group, count) for kind, group in by_group for count in counts_of(kind)),
            *places.names(of_places),
        ]
        for spot in [place[kind, group, count]]
    ]
    frame = pl.DataFrame(
        rows, orient="row",
        schema=SHOWN_SCHEMA,
    )  # fmt: skip
    return frame, len(result.given_away), result.asked


def protected(release: Release) -> tuple[Release, Bools, Audit]:
    """The release with what it shows, and what can still be told of it.

    Where few people stand beside a total that another table shows, their empty groups alone tell that the others are small. Counts
    that hiding numbers cannot protect are then no part of the tables at all: not even their zeros are told.
    """
    while True:
        shown = suppress(release)
        found = audit(release, shown)
        told = {count for place in found.given_away for count in _counts_of(release.names[place])}
        withheld = np.array([not told.isdisjoint(_counts_of(name)) for name in release.names])
        if not (withheld & release.is_table).any():
            return release, shown, found
        release = replace(release, is_table=release.is_table & ~withheld)


def _counts_of(name: Any) -> set[tuple[str, str]]:
    """(group kind, count) of a group's number: one, or two where it is a difference of them; none of other numbers."""
    return {(name[0], count) for count in name[2:]}


def references(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Kind of group -> the group that the others are compared with."""
    return dict(
        con.execute(
            "select distinct group_kind, group_value from policy.stratum_codes where is_reference"
            " union all select distinct group_kind, group_value from policy.area_bands where is_reference"
            " union all select 'age_band', group_value from policy.age_bands where is_reference"
        ).fetchall()
    )


def ordered(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Kinds of groups that have an order -> their groups, from the least to the most deprived."""
    found: dict[str, list[str]] = {}
    for kind, group in con.execute(
        "select group_kind, group_value from policy.area_bands group by all order by group_kind, min(group_order)"
    ).fetchall():
        found.setdefault(kind, []).append(group)
    return {kind: groups for kind, groups in found.items() if len(groups) > 2}


def headlines(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Comparisons named before any result: measure, group_kind, group_value."""
    return con.execute("select distinct measure, group_kind, group_value from policy.headline_contrasts").pl()


def run_out(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Whether the claims of each year can be taken as complete: period, run_out_state."""
    return con.execute(
        "select year(period_start) as period, run_out_state from marts.fct_run_out_periods where period = 'year'"
    ).pl()


def releases(settings: Settings) -> Path:
    return settings.ledger / "measure_releases"


def earlier_releases(settings: Settings) -> pl.DataFrame:
    """What earlier runs showed of each count: year, group_kind, group_value, count, value (null where hidden), as_of."""
    files = sorted(releases(settings).glob("*.parquet"))
    empty = pl.DataFrame(schema={**SHOWN_SCHEMA, "as_of": pl.Date})
    return pl.concat([empty, *(pl.read_parquet(file) for file in files)])


def remember(settings: Settings) -> bool:
    """Keep what this run showed, once it is published; False where the newest file already says the same."""
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        frame = con.execute(f"select * from reports.{SHOWN} order by all").pl()
    folder = releases(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = sorted(folder.glob("*.parquet"))
    if files and pl.read_parquet(files[-1]).equals(frame):
        return False
    path = folder / f"{len(files) + 1:06d}.parquet"
    fresh = path.with_suffix(".incoming")
    frame.write_parquet(fresh)
    fresh.chmod(0o600)
    fresh.replace(path)
    return True
