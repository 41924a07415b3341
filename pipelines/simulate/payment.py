"""Amounts of claim lines, in whole cents: price, deductible, coinsurance and what Medicare paid."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.book import CARRIER, DME, OUTPATIENT
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.policy import facility_places, price_table
from pipelines.simulate.world import World


def add_amounts(
    parameters: dict[str, Any], calendar: Calendar, world: World, claims: pl.DataFrame, lines: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines with allowed, deductible, coinsurance and paid (cents, null where the claim is paid as a whole);
    claims with paid. ValueError where a billed code has no price on its day.
    """
    costs = parameters["costs"]
    services = parameters["services"]
    free = [code for code, item in services.items() if item.get("no_cost_share")]
    named = pl.DataFrame(
        {"code": list(services), "betos": [item["betos"] for item in services.values()]},
        schema={"code": pl.String, "betos": pl.String},
    )
    person = claims.select("key", "person", "type", claim_denied="denied")
    lines = (
        _priced(price_table(parameters), lines)
        .join(named, on="code", how="left", maintain_order="left")
        .join(person, on="key", how="left", maintain_order="left")
    )
    facility = pl.col("place").is_in(facility_places()) & ~pl.col("office_price")
    lines = lines.with_columns(price_cents=pl.when(facility).then("facility_cents").otherwise("price_cents"))
    part_b = pl.col("type").is_in([CARRIER, OUTPATIENT, DME])
    unpriced = lines.filter((pl.col("cents") < 0) & pl.col("price_cents").is_null() & ~pl.col("unpriced"))
    if len(unpriced):
        codes = sorted(set(unpriced["code"].to_list()))
        raise ValueError(
            f"simulation parameters: no price in force for {', '.join(codes)} on every day it is billed"
        )
    nurse = pl.Series(world.practitioner_is_nurse).gather(lines["practitioner"].clip(0))
    reduced = nurse & (lines["type"] == CARRIER) & (lines["practitioner"] >= 0) & (lines["cents"] < 0)
    allowed = (
        pl.when("claim_denied")
        .then(0)
        .when(pl.col("cents") >= 0)
        .then(pl.col("cents"))
        .otherwise(
            pl.when(pl.col("reduced"))
            .then((pl.col("price_cents") * pl.col("units") * pl.col("percent") * 85 + 5000) // 10_000)
            .otherwise((pl.col("price_cents") * pl.col("units") * pl.col("percent") + 50) // 100)
        )
    )
    lines = lines.with_columns(reduced=reduced).with_columns(allowed=pl.when(part_b).then(allowed))
    lines = _deductible(costs, calendar, lines, free)
    left = pl.col("allowed") - pl.col("deductible")
    share = round(costs["coinsurance"] * 100)
    held = round(costs["sequestration"] * 1000)
    lines = lines.with_columns(
        coinsurance=pl.when(pl.col("code").is_in(free)).then(0).otherwise((left * share + 50) // 100)
    ).with_columns(coinsurance=pl.when(part_b).then(pl.col("coinsurance")))
    lines = lines.with_columns(paid=((left - pl.col("coinsurance")) * (1000 - held) + 500) // 1000)
    paid = lines.group_by("key").agg(line_paid=pl.col("paid").sum())
    claims = claims.join(paid, on="key", how="left", maintain_order="left").with_columns(
        paid=pl.when(pl.col("facility_cents") >= 0)
        .then(pl.col("facility_cents"))
        .otherwise(pl.col("line_paid"))
    )
    return claims, lines


def _deductible(
    costs: dict[str, Any], calendar: Calendar, lines: pl.DataFrame, free: list[str]
) -> pl.DataFrame:
    """The first allowed dollars of a person's calendar year go to the Part B deductible."""
    year = calendar.year_of(lines["from"].to_numpy())
    limits = {int(y): round(dollars * 100) for y, dollars in costs["deductible"].items()}
    missing = sorted(set(np.unique(year).tolist()) - set(limits))
    if missing:
        raise ValueError(f"simulation parameters: no deductible for the year {missing[0]}")
    allowed = lines["allowed"]
    subject = allowed.is_not_null() & ~lines["code"].is_in(free)
    basis = np.where(subject.to_numpy(), allowed.fill_null(0).to_numpy(), 0)
    limit = pl.Series(year).replace_strict(limits, return_dtype=pl.Int64).to_numpy()
    # Running total within person and year, in order of day; lines of one day in the order they have.
    order = np.lexsort((lines["from"].to_numpy(), lines["person"].to_numpy()))
    group = (lines["person"].to_numpy() * 10_000 + year)[order]
    total = np.cumsum(basis[order])
    start = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]])) if len(group) else group
    already = np.repeat((total - basis[order])[start], np.diff(np.append(start, len(group))))
    before = np.empty(len(group), dtype=np.int64)
    before[order] = total - basis[order] - already
    share = np.minimum(basis, np.maximum(limit - before, 0))
    return lines.with_columns(deductible=pl.when(pl.col("allowed").is_not_null()).then(pl.Series(share)))


def _priced(table: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with price_cents and facility_cents in force on their day; null where the code has none."""
    codes = table["code"].unique().sort()
    starts = np.unique(table["starts"].to_numpy())
    row = table["code"].replace_strict(codes, np.arange(len(codes)), return_dtype=pl.Int64).to_numpy()
    column = np.searchsorted(starts, table["starts"].to_numpy())
    number = (
        lines["code"]
        .replace_strict(codes, np.arange(len(codes)), default=-1, return_dtype=pl.Int64)
        .to_numpy()
    )
    span = np.searchsorted(starts, lines["from"].to_numpy(), side="right") - 1
    found = {}
    for name in ("price_cents", "facility_cents"):
        grid = np.full(
            (len(codes) + 1, len(starts)), -1, dtype=np.int64
        )  # the last row is that of unknown codes
        grid[row, column] = table[name].to_numpy()
        for at in range(1, len(starts)):  # an amount holds until the next one
            grid[:, at] = np.where(grid[:, at] < 0, grid[:, at - 1], grid[:, at])
        amount = pl.Series(grid[number, span])
        found[name] = amount.set(amount < 0, None)
    return lines.with_columns(**found)
