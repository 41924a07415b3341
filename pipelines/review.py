"""What reviewers say of findings: an append-only log beside the warehouse, one small file a review.

The warehouse carries a review from its next run on; `ccm explain` shows it at once.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pipelines.built import open_built
from pipelines.ledger import REVIEWS, TABLES, locked, place, prepare, refuse_broken
from pipelines.settings import Settings

# From the state a finding is in to those that a review may give it. `open` is where nothing was said yet.
TRANSITIONS: Mapping[str, tuple[str, ...]] = {
    "open": ("confirmed", "dismissed"),
    "confirmed": ("dismissed", "refunded"),
    "dismissed": ("confirmed",),
    # a refund entered by mistake is taken back by confirming again
    "refunded": ("confirmed",),
}
STATES = ("confirmed", "dismissed", "refunded")


class CannotReview(Exception):
    """The review is not possible; str() is one line."""


@dataclass(frozen=True)
class Review:
    """One row of the log; `number` orders the whole log, `at` is UTC without a zone."""

    number: int
    finding_id: str
    state: str
    note: str
    by: str
    at: datetime


def review(settings: Settings, finding_id: str, state: str, note: str, by: str | None = None) -> Review:
    """Append one review; returns it.

    `by` defaults to the login name. Raises CannotReview where the finding is unknown to the warehouse, the state cannot
    follow the one it has, or the note is empty, NoWarehouse where none was built, and LedgerDamaged where earlier reviews cannot be read.
    Reviews made at the same time are taken one after the other.
    """
    if not note.strip():
        raise CannotReview("a review needs a note that says why")
    known = _finding(settings, finding_id)
    refuse_broken(settings)
    prepare(settings)
    with locked(settings):
        log = reviews(settings)
        last = next((one for one in reversed(log) if one.finding_id == finding_id), None)
        _check(known, last.state if last else "open", state)
        made = Review(
            number=log[-1].number + 1 if log else 1,
            finding_id=finding_id,
            state=state,
            note=note.strip(),
            by=(by or getpass.getuser()).strip(),
            at=datetime.now(UTC).replace(tzinfo=None),
        )
        path = settings.ledger / REVIEWS / f"{made.number:06d}.parquet"
        with duckdb.connect() as con:
            con.execute(f"create table review ({TABLES[REVIEWS]})")
            con.execute(
                "insert into review values (?, ?, ?, ?, ?, ?)",
                [made.number, made.finding_id, made.state, made.note, made.by, made.at],
            )
            place(con, "from review", path)
    return made


def reviews(settings: Settings, finding_ids: list[str] | None = None) -> list[Review]:
    """The log in its order, of some findings or of all; empty where nobody has reviewed anything."""
    folder = settings.ledger / REVIEWS
    if not any(folder.glob("*.parquet")):
        return []
    only = "" if finding_ids is None else "where list_contains($ids, finding_id)"
    with duckdb.connect() as con:
        rows = con.execute(
            "select review_number, finding_id, review_state, note, reviewed_by, reviewed_at"
            f" from read_parquet('{folder}/*.parquet') {only} order by review_number",
            {} if finding_ids is None else {"ids": finding_ids},
        ).fetchall()
    return [Review(*row) for row in rows]


def _finding(settings: Settings, finding_id: str) -> dict[str, Any]:
    with open_built(settings, "flags.findings") as con:
        row = con.execute(
            "select review_state, closed_as_of, closed_reason from flags.findings where finding_id = ?",
            [finding_id],
        ).fetchone()
    if row is None:
        raise CannotReview(
            "no finding has this identifier (tables/findings.parquet and `ccm explain` show them)"
        )
    return {"review_state": row[0], "closed_as_of": row[1], "closed_reason": row[2]}


def _check(known: dict[str, Any], now: str, wanted: str) -> None:
    if known["review_state"] == "closed" and (now, wanted) != ("confirmed", "refunded"):
        raise CannotReview(
            f"the finding was closed as of {known['closed_as_of']} ({known['closed_reason'].replace('_', ' ')});"
            " of a closed finding only a confirmed one can be marked refunded"
        )
    if wanted not in TRANSITIONS[now]:
        allowed = " or ".join(TRANSITIONS[now])
        raise CannotReview(f"the finding is {now}: it can become {allowed}, not {wanted}")
