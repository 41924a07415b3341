"""Monthly deliveries: what the payer and the practices knew at the end of each month.

A statement is delivered in the month in which it was made, so claims arrive with their run-out, corrections and
cancellations come after what they correct, coverage is put right later, and deaths, moves and withdrawn consents
show when they become known. All deliveries loaded in order end in the state of the single delivery: every row of the
single delivery is the last statement about its subject.

Frames carry the day a row was delivered in a column `delivered` (days since 1970-01-01).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.simulate.diagnoses import hashed
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import NO_DAY, People
from pipelines.simulate.render import claim_id, current_id, date
from pipelines.simulate.render_people import describe
from pipelines.simulate.streams import stream
from pipelines.simulate.truth_schemas import SCHEMAS
from pipelines.simulate.world import Bools, Ints
from pipelines.simulate.writing import TableFile

LATE_DAYS = 120  # a claim processed later than this after its service counts as late


def month_ends(calendar: Calendar) -> Ints:
    """Last day of every delivery: the months of the window and of the run-out."""
    first = np.datetime64(int(calendar.starts[calendar.history]), "D").astype("datetime64[M]")
    last = np.datetime64(int(calendar.extract_day), "D").astype("datetime64[M]")
    months = np.arange(first, last + 1)
    return (months + 1).astype("datetime64[D]").astype(np.int64) - 1


def sent_every_january(frame: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """The list of practices or providers in the first delivery and again, unchanged, every January."""
    ends = month_ends(calendar)
    january = ends.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 == 0
    january[0] = True
    return pl.concat(
        [frame.with_columns(delivered=pl.lit(int(day), dtype=pl.Int64)) for day in ends[january]]
    )


class MonthlyFolders:
    """Files of contract tables in one folder a delivery (`2024-01`); closes them all at the end."""

    def __init__(self, folder: Path, schemas: dict[str, pa.Schema], files: str, ends: Ints) -> None:
        self.folder, self.schemas, self.files, self.ends = folder, schemas, files, ends
        self._open: dict[tuple[int, str], TableFile] = {}

    def name(self, delivery: int) -> str:
        return str(np.datetime64(int(self.ends[delivery]), "D"))[:7]

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Rows to the delivery of their day; the first delivery holds everything before it."""
        at = np.searchsorted(self.ends, frame["delivered"].to_numpy())
        at = np.minimum(at, len(self.ends) - 1)
        sorted_rows = frame.with_columns(_at=pl.Series(at)).sort("_at", maintain_order=True)
        for part in sorted_rows.partition_by("_at", maintain_order=True):
            key = (int(part["_at"][0]), table)
            if key not in self._open:
                path = self.folder / self.name(key[0]) / f"{table}.{self.files}"
                self._open[key] = TableFile(path, self.schemas[table])
            self._open[key].write(part)

    def close(self) -> None:
        for file in self._open.values():
            file.close()

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table over all deliveries."""
        return {
            table: sum(file.rows for (_, name), file in self._open.items() if name == table)
            for table in self.schemas
        }

    @property
    def described(self) -> list[dict[str, Any]]:
        """Folder, day received and rows of every delivery, in order."""
        return [
            {
                "folder": f"extracts/{self.name(delivery)}",
                "received": str(np.datetime64(int(end), "D")),
                "rows": {
                    table: file.rows
                    for (place, table), file in sorted(self._open.items())
                    if place == delivery
                },
            }
            for delivery, end in enumerate(self.ends.tolist())
        ]


class Restatements:
    """Notes of the rows that restate an earlier month: SCHEMAS['restatements']."""

    def __init__(self, first_received: int) -> None:
        self._parts: list[pl.DataFrame] = []
        self._first = first_received  # the first delivery restates nothing

    def add(
        self, table: str, kind: str, key: pl.Series, person: pl.Series, month: pl.Series, day: pl.Series
    ) -> None:
        """Rows of `table` with their key, person (current identifier), month they speak of and day delivered."""
        later = day > self._first
        key, person, month, day = (column.filter(later) for column in (key, person, month, day))
        self._parts.append(
            pl.DataFrame(
                {
                    "row_key": key.cast(pl.String),
                    "beneficiary_id": person,
                    "service_month": month.cast(pl.Date).dt.month_start(),
                    "received_date": day.cast(pl.Int32).cast(pl.Date).dt.month_end(),
                }
            ).select(
                table_name=pl.lit(table),
                kind=pl.lit(kind),
                row_key="row_key",
                beneficiary_id="beneficiary_id",
                service_month="service_month",
                received_date="received_date",
            )
        )

    def frame(self) -> pl.DataFrame:
        columns = dict.fromkeys(SCHEMAS["restatements"].names, pl.String)
        empty = pl.DataFrame(schema=columns | {"service_month": pl.Date, "received_date": pl.Date})
        return pl.concat([empty, *self._parts], how="vertical_relaxed")


def stamp_claims(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    claims: pl.DataFrame,
    lines: pl.DataFrame,
    slots: pl.DataFrame,
    notes: Restatements,
    seed: int,
    chunk: int,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Statements (before rendering) with the day they were delivered: the day they were processed. Some claims
    that nothing ever corrects are sent again, unchanged, a month later.
    """
    claims = claims.with_columns(delivered=pl.col("processed"))
    salt = np.uint64(stream(seed, "sent again", chunk).integers(1, 2**62))
    luck = hashed(claims["key"].to_numpy(), salt, 1)[:, 0]
    plain = (pl.len().over("key") == 1) & (pl.col("action") == "original")
    ends = month_ends(calendar)
    again = (
        claims.with_columns(_plain=plain, _luck=pl.Series(luck))
        .filter(pl.col("_plain") & (pl.col("_luck") < parameters["deliveries"]["sent_again"]))
        .filter(pl.col("delivered") <= int(ends[-2] if len(ends) > 1 else -1))
        .drop("_plain", "_luck")
    )
    # The day after the end of the month in which it was first delivered lies in the next delivery.
    later = ends[np.searchsorted(ends, again["delivered"].to_numpy())] + 1
    again = again.with_columns(delivered=pl.Series(later, dtype=pl.Int64))
    claims = pl.concat([claims, again])
    days = claims.select("key", "version", "delivered")
    lines = days.join(lines, on=["key", "version"], maintain_order="left")
    slots = days.join(slots, on=["key", "version"], maintain_order="left")

    def note(kind: str, rows: pl.DataFrame) -> None:
        keys = rows.select(
            pl.concat_str(claim_id(pl.col("key")), pl.col("version").cast(pl.String), separator="|")
        )
        month = rows.select(date(pl.col("from"))).to_series()
        notes.add(
            "claims", kind, keys.to_series(), current_id(people, rows["person"]), month, rows["delivered"]
        )

    note("sent_again", again)
    for action in ("replacement", "cancellation"):
        note(action, claims.filter(pl.col("action") == action))
    late = (pl.col("action") == "original") & (pl.col("delivered") - pl.col("through") > LATE_DAYS)
    note("late_claim", claims.head(len(claims) - len(again)).filter(late))
    return claims, lines, slots


