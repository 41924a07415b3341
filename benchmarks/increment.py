"""One month's delivery on top of everything before it: seconds a step, and how much of the warehouse the delivery touched.

    .venv/bin/python -m benchmarks.increment --people 10000 --months 36

Simulates monthly deliveries, lands all but the last, runs the main job, and runs it again with the last one. Beside the seconds of
that last run it says what a build of only what arrived would have to do at the least: people of whom the delivery holds anything,
people of whom it holds a claim, and person-months that it changed or added. With `--only-last` the run before is left out but for its
checks of what had landed (what a whole run takes is in the other benchmark), and with it what needs a run before to be compared with.
What lies simulated in the folder of `--keep` is taken again. Writes `benchmarks/results/increment-<people>x<months>.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.run import RESULTS, measure
from pipelines.extracts.contract import load_contracts

PERSON = "beneficiary_id"
# What a run before would have asked of the deliveries that it saw, in a process of its own.
CHECKS = """
import sys
from pathlib import Path
from pipelines.quality.contracts import outcomes
from pipelines.settings import from_environment
found = outcomes(from_environment(Path(sys.argv[1])))
sys.exit(not all(one.success for one in found))
"""


def touched(out: Path, *, has_run_before: bool) -> dict[str, int]:
    """People of the newest delivery and of all that is landed; beside a run before it, what the delivery changed of that."""
    manifests = [json.loads(path.read_text()) for path in (out / "landing").glob("batch-*/manifest.json")]
    newest = max(manifests, key=lambda one: one["received_date"])["batch_id"]
    of_people = [
        table
        for table, contract in load_contracts().items()
        if PERSON in {column.name for column in contract.columns}
    ]
    anything = " union ".join(
        f"select {PERSON} from read_parquet('{out}/landing/{newest}/{table}.parquet')" for table in of_people
    )
    asked = {
        "people": "select count(*) from core.core_beneficiaries",
        "people_in_delivery": f"select count(distinct {PERSON}) from ({anything})",
        "people_with_a_claim_in_delivery": f"select count(distinct {PERSON})"
        f" from read_parquet('{out}/landing/{newest}/claims.parquet')",
        "person_months": "select count(*) from core.core_person_months",
    }
    if has_run_before:
        asked |= {
            "person_months_changed": "select count(distinct (beneficiary_id, service_month)) from reports.restated_months",
            "people_changed": "select count(distinct beneficiary_id) from reports.restated_months",
        }
    with duckdb.connect(str(out / "warehouse.duckdb"), read_only=True) as con:
        return {name: int((con.execute(query).fetchone() or (0,))[0]) for name, query in asked.items()}


def measured_run(command: list[str], environment: dict[str, str], out: Path) -> dict[str, Any]:
    """A run of the main job, its seconds and its peak memory a step."""
    whole = measure(command, environment)
    steps = json.loads((out / "run.json").read_text())["seconds_by_step"]
    return {**whole.stored(), "steps": steps, "peak_bytes_by_step": whole.peak_by_step(steps)}


def run_months(people: int, months: int, seed: int, folder: Path, *, only_last: bool) -> dict[str, Any]:
    """Everything that the results file holds."""
    environment = dict(os.environ)
    ccm = [sys.executable, "-m", "pipelines.cli"]
    simulated, out = folder / "simulated", folder / "out"
    size = ["--people", str(people), "--months", str(months), "--seed", str(seed)]
    truth = simulated / "truth" / "truth.json"
    if not truth.exists():
        measure([*ccm, "simulate", *size, "--deliveries", "monthly", "--out", str(simulated)], environment)
    # Before the last month of the window: later ones bring run-out alone and no new problem lists, too little for the check of volumes.
    deliveries = json.loads(truth.read_text())["deliveries"][: months - 1]

    def with_delivery(command: str, delivery: dict[str, str]) -> list[str]:
        given = [str(simulated / delivery["folder"]), "--received", delivery["received"], "--out", str(out)]
        return [*ccm, command, *(["--extracts"] if command == "run" else []), *given]

    landed = [measure(with_delivery("land", delivery), environment) for delivery in deliveries[:-1]]
    if only_last:
        checked = measure([sys.executable, "-c", CHECKS, str(out)], environment).stored()
        before = {"contract_checks_before": checked}
    else:
        before = {"run_before": measured_run([*ccm, "run", "--landed", "--out", str(out)], environment, out)}
    return {
        "people": people,
        "months": months,
        "deliveries": len(deliveries),
        "memory_limit": environment.get("CCM_MEMORY_LIMIT"),
        "landing_of_all_before": {
            "wall_seconds": sum(one.wall_seconds for one in landed),
            "cpu_seconds": sum(one.cpu_seconds for one in landed),
            "peak_bytes": max(one.peak_bytes for one in landed),
        },
        **before,
        "run_of_last_month": measured_run(with_delivery("run", deliveries[-1]), environment, out),
        "touched": touched(out, has_run_before=not only_last),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only-last", action="store_true", help="leave out the run before the last delivery")
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        result = run_months(chosen.people, chosen.months, chosen.seed, folder, only_last=chosen.only_last)
    text = json.dumps(result, indent=1)
    (RESULTS / f"increment-{chosen.people}x{chosen.months}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
