"""Faults tried on the main job: each run that is disturbed must tell why, lose nothing, and be made good by the next one.

    python -m tests.faults.harness --template out/warehouse.duckdb --place EMPTY --kills 40

A trial: a folder in which a first run has published; a second delivery; the fault; then the same run without it. What stands after
the fault must be one run's, whole; what stands after the next run must be what an undisturbed folder shows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST, SECOND = "2026-03-31", "2026-04-30"
LIMIT = "1GB"
Prepare = Callable[[Path, Path], None]


@dataclass
class Ended:
    """How a run ended: exit status (negative: the signal), and what it said."""

    status: int
    said: str

    @property
    def last_line(self) -> str:
        lines = [line for line in self.said.splitlines() if line.strip()]
        return lines[-1] if lines else ""


@dataclass
class World:
    """A template warehouse, two deliveries, and the folder that a first run has left; `reference`: what the second one shows."""

    place: Path
    template: Path
    deliveries: tuple[Path, Path]
    base: Path
    reference: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, place: Path, template: Path, people: int) -> World:
        place.mkdir(parents=True, exist_ok=True)
        first, second, small = place / "first", place / "second", place / "small.duckdb"
        second.mkdir()
        in_child(lambda: prepare_inputs(template, small, people, first, second))
        world = cls(place, small, (first, second), place / "base")
        ended = world.run(world.base, first, FIRST)
        assert ended.status == 0, ended.said
        undisturbed = world.copy("reference")
        ended = world.run(undisturbed, second, SECOND)
        assert ended.status == 0, ended.said
        world.reference = state(undisturbed)
        assert world.reference["as_of"] == SECOND and state(world.base)["as_of"] == FIRST
        return world

    def copy(self, name: str) -> Path:
        folder = self.place / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.base, folder, symlinks=True)
        return folder

    def run(self, out: Path, extracts: Path | None, received: str, prepare: Callable[[], None] | None = None,
            watch: Callable[[int], None] | None = None, said: str = "") -> Ended:  # fmt: skip
        """One run in a process of its own, of what is landed where there are no `extracts`; `prepare` disturbs it from inside, `watch` from outside by its process's number."""
        words = self.place / f"said-{out.name}{said}"
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                run_here(self.template, out, extracts, received, words, prepare)
            os._exit(70)
        if watch is not None:
            watch(child)
        _, status = os.waitpid(child, 0)
        return Ended(os.waitstatus_to_exitcode(status), words.read_text(errors="replace"))


