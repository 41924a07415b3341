"""When practices deliver their records: an entry in its month, what changes about it in the month of the change."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.deliveries import Restatements, month_ends
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.streams import stream


def stamp_records(
    parameters: dict[str, Any],
    calendar: Calendar,
    tables: dict[str, pl.DataFrame],
    current: pl.DataFrame,
    notes: Restatements,
    seed: int,
    chunk: int,
) -> dict[str, pl.DataFrame]:
    """What practices keep, with the day each statement was delivered: table -> frame.

    `current` ties each delivered identifier to the current one: delivered_id, beneficiary_id.
    """
    ends = month_ends(calendar)

    def note(table: str, kind: str, rows: pl.DataFrame, key: str, day: pl.Expr) -> None:
        """Rows delivered after the delivery of the month that they speak of."""
        owner = rows.join(
            current, left_on="beneficiary_id", right_on="delivered_id", maintain_order="left", how="left"
        )
        month = rows.select(day.cast(pl.Date)).to_series()
        notes.add(table, kind, rows[key], owner["beneficiary_id_right"], month, rows["delivered"])

    seen = tables["encounters"].with_columns(delivered=_day("start_date"))
    consents = _consents(tables["consents"], note, ends)
    plans = _plans(tables["care_plans"], note, ends)
    return {
        "encounters": seen,
        "consents": consents,
        "care_plans": plans,
        "problems": tables["problems"].with_columns(delivered=_day("recorded_date")),
        "model_rosters": tables["model_rosters"].with_columns(delivered=_day("aligned_from")),
        "patient_charges": tables["patient_charges"].with_columns(delivered=_day("service_date")),
        "do_not_contact": tables["do_not_contact"].with_columns(delivered=_day("since_date")),
        "care_management_time": _time(parameters, tables["care_management_time"], note, ends, seed, chunk),
    }


def _day(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Date).to_physical().cast(pl.Int64)


def _delivery(column: str, ends: np.ndarray, frame: pl.DataFrame) -> pl.Series:
    """Which delivery a day falls into; null where there is no day, the last one for days beyond it."""
    days = frame.select(_day(column)).to_series()
    at = np.minimum(np.searchsorted(ends, days.fill_null(0).to_numpy()), len(ends) - 1)
    return pl.Series(at, dtype=pl.Int64).set(days.is_null(), None)


def _consents(consents: pl.DataFrame, note: Any, ends: np.ndarray) -> pl.DataFrame:
    """Given in one month, withdrawn in another."""
    given, withdrawn = _delivery("consent_date", ends, consents), _delivery("revoked_date", ends, consents)
    later = (withdrawn > given).fill_null(False)
    first = consents.with_columns(
        revoked_date=pl.when(pl.lit(later)).then(None).otherwise(pl.col("revoked_date")),
        delivered=_day("consent_date"),
    )
    second = consents.filter(later).with_columns(delivered=_day("revoked_date"))
    note("consents", "withdrawn_consent", second, "consent_id", pl.col("revoked_date"))
    return pl.concat([first, second])


def _plans(plans: pl.DataFrame, note: Any, ends: np.ndarray) -> pl.DataFrame:
    """Made, given to the patient and revised, each delivered in its month."""
    stages = {
        name: _delivery(name, ends, plans)
        for name in ("created_date", "given_to_patient_date", "last_revised_date")
    }
    parts = []
    for name, at in stages.items():
        known = plans.with_columns(
            pl.when(pl.lit((stages[other] <= at).fill_null(False))).then(pl.col(other)).alias(other)
            for other in ("given_to_patient_date", "last_revised_date")
        ).with_columns(delivered=pl.Series(ends)[at.fill_null(0)])
        news = (at > stages["created_date"]).fill_null(False) if name != "created_date" else at.is_not_null()
        if name == "last_revised_date":  # given and revised in one month is one statement
            news &= (at != stages["given_to_patient_date"]).fill_null(True)
        parts.append(known.filter(news))
    for name, part in zip(list(stages)[1:], parts[1:], strict=True):
        note(
            "care_plans",
            "revised_plan" if name == "last_revised_date" else "plan_given",
            part,
            "care_plan_id",
            pl.col(name),
        )
    return pl.concat(parts)


def _time(
    parameters: dict[str, Any], time: pl.DataFrame, note: Any, ends: np.ndarray, seed: int, chunk: int
) -> pl.DataFrame:
    """Activities of a month; some are entered a month late, and withdrawn ones were good entries at first."""
    at = _delivery("started_at", ends, time).to_numpy()
    luck = stream(seed, "late activities", chunk).random(len(time))
    room = at < len(ends) - 1
    next_end = pl.Series(ends[np.minimum(at + 1, len(ends) - 1)], dtype=pl.Int64)
    voided = time["is_voided"].to_numpy() & room
    late = (luck < parameters["deliveries"]["late_activities"]) & room & ~voided
    delivered = pl.select(
        pl.when(pl.lit(pl.Series(late | voided)))
        .then(pl.lit(next_end))
        .otherwise(pl.lit(pl.Series(ends[at])))
    ).to_series()
    final = time.with_columns(delivered=delivered)
    first = time.filter(pl.Series(voided)).with_columns(
        is_voided=pl.lit(False), delivered=pl.Series(ends[at][voided], dtype=pl.Int64)
    )
    note(
        "care_management_time",
        "late_activity",
        final.filter(pl.Series(late)),
        "activity_id",
        pl.col("started_at"),
    )
    note(
        "care_management_time",
        "withdrawn_activity",
        final.filter(pl.Series(voided)),
        "activity_id",
        pl.col("started_at"),
    )
    return pl.concat([first, final])
