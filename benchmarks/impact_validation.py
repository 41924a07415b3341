"""What each study design does where the truth is known: bias without an effect, coverage of intervals, and the twin difference.

    python -m benchmarks.impact_validation --seeds 100 --reps 100    # writes results/impact_validation.json and .md
    python -m benchmarks.impact_validation --write                   # only the summary, from the stored lines

One line a seed goes to the file of --lines (out/impact_validation.jsonl) as soon as it is done, so that a run that was stopped goes on
where it was. The stored results carry the first seed's rows, which the test suite makes again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.impact import staggered
from pipelines.impact.designs import DESIGNS, estimate, weights_of
from pipelines.impact.effects import Estimate, exposure
from pipelines.simulate.panel import PracticePanel, make

RESULTS = Path(__file__).parent / "results"
PRACTICES, PEOPLE_EACH, QUARTERS = 120, 12, 12


def designs_of(seed: int) -> list[dict[str, Any]]:
    """Every design on one world and its twin, and the practices' intention to treat."""
    world = make(seed)
    rows = []
    for name, design in DESIGNS.items():
        here, twin = world.with_effect, world.without
        weights = weights_of(here, design)
        if not np.array_equal(weights.values, weights_of(twin, design).values):
            raise AssertionError(f"design {name} weighs people by what came after their index month")
        found = estimate(here, "total_usd", design, weights.values, wild=False)
        null = estimate(twin, "total_usd", design, weights.values, wild=False)
        effect = here.follow_up("total_usd") - twin.follow_up("total_usd")
        share = exposure(here, weights.values)
        ours = here.treated & (share > 0)
        truth = float(np.average(effect[ours], weights=share[ours]))
        # People of the pools that hold not-yet users may be exposed later: what CCM does to them is part of the estimate.
        others = ~here.treated & (share > 0)
        spill = (
            float(np.average(effect[others], weights=share[others])) if name != "A" and others.any() else 0.0
        )
        rows.append(_row(f"design {name}", seed, found, null, truth, spill))
    rows += practices_of(world.practices, seed)
    return rows


def _row(
    name: str, seed: int, found: Estimate, null: Estimate, truth: float, spill: float = 0.0
) -> dict[str, Any]:
    return {
        "what": name,
        "seed": seed,
        "truth": truth,
        "estimate": found.estimate,
        "std_error": found.std_error,
        "lower": found.lower,
        "upper": found.upper,
        "null": null.estimate,
        "twin_error": found.estimate - null.estimate - (truth - spill),
        "users": found.n_treated,
    }


def practices_of(panel: PracticePanel, seed: int) -> list[dict[str, Any]]:
    """Intention to treat of practices: everybody eligible there, from the quarter after adoption."""
    count, quarters = panel.with_effect.shape
    frames = []
    for values in (panel.with_effect, panel.without):
        frames.append(
            pd.DataFrame(
                {
                    "unit": np.repeat(np.arange(count), quarters),
                    "time": np.tile(np.arange(1, quarters + 1), count),
                    "first": np.repeat(np.where(panel.adopted >= 0, panel.adopted + 1, 0), quarters),
                    "outcome": values.ravel(),
                    "people": np.repeat(panel.people.astype(float), quarters),
                }
            )
        )
    on = (panel.adopted[:, None] >= 0) & (np.arange(quarters) >= panel.adopted[:, None])
    heavy = np.where(on, panel.people[:, None], 0.0)
    truth = float(((panel.with_effect - panel.without) * heavy).sum() / heavy.sum())
    rows = []
    for name, fit in (
        ("practice ITT, Callaway-Sant'Anna", lambda frame: staggered.callaway_santanna(frame, weights="people", cluster="unit")[0]),
        ("practice ITT, imputation", lambda frame: staggered.imputation(frame, weights="people", cluster="unit")),
    ):  # fmt: skip
        found, null = (fit(frame) for frame in frames)
        rows.append(_row(name, seed, found, null, truth))
    return rows


def staggered_panel(rep: int) -> tuple[pd.DataFrame, float]:
    """People of practices that adopt one after another, with an effect that grows with exposure and differs by cohort; its mean."""
    rng = np.random.default_rng([rep, 4_301])
    first = np.repeat([0, 4, 6, 8, 10], PRACTICES // 5)
    level, wobble = 60 * rng.standard_normal(PRACTICES), 22 * rng.standard_normal((PRACTICES, QUARTERS))
    n = PRACTICES * PEOPLE_EACH
    practice = np.repeat(np.arange(PRACTICES), PEOPLE_EACH)
    times = np.arange(1, QUARTERS + 1)
    since = times[None, :] - first[practice][:, None]
    on = (first[practice][:, None] > 0) & (since >= 0)
    early = 1.0 + 0.15 * (10 - first[practice])[:, None] / 6
    effect = np.where(on, -(30 + 14 * since) * early, 0.0)
    values = (
        800 + level[practice][:, None] + 90 * rng.standard_normal(n)[:, None] + 6 * times[None, :]
        + wobble[practice] + 110 * rng.standard_normal((n, QUARTERS)) + effect
    )  # fmt: skip
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), QUARTERS),
            "practice": np.repeat(practice, QUARTERS),
            "time": np.tile(times, n),
            "first": np.repeat(first[practice], QUARTERS),
            "outcome": values.ravel(),
        }
    )
    return frame, float(effect[on].mean())


