"""The planted effect through the whole warehouse: a simulated world and its twin, landed, built, and estimated by every design.

    python -m benchmarks.impact_twin --people 4000 --seed 7 --folder /some/scratch    # writes results/impact_twin.json

The truth is counted from the simulator's own claims by SQL of its own (`pipelines.simulate.opened`), for the people and months that
the study took in; the estimates come from the two warehouses. With less without effect must equal it for every design.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipelines import ledger
from pipelines.extracts.landing import land
from pipelines.impact import cohort
from pipelines.impact.designs import DESIGNS, estimate, weights_of
from pipelines.impact.effects import exposure
from pipelines.impact.people import BASELINE, WINDOWS, Floats
from pipelines.impact.protocol import Protocol
from pipelines.settings import DBT_PROJECT, REPOSITORY, Settings
from pipelines.simulate import simulate
from pipelines.simulate.opened import open_population

RESULT = Path(__file__).parent / "results" / "impact_twin.json"


def built(folder: Path, people: int, seed: int, twin: bool) -> Path:
    """The warehouse of one world with the marts that a study reads; made once."""
    name = "twin" if twin else "world"
    out, population = folder / f"{name}_out", folder / name
    settings = Settings(out=out, threads=1, memory_limit="2GB")
    whole = out / "whole"
    if whole.exists():
        return settings.warehouse
    shutil.rmtree(out, ignore_errors=True)
    made = simulate(people, 36, seed, population, twin=twin)
    received = json.loads((population / "truth" / "truth.json").read_text())["extract_date"]
    land(population / "extracts", settings, received=dt.date.fromisoformat(received))
    ledger.prepare(settings)
    variables = json.dumps({"as_of": received, "through_month": made.get("last_month", "2025-12") + "-01"})
    where = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(settings.dbt_target),
             "--log-path", str(settings.dbt_target), "--vars", variables]  # fmt: skip
    for command in (["seed"], ["run", "--select", "+path:models/marts/impact", "+fct_run_out_months"]):
        subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *command, *where],
            cwd=REPOSITORY, env={**os.environ, **settings.dbt_environment()}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    whole.touch()
    return settings.warehouse


def spending(population: Path, keys: pl.DataFrame, months: int) -> Floats:
    """(n, 12 + months) dollars of each person in the months before and after the index month, from the simulator's claims."""
    with open_population(population) as con:
        con.register("keys", keys.with_row_index("place"))
        rows = con.execute(f"""
            with paid as (
                select beneficiary_id, date_trunc('month', from_date)::date as month, paid_usd::double as usd
                from final_claims where claim_type not in ('carrier', 'dme') and not coalesce(is_denied, false)
                union all
                select beneficiary_id, service_month, paid_usd::double from final_lines l
                where claim_type in ('carrier', 'dme') and not coalesce(is_denied, false)
                  and claim_id in (select claim_id from final_claims where not coalesce(is_denied, false))
            )
            select place, date_diff('month', index_month, month) as at, sum(usd) as usd
            from keys inner join paid using (beneficiary_id)
            where month between index_month - interval {BASELINE} month and index_month + interval {months} month
              and month <> index_month
            group by all
        """).pl()  # fmt: skip
    found = np.zeros((keys.height, BASELINE + months))
    at = rows["at"].to_numpy()
    found[rows["place"].to_numpy(), np.where(at < 0, at + BASELINE, at + BASELINE - 1)] = rows[
        "usd"
    ].to_numpy()
    return found


def measure(folder: Path, people: int, seed: int) -> dict[str, Any]:
    protocol = Protocol(name="twin", question="Is the planted effect found?")
    cohorts = []
    for twin in (False, True):
        with duckdb.connect(str(built(folder, people, seed, twin)), read_only=True) as con:
            con.execute("set threads = 1")
            cohorts.append(cohort.build(con, protocol))
    here, there = cohorts
    if not here.keys.equals(there.keys):
        raise SystemExit(
            "the twins took in different people: something after the index month decides who is in"
        )
    months = protocol.follow_up_months
    effect = spending(folder / "world", here.keys, months) - spending(folder / "twin", here.keys, months)
    seen = np.arange(months) < here.people.followed[:, None]
    after = (effect[:, BASELINE:] * seen).sum(axis=1) / np.maximum(here.people.followed, 1)
    rows = []
    for name, design in DESIGNS.items():
        weights = weights_of(here.people, design).values
        if not np.array_equal(weights, weights_of(there.people, design).values):
            raise SystemExit(f"design {name} weighs people by what came after")
        one, other = (estimate(each.people, "total_usd", design, weights, wild=False) for each in cohorts)
        change = after.copy()
        if design.baseline is not None:
            first, last = WINDOWS[design.baseline]
            change -= effect[:, BASELINE + first : BASELINE + last + 1].mean(axis=1)
        share = exposure(here.people, weights)
        ours = here.people.treated & (share > 0)
        others = ~here.people.treated & (share > 0)
        truth = float(np.average(change[ours], weights=share[ours]))
        spill = (
            float(np.average(change[others], weights=share[others])) if others.any() and name != "A" else 0.0
        )
        rows.append(
            {
                "design": name, "users": one.n_treated, "truth": round(truth, 4), "of_comparison_people": round(spill, 4),
                "with_less_without": round(one.estimate - other.estimate, 4), "null": round(other.estimate, 2),
                "error": round(one.estimate - other.estimate - (truth - spill), 9),
            }
        )  # fmt: skip
    return {"people": people, "seed": seed, "comparison": int((~here.people.treated).sum()), "designs": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    found = measure(chosen.folder, chosen.people, chosen.seed)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text(encoding="utf-8"))
    return 0 if max(abs(row["error"]) for row in found["designs"]) < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
