"""The simulator bills by the policy seeds: amounts, codes and thresholds are theirs."""

from __future__ import annotations

import csv

import numpy as np
import polars as pl
import pytest

from pipelines.settings import POLICY_SEEDS
from pipelines.simulate.parameters import load
from pipelines.simulate.policy import ccm_codes, day_number, ladder, needs_written_consent, price_table

STAFF, COMPLEX, PRACTITIONER = range(3)


def on(*days: str) -> np.ndarray:
    return np.array([day_number(day) for day in days], dtype=np.int64)


def price(code: str, day: str) -> int:
    table = price_table(load(None)).filter((pl.col("code") == code) & (pl.col("starts") <= day_number(day)))
    return table.sort("starts")["price_cents"][-1]


def test_amounts_are_those_of_the_fee_schedule_on_every_day_it_states():
    with (POLICY_SEEDS / "fee_schedule.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["conversion_factor_group"] == "other"]
    table = price_table(load(None))
    known = {(code, starts): cents for code, starts, cents, _ in table.rows()}
    assert len(rows) > 500
    for row in rows:
        cents = round(float(row["nonfacility_usd"]) * 100)
        assert known[row["hcpcs_code"], day_number(row["effective_from"])] == cents


def test_the_first_and_last_known_amounts_serve_the_days_beyond_them():
    assert (
        price("G2058", "2016-05-01") == price("G2058", "2020-06-01") == price("G2058", "2025-12-31") == 3789
    )
    assert price("99213", "2013-01-01") == price("99213", "2019-01-01") == 7532
    assert price("99490", "2024-03-08") == 6156
    assert price("99490", "2024-03-09") == 6258


def test_a_code_priced_by_the_seed_and_by_the_parameters_is_refused():
    settings = load(None)
    settings["services"]["99490"] = {"betos": "M5D", "price": 1.0}
    with pytest.raises(ValueError, match="already prices 99490"):
        price_table(settings)


def test_lanes_and_add_ons_begin_and_end_with_their_years():
    years = ladder(
        on("2014-12-01", "2015-01-01", "2017-01-01", "2019-01-01", "2020-06-01", "2021-01-01", "2022-01-01")
    )
    assert years.payable.astype(int).tolist() == [
        [0, 1, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 1, 1],
    ]
    assert years.add_on[STAFF].tolist() == ["", "", "", "", "G2058", "99439", "99439"]
    assert years.add_on[PRACTITIONER].tolist() == ["", "", "", "", "", "", "99437"]
    assert years.retired.tolist() == ["G2058", "G2058", "G2058", "G2058", "99439", "G2058", "G2058"]


@pytest.mark.parametrize(
    ("lane", "day", "minutes", "expected"),
    [
        (STAFF, "2025-06-01", 19, (0, 0)),
        (STAFF, "2025-06-01", 39, (1, 0)),
        (STAFF, "2025-06-01", 40, (1, 1)),
        (STAFF, "2025-06-01", 600, (1, 2)),
        (STAFF, "2016-06-01", 600, (1, 0)),
        (COMPLEX, "2025-06-01", 59, (0, 0)),
        (COMPLEX, "2025-06-01", 90, (1, 1)),
        (COMPLEX, "2025-06-01", 2000, (1, 10)),
        (COMPLEX, "2016-06-01", 600, (0, 0)),
        (PRACTITIONER, "2025-06-01", 60, (1, 1)),
        (PRACTITIONER, "2021-06-01", 90, (1, 0)),
    ],
)
def test_minutes_earn_what_the_ladder_of_their_month_gives(lane, day, minutes, expected):
    base, add_on = ladder(on(day)).earned(np.array([lane]), np.array([0]), np.array([minutes]))
    assert (int(base[0]), int(add_on[0])) == expected


def test_consent_is_written_where_the_year_asks_for_it():
    days = on("2014-06-01", "2015-01-01", "2016-12-31", "2017-01-01")
    assert needs_written_consent(days).tolist() == [False, True, True, False]


def test_the_ccm_family_is_complete():
    assert {"99490", "99439", "G2058", "99487", "99489", "99491", "99437"} == set(ccm_codes())