def run_here(
    template: Path,
    out: Path,
    extracts: Path | None,
    received: str,
    said: Path,
    prepare: Callable[[], None] | None,
) -> None:
    with said.open("w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.environ.update(CCM_MEMORY_LIMIT=LIMIT, CCM_THREADS="1")
    from pipelines.cli import main
    from tests.faults.small_job import install

    install(template)
    if prepare is not None:
        prepare()
    status = 70
    try:
        on = ["--received", received] if received else []
        of = ["--extracts", str(extracts)] if extracts else ["--landed"]
        status = main(["run", *of, *on, "--out", str(out)])
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


def prepare_inputs(template: Path, small: Path, people: int, first: Path, second: Path) -> None:
    """A small template, a delivery of a simulated population, and a second one: half of the claims of the first again."""
    import polars as pl

    from pipelines.simulate import simulate
    from tests.faults.small_job import reduce_template

    reduce_template(template, small)
    simulate(people, 3, 1, first.with_name("simulated"))
    shutil.copytree(first.with_name("simulated") / "extracts", first)

    for path in first.glob("*.parquet"):
        frame = pl.read_parquet(path)
        if path.stem in {"claims", "claim_lines", "claim_diagnoses"}:
            frame = frame.filter(pl.col("claim_id").hash(seed=1) % 2 == 0)
        frame.write_parquet(second / path.name)


def in_child(action: Callable[[], Any]) -> Any:
    """The result (as JSON) of `action` in a forked process: the parent must stay without threads."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writes, "w") as sink:
            try:
                json.dump({"is": action()}, sink)
            except BaseException:
                json.dump({"error": traceback.format_exc()}, sink)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as source:
        told = json.load(source)
    os.waitpid(child, 0)
    if "error" in told:
        raise AssertionError(told["error"])
    return told["is"]


def state(out: Path) -> dict[str, Any]:
    """What an output folder shows and keeps; raises where a part cannot be read or parts are not of one run."""
    return dict(in_child(lambda: read_state(out)))


def read_state(out: Path) -> dict[str, Any]:
    import duckdb

    record = json.loads((out / "published" / "current" / "run.json").read_text())
    page = (out / "reports" / "index.html").read_text()
    assert page == f"as of {record['as_of']}", "the page is of another run"
    assert (out / "worklists" / "all.csv").read_text()
    found: dict[str, Any] = {"as_of": record["as_of"], "tables": {}, "batches": {}, "ledger": {}}
    with duckdb.connect(str(out / "warehouse.duckdb"), read_only=True) as con:
        (as_of,) = con.execute("select as_of from flags.ledger_run").fetchone() or (None,)
        assert str(as_of) == record["as_of"], "the warehouse is of another run"
    with duckdb.connect() as con:
        for path in sorted((out / "tables").glob("*.parquet")):
            found["tables"][path.stem] = str(con.execute(
                f"select count(*), sum(hash(t)) from read_parquet('{path}') as t").fetchone())  # fmt: skip
        for folder in sorted((out / "landing").glob("batch-*")):
            manifest = json.loads((folder / "manifest.json").read_text())
            for table, counts in manifest["tables"].items():
                (rows,) = con.execute(
                    f"select count(*) from read_parquet('{folder / table}.parquet')"
                ).fetchone() or (0,)
                assert rows == counts["rows_landed"], f"{folder.name} {table}"
            found["batches"][folder.name] = manifest["received_date"]
        for path in sorted((out / "ledger").rglob("*.parquet")):
            (rows,) = con.execute(f"select count(*) from read_parquet('{path}')").fetchone() or (0,)
            found["ledger"][str(path.relative_to(out / "ledger"))] = rows
    return found


@dataclass
class Trial:
    """One fault: how the disturbed run is started, and what is expected of it."""

    kind: str
    name: str
    disturb: Callable[[World, Path], Ended]
    may_succeed: bool = False
    is_killed: bool = False
    # The system's own libraries may end the process with a line and a status of theirs.
    may_abort: bool = False
    says: str = ""
    # What somebody must do before the next run, where the fault does not heal by itself.
    mend: Callable[[World, Path], None] | None = None


def judge(world: World, trial: Trial) -> list[str]:
    """What went wrong in a trial; empty where the fault was survived."""
    out = world.copy("trial")
    wrong: list[str] = []
    ended = trial.disturb(world, out)
    if trial.is_killed:
        if ended.status not in (0, -signal.SIGKILL):
            wrong.append(f"ended with {ended.status}, not killed: {ended.last_line}")
    elif ended.status == 0 and not trial.may_succeed:
        wrong.append("the run did not notice the fault")
    elif ended.status not in (0, 1, 2) and not trial.may_abort:
        wrong.append(f"exit status {ended.status}: {ended.last_line}")
    if "Traceback" in ended.said:
        wrong.append("a traceback was shown: " + ended.last_line)
    if trial.says and ended.status != 0 and trial.says not in ended.said:
        wrong.append(f"it did not say {trial.says!r}: {ended.last_line}")
    if trial.mend is not None:
        trial.mend(world, out)
    try:
        stands = state(out)
        if stands["as_of"] not in (FIRST, SECOND):
            wrong.append("something else is published")
        known = set(state(world.base)["batches"])
        if not known <= set(stands["batches"]):
            wrong.append("a batch is gone")
    except (AssertionError, OSError) as problem:
        wrong.append(f"what stands after the fault is not whole: {str(problem).strip().splitlines()[-1]}")
    again = world.run(out, world.deliveries[1], SECOND)
    if again.status != 0:
        return [*wrong, f"the next run ended with {again.status}: {again.last_line}"]
    after = state(out)
    for part, expected in world.reference.items():
        if after[part] != expected:
            wrong.append(f"after the next run {part} differ from an undisturbed folder's")
    if (
        (out / "building").exists()
        or any((out / "tmp").iterdir())
        or any((out / "landing").glob("incoming-*"))
    ):
        wrong.append("something was left behind")
    return wrong


def in_turn(trials: list[Trial]) -> list[Trial]:
    """One of each kind, then the next of each: who stops early has tried every kind."""
    seen: Counter[str] = Counter()
    placed = []
    for trial in trials:
        placed.append((seen[trial.kind], trial))
        seen[trial.kind] += 1
    return [trial for _, trial in sorted(placed, key=lambda one: one[0])]


def run_trials(world: World, trials: list[Trial], say: Callable[[str], None]) -> dict[str, dict[str, int]]:
    """Try them one after the other; counts of tried and survived by kind."""
    counts: dict[str, dict[str, int]] = {}
    for trial in trials:
        started = time.monotonic()
        wrong = judge(world, trial)
        of_kind = counts.setdefault(trial.kind, {"tried": 0, "survived": 0})
        of_kind["tried"] += 1
        of_kind["survived"] += not wrong
        say(
            f"{trial.kind}, {trial.name}: {'; '.join(wrong) if wrong else 'survived'} ({time.monotonic() - started:.0f} s)"
        )
    return counts


def preload() -> None:
    """Import what every run needs, once, before anything starts a thread."""
    import dagster
    import duckdb

    import pipelines.run
    from tests.faults import small_job

    assert dagster and duckdb and pipelines.run and small_job


def main() -> int:
    from tests.faults.trials import all_trials, quick_trials

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, required=True, help="a finished warehouse")
    parser.add_argument("--people", type=int, default=60, help="people of the simulated deliveries")
    parser.add_argument(
        "--kills", type=int, default=20, help="kills at random moments, beside those at every step"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", help="trials whose kind or name holds one of these texts")
    parser.add_argument("--quick", action="store_true", help="a few cheap ones")
    parser.add_argument("--place", type=Path, required=True, help="an empty folder to work in")
    parser.add_argument("--to", type=Path, help="write the counts there as JSON")
    chosen = parser.parse_args()
    preload()
    world = World.make(chosen.place.resolve(), chosen.template.resolve(), chosen.people)
    every = quick_trials() if chosen.quick else all_trials(chosen.kills, random.Random(chosen.seed))
    trials = [
        trial
        for trial in every
        if not chosen.only or any(text in f"{trial.kind}, {trial.name}" for text in chosen.only)
    ]
    counts = run_trials(world, in_turn(trials), lambda line: print(line, flush=True))
    total = {name: sum(kind[name] for kind in counts.values()) for name in ("tried", "survived")}
    print(json.dumps({"total": total, **counts}, indent=1))
    if chosen.to:
        chosen.to.write_text(json.dumps({"total": total, **counts}, indent=1) + "\n")
    return 0 if total["tried"] == total["survived"] else 1


def mounted(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """`folder` with its content on a disk of so many megabytes, while the block lasts; False where mounting is not allowed."""
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    folder.mkdir(mode=0o700)
    done = mounted("-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder))
    shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
    try:
        yield done
    finally:
        if done:
            shutil.rmtree(aside)
            shutil.copytree(folder, aside, symlinks=True)
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir() if done else shutil.rmtree(folder)
        aside.rename(folder)


if __name__ == "__main__":
    sys.exit(main())