def stamp_people(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    tables: dict[str, pl.DataFrame],
    notes: Restatements,
    seed: int,
    chunk: int,
) -> dict[str, pl.DataFrame]:
    """beneficiaries, beneficiary_xref and enrollment_months with the day each statement was delivered."""
    changed = np.flatnonzero(people.identifier_day > 0)
    xref = tables["beneficiary_xref"].with_columns(delivered=pl.Series(people.identifier_day[changed]))
    return {
        "beneficiaries": _descriptions(parameters, calendar, people, seed, chunk),
        "beneficiary_xref": xref,
        "enrollment_months": _coverage(
            parameters, calendar, people, tables["enrollment_months"], notes, seed, chunk
        ),
    }


def _descriptions(
    parameters: dict[str, Any], calendar: Calendar, people: People, seed: int, chunk: int
) -> pl.DataFrame:
    """A description at the first delivery, on entry, after a move or a new identifier, and at every year's end.

    A death shows in the description of its year, delivered when it becomes known.
    """
    ends, everyone = month_ends(calendar), np.arange(people.size)
    first, last = int(ends[0]), int(ends[-1])
    entered = calendar.starts[people.entry]
    lag = stream(seed, "known deaths", chunk).exponential(
        parameters["deliveries"]["death_known_after_days"], people.size
    )
    known = np.minimum(people.death_day + np.floor(lag).astype(np.int64), last)
    final = describe(parameters, calendar, people)
    year_end = final.reference
    dead = (people.death_day[final.person] < NO_DAY) & (
        calendar.year_of(np.minimum(people.death_day[final.person], 10**5)) == calendar.year_of(year_end)
    )
    delivered = np.where(dead, known[final.person], np.maximum(year_end, entered[final.person]))
    parts = [final.table.with_columns(delivered=pl.Series(delivered, dtype=pl.Int64))]

    def interim(person: Ints, day: Ints) -> None:
        """Descriptions as of the month's end of `day`, of people not yet known to be dead."""
        end = ends[np.minimum(np.searchsorted(ends, day), len(ends) - 1)]
        alive = (end < known[person]) & (end < people.death_day[person]) & (day <= last)
        # What the year's end says needs no description of its own on the same day.
        alive &= ~np.isin(end, year_end)
        person, end = person[alive], end[alive]
        rows = describe(parameters, calendar, people, person, end)
        parts.append(rows.table.with_columns(delivered=pl.Series(end, dtype=pl.Int64)))

    begun = entered <= first
    interim(everyone[begun], np.full(int(begun.sum()), first))
    interim(everyone[~begun], entered[~begun])
    moved = np.flatnonzero(
        (people.move_day < NO_DAY) & (people.move_day > first) & (entered <= people.move_day)
    )
    interim(moved, people.move_day[moved])
    renamed = np.flatnonzero((people.identifier_day > first) & (entered <= people.identifier_day))
    interim(renamed, people.identifier_day[renamed])
    keys = ["beneficiary_id", "reference_date"]
    return pl.concat(parts).unique([*keys, "delivered"], keep="first", maintain_order=True)


