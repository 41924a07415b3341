"""What the ranking rests on, read from the warehouse: people by month with what was known then, what came after, and the limits."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Groups are told apart in the fairness report and in the floors of choosing; no model reads them.
GROUPS = ("race_ethnicity", "dual_status", "sex", "age_band", "entitlement")
UNKNOWN = "unknown"
# Numbers that a model reads, and how a person's value is told: one, several.
NUMBERS: dict[str, tuple[str, str]] = {
    "condition_count": ("one chronic condition", "{} chronic conditions"),
    "age": ("aged {}", "aged {}"),
    "admissions_6": ("one hospital admission in 6 months", "{} hospital admissions in 6 months"),
    "admissions_12": ("one hospital admission in 12 months", "{} hospital admissions in 12 months"),
    "preventable_admissions_12": (
        "one avoidable hospital admission in 12 months",
        "{} avoidable hospital admissions in 12 months",
    ),
    "readmissions_12": ("one readmission in 12 months", "{} readmissions in 12 months"),
    "discharges_1": (
        "discharged from hospital or nursing facility last month",
        "{} discharges from hospital or nursing facility last month",
    ),
    "emergency_days_6": ("one emergency visit in 6 months", "{} emergency visits in 6 months"),
    "emergency_days_12": ("one emergency visit in 12 months", "{} emergency visits in 12 months"),
    "preventable_emergency_days_12": (
        "one avoidable emergency visit in 12 months",
        "{} avoidable emergency visits in 12 months",
    ),
    "days_since_primary_care": (
        "last primary-care visit one day ago",
        "last primary-care visit {} days ago",
    ),
    "practitioner_share": ("", ""),
    "was_served_before": ("had care management before", "had care management before"),
}
NEVER_SEEN = 366.0  # days since the last visit where there is none within the year that is looked at


@dataclass(frozen=True)
class Evidence:
    """`people`: rows of marts.fct_outreach_months with what came after (null where not known yet), in a fixed order; `limits`: of
    policy.outreach_limits in force; `capacity`: practice -> (people a month, people a practitioner), `every` for the others."""

    people: pl.DataFrame
    limits: dict[str, float]
    capacity: dict[str, tuple[int, int]]
    largest_small_cell: int

    @property
    def known(self) -> pl.DataFrame:
        """The rows whose half year ahead is over and was observed."""
        return self.people.filter(pl.col("is_followed").fill_null(False))

    @property
    def listed(self) -> pl.DataFrame:
        """The rows of the last month."""
        return self.people.filter("is_last_month")


def read(con: duckdb.DuckDBPyConnection) -> Evidence:
    """The evidence of a warehouse. ValueError: no limit is in force in its last month."""
    people = con.sql(
        "select months.*, outcomes.preventable_events, outcomes.has_started, outcomes.is_followed"
        " from marts.fct_outreach_months as months"
        " left join marts.fct_outreach_outcomes as outcomes using (beneficiary_id, service_month)"
        " order by service_month, beneficiary_id"
    ).pl()
    month = "(select max(service_month) from marts.capture_months) between effective_from and effective_to"
    limits = dict(
        con.execute(f"select limit_name, limit_value from policy.outreach_limits where {month}").fetchall()
    )
    capacity = {
        practice: (most, each)
        for practice, most, each in con.execute(
            "select practice_tin, people_a_month, people_a_practitioner from policy.outreach_capacity"
            f" where {month}"
        ).fetchall()
    }
    row = con.execute(
        "select max(limit_value) from policy.disclosure_limits where limit_name = 'largest_small_cell'"
    ).fetchone()
    if not limits or "every" not in capacity or row is None:
        raise ValueError("no policy in force for the ranking of outreach")
    return Evidence(people, limits, capacity, int(row[0]))


def condition_names(people: pl.DataFrame) -> list[str]:
    """Conditions that anybody of `people` has, by name."""
    return sorted(people["conditions"].explode().drop_nulls().unique().to_list())


def matrix(people: pl.DataFrame, conditions: list[str]) -> Floats:
    """(n, features) what a model reads of n people: NUMBERS in their order, then one column a condition (0 or 1)."""
    missing = {"days_since_primary_care": NEVER_SEEN}
    columns = [people[name].cast(pl.Float64).fill_null(missing.get(name, 0.0)).to_numpy() for name in NUMBERS]
    columns += [
        people["conditions"].list.contains(name).fill_null(False).to_numpy().astype(float)
        for name in conditions
    ]
    return np.column_stack(columns) if people.height else np.zeros((0, len(columns)))
