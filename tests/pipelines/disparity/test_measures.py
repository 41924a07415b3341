"""Rows of the published measures, made of counts as they are shown."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.disparity import breakdowns
from pipelines.disparity.measures import measures
from pipelines.disparity.multiplicity import holm

REFERENCE = {"sex": "male", "race": "white"}
SHOWN = {
    ("sex", "male"): (2000, 100),
    ("sex", "female"): (2000, 60),
    ("race", "white"): (3200, 140),
    ("race", "black"): (700, 15),
    ("race", "other"): (40, 20),
    ("race", "native"): (25, 12),
    ("race", "hispanic"): (35, None),
}


def made(**standardised: tuple[float, float, float]) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of uptake in 2024 by kind and group; `standardised`: rate and bounds of sexes."""
    counts = pl.DataFrame(
        [
            {"year": 2024, "group_kind": kind, "group_value": group, "count": name, "value": value}
            for (kind, group), (eligible, paid) in SHOWN.items()
            for name, value in (("eligible_people", eligible), ("paid_people", paid))
        ],
        schema_overrides={"value": pl.Int64},
    )
    rates = breakdowns.frame(
        [
            {"period": 2024, "group_kind": "sex", "group_value": group, "standardised_rate": rate,
             "std_lower": low, "std_upper": high, "std_step": 0.001, "std_strata": 12}
            for group, (rate, low, high) in standardised.items()
        ],
        breakdowns.RATES,
    )  # fmt: skip
    headline = pl.DataFrame(
        {"measure": ["uptake"] * 2, "group_kind": ["sex", "race"], "group_value": ["female", "black"]}
    )
    completeness = pl.DataFrame({"period": [2024], "run_out_state": ["complete"]})
    table = measures(counts, REFERENCE, rates, completeness, headline).filter(measure="uptake")
    return {(row["group_kind"], row["group_value"]): row for row in table.to_dicts()}


def test_a_rate_of_few_people_or_with_a_wide_interval_is_not_presentable() -> None:
    """NCHS: 30 people; an interval of 5 points at most, or of 30 and at most 1.3 times the rate."""
    rows = made()
    presentable = {key: row["is_presentable"] for key, row in rows.items()}
    assert presentable["sex", "male"] is True
    assert presentable["race", "native"] is False  # 25 people
    assert presentable["race", "other"] is True  # 20 of 40: 29 points wide, 0.6 times the rate
    assert presentable["race", "hispanic"] is None  # hidden


def test_comparisons_named_before_are_adjusted_together_and_no_others() -> None:
    rows = made()
    two = [rows["sex", "female"], rows["race", "black"]]
    assert [row["p_holm"] for row in two] == pytest.approx(holm([row["p_value"] for row in two]).tolist())
    assert rows["race", "other"]["p_holm"] is None and rows["race", "other"]["p_value"] is not None


def test_people_whom_a_group_would_have_more_at_the_reference_rate() -> None:
    rows = made()
    assert rows["sex", "female"]["attributable"] == 40
    assert rows["race", "other"]["attributable"] == round((140 / 3200 - 0.5) * 40)
    assert rows["sex", "male"]["attributable"] is None


def test_a_standardised_gap_needs_both_rates_and_holds_their_difference() -> None:
    rows = made(male=(0.05, 0.041, 0.06), female=(0.03, 0.023, 0.039))
    female, male = rows["sex", "female"], rows["sex", "male"]
    assert female["std_gap"] == pytest.approx(-0.02)
    assert female["std_gap_lower"] == pytest.approx(-0.02 - (0.007**2 + 0.01**2) ** 0.5)
    assert female["std_gap_upper"] == pytest.approx(-0.02 + (0.009**2 + 0.009**2) ** 0.5)
    assert male["std_gap"] is None and male["standardised_rate"] == 0.05
    assert made(female=(0.03, 0.023, 0.039))["sex", "female"]["std_gap"] is None


def shown(*counts: tuple[int | None, int]) -> dict[tuple[str, str, str], int | None]:
    return {
        ("deprivation", group, name): value
        for group, (paid, eligible) in zip("abcd", counts, strict=False)
        for name, value in (
            ("paid_people", paid),
            ("eligible_people", eligible),
            ("enrolled_people", 2 * eligible),
            ("consented_people", eligible // 2),
            ("lasting_people", None),
        )
    }


def test_a_gradient_is_over_all_groups_in_their_order_or_hidden() -> None:
    rows = {
        row["measure"]: row
        for row in breakdowns.gradient(2024, "deprivation", "abc", shown((80, 1000), (60, 1000), (40, 1000)))
    }
    uptake = rows["uptake"]
    assert uptake["slope"] == pytest.approx(-0.06)  # a third of the ridit scale from group to group
    assert uptake["relative"] == pytest.approx(0.03 / 0.09)
    assert uptake["concentration"] > 0  # the less deprived are reached more often
    assert (uptake["people"], uptake["groups"], uptake["is_suppressed"]) == (3000, 3, False)
    assert rows["reached_lasting"]["is_suppressed"] is True
    hidden = next(
        iter(breakdowns.gradient(2024, "deprivation", "abc", shown((80, 1000), (None, 50), (40, 1000))))
    )
    assert hidden["is_suppressed"] is True and hidden["slope"] is None
    few = next(iter(breakdowns.gradient(2024, "deprivation", "ab", shown((80, 1000), (60, 1000)))))
    assert few["is_suppressed"] is False and few["slope"] is None
