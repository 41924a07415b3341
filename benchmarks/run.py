"""Time, memory and disk of the whole main job at several sizes, beside what else could be done with the same files.

In the same run and with the same limits: a bare scan of the columns that the job needs, one query that only flags, up to
PANDAS_PEOPLE people condition flagging and eligibility in pandas, and where `--peer` names a program, that program on the landed
files (it is called with the landing folder and a scratch folder; its seconds and its exit status are kept). Writes
`benchmarks/results/<people>x<months>.json` and `benchmarks/results/summary.md`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psutil

RESULTS = Path(__file__).resolve().parent / "results"
REPOSITORY = RESULTS.parent.parent
# pandas holds every diagnosis several times over: beyond this it says more about memory than about speed.
PANDAS_PEOPLE = 10_000
# From here on the models are so large that each does better with all of the memory, and of that with more.
LARGE_PEOPLE = 500_000
# Diagnoses that are folded into lists at a time.
SLICE_ROWS = 20_000_000
CODES = REPOSITORY / "dbt_project" / "seeds" / "policy" / "condition_codes.csv"


# The models that flag conditions and decide eligibility.
FLAGGING = (
    *("core_claims", "core_claim_lines", "core_diagnoses", "condition_intervals", "fct_condition_months"),
    *("fct_eligibility_facts", "eligibility_months"),
)
# The one of them that does what the peer's do.
CONDITIONS = "condition_intervals"


@dataclass
class Measured:
    """One whole process tree: wall and CPU seconds, peak resident bytes (sampled every 50 ms)."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    # Resident bytes as sampled, each with the seconds since the start.
    samples: list[tuple[float, int]] = field(default_factory=list, repr=False)

    def stored(self) -> dict[str, float]:
        """What the results file holds of it."""
        return {
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_bytes": self.peak_bytes,
        }

    def peak_by_step(self, seconds_by_step: dict[str, float]) -> dict[str, int]:
        """Peak resident bytes while each step ran; steps run one after the other, and what is left over comes before the first."""
        ends = self.wall_seconds - sum(seconds_by_step.values())
        peaks = {}
        for step, seconds in seconds_by_step.items():
            begins, ends = ends, ends + seconds
            peaks[step] = max((size for at, size in self.samples if begins <= at <= ends), default=0)
        return peaks


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run `command` to its end; raises CalledProcessError when it fails."""
    started = time.perf_counter()
    process = psutil.Popen(command, env=environment, cwd=REPOSITORY)
    samples: list[tuple[float, int]] = []
    done = threading.Event()

    def sample() -> None:
        while not done.is_set():
            try:
                tree = [process, *process.children(recursive=True)]
                size = sum(member.memory_info().rss for member in tree)
                samples.append((time.perf_counter() - started, size))
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
    wall = time.perf_counter() - started
    return Measured(wall, cpu, max((size for _, size in samples), default=0), samples)


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
        # In slices of claims: lists that are being gathered cannot be spilled to disk.
        rows = con.execute(
            f"select count(*) from read_parquet('{batches}/claim_diagnoses.parquet')"
        ).fetchall()[0][0]
        slices = 1 + rows // SLICE_ROWS
        for number in range(slices):
            of_slice = f"where hash(claim_id) % {slices} = {number}"
            con.execute(
                f"copy (select c.beneficiary_id, c.from_date, list(d.diagnosis_code) as diagnosis_codes"
                f"      from (select * from read_parquet('{batches}/claims.parquet') {of_slice}) c"
                f"      join (select * from read_parquet('{batches}/claim_diagnoses.parquet') {of_slice}) d"
                f"        using (claim_id, claim_version)"
                f"      group by c.claim_id, c.claim_version, c.beneficiary_id, c.from_date)"
                f" to '{scratch}/wide-{number}.parquet' (compression zstd)"
            )
        con.execute(
            "create table codes as select distinct diagnosis_code, condition"
            f" from read_csv('{CODES}', all_varchar = true) where role = 'include'"
        )
        flag = (
            "select count(*) from (select beneficiary_id, condition, min(from_date), max(from_date), count(*)"
            f" from (select beneficiary_id, from_date, unnest(diagnosis_codes) as diagnosis_code"
            f"       from read_parquet('{scratch}/wide-*.parquet')) join codes using (diagnosis_code) group by all)"
        )
        return {"scan_seconds": best_of(con, scan), "flagging_seconds": best_of(con, flag)}


def in_pandas(out: Path, folder: Path, environment: dict[str, str]) -> dict[str, object]:
    """Condition flagging and eligibility in pandas: process, rows, and how far it agrees with the warehouse."""
    told = folder / "pandas.json"
    script = (
        f"import sys; sys.argv[1:] = [{str(out / 'landing')!r}, {str(out / 'warehouse.duckdb')!r}];"
        f" sys.stdout = open({str(told)!r}, 'w'); from benchmarks.pandas_baseline import main; main()"
    )
    whole = measure([sys.executable, "-c", script], {**environment, "PYTHONPATH": str(REPOSITORY)})
    return {**whole.stored(), **json.loads(told.read_text())}


def the_peer(program: Path, landing: Path, folder: Path, environment: dict[str, str]) -> dict[str, object]:
    """A peer's models on the landed files, as its program runs them."""
    scratch = folder / "peer"
    scratch.mkdir(exist_ok=True)
    try:
        return {**measure([str(program), str(landing), str(scratch)], environment).stored(), "finished": True}
    except subprocess.CalledProcessError as problem:
        return {"finished": False, "exit_status": problem.returncode}


