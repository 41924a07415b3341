"""The faults that the harness tries."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.harness import SECOND, Ended, Trial, World, in_child, mounted, small_disk

STEPS = ("start", "landing", "contract checks", "warehouse", "release checks", "tables", "pages", "worklists",
         "publication", "ledger")  # fmt: skip
# Calls that change what is on the disk under a name that somebody reads.
CALLS = ("rename", "replace", "symlink_to", "mkdir", "unlink", "touch")


def all_trials(kills: int, chance: random.Random) -> list[Trial]:
    return [
        *(killed_at_step(step, when) for step in STEPS for when in ("before", "after")),
        *(killed_at_call(number) for number in range(0, 60, 6)),
        *(killed_in_a_write(step) for step in ("landing", "warehouse", "tables", "ledger")),
        *(killed_at_moment(chance.uniform(0.05, 1.0)) for _ in range(kills)),
        *(disk_full(extra) for extra in (1, 4, 40)),
        *(file_limit(megabytes) for megabytes in (0.05, 0.3, 50)),
        Trial("read-only folder", "the whole output folder", read_only, says="cannot be written"),
        *(vanishing(how) for how in CHANGES),
        Trial("two runs at once", "a second run beside the first", two_at_once, says="is being written by"),
        Trial("clock change", "set back before the last delivery", clock_back, says="--received"),
        Trial("clock change", "jumps back while the run goes on", clock_jumps, may_succeed=True),
        *(held(mode) for mode in ("reader", "writer")),
        *(spoilt("warehouse.duckdb", how) for how in ("empty", "cut", "overwritten", "header")),
        Trial(
            "corrupted file",
            "built again from landing",
            damaged,
            says="ccm run --landed",
            mend=built_from_landing,
        ),
        *(
            spoilt(f"dagster/{name}", how)
            for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
            for how in ("empty", "cut", "overwritten", "header")
        ),
        *(spoilt_landing(how, landed) for how in ("cut", "changed", "gone") for landed in (False, True)),
        Trial("corrupted file", "landing, a batch gone", batch_lost, says="restore", mend=batch_restored),
        *(spoilt_ledger(landed) for landed in (False, True)),
        Trial(
            "ledger lost", "restored from the backup", ledger_lost, says="restore it", mend=ledger_restored
        ),
        *(memory(megabytes) for megabytes in (900, 1600)),
        engine_memory("20MB"),
    ]


def quick_trials() -> list[Trial]:
    """A few that are cheap and need no privilege of their own."""
    return [
        killed_at_step("warehouse", "after"),
        killed_in_a_write("tables"),
        spoilt_landing("cut"),
    ]


def again(world: World, out: Path, prepare: Callable[[], None] | None = None,
          watch: Callable[[int], None] | None = None) -> Ended:  # fmt: skip
    return world.run(out, world.deliveries[1], SECOND, prepare, watch)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at_step(step: str, when: str) -> Trial:
    def prepare() -> None:
        from contextlib import contextmanager

        from pipelines.progress import Progress

        real = Progress.step

        @contextmanager
        def watched(self: Any, name: str) -> Any:
            if name == step and when == "before":
                die()
            with real(self, name):
                yield
            if name == step:
                die()

        Progress.step = watched  # type: ignore[method-assign]

    return Trial(
        "kill -9 at a step", f"{when} {step}", lambda world, out: again(world, out, prepare), is_killed=True
    )


def killed_at_call(number: int) -> Trial:
    """Killed before the call with this number of those that rename, make or remove something."""

    def prepare() -> None:
        left = [number]
        for name in CALLS:
            real = getattr(Path, name)

            def counted(self: Path, *given: Any, _real: Any = real, **named: Any) -> Any:
                if left[0] == 0:
                    die()
                left[0] -= 1
                return _real(self, *given, **named)

            setattr(Path, name, counted)

    return Trial(
        "kill -9 at a write", f"call {number}", lambda world, out: again(world, out, prepare), is_killed=True
    )


def killed_in_a_write(step: str) -> Trial:
    """Killed from outside once a file that this step writes has some of its bytes."""
    where = {"landing": "landing/incoming-*/*.parquet", "warehouse": "building/warehouse.duckdb*",
             "tables": "building/tables.incoming/*.parquet", "ledger": "ledger/*/*.incoming"}[step]  # fmt: skip

    def disturb(world: World, out: Path) -> Ended:
        def watch(child: int) -> None:
            while (
                not time.sleep(0.002)
                and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
            ):
                with contextlib.suppress(OSError):
                    if any(path.stat().st_size for path in out.glob(where)):
                        os.kill(child, signal.SIGKILL)
                        return

        return again(world, out, watch=watch)

    return Trial("kill -9 in the middle of a write", step, disturb, is_killed=True)


def killed_at_moment(share: float) -> Trial:
    """Killed after this share of the time that the undisturbed run takes."""
    took: list[float] = []

    def disturb(world: World, out: Path) -> Ended:
        if not took:
            started = time.monotonic()
            again(world, world.copy("timed"))
            took.append(time.monotonic() - started)

        def watch(child: int) -> None:
            time.sleep(share * took[0])
            os.kill(child, signal.SIGKILL)

        return again(world, out, watch=watch)

    return Trial("kill -9 at any moment", f"after {share:.0%}", disturb, is_killed=True)


def disk_full(extra: int) -> Trial:
    """A disk with room for what is there and so many megabytes more."""

    def disturb(world: World, out: Path) -> Ended:
        used = sum(path.stat().st_size for path in out.rglob("*") if path.is_file() and not path.is_symlink())
        with small_disk(out, used // 2**20 + 3 + extra) as done:
            return again(world, out) if done else Ended(0, "mounting is not allowed here")

    return Trial("disk full", f"{extra} MB left", disturb, may_succeed=extra >= 40, says="disk is full")


def file_limit(megabytes: float) -> Trial:
    """No file may grow beyond so many megabytes, as under a quota."""

    def prepare() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = int(megabytes * 2**20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return Trial(
        "disk full",
        f"no file beyond {megabytes} MB",
        lambda world, out: again(world, out, prepare),
        may_succeed=megabytes >= 10,
    )


def read_only(world: World, out: Path) -> Ended:
    if not mounted("--bind", str(out), str(out)):
        return Ended(0, "mounting is not allowed here")
    mounted("-o", "remount,ro,bind", str(out))
    try:
        return again(world, out)
    finally:
        subprocess.run(["umount", str(out)], check=True)


CHANGES = ("gone", "cut", "grown", "rewritten")


def vanishing(how: str) -> Trial:
    """A file of the delivery that goes, is cut, grows or is written anew with as many bytes once reading has begun."""

    def disturb(world: World, out: Path) -> Ended:
        own = world.place / "own"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(world.deliveries[1], own)

        def prepare() -> None:
            import tenacity

            from pipelines.extracts import practice

            tenacity.nap.time.sleep = lambda seconds: None  # type: ignore[attr-defined]
            real = practice.read

            def disturbed(con: Any, folder: Path) -> Any:
                found = real(con, folder)
                file = folder / "claims.parquet"
                if file.exists() and how == "gone":
                    file.unlink()
                elif file.exists():
                    content = file.read_bytes()
                    made = {
                        "cut": content[: len(content) // 2],
                        "grown": content + b"more",
                        "rewritten": content,
                    }
                    file.write_bytes(made[how])
                return found

            practice.read = disturbed

        return world.run(out, own, SECOND, prepare)

    return Trial("file vanishing or changing", how, disturb)


def two_at_once(world: World, out: Path) -> Ended:
    second: list[Ended] = []

    def watch(child: int) -> None:
        # Held for as long as it takes the second one to be refused, wherever the first stands.
        while not (out / ".run.lock").read_text():
            time.sleep(0.01)
        os.kill(child, signal.SIGSTOP)
        second.append(world.run(out, world.deliveries[1], SECOND, said="beside"))
        os.kill(child, signal.SIGCONT)

    first = again(world, out, watch=watch)
    if first.status != 0:
        return Ended(70, f"the first run ended with {first.status}: {first.last_line}")
    return second[0]


def clock_back(world: World, out: Path) -> Ended:
    def prepare() -> None:
        import datetime

        from pipelines.extracts import landing

        class Earlier(datetime.date):
            @classmethod
            def today(cls) -> datetime.date:
                return datetime.date(2026, 3, 30)

        landing.datetime = type("Clock", (), {"date": Earlier})  # type: ignore[assignment]

    return world.run(out, world.deliveries[1], "", prepare)


def clock_jumps(world: World, out: Path) -> Ended:
    """The clock is a day behind from the moment that landing ends: neither order nor names of records may hang on it."""

    def prepare() -> None:
        import datetime

        from pipelines import run_records

        class Earlier(datetime.datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.datetime.now(tz) - datetime.timedelta(days=1)

        run_records.datetime = Earlier  # type: ignore[misc]

    return again(world, out, prepare)


def spoilt_landing(how: str, landed: bool = False) -> Trial:
    """A landed file that is damaged or gone, before a delivery or a run of what is `landed`: the run stops and says so; restored from
    the backup, all is as before."""

    def place(world: World) -> Path:
        return sorted((world.base / "landing").glob("batch-*/claims.parquet"))[0].relative_to(world.base)

    return spoilt_for_good(f"landing, {how}", how, place, landed)


def spoilt_ledger(landed: bool) -> Trial:
    """The same of what the ledger holds of the last run."""

    def place(world: World) -> Path:
        return sorted((world.base / "ledger").glob("finding_sightings/2*.parquet"))[-1].relative_to(
            world.base
        )

    return spoilt_for_good("ledger, cut", "cut", place, landed)


def spoilt_for_good(name: str, how: str, place: Callable[[World], Path], landed: bool) -> Trial:
    """A file that nothing can make again: the run names it, `ccm doctor` too, and the backup brings it back."""

    def disturb(world: World, out: Path) -> Ended:
        file = out / place(world)
        content = file.read_bytes()
        middle = len(content) // 2
        one_byte = bytes([content[middle] ^ 255])
        file.unlink() if how == "gone" else file.write_bytes({
            "cut": content[:middle], "changed": content[:middle] + one_byte + content[middle + 1 :]}[how])  # fmt: skip
        named = in_child(lambda: wrong_with(out))
        if str(place(world)) not in named:
            return Ended(70, f"doctor says: {named}")
        return world.run(out, None, "") if landed else again(world, out)

    def mend(world: World, out: Path) -> None:
        shutil.copyfile(world.base / place(world), out / place(world))

    what = f"{name}, run --landed" if landed else name
    return Trial("corrupted file", what, disturb, says="restore", mend=mend)


def batch_lost(world: World, out: Path) -> Ended:
    shutil.rmtree(next((out / "landing").glob("batch-*")))
    return again(world, out)


def batch_restored(world: World, out: Path) -> None:
    shutil.rmtree(out / "landing")
    shutil.copytree(world.base / "landing", out / "landing")


def ledger_lost(world: World, out: Path) -> Ended:
    shutil.rmtree(out / "ledger")
    return again(world, out)


def ledger_restored(world: World, out: Path) -> None:
    """What the page of operation says: put the backup in its place; the run that follows is the one of the trial."""
    shutil.rmtree(out / "ledger", ignore_errors=True)
    shutil.copytree(world.base / "ledger", out / "ledger")


def held(mode: str) -> Trial:
    """The published warehouse open in another process all the while."""

    def disturb(world: World, out: Path) -> Ended:
        import sys

        code = (
            "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'reader');"
            "print('held', flush=True); sys.stdin.readline()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(out / "warehouse.duckdb"), mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as holder:  # fmt: skip
            assert holder.stdout is not None
            holder.stdout.readline()
            ended = again(world, out)
            holder.communicate("\n")
        return ended if ended.status == 0 else Ended(70, ended.said)

    return Trial("file locked", f"by a {mode}", disturb, may_succeed=True)


def spoilt(name: str, how: str) -> Trial:
    """A file that is damaged before the run begins; the run must make it good by itself or say what to do."""

    def disturb(world: World, out: Path) -> Ended:
        file = (out / name).resolve()
        content = file.read_bytes()
        middle = len(content) // 2
        file.write_bytes({
            "empty": b"",
            "cut": content[:middle],
            "overwritten": content[: middle // 2] + os.urandom(middle) + content[middle // 2 + middle :],
            "header": os.urandom(4096) + content[4096:],
        }[how])  # fmt: skip
        told = in_child(lambda: explain(out)) if name.startswith("warehouse") else ""
        ended = again(world, out)
        if name.startswith("warehouse") and how != "overwritten" and "damaged" not in told:
            return Ended(70, f"reading it was answered by: {told}")
        return ended

    return Trial("corrupted file", f"{name}, {how}", disturb, may_succeed=True)


def damaged(world: World, out: Path) -> Ended:
    """What the page of operation says of a damaged warehouse: a command that reads it says what to do, and doctor the same."""
    (out / "warehouse.duckdb").resolve().write_bytes(b"no database")
    told, named = in_child(lambda: explain(out)), in_child(lambda: wrong_with(out))
    return Ended(1 if told in named else 70, told)


def built_from_landing(world: World, out: Path) -> None:
    ended = world.run(out, None, "", said="landed")
    assert ended.status == 0, ended.last_line


def wrong_with(out: Path) -> str:
    """What `ccm doctor` says is wrong."""
    from pipelines.doctor import examine
    from pipelines.settings import Settings

    return "; ".join(finding.says for finding in examine(Settings(out=out)) if not finding.fine)


def explain(out: Path) -> str:
    """What a command that reads the warehouse says."""
    from pipelines.built import NoWarehouse, open_built
    from pipelines.settings import Settings

    try:
        with open_built(Settings(out=out), "flags.findings") as con:
            con.execute("select count(*) from flags.findings")
    except NoWarehouse as problem:
        return str(problem)
    return "nothing"


def memory(megabytes: int) -> Trial:
    """The process and its children may address so many megabytes only."""

    def prepare() -> None:
        size = megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    return Trial(
        "out of memory",
        f"{megabytes} MB of addresses",
        lambda world, out: again(world, out, prepare),
        may_succeed=megabytes > 1000,
        may_abort=True,
        says="memory",
    )


def engine_memory(limit: str) -> Trial:
    """DuckDB may use no more than this."""

    def prepare() -> None:
        os.environ["CCM_MEMORY_LIMIT"] = limit

    return Trial(
        "out of memory", f"CCM_MEMORY_LIMIT={limit}", lambda world, out: again(world, out, prepare),
        says="memory",
    )  # fmt: skip
