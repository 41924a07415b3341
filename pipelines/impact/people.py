"""The people of a study in memory: who they are at their index month, and their outcomes month by month around it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]

BASELINE = 12  # months before the index month that a study looks at
# Named windows of the baseline as months relative to the index month, first and last included.
WINDOWS = {"12_to_7": (-12, -7), "6_to_4": (-6, -4), "3_to_1": (-3, -1), "12_to_1": (-12, -1)}


@dataclass(frozen=True)
class People:
    """n people, each with an index month (0); the month itself is in no window.

    treated: (n,). practice: (n,) cluster. index_month: (n,) months since year 0. followed: (n,) observed months after the index
    month, at most the follow-up. before: outcome -> (n, 12) months -12 to -1. after: outcome -> (n, follow-up) months +1 on,
    zero where not observed. groups: kind -> (n,) text. conditions: (n,) chronic conditions at entry. facts: further (n,) numbers.
    """

    treated: Bools
    practice: Texts
    index_month: Ints
    followed: Ints
    before: dict[str, Floats]
    after: dict[str, Floats]
    groups: dict[str, Texts]
    conditions: Ints
    facts: dict[str, Floats] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.treated)

    @property
    def months_after(self) -> int:
        return next(iter(self.after.values())).shape[1]

    def keep(self, which: Bools) -> People:
        """The people marked by `which` (n,)."""
        return replace(
            self,
            treated=self.treated[which],
            practice=self.practice[which],
            index_month=self.index_month[which],
            followed=self.followed[which],
            before={name: values[which] for name, values in self.before.items()},
            after={name: values[which] for name, values in self.after.items()},
            groups={name: values[which] for name, values in self.groups.items()},
            conditions=self.conditions[which],
            facts={name: values[which] for name, values in self.facts.items()},
        )

    def window(self, outcome: str, first: int, last: int) -> Floats:
        """(n,) mean a month of an outcome over months `first` to `last` before the index month."""
        return np.asarray(self.before[outcome][:, BASELINE + first : BASELINE + last + 1].mean(axis=1))

    def baseline(self, outcome: str, window: str = "12_to_1") -> Floats:
        return self.window(outcome, *WINDOWS[window])

    def follow_up(self, outcome: str) -> Floats:
        """(n,) mean a month of an outcome over the observed months after the index month; nan without one."""
        total = self.after[outcome].sum(axis=1)
        return np.divide(total, self.followed, out=np.full(self.size, np.nan), where=self.followed > 0)

    def recent_event(self) -> Bools:
        """(n,) an admission or emergency visit in the three months before the index month."""
        return (self.window("acute_admissions", -3, -1) + self.window("emergency_visits", -3, -1)) > 0


def covariates(people: People, design: str = "full") -> dict[str, Floats]:
    """Name -> (n,) baseline numbers to balance on. `design` says which part of the baseline they may see.

    early: months -12 to -7 only; recent: months -3 to -1 only; full: all three windows; months: full and each of the last three.
    """
    demographics = {
        "condition_count": people.conditions.astype(float),
        **people.facts,
    }
    if design == "early":
        windows = ["12_to_7"]
    elif design == "recent":
        windows = ["3_to_1"]
    else:
        windows = ["12_to_7", "6_to_4", "3_to_1"]
    found = {f"total_usd_{name}": people.baseline("total_usd", name) for name in windows}
    for outcome in ("acute_admissions", "emergency_visits"):
        span = windows[0] if design in ("early", "recent") else "12_to_1"
        found[f"{outcome}_{span}"] = people.baseline(outcome, span)
    if design in ("full", "months"):
        found["acute_admissions_3_to_1"] = people.baseline("acute_admissions", "3_to_1")
        found["recent_event"] = people.recent_event().astype(float)
        if "primary_care_visits" in people.before:
            found["primary_care_visits_12_to_1"] = people.baseline("primary_care_visits")
    if design == "months":
        for month in (-3, -2, -1):
            found[f"total_usd_month_{-month}"] = people.window("total_usd", month, month)
    return {**found, **demographics}
