"""A warehouse with nothing but the marts that a study reads, filled from numpy: with an effect, and its twin without."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from pipelines.impact.protocol import CONTROLS, COUNTS, MONEY
from pipelines.settings import Settings

MONTHS, PEOPLE, PRACTICES = 42, 1_600, 40
EFFECT = -120.0  # dollars a month from the first month of CCM on
FIRST = dt.date(2021, 1, 1)


def month(number: int) -> dt.date:
    return dt.date(FIRST.year + number // 12, number % 12 + 1, 1)


def write(out: Path, *, effect: float = EFFECT, people: int = PEOPLE, seed: int = 5) -> Settings:
    """The output folder of a run that made only these tables; every second practice bills CCM from some month on."""
    rng = np.random.default_rng(seed)
    settings = Settings(out=out, threads=1, memory_limit="1GB")
    out.mkdir(parents=True, exist_ok=True)
    ids = [f"B{number:05d}" for number in range(people)]
    practice = rng.integers(0, PRACTICES, people)
    dual = rng.random(people) < 0.3
    race = rng.choice(["white", "black", "american_indian_alaska_native"], people, p=[0.8, 0.196, 0.004])
    starts = np.where(
        (practice % 2 == 0) & (rng.random(people) < 0.35), rng.integers(14, MONTHS - 8, people), MONTHS + 99
    )
    last = np.where(rng.random(people) < 0.15, rng.integers(16, MONTHS, people), MONTHS - 1)
    starts = np.where(starts > last, MONTHS + 99, starts)
    base = 300 * rng.gamma(1.2, 1.0, (people, MONTHS)) + 200 * dual[:, None]
    exposed = np.arange(MONTHS) > starts[:, None]
    spent = base + effect * exposed
    stays, visits = rng.poisson(0.03, (people, MONTHS)), rng.poisson(0.06, (people, MONTHS))
    grid = [(i, m) for i in range(people) for m in range(last[i] + 1)]
    rows, at = np.array([i for i, _ in grid]), np.array([m for _, m in grid])
    months = pl.DataFrame({"beneficiary_id": [ids[i] for i in rows], "service_month": [month(m) for m in at]})
    study = months.with_columns(
        is_eligible=pl.Series(at >= 3),
        practice_id=pl.Series([f"t{practice[i]:02d}" for i in rows]),
        condition_count=pl.Series(2 + rows % 4),
        stay_days=pl.lit(0),
        has_hospice_election=pl.Series(rows % 97 == 0),
        birth_date=pl.lit(dt.date(1950, 1, 1)),
        state=pl.lit("GA"),
        age_band=pl.lit("70_to_74"),
        sex=pl.Series(np.where(rows % 2 == 0, "female", "male")),
        race_ethnicity=pl.Series(race[rows]),
        dual_status=pl.Series(np.where(dual[rows], "full", "not_dual")),
        entitlement=pl.lit("age"),
    )
    outcomes = months.with_columns(
        **{name: pl.lit(0.0) for name in MONEY if name != "total_less_ccm_usd"},
        **{name: pl.lit(0) for name in (*COUNTS, *CONTROLS)},
    ).with_columns(
        total_usd=pl.Series(spent[rows, at]),
        acute_admissions=pl.Series(stays[rows, at]),
        emergency_visits=pl.Series(visits[rows, at]),
        skin_lesion_claims=pl.Series(rng.poisson(0.05, len(rows))),
    )
    users = np.flatnonzero(starts < MONTHS)
    exposures = pl.DataFrame(
        {
            "beneficiary_id": [ids[i] for i in users],
            "first_paid_month": [month(int(starts[i])) for i in users],
            "first_practice_tin": [f"t{practice[i]:02d}" for i in users],
        }
    )
    adoptions = exposures.group_by(practice_tin="first_practice_tin").agg(pl.col("first_paid_month").min())
    spans = pl.DataFrame(
        {
            "beneficiary_id": ids,
            "first_month": [month(0)] * people,
            "last_month": [month(int(one)) for one in last],
            "ended_by": np.where(last == MONTHS - 1, "end_of_data", "death"),
        }
    )
    run_out = pl.DataFrame(
        {
            "service_month": [month(m) for m in range(MONTHS)],
            "run_out_state": ["complete"] * (MONTHS - 2) + ["provisional"] * 2,
        }
    )
    settings.warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema marts; create schema policy")
        for name, frame in {
            "fct_study_months": study, "fct_outcome_months": outcomes, "fct_ccm_exposures": exposures,
            "fct_ccm_adoptions": adoptions, "fct_observed_spans": spans, "fct_run_out_months": run_out,
        }.items():  # fmt: skip
            con.register("frame", frame)
            con.execute(f"create table marts.{name} as select * from frame")
            con.unregister("frame")
        con.execute(
            "create table policy.disclosure_limits as select 'largest_small_cell' as limit_name, 10 as limit_value"
        )
    return settings
