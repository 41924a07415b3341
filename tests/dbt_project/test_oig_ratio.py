"""Sanity of the OIG's tests: with errors planted at the rates that the OIG published, its error ratio comes out again.

The reports found 0.62 % (2015-2016) and 0.53 % (2017-2018) of CCM dollars. Of the second, duplicates were 1.4 of 356 million
dollars (0.39 %) and overlaps 0.438 million (0.12 %): these shares are planted here, and no kind of error is forced to occur. A
disallowed base is cheaper than the average month with its add-ons, so somewhat more months than dollars are made wrong.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml

from pipelines.audit import Row, oig
from pipelines.settings import Settings
from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import build

PEOPLE, MONTHS, SEED = 3_000, 36, 5
# Of a hundred errors planted by chance about ten more or fewer are found: the band is three of these to either side.
LOWEST, HIGHEST = 0.0035, 0.0075
PARAMETERS = {
    # many users, so that few people make enough billed months; how often a month is wrong does not depend on it
    "practices": {"billing_share": 0.9},
    "ccm": {"uptake_scale": 40.0, "further_months_mean": 14.0},
    "errors": {
        "minimum_each": 0,
        "scale": 1.0,
        "rates": {"F01": 0.0018, "F02": 0.0018, "F03": 0.0012, "F04": 0.0009, "F05": 0.0007},
    },
}
OIG_ERRORS = ("F01", "F02", "F03", "F04", "F05")


@dataclass(frozen=True)
class Simulated:
    truth: Path
    found: Row

    def total(self, audit: str) -> Row:
        (asked,) = (one for one in self.found["audits"] if one["audit"] == audit)
        return next(row for row in asked["tests"] if row["test_id"] == "total")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    folder = tmp_path_factory.mktemp("realistic")
    (folder / "parameters.yml").write_text(yaml.safe_dump(PARAMETERS), encoding="utf-8")
    simulate(PEOPLE, MONTHS, SEED, folder, parameters=folder / "parameters.yml")
    truth = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    built = build(
        folder / "out",
        folder / "extracts",
        dt.date.fromisoformat(truth["extract_date"]),
        truth["last_window_month"],
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
    )
    assert built.failures == []
    return Simulated(folder / "truth", oig(Settings(out=folder / "out")))


@pytest.mark.parametrize("audit", ["A-07-17-05101", "A-07-19-05122"])
def test_the_error_ratio_is_of_the_order_that_the_oig_found(simulated: Simulated, audit: str) -> None:
    assert simulated.found["paid"]["ccm_lines"] > 10_000
    assert LOWEST < simulated.total(audit)["share"] < HIGHEST


def test_the_dollars_found_are_the_dollars_planted(simulated: Simulated) -> None:
    with duckdb.connect() as con:
        planted = con.execute(
            "select sum(paid_usd)::double, count(*) from read_parquet(?) where list_contains(?, rule_id)",
            [str(simulated.truth / "planted_errors.parquet"), list(OIG_ERRORS)],
        ).fetchone()
    assert planted is not None and planted[1] > 50
    # an overlap disallows the CCM line that was paid, a lane billed beside another the one paid second
    assert simulated.total("A-07-17-05101")["paid_usd"] == pytest.approx(planted[0], rel=0.15)
