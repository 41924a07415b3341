"""CCM claim lines of the plan: the honest bill, the planted errors, and decoys that are no errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.companions import companions
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.policy import Ladder
from pipelines.simulate.programme import BILLED, COMPLEX, PRACTITIONER, Episodes, Months
from pipelines.simulate.streams import stream
from pipelines.simulate.world import Ints, World

OWN_LINES = 3  # lines of a claim that CCM itself may take
DENIED, CANCELLED = "denied_duplicate", "cancelled_duplicate"


def bill_lines(
    parameters: dict[str, Any],
    calendar: Calendar,
    world: World,
    episodes: Episodes,
    months: Months,
    seed: int,
    chunk: int,
) -> pl.DataFrame:
    """One row a billed line: row of Months, claim (0 = the regular one), line, code, units, day, marks."""
    random = stream(seed, "bills", chunk)
    ladder, lane = calendar.ladder, episodes.lane[months.episode]
    base, add_on = ladder.base[lane, months.month], ladder.add_on[lane, months.month]
    general = ladder.general[months.month]
    centre = world.is_health_centre[episodes.practice[months.episode]]
    error = months.error
    base = np.where(centre & (general != "") & (error != "F38"), general, base)
    billed = months.status == BILLED
    u = random.random((4, len(lane)))
    day = calendar.last_day(months.month)
    twentieth = calendar.starts[months.month] + 19 + np.floor(u[3] * 6).astype(np.int64)
    parts = [
        _part(billed & (months.base_units > 0), 0, 1, base, months.base_units, day),
        _part(billed & (months.add_on_units > 0), 0, 2, add_on, months.add_on_units, day),
        _part(error == "F13", 0, 3, ladder.retired[months.month], None, day),
        _part(error == "F01", 1, 1, base, None, twentieth),
        _part(error == "F03", 1, 1, other_lane(ladder)[months.month], None, day),
    ]
    for rule, services in companions(calendar.starts[:-1]).items():
        for service in services:
            when = day if service.on_last_day else twentieth
            code = service.code[months.month]
            parts.append(
                _part(
                    error == rule,
                    service.claim,
                    service.line + OWN_LINES,
                    code,
                    None,
                    when,
                    right=not service.is_at_fault,
                )
            )
    # Sent again and denied, or sent again and cancelled: a rule over final-action lines must not see them.
    s = parameters["statements"]
    plain = billed & (error == "") & (months.detail == "") & ~months.denied & (months.base_units > 0)
    denied = plain & (u[0] < s["denied_ccm_duplicates"])
    cancelled = plain & ~denied & (u[0] >= 1 - s["cancelled_ccm_duplicates"])
    if chunk == 0:  # the smallest run shows both kinds
        some = np.flatnonzero(plain & ~denied & ~cancelled)[:2]
        denied[some[:1]], cancelled[some[1:]] = True, True
    for flag, name in ((denied, DENIED), (cancelled, CANCELLED)):
        parts.append(_part(flag, 1, 1, base, None, day, name))
    lines = pl.concat(parts).sort("row", "claim", "line")
    # Only the lines that the error makes wrong are marked.
    first_claim_right = pl.col("error").is_in(["F01", "F03"]) & (pl.col("claim") == 0)
    lines = lines.with_columns(error=pl.Series(error).gather(lines["row"]))
    beside = (pl.col("line") <= OWN_LINES) & pl.col("error").is_in(["F32", "F41", "F42", "F43", "F45"])
    others = (
        pl.col("right")
        | beside
        | ((pl.col("error") == "F13") & (pl.col("line") != 3))
        | ((pl.col("error") == "F11") & (pl.col("line") != 2))
        | ((pl.col("error") == "F15") & (pl.col("line") != 2))
    )
    return lines.with_columns(
        planted=(pl.col("error") != "") & ~first_claim_right & ~others & (pl.col("decoy") == ""),
        line=pl.col("line").cum_count().over("row", "claim").cast(pl.Int64),
    )


def other_lane(ladder: Ladder) -> np.ndarray:
    """[month] base code of a lane that excludes the staff lane; '' where Medicare pays for none."""
    practitioner, complex_lane = ladder.base[PRACTITIONER], ladder.base[COMPLEX]
    return np.where(practitioner != "", practitioner, complex_lane)


def _part(
    flag: np.ndarray,
    claim: int,
    line: int,
    code: np.ndarray,
    units: Ints | None,
    day: Ints,
    decoy: str = "",
    right: bool = False,
) -> pl.DataFrame:
    rows = np.flatnonzero(flag)
    return pl.DataFrame(
        {
            "row": rows.astype(np.int64),
            "claim": np.full(len(rows), claim, dtype=np.int64),
            "line": np.full(len(rows), line, dtype=np.int64),
            "code": pl.Series(code[rows].tolist(), dtype=pl.String),
            "units": np.ones(len(rows), dtype=np.int64) if units is None else units[rows],
            "day": day[rows],
            "decoy": pl.Series([decoy] * len(rows), dtype=pl.String),
            "right": np.full(len(rows), right),
        }
    )
