"""Which simulated conditions count toward the two that CCM needs, by the policy seeds of each month."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.simulate.policy import days, seed


def written_codes(conditions: dict[str, Any], item: dict[str, Any]) -> list[tuple[str, str]]:
    """(ICD version, code) of everything that is ever written for a condition of the parameter file."""
    codes = [("10", code) for code in item["codes"]]
    codes += [
        ("10", conditions["renamed"][code][1]) for code in item["codes"] if code in conditions["renamed"]
    ]
    return codes + [("9", conditions["icd9"][code]) for code in item["codes"]]


def counted_conditions(parameters: dict[str, Any], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[months, conditions] whether a condition counts in each month, whichever of its codes is written.

    A condition whose claim rule asks for a certain place on the claim is left out: the simulator lists conditions
    in any order.
    """
    conditions = parameters["conditions"]
    counted = np.zeros((len(starts), len(conditions["list"])), dtype=bool)
    for rule in (
        seed("condition_set_in_force")
        .with_columns(days("effective_from"), days("effective_to"))
        .iter_rows(named=True)
    ):
        here = (starts >= rule["effective_from"]) & (starts <= rule["effective_to"])
        found = _countable(rule["definition"], rule["counting_set"])
        versions = {version for version, _ in found}
        for k, item in enumerate(conditions["list"]):
            codes = [pair for pair in written_codes(conditions, item) if pair[0] in versions]
            counted[here, k] = all(pair in found for pair in codes)
    return counted


def most_counted(parameters: dict[str, Any]) -> NDArray[np.int64]:
    """[conditions] as how many conditions of a definition in force one of its codes can count; at least 1."""
    conditions = parameters["conditions"]
    most = np.ones(len(conditions["list"]), dtype=np.int64)
    codes = seed("condition_codes").filter(pl.col("role") == "include")
    for definition in seed("condition_set_in_force")["definition"].to_list():
        table = codes.filter(pl.col("definition") == definition)
        size = table.group_by("icd_version", "diagnosis_code").agg(n=pl.col("condition").n_unique())
        number = {(version, code): n for version, code, n in size.rows()}
        for k, item in enumerate(conditions["list"]):
            most[k] = max(most[k], *(number.get(pair, 0) for pair in written_codes(conditions, item)))
    return most


def _countable(definition: str, counting_set: str) -> set[tuple[str, str]]:
    """(ICD version, code) pairs that make a condition of the counting set wherever they stand on a claim."""
    chosen = seed("condition_counting_sets").filter(
        (pl.col("definition") == definition) & (pl.col("counting_set") == counting_set)
    )
    anywhere = seed("condition_definitions").filter(
        (pl.col("definition") == definition) & (pl.col("diagnosis_positions") == "any")
    )
    names = set(chosen["condition"].to_list()) & set(anywhere["condition"].to_list())
    codes = seed("condition_codes").filter(
        (pl.col("definition") == definition)
        & (pl.col("role") == "include")
        & pl.col("condition").is_in(names)
    )
    return {(version, code) for version, code in codes.select("icd_version", "diagnosis_code").rows()}
