"""Random sequences of deliveries through every model: a chain of runs against builds of everything that was landed, table by table.

    python -m tests.faults.sequences --place EMPTY --seeds 1 2 3 --people 200

A sequence is drawn from its seed: a simulated population with many claims adjusted, cancelled, late and sent again, coverage and
records corrected afterwards, identifiers exchanged; which deliveries came between two runs; which of them was landed a second time;
a landing and a build that are killed on the way; a run whose policy has other amounts than the one before it. What the chain showed
on each day must be, row by row, what a folder shows that has only its landing (written in another order) and what the ledger knows of other
days: built as of that day, with the policy of that day. And it must add the same to the ledger.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime as dt
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from pipelines import ledger
from pipelines.dbt_process import PARSED
from pipelines.extracts.landing import clear_killed, land
from pipelines.parsed import PARSED_FILE
from pipelines.publish import publication
from pipelines.run import prepare_folders
from pipelines.run_lock import only_writer
from pipelines.settings import DBT_PROJECT, REPOSITORY, Settings
from pipelines.simulate import simulate
from pipelines.warehouse import BUILD
from pipelines.window import RunWindow, window

# The months of a window before 2026 differ in codes, amounts and rules in force.
LAST_MONTHS = tuple(dt.date(year, month, 1) for year in (2024, 2025) for month in range(1, 13))
MONTHS = 6
MODELS = [*BUILD, "--exclude-resource-type", "test", "--exclude", "tag:proposals"]
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Sent:
    """A delivery and the day on which it was received."""

    folder: Path
    received: dt.date


@dataclass
class Counts:
    """What was tried in a sequence; `differing` names tables whose rows are not the same."""

    deliveries: int = 0
    runs: int = 0
    landed_twice: int = 0
    killed: int = 0
    tables: int = 0
    rows: int = 0
    differing: tuple[str, ...] = ()


def parameters(chance: random.Random, place: Path) -> Path:
    """How a population is simulated whose deliveries correct each other far more than real ones do."""

    def upto(most: float) -> float:
        return round(chance.uniform(most / 4, most), 3)

    own = {
        "ccm": {"uptake_scale": chance.choice([4, 6, 8])},
        "people": {"identifier_change": upto(0.1)},
        "statements": {"late": upto(0.2), "replaced": upto(0.2), "cancelled_duplicates": upto(0.1)},
        "deliveries": {
            "sent_again": upto(0.1),
            "late_activities": upto(0.3),
            "coverage_corrected": {"dual": upto(0.2), "advantage": upto(0.2), "fee_for_service": upto(0.02)},
        },
    }
    path = place / "parameters.yml"
    path.write_text(json.dumps(own))  # JSON is YAML
    return path


def simulated(place: Path, seed: int, people: int, chance: random.Random) -> list[Sent]:
    made = simulate(
        people, MONTHS, seed, place / "simulated", parameters=parameters(chance, place), deliveries="monthly",
        last_month=chance.choice(LAST_MONTHS), error_scale=10.0,
    )  # fmt: skip
    return [
        Sent(place / "simulated" / one["folder"], dt.date.fromisoformat(one["received"]))
        for one in made["deliveries"]
    ]


def copied(project: Path) -> Path:
    """The dbt project as it is now, so that work on it does not reach a sequence that runs."""
    return shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))


def with_other_amounts(project: Path) -> Path:
    """A copy of the dbt project in which every amount of the fee schedule is a dollar more: another version of policy."""
    copied(project)
    path = project / "seeds" / "policy" / "fee_schedule.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["nonfacility_usd"] = f"{float(row['nonfacility_usd']) + 1:.2f}"
    with path.open("w", newline="") as file:
        written = csv.DictWriter(file, list(rows[0]))
        written.writeheader()
        written.writerows(rows)
    return project


def dbt(making: Settings, project: Path, command: Sequence[str], seconds: float | None = None) -> bool:
    """One dbt command in a process of its own, as a run starts it; False where it was killed after so many `seconds`."""
    target = making.dbt_target / project.name
    call = [
        *(sys.executable, "-m", "pipelines.dbt_process", "--quiet", *command, "--project-dir", str(project)),
        *("--profiles-dir", str(project), "--target-path", str(target), "--log-path", str(target)),
    ]
    parsed = target / PARSED_FILE
    known = {PARSED: str(parsed)} if parsed.exists() else {}
    target.mkdir(parents=True, exist_ok=True)
    with (target / "said").open("w") as said:
        child = subprocess.Popen(
            call, cwd=REPOSITORY, env={**os.environ, **making.dbt_environment(), **known}, stdout=said, stderr=said
        )  # fmt: skip
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return False
    assert status == 0, f"dbt ended with {status}: see {target}"
    return True


def run(
    settings: Settings, project: Path, as_of: dt.date | None, kill_after: float | None = None
) -> RunWindow | None:
    """The main job's order of things with every seed and model; None where its build was killed."""
    with only_writer(settings, "run"):
        prepare_folders(settings)
        making = publication.begin(settings)
        asked = window(making, as_of, None)
        ledger.prepare(making)
        if not (making.dbt_target / project.name / PARSED_FILE).exists():
            dbt(making, project, ["parse"])
        if not dbt(making, project, [*MODELS, "--vars", json.dumps(asked.as_vars())], kill_after):
            return None
        publication.publish(making, {"as_of": asked.as_of, "through": asked.through})
        ledger.remember_findings(replace(settings, in_the_making=False))
        publication.remembered(settings)
    return asked


