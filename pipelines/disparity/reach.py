"""The published table of measures by year and group: what may be shown, with intervals and gaps, and its audit.

Reads the counts of the warehouse, decides year by year what is shown, and makes every figure from what is shown only. What a run
showed is kept under `ledger/`, so that the next one neither shows what this one hid nor lets small changes be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipelines.disparity import intervals
from pipelines.disparity.counts import counts_of, release_of_year
from pipelines.disparity.disclosure import audit, suppress
from pipelines.disparity.multiplicity import benjamini_hochberg, difference_p_value
from pipelines.settings import Settings

TABLE = "disparity_measures"
SHOWN = "shown_measure_counts"
ALPHA, MEANINGFUL = 0.05, 0.10  # AHRQ NHQDR: p and relative difference of a meaningful gap
# Measure: numerator, denominator (as in dbt_project/macros/measures.sql, held to it by a test), and whether it is of people.
MEASURES: dict[str, tuple[str, str]] = {
    "eligible_share": ("eligible_months", "assessable_months"),
    "billed_months": ("billed_months", "eligible_months"),
    "coverage": ("paid_months", "eligible_months"),
    "retention": ("retained_months", "continuable_months"),
    "uptake": ("paid_people", "eligible_people"),
    "persistence": ("paid_months", "paid_people"),
    "reached_eligible": ("eligible_people", "enrolled_people"),
    "reached_consented": ("consented_people", "eligible_people"),
    "reached_billed": ("billed_people", "consented_people"),
    "reached_paid": ("paid_people", "billed_people"),
    "reached_lasting": ("lasting_people", "paid_people"),
}


@dataclass(frozen=True)
class Published:
    """`measures`: rows of reports.disparity_measures; `counts`: what is shown of each count; `told`: numbers that the audit
    says can still be told, `asked` of how many."""

    measures: pl.DataFrame
    counts: pl.DataFrame
    told: int
    asked: int


def publish(settings: Settings, as_of: Any) -> Published:
    """Build the published table and write it to `reports.disparity_measures`; nothing is written where the audit fails."""
    with duckdb.connect(str(settings.warehouse)) as con:
        made = build(con, earlier_releases(settings))
        if not made.told:
            frames = {TABLE: made.measures, SHOWN: made.counts.with_columns(pl.lit(as_of).alias("as_of"))}
            for name, frame in frames.items():
                con.register("frame", frame.to_arrow())
                con.execute(f"create or replace table reports.{name} as select * from frame")
                con.unregister("frame")
    return made


def build(con: duckdb.DuckDBPyConnection, earlier: pl.DataFrame) -> Published:
    """Decide what is shown of every year and make the measures of it. `earlier`: rows of what earlier runs showed."""
    row = con.execute(
        "select max(limit_value) from policy.disclosure_limits where limit_name = 'largest_small_cell'"
    ).fetchone()
    if row is None or row[0] is None:
        raise ValueError("no disclosure limit in force")
    counts = con.execute(
        "select year(period_start) as year, * from marts.fct_measure_counts where period = 'year'"
        " order by period_start, group_kind, group_value"
    ).pl()
    states = con.execute(
        "select year(cells.service_month) as year, cells.service_month, cells.state, cells.people,"
        " shown.people is not null as is_shown, shown.people_in_month is not null as is_total_shown"
        " from reports_internal.int_capture_cells as cells"
        " inner join reports.rpt_capture_by_month as shown using (service_month, state)"
        " order by cells.service_month, cells.state"
    ).pl()
    shown, told, asked = [], 0, 0
    for year in counts["year"].unique(maintain_order=True):
        one, told_here, asked_here = counts_of_year(counts, states, earlier, year, row[0])
        shown.append(one)
        told, asked = told + told_here, asked + asked_here
    schema = {
        "year": pl.Int64,
        "group_kind": pl.String,
        "group_value": pl.String,
        "count": pl.String,
        "value": pl.Int64,
    }
    released = pl.concat(shown) if shown else pl.DataFrame(schema=schema)
    return Published(measures(released, references(con)), released, told, asked)


def counts_of_year(
    counts: pl.DataFrame, states: pl.DataFrame, earlier: pl.DataFrame, year: int, limit: int
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
        earlier=said,
    )
    shown = suppress(release)
    result = audit(release, shown)
    place = {name: spot for spot, name in enumerate(release.names)}
    rows = [
        (
            year,
            kind,
            group,
            count,
            int(release.values[spot]) if shown[spot] or not release.values[spot] else None,
        )
        for kind, group in by_group
        for count in counts_of(kind)
        for spot in [place[kind, group, count]]
    ]
    frame = pl.DataFrame(
        rows, orient="row",
        schema={"year": pl.Int64, "group_kind": pl.String, "group_value": pl.String, "count": pl.String, "value": pl.Int64},
    )  # fmt: skip
    return frame, len(result.given_away), result.asked


def references(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Kind of group -> the group that the others are compared with."""
    return dict(
        con.execute(
            "select distinct group_kind, group_value from policy.stratum_codes where is_reference"
            " union all select 'age_band', group_value from policy.age_bands where is_reference"
        ).fetchall()
    )