def model_seconds(out: Path) -> dict[str, float]:
    """Seconds of each of dbt's models, from the run's own results."""
    results = json.loads((out / "dbt" / "run_results.json").read_text())["results"]
    return {
        one["unique_id"].split(".")[-1]: round(one["execution_time"], 3)
        for one in results
        if one["unique_id"].startswith("model.")
    }


def directory_bytes(folder: Path) -> int:
    """What lies under `folder`; what links point at is counted where it lies."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def run_size(people: int, months: int, seed: int, folder: Path, peer: Path | None) -> dict[str, object]:
    """Simulate, run the main job and the two lower limits; returns everything that the results file holds."""
    environment = dict(os.environ)
    is_large = people >= LARGE_PEOPLE
    memory_limit = environment.setdefault("CCM_MEMORY_LIMIT", "9GB" if is_large else "6GB")
    threads = int(environment.setdefault("CCM_THREADS", str(os.cpu_count() or 2)))
    models_at_once = int(environment.setdefault("CCM_MODELS_AT_ONCE", "1" if is_large else str(threads)))
    ccm = [sys.executable, "-m", "pipelines.cli"]
    simulated, out = folder / "simulated", folder / "out"
    size = ["--people", str(people), "--months", str(months), "--seed", str(seed)]
    simulate: dict[str, float] = {}
    if not (simulated / "truth").exists():  # in a folder that was kept there is one already
        simulate = measure(
            [*ccm, "simulate", *size, "--format", "practice", "--out", str(simulated)], environment
        ).stored()
    shutil.rmtree(out, ignore_errors=True)
    job = measure(
        [*ccm, "run", "--extracts", str(simulated / "extracts"), "--format", "practice", "--out", str(out)],
        environment,
    )
    record = json.loads((out / "run.json").read_text())
    limits = lower_limits(out / "landing", memory_limit, threads)
    others: dict[str, object] = {}
    if people <= PANDAS_PEOPLE:
        others["pandas"] = in_pandas(out, folder, environment)
    if peer is not None:
        others["peer"] = the_peer(peer, out / "landing", folder, environment)
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
            "models_at_once": models_at_once,
            "load_after": round(os.getloadavg()[0], 1),
        },
        "simulate": {**simulate, "extract_bytes": directory_bytes(simulated)},
        "main_job": {**job.stored(), "out_bytes": directory_bytes(out)},
        "steps": record["seconds_by_step"],
        "peak_bytes_by_step": job.peak_by_step(record["seconds_by_step"]),
        "models": model_seconds(out),
        "rows": record["rows"],
        "lower_limits": limits,
        **others,
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
        "| people x months | job s | CPU s | peak MiB | disk MB | scan s | flagging pass s | job / scan | job / flagging |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for item in sorted(results, key=lambda one: one["people"]):
        job, limits, ratios = item["main_job"], item["lower_limits"], item["ratios"]
        lines.append(
            f"| {item['people']:,} x {item['months']} | {job['wall_seconds']:.1f} | {job['cpu_seconds']:.1f} "
            f"| {job['peak_bytes'] / 2**20:,.0f} | {job['out_bytes'] / 1e6:,.0f} "
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
    lines[-1] += " growth |"
    lines += ["|---|" + "---|" * (len(ordered) + 1)]
    for step in steps:
        cells = [f"{item['steps'][step]:.1f}" if step in item["steps"] else "" for item in ordered]
        lines.append(f"| {step} | " + " | ".join([*cells, growth(ordered, step)]) + " |")
    lines += [
        "",
        "Growth is the exponent from the smallest to the largest size: 1 is linear, 0 does not grow.",
        "",
    ]
    for item in ordered:
        if pandas := item.get("pandas"):
            ours = sum(item["models"].get(name, 0.0) for name in FLAGGING)
            lines.append(
                f"- {item['people']:,} people, condition flagging and eligibility in pandas: {pandas['wall_seconds']:.1f} s, "
                f"{pandas['peak_bytes'] / 2**20:,.0f} MiB; the models that do it here, and more: {ours:.1f} s; "
                f"the same answer about two conditions on {pandas['agreement_on_conditions']:.2%} of person-months."
            )
        if peer := item.get("peer"):
            says = f"{peer['wall_seconds']:.1f} s" if peer["finished"] else "did not finish"
            of_when = " (an earlier run)" if peer.get("of_an_earlier_run") else ""
            ours = item["models"].get(CONDITIONS, 0.0)
            lines.append(
                f"- {item['people']:,} people, the peer's models{of_when}: {says}; `{CONDITIONS}`: {ours:.1f} s."
            )
    return "\n".join(lines) + "\n"


def growth(ordered: list[dict], step: str) -> str:
    """The exponent of a step's seconds over people, from the smallest to the largest size that has it."""
    having = [item for item in ordered if item["steps"].get(step, 0) > 0]
    if len(having) < 2 or having[0]["people"] == having[-1]["people"]:
        return ""
    first, last = having[0], having[-1]
    return f"{math.log(last['steps'][step] / first['steps'][step]) / math.log(last['people'] / first['people']):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--peer", type=Path, help="program that runs a peer's condition models: PROGRAM LANDING SCRATCH"
    )
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are written")
    parser.add_argument(
        "--memory-limit",
        help="of the engine, in the job and in what it is compared with (6GB; 9GB for many people)",
    )
    arguments = parser.parse_args()
    if arguments.memory_limit:
        os.environ["CCM_MEMORY_LIMIT"] = arguments.memory_limit
    arguments.results.mkdir(parents=True, exist_ok=True)
    for people in arguments.people:
        folder = Path(tempfile.mkdtemp()) if arguments.keep is None else arguments.keep / str(people)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            result = run_size(people, arguments.months, arguments.seed, folder, arguments.peer)
        finally:
            if arguments.keep is None:
                shutil.rmtree(folder)
        place = arguments.results / f"{people}x{arguments.months}.json"
        if "peer" not in result and place.exists() and (peer := json.loads(place.read_text()).get("peer")):
            # A peer's models do not change with ours: what is known of them is kept, and says of when it is.
            result["peer"] = {**peer, "of_an_earlier_run": True}
        place.write_text(json.dumps(result, indent=1) + "\n")
    stored = [json.loads(path.read_text()) for path in sorted(arguments.results.glob("[0-9]*x*.json"))]
    text = summary(stored)
    (arguments.results / "summary.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
