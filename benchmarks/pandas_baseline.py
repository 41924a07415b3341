"""Condition flagging and eligibility as an analyst would write them in pandas, to compare the warehouse with.

A function of landed files and policy seeds: for every month, the claims of each condition's look-back, one counted where the
definition takes one claim and two dates where it takes two; then coverage, life and the number of conditions. Left out of what the
warehouse does: exclude codes, adjusted and denied claims, stays, hospice, dialysis, and why a person failed.

`python -m benchmarks.pandas_baseline LANDING [WAREHOUSE]` prints one line of JSON: seconds, rows, and with a warehouse the share of
person-months on which both say the same about two conditions.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
POLICY = REPOSITORY / "dbt_project" / "seeds" / "policy"


def landed(landing: Path, table: str, columns: list[str]) -> pd.DataFrame:
    """The columns of one landed table, all batches under one another."""
    return pd.concat(
        pd.read_parquet(path, columns=columns) for path in sorted(landing.glob(f"batch-*/{table}.parquet"))
    )


def evidence(landing: Path) -> pd.DataFrame:
    """One row a diagnosis that stands for a condition: person, definition, condition, date, and whether one claim is enough."""
    claims = landed(
        landing, "claims", ["claim_id", "beneficiary_id", "claim_type", "nch_claim_type_code", "from_date"]
    )
    diagnoses = landed(landing, "claim_diagnoses", ["claim_id", "role", "diagnosis_code", "icd_version"])
    classes = pd.read_csv(POLICY / "claim_classes.csv", dtype=str)
    codes = pd.read_csv(POLICY / "condition_codes.csv", dtype={"diagnosis_code": str, "icd_version": "int32"})
    definitions = pd.read_csv(POLICY / "condition_definitions.csv", dtype={"diagnosis_positions": str})
    claims["claim_type_code"] = claims["nch_claim_type_code"].fillna(claims["claim_type"])
    claims = claims.merge(classes[["claim_type_code", "claim_class"]], on="claim_type_code")
    codes = codes[codes["role"] == "include"].merge(definitions, on=["definition", "condition"])
    diagnoses = diagnoses[diagnoses["role"].isin(["principal", "other", "line"])]
    found = diagnoses.merge(codes, on=["diagnosis_code", "icd_version"]).merge(claims, on="claim_id")
    found["is_one"] = [
        kind in taken.split("|")
        for kind, taken in zip(found["claim_class"], found["one_claim_classes"], strict=True)
    ]
    found["is_two"] = [
        kind in taken.split("|")
        for kind, taken in zip(found["claim_class"], found["two_claim_classes"], strict=True)
    ]
    found = found[found["is_one"] | found["is_two"]]
    found["from_date"] = pd.to_datetime(found["from_date"])
    return found[
        ["beneficiary_id", "definition", "condition", "lookback_months", "from_date", "is_one", "is_two"]
    ]


def conditions_held(found: pd.DataFrame, month: pd.Timestamp) -> pd.DataFrame:
    """Conditions that hold on the eve of `month`: one row a person, definition and condition."""
    eve = month - pd.Timedelta(days=1)
    held = []
    for months, of_length in found.groupby("lookback_months"):
        window = of_length[
            (of_length["from_date"] > eve - pd.DateOffset(months=int(str(months))))
            & (of_length["from_date"] <= eve)
        ]
        keys = ["beneficiary_id", "definition", "condition"]
        once = window[window["is_one"]][keys].drop_duplicates()
        dates = window[window["is_two"]].groupby(keys)["from_date"].nunique()
        twice = dates[dates >= 2].reset_index()[keys]
        held.append(pd.concat([once, twice]).drop_duplicates())
    return pd.concat(held)


def eligible_months(landing: Path) -> pd.DataFrame:
    """One row a person-month: number of counted conditions, and whether the claims show the person eligible."""
    found = evidence(landing)
    enrollment = landed(
        landing,
        "enrollment_months",
        ["beneficiary_id", "service_month", "has_part_b", "is_medicare_advantage"],
    ).drop_duplicates(["beneficiary_id", "service_month"], keep="last")
    people = landed(landing, "beneficiaries", ["beneficiary_id", "death_date"])
    died = people.groupby("beneficiary_id")["death_date"].max().reset_index()
    enrollment["service_month"] = pd.to_datetime(enrollment["service_month"])
    in_force = pd.read_csv(POLICY / "condition_set_in_force.csv", dtype=str)
    sets = pd.read_csv(POLICY / "condition_counting_sets.csv", dtype=str)
    limits = pd.read_csv(POLICY / "eligibility_limits.csv", dtype=str).set_index("criterion")["limit_value"]
    months = []
    for month, enrolled in enrollment.groupby("service_month"):
        day = pd.Timestamp(str(month))
        used = in_force[
            (in_force["effective_from"] <= day.strftime("%Y-%m-%d"))
            & (in_force["effective_to"] >= day.strftime("%Y-%m-%d"))
        ]
        counted = conditions_held(found, day).merge(
            sets.merge(used[["definition", "counting_set"]], on=["definition", "counting_set"]),
            on=["definition", "condition"],
        )
        count = counted.groupby("beneficiary_id").size().rename("condition_count").reset_index()
        rows = enrolled.merge(died, how="left").merge(count, how="left")
        rows["condition_count"] = rows["condition_count"].fillna(0).astype(int)
        rows["has_conditions"] = rows["condition_count"] >= int(limits["two_conditions"])
        rows["is_eligible"] = (
            rows["has_conditions"]
            & rows["has_part_b"].fillna(False).astype(bool)
            & ~rows["is_medicare_advantage"].fillna(False).astype(bool)
            & ~(pd.to_datetime(rows["death_date"]) < day)
        )
        months.append(rows)
    return pd.concat(months)


def agreement(months: pd.DataFrame, warehouse: Path) -> float:
    """Share of the warehouse's person-months on which the count of conditions reaches the limit in both or in neither."""
    import duckdb

    with duckdb.connect(str(warehouse), read_only=True) as con:
        ours = con.execute(
            "select beneficiary_id, cast(service_month as timestamp) as service_month,"
            " condition_count >= conditions_required as ours from marts.eligibility_months"
        ).df()
    both = ours.merge(
        months[["beneficiary_id", "service_month", "has_conditions"]], on=["beneficiary_id", "service_month"]
    )
    return float((both["ours"] == both["has_conditions"]).mean())


def main() -> None:
    landing = Path(sys.argv[1])
    started = time.perf_counter()
    months = eligible_months(landing)
    told: dict[str, object] = {
        "seconds": time.perf_counter() - started,
        "person_months": len(months),
        "eligible_person_months": int(months["is_eligible"].sum()),
    }
    if len(sys.argv) > 2:
        told["agreement_on_conditions"] = agreement(months, Path(sys.argv[2]))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