def landed_and_killed(sent: Sent, settings: Settings, seconds: float) -> None:
    """A landing in a process of its own that is killed after so many seconds; what it left is cleared by the next."""
    call = [sys.executable, "-m", "pipelines.cli", "land", str(sent.folder), "--format", "practice",
            "--received", sent.received.isoformat(), "--out", str(settings.out)]  # fmt: skip
    child = subprocess.Popen(call, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)
    child.kill()
    child.wait()


def differing(one: Path, other: Path) -> tuple[dict[str, int], list[str]]:
    """Rows of each table of two warehouses, and the tables whose rows are not the same ones."""
    with duckdb.connect() as con:
        names = []
        for name, path in (("one", one), ("other", other)):
            con.execute(f"attach '{path}' as {name} (read_only)")
            names.append({f'"{schema}"."{table}"' for schema, table in con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = ?", [name]).fetchall()})  # fmt: skip
        rows, found = {}, sorted(names[0] ^ names[1])
        for table in sorted(names[0] & names[1]):
            (rows[table],) = con.execute(f"select count(*) from one.{table}").fetchone() or (0,)
            kinds = [con.execute(f"describe {name}.{table}").fetchall() for name in ("one", "other")]
            if kinds[0] != kinds[1] or any(
                con.execute(f"from {a}.{table} except all from {b}.{table} limit 1").fetchone()
                for a, b in (("one", "other"), ("other", "one"))
            ):
                found.append(table)
    return rows, found


def same_rows(one: Path, other: Path) -> bool:
    """Whether two Parquet files hold the same rows."""
    with duckdb.connect() as con:
        for name, path in (("one", one), ("other", other)):
            con.execute(f"create view {name} as from read_parquet('{path}')")
        left, right = "(from one except all from other)", "(from other except all from one)"
        return con.execute(f"select count(*) from (from {left} union all from {right})").fetchone() == (0,)


def sequence(place: Path, seed: int, people: int, runs: int, limits: dict[str, object]) -> Counts:
    """Draw one sequence, run it as a chain, and build each of its days again elsewhere."""
    place.mkdir(parents=True)
    chance = random.Random(seed)
    sent = simulated(place, seed, people, chance)
    counts = Counts(deliveries=len(sent), runs=runs)
    days = sorted({*chance.sample(range(1, len(sent)), runs - 1), len(sent)})
    projects = [copied(place / "first"), with_other_amounts(place / "later")]
    changes, killed = chance.randrange(1, runs + 1), chance.randrange(runs)
    chain = Settings(out=place / "chain", **limits)  # type: ignore[arg-type]
    shown: dict[dt.date, tuple[Path, Path]] = {}
    start, took = 0, 60.0
    for number, end in enumerate(days):
        for one in sent[start:end]:
            if chance.random() < 0.2:
                landed_and_killed(one, chain, chance.uniform(1, 6))
                clear_killed(chain)
                counts.killed += 1
            land(one.folder, chain, format="practice", received=one.received)
        again = chance.choice(sent[:end])
        assert land(
            again.folder, chain, format="practice", received=sent[end - 1].received + DAY
        ).already_landed
        counts.landed_twice += 1
        project = projects[number >= changes]
        stood, began = publication.current(chain), time.monotonic()
        asked = run(chain, project, None, chance.uniform(0.05, 0.6) * took if number == killed else None)
        if asked is None:  # killed before its end
            assert publication.current(chain) == stood
            counts.killed += 1
            began = time.monotonic()
            asked = run(chain, project, None)
        assert asked is not None and asked.as_of == sent[end - 1].received
        took = time.monotonic() - began
        kept = place / f"{asked.as_of}.duckdb"
        shutil.copyfile(chain.warehouse.resolve(), kept)
        shown[asked.as_of] = (project, kept)
        start = end
    rebuilt = Settings(out=place / "rebuilt", **limits)  # type: ignore[arg-type]
    for one in chance.sample(sent, len(sent)):
        land(one.folder, rebuilt, format="practice", received=one.received)
    shutil.copytree(chain.ledger, rebuilt.ledger)
    wrong = []
    for day, (project, kept) in chance.sample(sorted(shown.items()), len(shown)):
        sighted = f"{ledger.SIGHTINGS}/{day}.000001.parquet"
        (rebuilt.ledger / sighted).unlink()
        run(rebuilt, project, day)
        rows, found = differing(kept, rebuilt.warehouse.resolve())
        counts.tables += len(rows)
        counts.rows += sum(rows.values())
        if not same_rows(chain.ledger / sighted, rebuilt.ledger / sighted):
            found.append(sighted)
        wrong += [f"{day} {table}" for table in found]
        if found:
            shutil.copyfile(rebuilt.warehouse.resolve(), place / f"{day}.rebuilt.duckdb")
    counts.differing = tuple(wrong)
    return counts


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--place", type=Path, required=True, help="an empty folder to work in")
    asked.add_argument("--seeds", type=int, nargs="+", required=True)
    asked.add_argument("--people", type=int, default=200)
    asked.add_argument("--runs", type=int, default=2, help="runs of a chain")
    asked.add_argument("--to", type=Path, help="add a line of JSON a sequence to this file")
    chosen = asked.parse_args()
    limits = {"memory_limit": "2GB", "threads": 1}
    bad = 0
    for seed in chosen.seeds:
        place, began = chosen.place.resolve() / f"seed-{seed}", time.monotonic()
        counts = sequence(place, seed, chosen.people, chosen.runs, limits)
        line = json.dumps({"seed": seed, "people": chosen.people, **vars(counts)})
        print(f"{line} ({time.monotonic() - began:.0f} s)", flush=True)
        if chosen.to:
            with chosen.to.open("a") as file:
                file.write(line + "\n")
        bad += bool(counts.differing)
        if not counts.differing:
            shutil.rmtree(place)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
