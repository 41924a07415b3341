"""How often the interval of a gap in uptake holds the gap that the simulator planted.

One world of places and practices, and many samples of people in it: only the simulator's people, events and programme are made, no
claim, so that hundreds of samples take seconds. `python -m benchmarks.uptake_gaps [SAMPLES] [PEOPLE]` prints a row a group.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.disparity import intervals
from pipelines.simulate import programme
from pipelines.simulate.events import build_events
from pipelines.simulate.parameters import calendar, load
from pipelines.simulate.people import BLACK, HISPANIC, WHITE, build_people
from pipelines.simulate.policy_conditions import counted_conditions
from pipelines.simulate.world import build_world

Counts = NDArray[np.int64]
WORLD_PEOPLE, MONTHS, SEED = 20_000, 24, 5


@dataclass(frozen=True)
class Gap:
    """A group against its reference: gap over all samples (`planted`), and of the samples' intervals the share that holds it."""

    group: str
    odds_ratio: float
    planted: float
    of_difference: float
    of_ratio: float
    samples: int


def sampled(samples: int, people: int, changed: Mapping[str, float] | None = None) -> dict[str, Counts]:
    """Group -> (samples, 4): people started and people eligible of the group, and of its reference group.

    `changed`: odds ratios in place of the parameter file's; the same draws otherwise.
    """
    settings = copy.deepcopy(load(None))
    settings["ccm"]["odds_ratios"] |= dict(changed or {})
    months = calendar(settings, MONTHS)
    world = build_world(settings, WORLD_PEOPLE, SEED, months)
    counted = counted_conditions(settings, months.starts[:-1])
    found: dict[str, list[tuple[int, ...]]] = {}
    for chunk in range(samples):
        made = build_people(settings, months, world, SEED, chunk, chunk * people, people)
        events = build_events(settings, months, made, SEED, chunk)
        episodes = programme.plan_episodes(settings, months, world, made, events, SEED, chunk)
        started = np.zeros(people, dtype=bool)
        started[episodes.person] = True
        needing = programme.established(made, counted, 0) >= 2
        eligible = (needing & made.covered)[:, months.history :].any(axis=1) | started
        for group, members, others in groups_of(settings, world, made):
            row = tuple(
                int(number)
                for one in (members & eligible, others & eligible)
                for number in (started[one].sum(), one.sum())
            )
            found.setdefault(group, []).append(row)
    return {group: np.array(rows) for group, rows in found.items()}


def groups_of(settings: dict[str, Any], world: Any, people: Any) -> list[tuple[str, Any, Any]]:
    """Groups with a planted gap, their members and those whom they are compared with."""
    of = dict(zip(programme.DISADVANTAGED, programme.disadvantaged(settings, world, people), strict=True))
    white = people.race == WHITE
    return [
        *((name, of[name], ~of[name]) for name in ("dual", "rural", "deprived")),
        ("black", people.race == BLACK, white),
        ("hispanic", people.race == HISPANIC, white),
    ]


def measured(samples: int, people: int, changed: Mapping[str, float] | None = None) -> list[Gap]:
    """A row a group: the planted gap and how often intervals of both kinds hold it."""
    planted = load(None)["ccm"]["odds_ratios"] | dict(changed or {})
    rows = []
    for group, counts in sampled(samples, people, changed).items():
        a, n, b, m = counts.T
        rate, base = a.sum() / n.sum(), b.sum() / m.sum()
        low, high = intervals.newcombe(a, n, b, m)
        ratio_low, ratio_high = intervals.relative_risk(a, n, b, m)
        known = ~np.isnan(ratio_low)
        holds = (ratio_low <= rate / base) & (rate / base <= ratio_high)
        rows.append(
            Gap(
                group,
                planted[group],
                float(rate - base),
                float(np.mean((low <= rate - base) & (rate - base <= high))),
                float(np.mean(holds[known])),
                samples,
            )
        )
    return rows


def main(arguments: list[str]) -> None:
    samples, people = (int(one) for one in [*arguments, "400", "3000"][:2])
    print(
        f"{samples} samples of {people} people; gap in percentage points; share of 95 % intervals that hold it"
    )
    print("| group | planted ratio | gap | without it | Newcombe | ratio |")
    print("|---|---|---|---|---|---|")
    level = {
        row.group: row.planted
        for row in measured(samples, people, dict.fromkeys(programme.DISADVANTAGED, 1.0))
    }
    for row in measured(samples, people):
        print(
            f"| {row.group} | {row.odds_ratio:.2f} | {100 * row.planted:.2f} | {100 * level[row.group]:.2f}"
            f" | {row.of_difference:.3f} | {row.of_ratio:.3f} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
