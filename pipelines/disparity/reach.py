"""The published table of measures by year and group: what may be shown, with intervals and gaps, and its audit.

Reads the counts of the warehouse, decides year by year what is shown, and makes every figure from what is shown only. What a run
showed is kept under `ledger/`, so that the next one neither shows what this one hid nor lets small changes be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines import engine
from pipelines.disparity import breakdowns, closing, explained, page_releases, places
from pipelines.disparity.measures import measures
from pipelines.disparity.published import largest_small_cell, of_run
from pipelines.disparity.year import SCHEMA, Asked, Found, of_year
from pipelines.processes import pool
from pipelines.pseudonyms import pseudonym
from pipelines.settings import Settings

TABLE = "disparity_measures"
GRADIENTS = "disparity_gradients"
PARTS = "disparity_parts"
PLACES = "disparity_places"
SHOWN = "shown_measure_counts"
# Cells of all years from which on each year is made in a process of its own. At 350,000 (100,000 people) that gained nothing, at 3.4 million
# half of the time.
MANY_CELLS = 1_000_000
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
        _write(con, {SHOWN: pl.DataFrame(schema=SCHEMA)})
        closed = closing.close(con, limit, memory) if memory.told else 0
        while True:
            made = build(con, earlier, partial(name_of, settings), settings.threads)
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
    con: duckdb.DuckDBPyConnection,
    earlier: pl.DataFrame,
    named: Callable[[str, str], str],
    processes: int = 1,
) -> Published:
    """Decide what is shown of every year and make the measures of it. `earlier`: rows of what earlier runs showed; `named`: what a
    place of a kind is called (it goes to other processes, where there are several); `processes`: as many at most."""
    asked = asked_of_years(con, earlier, named)
    if processes > 1 and len(asked) > 1 and sum(one.cells.height for one in asked) > MANY_CELLS:
        with pool(min(processes, len(asked))) as several:
            begun = [several.submit(of_year, one) for one in reversed(asked)]
            # Beside the other years: the engine works here and nowhere else.
            parts = explained_gaps(con, asked[-1], begun[0].result())
            found = [one.result() for one in reversed(begun)]
    else:
        found = [of_year(one) for one in asked]
        parts = explained_gaps(con, asked[-1], found[-1]) if found else []
    released = pl.concat([pl.DataFrame(schema=SCHEMA), *(one.counts for one in found)])
    of_groups = released.filter(~pl.col("group_kind").is_in(list(places.NESTS)))
    complete = run_out(con)
    rates = breakdowns.frame([row for one in found for row in one.breakdown.rates], breakdowns.RATES)
    rows = [row for one in found for row in one.breakdown.parts]
    return Published(
        measures=measures(of_groups, references(con), rates, complete, headlines(con)),
        gradients=breakdowns.frame(
            [row for one in found for row in one.breakdown.gradients], breakdowns.GRADIENTS
        ).sort("year", "measure", "group_kind"),
        parts=breakdowns.frame([*rows, *parts], breakdowns.PARTS).sort(
            "year", "group_kind", "group_value", "method", "part_order"
        ),
        places=pl.concat([places.empty(), *(one.places for one in found)])
        .join(
            complete.select(pl.col("period").alias("year"), "run_out_state"),
            on="year",
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("run_out_state").fill_null("cannot_assess")),
        counts=released,
        told=sum(one.told for one in found),
        asked=sum(one.asked for one in found),
        kept_back=sum(one.breakdown.kept_back for one in found),
    )


def asked_of_years(
    con: duckdb.DuckDBPyConnection, earlier: pl.DataFrame, named: Callable[[str, str], str]
) -> list[Asked]:
    """What the warehouse has of each year, in their order."""
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
    cells = con.execute("select * from marts.fct_uptake_cells").pl()
    limit, compared, order = largest_small_cell(con), references(con), ordered(con)
    return [
        Asked(
            year=year,
            counts=counts.filter(pl.col("year") == year),
            states=states.filter(pl.col("year") == year).drop("year"),
            wider=wider,
            earlier=earlier.filter(pl.col("year") == year),
            cells=cells.filter(pl.col("service_year") == year),
            references=compared,
            order=order,
            limit=limit,
            named=named,
        )
        for year in counts["year"].unique(maintain_order=True)
    ]


def explained_gaps(con: duckdb.DuckDBPyConnection, asked: Asked, found: Found) -> list[dict[str, Any]]:
    """Oaxaca and Blinder's parts of each gap of a year whose people paid for are shown."""
    year, shown, compared = asked.year, found.of_groups, asked.references
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
        for row in explained.rows(year, people, kind, group, compared[kind], asked.limit)
    ]


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
    empty = pl.DataFrame(schema={**SCHEMA, "as_of": pl.Date})
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
