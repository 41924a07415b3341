"""The claims of one chunk while they are being made: whole numbers and indexes, no text yet.

Kinds number the ways a claim comes about; a claim's key is made of kind, person, month and order, so that it
does not depend on how many other claims there are and is the same in the worlds with and without the effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.world import Bools, Ints

CLAIM_TYPES = ["carrier", "outpatient", "inpatient", "snf", "hha", "hospice", "dme"]
CARRIER, OUTPATIENT, INPATIENT, SNF, HHA, HOSPICE, DME = range(7)
NCH_TYPES = ["71", "40", "60", "20", "10", "50", "82"]
SETTINGS = [
    "primary_care",
    "specialist",
    "outpatient",
    "emergency",
    "inpatient",
    "snf",
    "hha",
    "hospice",
    "equipment",
]
NONE = -1

# Kinds of claim: the leading part of the key.
PRIMARY_VISIT, SPECIALIST_VISIT, WELLNESS, CCM_VISIT, CCM_BILL, TRANSITION, CAPITATION, OVERSIGHT = range(
    10, 18
)
HOSPITAL_VISIT, EMERGENCY_VISIT, OUTPATIENT_VISIT, EMERGENCY_FACILITY, AMBULANCE = range(20, 25)
HOSPITAL_STAY, NURSING_STAY, HOME_HEALTH, HOSPICE_MONTH, EQUIPMENT = range(30, 35)
KEY_KIND = 10**14

CLAIM_DEFAULTS: dict[str, Any] = {
    "type": CARRIER,
    "through": None,  # the from day
    "admission": NONE,
    "discharge": NONE,
    "discharge_status": "",
    "bill_type": "",
    "ccn": 0,
    "practitioner": NONE,
    "practice": NONE,
    "setting": NONE,  # which share of conditions is coded; NONE = no diagnoses
    "forced": False,  # lists every established condition
    "principal": NONE,  # index of a stay's own principal diagnosis
    "facility_cents": NONE,  # payment of the whole claim where lines are not priced
    "denied": False,
    "deniable": False,
    "decoy": "",
    "lag": NONE,  # days from service to processing where their order matters
}
LINE_DEFAULTS: dict[str, Any] = {
    "line": 1,
    "through": None,
    "code": "",
    "units": 1,
    "place": "",
    "revenue": "",
    "practitioner": NONE,
    "practice": NONE,
    "cents": NONE,  # allowed amount; NONE = the price of code and day
    "percent": 100,  # of that price that is allowed
    "office_price": False,  # allowed the price outside a facility, wherever the service was
    "unpriced": False,  # a line of a claim that is paid as a whole
    "row": NONE,  # CCM plan row that the line bills
    "planted": False,
}


def claim_key(kind: int, person_number: Ints, month: Ints, order: Ints | int) -> Ints:
    """Fifteen-digit key; `order` below 1,000 within kind, person and month."""
    return kind * KEY_KIND // 10 + person_number * 100_000 + month * 1_000 + order


def packed(key: str, *small: str) -> pl.Expr:
    """One whole number that sorts like the columns (all small ones below 16): far quicker than several columns."""
    number = pl.col(key)
    for name in small:
        number = number * 16 + pl.col(name)
    return number


def order_within(sorted_groups: Ints) -> Ints:
    """0, 1, 2 ... within each run of equal values."""
    if not len(sorted_groups):
        return sorted_groups.astype(np.int64)
    new = np.concatenate([[True], sorted_groups[1:] != sorted_groups[:-1]])
    start = np.flatnonzero(new)
    return np.arange(len(sorted_groups)) - np.repeat(start, np.diff(np.append(start, len(sorted_groups))))


@dataclass
class ClaimBook:
    """Claims and lines added so far; `frames` puts them together, ordered by key."""

    _claims: list[pl.DataFrame] = field(default_factory=list)
    _lines: list[pl.DataFrame] = field(default_factory=list)

    def add_claims(self, key: Ints, person: Ints, day: Ints, **columns: Any) -> None:
        """Claims of one kind; every column is one value or one a claim."""
        self._claims.append(_frame(CLAIM_DEFAULTS, columns, {"key": key, "person": person, "from": day}))

    def add_lines(self, key: Ints, day: Ints, **columns: Any) -> None:
        """Lines; every column is one value or one a line."""
        self._lines.append(_frame(LINE_DEFAULTS, columns, {"key": key, "from": day}))

    def add_visits(self, key: Ints, person: Ints, day: Ints, code: Any, place: Any, **columns: Any) -> None:
        """Claims of one line each."""
        shared = {name: columns[name] for name in ("practitioner", "practice") if name in columns}
        line = {name: columns.pop(name) for name in ("cents", "revenue") if name in columns}
        self.add_claims(key, person, day, **columns)
        self.add_lines(key, day, code=code, place=place, **shared, **line)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Claims and lines, each in key order."""
        return pl.concat(self._claims).sort("key"), pl.concat(self._lines).sort(packed("key", "line"))


def _frame(defaults: dict[str, Any], given: dict[str, Any], fixed: dict[str, Any]) -> pl.DataFrame:
    unknown = set(given) - set(defaults)
    if unknown:
        raise TypeError(f"unknown claim columns {sorted(unknown)}")
    size = len(fixed["key"])
    columns: dict[str, Any] = {name: pl.Series(value, dtype=pl.Int64) for name, value in fixed.items()}
    for name, default in defaults.items():
        value = given.get(name, default)
        if name == "through" and value is None:
            value = fixed["from"]
        kind: Any = pl.Int64
        if isinstance(default, bool):
            kind = pl.Boolean
        elif isinstance(default, str):
            kind = pl.String
        if isinstance(value, np.ndarray | pl.Series):
            columns[name] = pl.Series(value).cast(kind)
        else:
            columns[name] = pl.repeat(value, size, dtype=kind, eager=True)
    return pl.DataFrame(columns)


def text(words: list[str], index: Ints) -> pl.Series:
    """Words picked by index, without a Python loop over rows."""
    return pl.Series(words, dtype=pl.String).gather(pl.Series(index))


def pick_by_chance(words: list[str], weights: list[float], uniform: np.ndarray) -> pl.Series:
    """Words drawn by weight for each uniform number."""
    cumulative = np.cumsum(weights) / np.sum(weights)
    return text(words, np.minimum(np.searchsorted(cumulative, uniform, side="right"), len(words) - 1))


def keep(flag: Bools, *arrays: np.ndarray) -> list[np.ndarray]:
    """Each array where `flag` holds."""
    return [array[flag] for array in arrays]