def measures(counts: pl.DataFrame, reference: Mapping[str, str]) -> pl.DataFrame:
    """Rows of the published table from the counts as published: rates, intervals and gaps of what is shown, null of the rest."""
    wide = counts.pivot(on="count", index=["year", "group_kind", "group_value"], values="value")
    if not counts.height:
        wide = counts.select("year", "group_kind", "group_value")
    parts = []
    for measure, (numerator, denominator) in MEASURES.items():
        of = [
            kind for kind in wide["group_kind"].unique() if {numerator, denominator} <= set(counts_of(kind))
        ]
        if {numerator, denominator} <= set(wide.columns):
            parts.append(
                wide.filter(pl.col("group_kind").is_in(of)).select(
                    pl.lit(measure).alias("measure"),
                    pl.col("year").alias("period"),
                    "group_kind",
                    "group_value",
                    pl.col(numerator).alias("numerator"),
                    pl.col(denominator).alias("denominator"),
                )
            )
    if not parts:
        schema = {"measure": pl.String, "period": pl.Int64, "group_kind": pl.String, "group_value": pl.String}
        parts = [pl.DataFrame(schema={**schema, "numerator": pl.Int64, "denominator": pl.Int64})]
    rows = pl.concat(parts)
    # A rate says its numerator where the denominator is shown, so either hides both; and a share of nobody is no share.
    is_hidden = pl.col("numerator").is_null() | pl.col("denominator").is_null()
    rows = rows.with_columns(is_hidden.alias("is_suppressed"))
    base = rows.filter(
        pl.col("group_value") == pl.col("group_kind").replace_strict(dict(reference), default=None)
    ).select("measure", "period", "group_kind", ref_numerator="numerator", ref_denominator="denominator")
    rows = rows.join(base, on=["measure", "period", "group_kind"], how="left", maintain_order="left")
    return with_statistics(rows, reference).sort("measure", "period", "group_kind", "group_value")


def with_statistics(rows: pl.DataFrame, reference: Mapping[str, str]) -> pl.DataFrame:
    """Rates with intervals, gaps to the reference group, p and q. Intervals are of measures of people only: the months of one
    person resemble each other, so an interval that takes them as independent would be too narrow."""

    def numbers(name: str) -> Any:
        return rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    is_hidden = rows["is_suppressed"].to_numpy().astype(bool)
    a, n = (np.where(is_hidden, np.nan, numbers(name)) for name in ("numerator", "denominator"))
    b, m = numbers("ref_numerator"), numbers("ref_denominator")
    is_reference = (
        rows["group_value"] == rows["group_kind"].replace_strict(dict(reference), default=None, return_dtype=pl.String)
    ).fill_null(False).to_numpy()  # fmt: skip
    b, m = np.where(is_reference, np.nan, b), np.where(is_reference, np.nan, m)
    of_people = np.array(
        [all(one.endswith("_people") for one in MEASURES[name]) for name in rows["measure"]], dtype=bool
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, base = np.where(n > 0, a / n, np.nan), np.where(m > 0, b / m, np.nan)
        gap, ratio = rate - base, np.where(base > 0, rate / base, np.nan)

        def people(values: Any) -> Any:
            return np.where(of_people, values, np.nan)

        both = {
            ("lower", "upper"): intervals.wilson(people(a), people(n)),
            ("gap_lower", "gap_upper"): intervals.newcombe(people(a), people(n), people(b), people(m)),
            ("ratio_lower", "ratio_upper"): intervals.relative_risk(
                people(a), people(n), people(b), people(m)
            ),
        }
        p = difference_p_value(people(a), people(n), people(b), people(m))
        relative = np.maximum(np.abs(rate / base - 1), np.abs((1 - rate) / (1 - base) - 1))
    columns = {"rate": rate}
    for names, found in both.items():
        columns |= dict(zip(names, found, strict=True))
    columns |= {"gap": gap, "ratio": ratio, "p_value": p}
    made = rows.with_columns(**{name: pl.Series(values).fill_nan(None) for name, values in columns.items()})
    families = made.select(pl.struct("measure", "period", "group_kind").rank("dense"))[:, 0].to_numpy()
    q = np.full(len(p), np.nan)
    for family in np.unique(families):
        q[families == family] = benjamini_hochberg(p[families == family])
    is_large = relative >= MEANINGFUL
    meaningful = [
        None if np.isnan(one) else bool(one <= ALPHA and large)
        for one, large in zip(p, is_large, strict=True)
    ]
    return made.with_columns(
        pl.Series("q_value", q).fill_nan(None),
        pl.Series("is_meaningful", meaningful, dtype=pl.Boolean),
        numerator=pl.when("is_suppressed").then(None).otherwise("numerator"),
        denominator=pl.col("denominator"),
    ).select(
        *(
            "measure",
            "period",
            "group_kind",
            "group_value",
            "numerator",
            "denominator",
            "rate",
            "lower",
            "upper",
        ),
        *("gap", "gap_lower", "gap_upper", "ratio", "ratio_lower", "ratio_upper", "p_value", "q_value"),
        *("is_meaningful", "is_suppressed"),
    )


def releases(settings: Settings) -> Path:
    return settings.ledger / "measure_releases"


def earlier_releases(settings: Settings) -> pl.DataFrame:
    """What earlier runs showed of each count: year, group_kind, group_value, count, value (null where hidden), as_of."""
    files = sorted(releases(settings).glob("*.parquet"))
    schema = {"year": pl.Int64, "group_kind": pl.String, "group_value": pl.String, "count": pl.String}
    empty = pl.DataFrame(schema={**schema, "value": pl.Int64, "as_of": pl.Date})
    return pl.concat([empty, *(pl.read_parquet(file) for file in files)])


def remember(settings: Settings) -> bool:
    """Keep what this run showed, once it is published; False where the newest file already says the same."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
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
