"""What Medicare paid for, when and at which price: read from the warehouse's policy seeds and nowhere else.

The simulator bills by these tables, so a price, a code or a threshold that is corrected in a seed is corrected in
simulated claims as well. Codes that the seeds do not price (visits, tests, supplies) have amounts of their own in
the parameter file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.settings import POLICY_SEEDS

# Lanes of the simulator in its order, and the lanes of the seed.
LANE_SEEDS = {"staff": "CCM_A", "complex": "CCM_B", "practitioner": "CCM_C"}
NEVER_EARNED = 10_000  # minutes that no month holds: a code that is not payable cannot be earned
NO_LIMIT = 10_000  # more units than any month earns
GENERAL_CODE = "G0511"  # care management by rural health clinics and health centres, whatever the programme
RETIRED_BY_YEAR = ("G2058", "99439")  # add-ons of the staff lane, each payable when the other is not


@cache
def seed(name: str) -> pl.DataFrame:
    """Rows of `dbt_project/seeds/policy/<name>.csv`, all columns as text but the dates."""
    rows = pl.read_csv(POLICY_SEEDS / f"{name}.csv", infer_schema=False)
    dates = [column for column in ("effective_from", "effective_to") if column in rows.columns]
    return rows.with_columns(pl.col(dates).str.to_date())


def days(column: str) -> pl.Expr:
    """A date column as whole days since 1970-01-01."""
    return pl.col(column).to_physical().cast(pl.Int64)


@dataclass(frozen=True)
class Ladder:
    """CCM codes of each lane and month, arrays [lane, month]; '' and NEVER_EARNED where nothing is payable.

    Base needs `first` whole minutes; every further `block` earns one add-on, at most `most`.
    """

    base: NDArray[np.str_]
    first: NDArray[np.int64]
    add_on: NDArray[np.str_]
    add_on_first: NDArray[np.int64]
    block: NDArray[np.int64]
    most: NDArray[np.int64]
    general: NDArray[np.str_]  # [month] what rural health clinics and health centres bill; '' = as everybody
    retired: NDArray[np.str_]  # [month] an add-on that Medicare does not pay in that month

    @property
    def payable(self) -> NDArray[np.bool_]:
        """[lane, month] whether the lane's base code is payable."""
        return self.first < NEVER_EARNED

    def earned(
        self, lane: NDArray[np.int64], month: NDArray[np.int64], minutes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Units of base and add-on that whole `minutes` earn in each lane and month."""
        base = (minutes >= self.first[lane, month]).astype(np.int64)
        steps = 1 + (minutes - self.add_on_first[lane, month]) // self.block[lane, month]
        return base, base * np.clip(steps, 0, self.most[lane, month])


def ladder(starts: NDArray[np.int64]) -> Ladder:
    """The time ladder in force on each of the days `starts`, caps of `unit_limits` applied."""
    rungs = seed("time_ladder").with_columns(days("effective_from"), days("effective_to"))
    limits = seed("unit_limits").with_columns(days("effective_from"), days("effective_to"))
    shape = (len(LANE_SEEDS), len(starts))
    base, add_on = np.full(shape, "", dtype="<U5"), np.full(shape, "", dtype="<U5")
    first, block = np.full(shape, NEVER_EARNED), np.ones(shape, dtype=np.int64)
    add_on_first, most = np.full(shape, NEVER_EARNED), np.zeros(shape, dtype=np.int64)
    for lane, name in enumerate(LANE_SEEDS.values()):
        for rung in rungs.filter(pl.col("lane") == name).iter_rows(named=True):
            here = (starts >= rung["effective_from"]) & (starts <= rung["effective_to"])
            code = rung["hcpcs_code"]
            if rung["code_role"] == "base":
                base[lane, here], first[lane, here] = code, int(rung["first_minute"])
                continue
            add_on[lane, here], add_on_first[lane, here] = code, int(rung["first_minute"])
            block[lane, here] = int(rung["block_minutes"])
            most[lane, here] = NO_LIMIT
            for limit in limits.filter(pl.col("hcpcs_code") == code).iter_rows(named=True):
                also = here & (starts >= limit["effective_from"]) & (starts <= limit["effective_to"])
                most[lane, also] = int(limit["units_per_month"])
    staff = add_on[list(LANE_SEEDS).index("staff")]
    retired = np.where(staff == RETIRED_BY_YEAR[0], RETIRED_BY_YEAR[1], RETIRED_BY_YEAR[0])
    general = np.full(len(starts), "", dtype="<U5")
    codes = seed("care_management_codes").with_columns(days("effective_from"), days("effective_to"))
    for row in codes.filter(pl.col("hcpcs_code") == GENERAL_CODE).iter_rows(named=True):
        general[(starts >= row["effective_from"]) & (starts <= row["effective_to"])] = GENERAL_CODE
    return Ladder(base, first, add_on, add_on_first, block, most, general, retired)


def ccm_codes() -> list[str]:
    """Every code of the CCM family that the seeds know, of whatever year."""
    known = seed("care_management_codes").filter(pl.col("family") == "CCM")
    return sorted(known["hcpcs_code"].unique().to_list())


def needs_written_consent(day: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether consent given on each day had to be written."""
    rules = seed("consent_rules").filter(pl.col("required_mode") == "written")
    rules = rules.with_columns(days("effective_from"), days("effective_to"))
    needed = np.zeros(len(day), dtype=bool)
    for rule in rules.iter_rows(named=True):
        needed |= (day >= rule["effective_from"]) & (day <= rule["effective_to"])
    return needed


def facility_places() -> list[str]:
    """Place-of-service codes that are paid the facility amount."""
    places = seed("place_of_service_settings").filter(pl.col("setting") == "facility")
    return sorted(places["place_of_service_code"].unique().to_list())


def priced_by_component_from() -> int:
    """First day, since 1970-01-01, on which prices are known by component and so by locality."""
    first = seed("relative_values").select(days("effective_from").min()).item()
    return int(first)


def price_table(parameters: dict[str, Any]) -> pl.DataFrame:
    """Amounts by code and first day: code, starts, price_cents, facility_cents.

    Seeds first, then `prices` and `services` of the parameter file; ValueError where a code stands in both.
    The first known amount serves earlier days and the last one later days.
    """
    groups = seed("fee_schedule_groups").filter(
        (pl.col("participation") == "unknown") & (pl.col("effective_to").dt.year() == 9999)
    )
    known = seed("fee_schedule").join(groups.select("conversion_factor_group"), on="conversion_factor_group")
    cents = {
        name: (pl.col(column).cast(pl.Float64) * 100).round().cast(pl.Int64)
        for name, column in (("price_cents", "nonfacility_usd"), ("facility_cents", "facility_usd"))
    }
    seeded = known.select(code=pl.col("hcpcs_code"), starts=days("effective_from"), **cents)
    own = [
        (str(code), day_number(period["from"]), round(price * 100))
        for period in parameters["prices"]
        for code, price in period["prices"].items()
    ]
    own += [
        (str(code), 0, round(item["price"] * 100))
        for code, item in parameters["services"].items()
        if "price" in item
    ]
    columns = {"code": pl.String, "starts": pl.Int64, "price_cents": pl.Int64}
    table = pl.DataFrame(own, schema=columns, orient="row")
    twice = sorted(set(table["code"].to_list()) & set(seeded["code"].to_list()))
    if twice:
        raise ValueError(f"simulation parameters: the fee schedule already prices {', '.join(twice)}")
    table = pl.concat([seeded, table.with_columns(facility_cents="price_cents")])
    table = table.with_columns(facility_cents=pl.coalesce("facility_cents", "price_cents"))
    earliest = table.sort("starts").unique("code", keep="first").with_columns(starts=pl.lit(-(10**6)))
    earliest = earliest.with_columns(pl.col("starts").cast(pl.Int64))
    return pl.concat([earliest, table]).sort("starts", "code")


def day_number(value: object) -> int:
    """Days since 1970-01-01 of a parameter file's date or month."""
    return int(np.datetime64(str(value), "D").astype(np.int64))
