"""How claims arrive: processing dates, denials, corrections and cancellations."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.bills import CANCELLED
from pipelines.simulate.book import packed
from pipelines.simulate.diagnoses import hashed
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.streams import stream

ORIGINAL, REPLACEMENT, CANCELLATION = "original", "replacement", "cancellation"
COPY = 10**15  # added to a key: a statement about the same service under an identifier of its own


def deny(parameters: dict[str, Any], claims: pl.DataFrame, seed: int, chunk: int) -> pl.DataFrame:
    """Mark denied claims among those that may be."""
    luck = hashed(claims["key"].to_numpy(), _salt(seed, "denials", chunk), 1)[:, 0]
    share = parameters["statements"]["denied_lines"]
    return claims.with_columns(denied=pl.col("denied") | (pl.col("deniable") & pl.Series(luck < share)))


def state(
    parameters: dict[str, Any],
    calendar: Calendar,
    claims: pl.DataFrame,
    lines: pl.DataFrame,
    slots: pl.DataFrame,
    seed: int,
    chunk: int,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Statements of every claim: adds version, action, adjusted (key of another claim) and processed.

    A corrected claim has an earlier statement with a lower payment; a claim billed twice by mistake has a
    copy that a later statement cancels. Half of both name the earlier claim by its own identifier.
    """
    s = parameters["statements"]
    u = hashed(claims["key"].to_numpy(), _salt(seed, "statements", chunk), 6)
    normal = np.exp(np.log(s["lag_days"]["median"]) + s["lag_days"]["sigma"] * _normal(u[:, 0], u[:, 1]))
    lag = np.where(u[:, 2] < s["late"], 121 + u[:, 0] * 120, np.clip(normal, 2, 110))
    given = claims["lag"].to_numpy()
    lag = np.where(given >= 0, given, lag)
    processed = np.minimum(claims["through"].to_numpy() + lag.astype(np.int64), calendar.extract_day)
    claims = claims.with_columns(
        version=pl.lit(1, dtype=pl.Int64),
        action=pl.lit(ORIGINAL),
        adjusted=pl.lit(None, dtype=pl.Int64),
        processed=pl.Series(processed),
        _u3=pl.Series(u[:, 3]),
        _u4=pl.Series(u[:, 4]),
        _u5=pl.Series(u[:, 5]),
    )
    lines = lines.with_columns(version=pl.lit(1, dtype=pl.Int64))
    slots = slots.with_columns(version=pl.lit(1, dtype=pl.Int64))
    ordinary = (pl.col("decoy") == "") & ~pl.col("denied") & (pl.col("lag") < 0)
    replaced = ordinary & (pl.col("_u3") < s["replaced"])
    twice = ordinary & pl.col("deniable") & (pl.col("_u4") < s["cancelled_duplicates"]) & ~replaced
    claims = claims.with_columns(_replaced=replaced, _twice=twice | (pl.col("decoy") == CANCELLED))

    later = pl.min_horizontal(pl.col("processed") + 30, pl.lit(calendar.extract_day))
    own_name = pl.col("_u5") < 0.5
    first = claims.filter("_replaced")
    # The claim as it now stands is the second statement, under its own identifier or a new one's name.
    claims = claims.with_columns(
        version=pl.when(pl.col("_replaced") & own_name).then(2).otherwise(1).cast(pl.Int64),
        action=pl.when("_replaced").then(pl.lit(REPLACEMENT)).otherwise(pl.col("action")),
        adjusted=pl.when(pl.col("_replaced") & ~own_name).then(pl.col("key") + COPY),
        processed=pl.when("_replaced").then(later).otherwise(pl.col("processed")),
    )
    moved = claims.filter(pl.col("_replaced") & own_name).select("key")
    same_name = first.filter(own_name).select("key")
    old_lines = lines.join(first.select("key"), on="key", how="semi")
    old_slots = slots.join(first.select("key"), on="key", how="semi")
    lines, slots = (_version_two(frame, moved) for frame in (lines, slots))
    first = first.with_columns(paid=pl.col("paid") * 9 // 10, key=_renamed(first["key"], same_name["key"]))
    old_lines = old_lines.with_columns(
        key=_renamed(old_lines["key"], same_name["key"]),
        allowed=pl.col("allowed") * 9 // 10,
        paid=pl.col("paid") * 9 // 10,
    )
    old_slots = old_slots.with_columns(key=_renamed(old_slots["key"], same_name["key"]))

    copies = claims.filter("_twice")
    decoys = copies.filter(pl.col("decoy") == CANCELLED)
    mistakes = copies.filter(pl.col("decoy") != CANCELLED)
    more_lines = lines.join(mistakes.select("key"), on="key", how="semi").with_columns(
        key=pl.col("key") + COPY
    )
    more_slots = slots.join(mistakes.select("key"), on="key", how="semi").with_columns(
        key=pl.col("key") + COPY
    )
    mistakes = mistakes.with_columns(key=pl.col("key") + COPY)
    cancelled = pl.concat([mistakes, decoys]).with_columns(
        processed=later, action=pl.lit(CANCELLATION), paid=-pl.col("paid")
    )
    cancelled = cancelled.with_columns(
        adjusted=pl.when(~own_name).then(pl.col("key")),
        version=pl.when(own_name).then(2).otherwise(1).cast(pl.Int64),
        key=pl.when(own_name).then(pl.col("key")).otherwise(pl.col("key") % COPY + 2 * COPY),
    )
    return (
        pl.concat([claims, first, mistakes, cancelled], how="vertical_relaxed").sort(
            packed("key", "version")
        ),
        pl.concat([lines, old_lines, more_lines], how="vertical_relaxed").sort(
            packed("key", "version", "line")
        ),
        pl.concat([slots, old_slots, more_slots], how="vertical_relaxed").sort(
            packed("key", "version", "line", "position")
        ),
    )


def _version_two(frame: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    inside = frame["key"].is_in(moved["key"].implode())
    return frame.with_columns(version=pl.when(inside).then(2).otherwise(pl.col("version")).cast(pl.Int64))


def _renamed(keys: pl.Series, same_name: pl.Series) -> pl.Series:
    """Keys of first statements: their own where the correction keeps the identifier, else the copy's."""
    return keys.to_frame("k").select(
        pl.when(pl.col("k").is_in(same_name.implode()))
        .then(pl.col("k"))
        .otherwise(pl.col("k") + COPY)
        .alias("k")
    )["k"]


def _salt(seed: int, name: str, chunk: int) -> np.uint64:
    return np.uint64(stream(seed, name, chunk).integers(1, 2**62))


def _normal(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Standard normal numbers from two uniform ones."""
    return np.sqrt(-2 * np.log(np.maximum(u.astype(np.float64), 1e-9))) * np.cos(2 * np.pi * v)
