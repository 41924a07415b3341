"""People of a made-up world in which need rests on emergency visits and one condition, and groups differ in nothing else."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from pipelines.outreach.evidence import Evidence

LIMITS = {
    "horizon_months": 6.0, "least_events": 200.0, "least_later_events": 60.0, "isotonic_events": 1000.0, "reasons": 3.0,
    "most_learnt_rows": 250_000.0,
    "floor_tolerance": 0.1, "least_group_events": 50.0, "lowest_observed_over_expected": 0.9,
    "highest_observed_over_expected": 1.1, "lowest_calibration_slope": 0.85, "highest_calibration_slope": 1.15,
    "lowest_need_ratio": 0.9, "highest_need_ratio": 1.1, "cut_window": 0.05,
}  # fmt: skip
MONTHS = [dt.date(2022 + n // 2, 3 + 6 * (n % 2), 1) for n in range(7)]
LAST = dt.date(2025, 12, 1)


def evidence(each: int = 1_500, seed: int = 1) -> Evidence:
    """`each` people in every month; the last month's outcome is not known."""
    rng = np.random.default_rng(seed)
    frames = []
    for month in [*MONTHS, LAST]:
        emergency = rng.poisson(0.5, each)
        asthma = rng.random(each) < 0.2
        conditions = rng.integers(2, 9, each)
        odds = -3.2 + 0.8 * emergency + 1.0 * asthma + 0.1 * conditions
        came = rng.random(each) < 1 / (1 + np.exp(-odds))
        is_last = month == LAST
        frames.append(
            pl.DataFrame(
                {
                    "beneficiary_id": [f"B{n:05d}" for n in range(each)],
                    "service_month": [month] * each,
                    "is_last_month": [is_last] * each,
                    "practice_id": [f"P{n % 40:02d}" for n in range(each)],
                    "practitioner_npi": [f"N{n % 80:02d}" for n in range(each)],
                    "practice_bills": [n % 40 < 5 for n in range(each)],
                    "condition_count": conditions,
                    "conditions": [["Asthma", "Diabetes"] if one else ["Diabetes"] for one in asthma],
                    "age": rng.integers(60, 95, each),
                    "admissions_6": rng.poisson(0.1, each),
                    "admissions_12": rng.poisson(0.2, each),
                    "preventable_admissions_12": np.zeros(each, dtype=int),
                    "readmissions_12": np.zeros(each, dtype=int),
                    "discharges_1": np.zeros(each, dtype=int),
                    "emergency_days_6": emergency,
                    "emergency_days_12": emergency + rng.poisson(0.3, each),
                    "preventable_emergency_days_12": np.zeros(each, dtype=int),
                    "days_since_primary_care": [None if n % 9 == 0 else n % 300 for n in range(each)],
                    "practitioner_share": rng.random(each),
                    "was_served_before": [False] * each,
                    "race_ethnicity": rng.choice(["white", "black", "unknown"], each, p=[0.8, 0.17, 0.03]),
                    "dual_status": rng.choice(["full", "not_dual"], each, p=[0.2, 0.8]),
                    "sex": rng.choice(["female", "male"], each),
                    "age_band": rng.choice(["65_to_69", "70_to_74"], each),
                    "entitlement": rng.choice(["age", "disability"], each, p=[0.8, 0.2]),
                    "preventable_events": [None] * each if is_last else came.astype(int),
                    "has_started": [None] * each if is_last else rng.random(each) < 0.01,
                    "is_followed": [not is_last or None] * each,
                },
                schema_overrides={"preventable_events": pl.Int64, "has_started": pl.Boolean, "is_followed": pl.Boolean},
            )
        )  # fmt: skip
    return Evidence(pl.concat(frames), dict(LIMITS), {"every": (10, 5)}, 10)
