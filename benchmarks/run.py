"""Time and memory of the whole main job at several sizes, against two lower limits on the same files.

Writes `benchmarks/results/<people>x<months>.json` and `benchmarks/results/summary.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

RESULTS = Path(__file__).resolve().parent / "results"
REPOSITORY = RESULTS.parent.parent
CODES = REPOSITORY / "dbt_project" / "seeds" / "policy" / "condition_codes.csv"


@dataclass
class Measured:
    """One whole process tree: wall and CPU seconds, peak resident bytes (sampled every 50 ms)."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run `command` to its end; raises CalledProcessError when it fails."""
    started = time.perf_counter()
    process = psutil.Popen(command, env=environment, cwd=REPOSITORY)
    peak = 0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.is_set():
            try:
                tree = [process, *process.children(recursive=True)]
                peak = max(peak, sum(member.memory_info().rss for member in tree))
            except psutil.Error:
                pass
            done.wait(0.05)

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    before = os.times()
    code = process.wait()
    after = os.times()
    done.set()
    watcher.join()
    if code != 0:
        raise subprocess.CalledProcessError(code, command)
    cpu = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return Measured(time.perf_counter() - started, cpu, peak)


def connect(memory_limit: str, threads: int, scratch: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the limits that the main job has."""
    con = duckdb.connect()
    con.execute(f"set memory_limit = '{memory_limit}'")
    con.execute(f"set threads = {threads}")
    con.execute(f"set temp_directory = '{scratch}'")
    con.execute("set preserve_insertion_order = false")
    return con


def best_of(con: duckdb.DuckDBPyConnection, query: str, times: int = 3) -> float:
    """Fewest seconds of `times` runs of one query."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        con.execute(query).fetchall()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def lower_limits(landing: Path, memory_limit: str, threads: int) -> dict[str, float]:
    """Seconds of the bare scan and of the one-pass flagging query over the landed files.

    The flagging query reads claims as most sources deliver them, with their diagnoses in one row, so the
    rows are folded into lists first; that folding is not timed.
    """
    batches = f"{landing}/batch-*"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        con = connect(memory_limit, threads, scratch / "spill")
        scan = (
            f"select (select sum(hash(claim_id, beneficiary_id, claim_type, from_date, through_date,"
            f"                        is_denied))"
            f"          from read_parquet('{batches}/claims.parquet')),"
            f"       (select sum(hash(claim_id, line_number, from_date, hcpcs_code, units, rendering_npi,"
            f"                        billing_tin, paid_usd, allowed_usd, is_denied, betos_code))"
            f"          from read_parquet('{batches}/claim_lines.parquet')),"
            f"       (select sum(hash(claim_id, role, position, diagnosis_code, icd_version))"
            f"          from read_parquet('{batches}/claim_diagnoses.parquet'))"
        )
        wide = scratch / "wide.parquet"
        con.execute(
            f"copy (select c.beneficiary_id, c.from_date, list(d.diagnosis_code) as diagnosis_codes"
            f"      from read_parquet('{batches}/claims.parquet') c"
            f"      join read_parquet('{batches}/claim_diagnoses.parquet') d using (claim_id, claim_version)"
            f"      group by c.claim_id, c.claim_version, c.beneficiary_id, c.from_date)"
            f" to '{wide}' (compression zstd)"
        )
        con.execute(
            "create table codes as select distinct diagnosis_code, condition"
            f" from read_csv('{CODES}', all_varchar = true) where role = 'include'"
        )
        flag = (
            "select count(*) from (select beneficiary_id, condition, min(from_date), max(from_date), count(*)"
            f" from (select beneficiary_id, from_date, unnest(diagnosis_codes) as diagnosis_code"
            f"       from read_parquet('{wide}')) join codes using (diagnosis_code) group by all)"
        )
        return {"scan_seconds": best_of(con, scan), "flagging_seconds": best_of(con, flag)}


def directory_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run_size(people: int, months: int, seed: int, folder: Path) -> dict[str, object]:
    """Simulate, run the main job and the two lower limits; returns everything that the results file holds."""
    environment = dict(os.environ)
    memory_limit = environment.setdefault("CCM_MEMORY_LIMIT", "6GB")
    threads = int(environment.setdefault("CCM_THREADS", str(os.cpu_count() or 2)))
    ccm = [sys.executable, "-m", "pipelines.cli"]
    simulated, out = folder / "simulated", folder / "out"
    size = ["--people", str(people), "--months", str(months), "--seed", str(seed)]
    simulate = measure(
        [*ccm, "simulate", *size, "--format", "practice", "--out", str(simulated)], environment
    )
    job = measure(
        [*ccm, "run", "--extracts", str(simulated / "extracts"), "--format", "practice", "--out", str(out)],
        environment,
    )
    record = json.loads((out / "run.json").read_text())
    limits = lower_limits(out / "landing", memory_limit, threads)
    return {
        "people": people,
        "months": months,
        "seed": seed,
        "machine": {
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": platform.system(),
            "python": platform.python_version(),
            "duckdb": duckdb.__version__,
            "memory_limit": memory_limit,
            "threads": threads,
        },
        "simulate": {**simulate.__dict__, "extract_bytes": directory_bytes(simulated)},
        "main_job": {**job.__dict__, "out_bytes": directory_bytes(out)},
        "steps": record["seconds_by_step"],
        "rows": record["rows"],
        "lower_limits": limits,
        "ratios": {
            "main_job_to_scan": job.wall_seconds / limits["scan_seconds"],
            "main_job_to_flagging": job.wall_seconds / limits["flagging_seconds"],
        },
    }


def summary(results: list[dict]) -> str:
    """A Markdown table of every stored result, smallest first."""
    lines = [
        "# Results",
        "",
        "Written by `benchmarks/run.py`. Compare ratios, not seconds.",
        "",
        "| people x months | job s | peak MiB | scan s | flagging pass s | job / scan | job / flagging |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in sorted(results, key=lambda one: one["people"]):
        job, limits, ratios = item["main_job"], item["lower_limits"], item["ratios"]
        lines.append(
            f"| {item['people']:,} x {item['months']} | {job['wall_seconds']:.1f} "
            f"| {job['peak_bytes'] / 2**20:,.0f} "
            f"| {limits['scan_seconds']:.2f} | {limits['flagging_seconds']:.2f} "
            f"| {ratios['main_job_to_scan']:.1f} | {ratios['main_job_to_flagging']:.1f} |"
        )
    steps = sorted({step for item in results for step in item["steps"]})
    ordered = sorted(results, key=lambda one: one["people"])
    lines += [
        "",
        "Seconds a step:",
        "",
        "| step | " + " | ".join(f"{item['people']:,}" for item in ordered) + " |",
    ]
    lines += ["|---|" + "---|" * len(ordered)]
    for step in steps:
        cells = (f"{item['steps'][step]:.1f}" if step in item["steps"] else "" for item in ordered)
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for people in arguments.people:
        folder = Path(tempfile.mkdtemp()) if arguments.keep is None else arguments.keep / str(people)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            result = run_size(people, arguments.months, arguments.seed, folder)
        finally:
            if arguments.keep is None:
                shutil.rmtree(folder)
        (RESULTS / f"{people}x{arguments.months}.json").write_text(json.dumps(result, indent=1) + "\n")
    stored = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*x*.json"))]
    text = summary(stored)
    (RESULTS / "summary.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