def staggered_of(rep: int) -> list[dict[str, Any]]:
    panel, truth = staggered_panel(rep)
    fits = {
        "two-way fixed effects": lambda: staggered.two_way_fixed_effects(panel, cluster="practice"),
        "Callaway-Sant'Anna, never treated": lambda: staggered.callaway_santanna(panel, cluster="practice")[
            0
        ],
        "Callaway-Sant'Anna, not yet treated": lambda: staggered.callaway_santanna(
            panel, control_group="not_yet_treated", cluster="practice"
        )[0],
        "Sun-Abraham": lambda: staggered.sun_abraham(panel, cluster="practice"),
        "imputation": lambda: staggered.imputation(panel, cluster="practice"),
    }
    rows = []
    for name, fit in fits.items():
        found = fit()
        rows.append(
            {
                "what": f"staggered, {name}", "seed": rep, "truth": truth, "estimate": found.estimate,
                "std_error": found.std_error, "lower": found.lower, "upper": found.upper, "users": found.n_treated,
            }
        )  # fmt: skip
    return rows


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a design: bias, its Monte Carlo error, spread, mean standard error, coverage of 95 % intervals."""
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by[row["what"]].append(row)
    made = []
    for what, mine in by.items():
        error = np.array([row["estimate"] - row["truth"] for row in mine])
        covered = [row["lower"] <= row["truth"] <= row["upper"] for row in mine]
        null = np.array([row.get("null", np.nan) for row in mine], dtype=float)
        twin = [abs(row["twin_error"]) for row in mine if "twin_error" in row]
        made.append(
            {
                "what": what,
                "seeds": len(mine),
                "mean_users": round(float(np.mean([row["users"] for row in mine])), 1),
                "mean_truth": round(float(np.mean([row["truth"] for row in mine])), 2),
                "bias": round(float(error.mean()), 2),
                "bias_mc_se": round(float(error.std(ddof=1) / np.sqrt(len(mine))), 2)
                if len(mine) > 1
                else None,
                "null_bias": None if np.isnan(null).any() else round(float(null.mean()), 2),
                "empirical_sd": round(float(error.std(ddof=1)), 2) if len(mine) > 1 else None,
                "mean_std_error": round(float(np.mean([row["std_error"] for row in mine])), 2),
                "coverage": round(float(np.mean(covered)), 3),
                "largest_twin_error": round(max(twin), 9) if twin else None,
            }
        )
    return made


def as_markdown(rows: list[dict[str, Any]]) -> str:
    head = list(rows[0])
    lines = [
        "# What the study designs do where the truth is known",
        "",
        "Dollars a person-month. `python -m benchmarks.impact_validation` made it; docs/impact.md says how to read it.",
        "Designs are described in pipelines/impact/designs.py; populations are made by pipelines/simulate/panel.py.",
        "",
        "| " + " | ".join(name.replace("_", " ") for name in head) + " |",
        "|" + "---|" * len(head),
    ]
    lines += [
        "| " + " | ".join("" if row[name] is None else str(row[name]) for name in head) + " |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def stored(lines: Path) -> list[dict[str, Any]]:
    if not lines.exists():
        return []
    return [row for line in lines.read_text(encoding="utf-8").splitlines() for row in json.loads(line)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--reps", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--lines", type=Path, default=Path("out") / "impact_validation.jsonl")
    chosen = parser.parse_args()
    done = {(row["what"].startswith("staggered"), row["seed"]) for row in stored(chosen.lines)}
    for is_staggered, count, make_rows in (
        (True, chosen.reps, staggered_of),
        (False, chosen.seeds, designs_of),
    ):
        for seed in range(1, count + 1):
            if (is_staggered, seed) not in done:
                chosen.lines.parent.mkdir(exist_ok=True)
                with chosen.lines.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([_rounded(row) for row in make_rows(seed)]) + "\n")
    lines = stored(chosen.lines)
    rows = summary(lines)
    first = [row for row in lines if row["seed"] == 1]
    record = json.dumps({"designs": rows, "first_seed": first}, indent=1)
    (RESULTS / "impact_validation.json").write_text(record + "\n", encoding="utf-8")
    (RESULTS / "impact_validation.md").write_text(as_markdown(rows), encoding="utf-8")
    sys.stdout.write(as_markdown(rows))
    return 0


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}


if __name__ == "__main__":
    sys.exit(main())