def _coverage(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    enrollment: pl.DataFrame,
    notes: Restatements,
    seed: int,
    chunk: int,
) -> pl.DataFrame:
    """Each month is stated in its own month; some statements are wrong at first and put right later."""
    rates = parameters["deliveries"]["coverage_corrected"]
    person, month = np.nonzero(people.enrolled)
    ends = month_ends(calendar)
    random = stream(seed, "coverage corrections", chunk)
    u = random.random((4, len(person)))
    lag = 1 + np.floor(u[3] * parameters["deliveries"]["coverage_corrected_months"]).astype(np.int64)
    room = (month >= calendar.history) & (month - calendar.history + lag < len(ends))
    advantage, part_b = people.advantage[person, month], people.part_b[person, month]
    dual = people.dual[person]
    wrong_advantage = room & np.where(advantage, u[0] < rates["advantage"], u[0] < rates["fee_for_service"])
    wrong_part_b = room & ~part_b & (u[1] < rates["part_b"])
    wrong_dual = room & dual & (u[2] < rates["dual"])
    wrong = wrong_advantage | wrong_part_b | wrong_dual
    opening = calendar.starts[month]
    corrected = np.where(wrong, ends[np.clip(month - calendar.history + lag, 0, len(ends) - 1)], opening)
    right = enrollment.with_columns(delivered=pl.Series(corrected, dtype=pl.Int64))

    def flipped(column: str, flag: Bools) -> pl.Expr:
        return pl.when(pl.Series(flag)).then(~pl.col(column)).otherwise(pl.col(column)).alias(column)

    earlier = enrollment.with_columns(
        flipped("is_medicare_advantage", wrong_advantage),
        flipped("has_part_b", wrong_part_b),
        dual_status_code=pl.when(pl.Series(wrong_dual))
        .then(pl.lit("NA"))
        .otherwise(pl.col("dual_status_code")),
        delivered=pl.Series(opening, dtype=pl.Int64),
    ).filter(pl.Series(wrong))
    rows = right.filter(pl.Series(wrong))
    keys = rows.select(
        pl.concat_str("beneficiary_id", pl.col("service_month").cast(pl.String), separator="|")
    )
    notes.add(
        "enrollment_months",
        "coverage_correction",
        keys.to_series(),
        current_id(people, person[wrong]),
        rows["service_month"],
        rows["delivered"],
    )
    return pl.concat([earlier, right])
