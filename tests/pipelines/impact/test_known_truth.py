"""Designs on populations with known effect: the twin difference here, bias and coverage as benchmarks/impact_validation.py stored them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import impact_validation
from pipelines.impact.designs import DESIGNS, weights_of
from pipelines.settings import REPOSITORY
from pipelines.simulate.panel import PanelShape, make

STORED = json.loads(
    (REPOSITORY / "benchmarks" / "results" / "impact_validation.json").read_text(encoding="utf-8")
)
BY_NAME = {row["what"]: row for row in STORED["designs"]}


@pytest.fixture(scope="module")
def first_seed() -> list[dict[str, object]]:
    return impact_validation.designs_of(1)


def test_every_design_recovers_the_planted_effect_from_twins(first_seed: list[dict[str, object]]) -> None:
    assert {row["what"] for row in first_seed} >= {f"design {name}" for name in DESIGNS}
    assert max(abs(float(str(row["twin_error"]))) for row in first_seed) < 1e-6


def test_the_stored_results_are_of_this_code(first_seed: list[dict[str, object]]) -> None:
    stored = {row["what"]: row for row in STORED["first_seed"] if not row["what"].startswith("staggered")}
    for row in first_seed:
        for name in ("truth", "estimate", "std_error", "null"):
            assert stored[row["what"]][name] == pytest.approx(row[name], abs=1e-3), (row["what"], name)


def test_stored_results_cover_every_design_and_enough_seeds() -> None:
    for row in STORED["designs"]:
        assert row["seeds"] >= 100, row["what"]
    assert all(
        row["largest_twin_error"] < 1e-6 for row in STORED["designs"] if row["largest_twin_error"] is not None
    )
    assert {f"design {name}" for name in DESIGNS} <= set(BY_NAME)


@pytest.mark.parametrize(
    "name",
    ["Callaway-Sant'Anna, never treated", "Callaway-Sant'Anna, not yet treated", "Sun-Abraham", "imputation"],
)
def test_staggered_estimators_are_unbiased_and_cover(name: str) -> None:
    row = BY_NAME[f"staggered, {name}"]
    assert abs(row["bias"]) <= 3 * row["bias_mc_se"]
    assert 0.90 <= row["coverage"] <= 0.99


def test_two_way_fixed_effects_is_shown_failing() -> None:
    row = BY_NAME["staggered, two-way fixed effects"]
    assert row["bias"] > 10
    assert row["coverage"] < 0.9


@pytest.mark.parametrize("name", ["design A", "design B", "design C", "design C2", "design E", "design F"])
def test_designs_that_fail_are_shown_failing(name: str) -> None:
    row = BY_NAME[name]
    assert abs(row["null_bias"]) > 3 * row["bias_mc_se"]


@pytest.mark.parametrize("name", ["design G", "design H", "practice ITT, imputation"])
def test_candidates_are_nearer_to_nothing_and_cover(name: str) -> None:
    row = BY_NAME[name]
    assert abs(row["null_bias"]) < abs(BY_NAME["design C2"]["null_bias"]) / 2
    assert row["coverage"] >= 0.90


def test_the_planted_effect_came_back_through_the_whole_warehouse_in_every_design() -> None:
    stored = json.loads(
        (REPOSITORY / "benchmarks" / "results" / "impact_twin.json").read_text(encoding="utf-8")
    )
    assert {row["design"] for row in stored["designs"]} == set(DESIGNS)
    for row in stored["designs"]:
        assert row["truth"] < -10 and row["users"] > 100, row["design"]
        assert abs(row["error"]) < 1e-6, row["design"]


def test_weights_do_not_hang_on_what_came_after() -> None:
    world = make(2, PanelShape(people=4_000))
    for name in ("G", "H"):
        here, twin = (weights_of(one, DESIGNS[name]).values for one in (world.with_effect, world.without))
        assert np.array_equal(here, twin)
    assert world.with_effect.treated.any()
