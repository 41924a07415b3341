"""One delivery into landing: read, validate, account for every row, publish the batch in one rename.

A batch is a folder of Parquet files, one a contract table, with a manifest; what did not fit the contract
goes to the batch's quarantine file with its reason. A batch is named after the content of its source files,
so the same delivery lands once. Nothing in landing changes afterwards.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import polars as pl

from pipelines.extracts import archive, detect, mappings, resolution
from pipelines.extracts.advice import quarantine_advice, told
from pipelines.extracts.batch import BatchWriter, LandingError
from pipelines.extracts.contract import contract_version, load_contracts
from pipelines.extracts.delivery import Delivery, UnreadableExtract
from pipelines.extracts.landed import broken_files, manifests, sha256
from pipelines.settings import Settings

__all__ = ["LandedBatch", "LandingError", "land", "quarantine_advice", "told"]

INCOMING = "incoming-"
# Size in bytes, time of change in nanoseconds, number on its disk.
Look = tuple[int, int, int]


@dataclass(frozen=True)
class _Source:
    """A file that the reader reads: its name in the delivery, what it is called in all that is told, its checksum, and how it looked
    before it was read."""

    path: Path
    name: str
    called: str
    sha256: str
    look: Look


@dataclass(frozen=True)
class LandedBatch:
    """What a delivery became. `recognised`: what showed its format. `counts`: contract table -> rows in, landed and quarantined."""

    batch_id: str
    already_landed: bool
    format: str
    recognised: str
    received_date: datetime.date
    folder: Path
    counts: dict[str, dict[str, int]]
    reasons: dict[str, dict[str, int]]

    @property
    def rows_in(self) -> int:
        """Rows of all contract tables, the unreadable lines included."""
        return sum(count["rows_in"] for count in self.counts.values())

    @property
    def rows_landed(self) -> int:
        """Rows that fitted the contract."""
        return sum(count["rows_landed"] for count in self.counts.values())

    @property
    def rows_quarantined(self) -> int:
        """Rows that did not, each with its reason in the quarantine file."""
        return sum(count["rows_quarantined"] for count in self.counts.values())


def land(
    folder: Path,
    settings: Settings,
    *,
    format: str = "auto",
    received: datetime.date | None = None,
    mapping: Path | None = None,
) -> LandedBatch:
    """Land the delivery in `folder`, which may be or hold a zip archive; a batch of it is returned unchanged.

    `mapping` is read as if it lay in the delivery (docs/formats.md). `received` (default: today) is the day the delivery arrived: dates of service after it are refused, and a
    run `as of` an earlier day does not see the batch. Raises `UnreadableExtract` where a file cannot be read
    and `LandingError` where rows would be lost; either way nothing of the delivery is left behind.
    """
    found = archive.archives(folder)
    also = {} if mapping is None else {f"{mapping.name.split('.')[0]}{mappings.ENDING}": mapping}
    # A folder is looked at before anything is made, an archive when it is unpacked.
    chosen = None if found or also else _chosen(folder, format)
    try:
        for private in (settings.out, settings.landing, settings.quarantine):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _only_writer(settings.landing), contextlib.ExitStack() as opened:
            _clear_killed(settings)
            refuse_broken(settings)
            if chosen is None:
                beside = settings.landing / f"{INCOMING}unpacked"
                folder = opened.enter_context(archive.unpacked(folder, found, beside, also))
                chosen = _chosen(folder, format)
            module, sources = chosen
            batch_id = _batch_id(module.NAME, {source.name: source.sha256 for source in sources})
            target = settings.landing / batch_id
            already_landed = target.exists()
            if not already_landed:
                _land(folder, module, settings, batch_id, received or _today(settings), sources)
    except OSError as fault:
        raise LandingError(f"cannot write under {settings.out} ({fault.strerror})") from None
    return _described(target, already_landed=already_landed)


def _today(settings: Settings) -> datetime.date:
    """The clock's day, unless a delivery was received after it: then the clock is wrong, or was."""
    today = datetime.date.today()
    newest = max((manifest["received_date"] for manifest in manifests(settings)), default="")
    if newest > today.isoformat():
        raise LandingError(
            f"the clock says {today}, but a delivery was received on {newest}: set the clock right, or say --received"
        )
    return today


def clear_killed(settings: Settings) -> None:
    """Remove what killed landings left, which are patients' rows; waits where another process lands."""
    if settings.landing.exists():
        with _only_writer(settings.landing):
            _clear_killed(settings)


def refuse_broken(settings: Settings, *, to_the_end: bool = False) -> None:
    """Nothing is built on landed files that are damaged (`to_the_end`: also within), gone, or of another version; raises LandingError."""
    broken = broken_files(settings, to_the_end=to_the_end)
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise LandingError(
            f"{broken[0]}{more} damaged or gone: restore landing/ from the backup,"
            " or land the deliveries again into a new --out folder"
        )
    _refuse_other_contracts(settings)


def _refuse_other_contracts(settings: Settings) -> None:
    """Models read all batches as one: raises LandingError where one lacks a table or column of today's contract."""
    for batch in sorted(settings.landing.glob("batch-*")):
        for table, contract in load_contracts().items():
            file = batch / f"{table}.parquet"
            held = set(pl.read_parquet_schema(file)) if file.exists() else set()
            lacking = [column.name for column in contract.columns if column.name not in held]
            if lacking:
                what = f"no column {lacking[0]} in {table}" if held else f"no table {table}"
                raise LandingError(
                    f"{batch.name} was landed by another version, with {what};"
                    f" land its delivery and all others again into a new --out folder"
                )


def _clear_killed(settings: Settings) -> None:
    """Remove what landings left that were killed: unfinished batches, and the quarantine of one never published."""
    for stale in settings.landing.glob(f"{INCOMING}*"):
        shutil.rmtree(stale)
    for quarantine in settings.quarantine.glob("batch-*.parquet"):
        if not (settings.landing / quarantine.stem).exists():
            quarantine.unlink()


def _chosen(folder: Path, format: str) -> tuple[ModuleType, list[_Source]]:
    """The reader for `folder`, and each file that it reads."""
    module = detect.choose(folder, format)
    called = detect.called(module, folder)
    looks = {path: _look(path, called[path]) for path in detect.sources(module, folder)}
    return module, [
        _Source(path, str(path.relative_to(folder)), called[path], _sha256(path, called[path]), look)
        for path, look in looks.items()
    ]


def _look(path: Path, called: str) -> Look:
    """What changes when a file is written anew, also with as many bytes; raises UnreadableExtract where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        raise UnreadableExtract(called, "the file changed while it was read") from None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _land(
    folder: Path,
    module: ModuleType,
    settings: Settings,
    batch_id: str,
    received: datetime.date,
    sources: list[_Source],
) -> None:
    incoming = settings.landing / f"{INCOMING}{batch_id}"
    incoming.mkdir(mode=0o700)
    try:
        scratch = incoming / "scratch"
        scratch.mkdir(mode=0o700)
        checksums = {source.called: source.sha256 for source in sources}
        sizes = {source.called: source.look[0] for source in sources}
        with contextlib.closing(_connect(settings, scratch)) as con:
            # For sources that do not say on which day they describe what they describe.
            con.execute(f"set variable received_date = date '{received}'")
            writer = BatchWriter(con, incoming, batch_id, received, module.NAME)
            delivery = _guarded(lambda: module.read(con, folder), "reading", module.NAME)
            for file in delivery.files:
                if file.name not in checksums:
                    raise UnreadableExtract(file.name, "the file came while the others were read")
            for table in load_contracts():
                _guarded(lambda table=table: writer.write(table, delivery), "validating", table)
            writer.write_files(delivery, checksums)
            writer.write_quarantine(delivery)
            manifest = _manifest(writer, delivery, checksums, sizes)
            manifest["recognised"] = detect.reason(module, folder)
            manifest["resolved"] = _guarded(
                lambda: resolution.find(con, incoming, settings.quarantine, received.isoformat()),
                "comparing",
                "earlier quarantine",
            )
            writer.write_resolved()
        for source in sources:
            if _look(source.path, source.called) != source.look:
                raise UnreadableExtract(source.called, "the file changed while it was read")
        shutil.rmtree(scratch)
        manifest["sha256"] = {path.name: sha256(path) for path in sorted(incoming.glob("*.parquet"))}
        (incoming / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        for path in incoming.iterdir():
            path.chmod(0o600)
        (incoming / "quarantine.parquet").replace(settings.quarantine / f"{batch_id}.parquet")
        incoming.rename(settings.landing / batch_id)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _connect(settings: Settings, scratch: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(
        str(scratch / "extracts.duckdb"),
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": False,
        },
    )
    con.execute("set timezone = 'UTC'")
    return con


def _manifest(
    writer: BatchWriter, delivery: Delivery, checksums: dict[str, str], sizes: dict[str, int]
) -> dict[str, Any]:
    return {
        "batch_id": writer.batch_id,
        "received_date": writer.received.isoformat(),
        "format": writer.format,
        "contract_version": contract_version(),
        "software": {
            "python": platform.python_version(),
            "duckdb": duckdb.__version__,
            "ccm-warehouse": _own_version(),
        },
        "files": [
            {
                "name": source.name,
                "sha256": checksums[source.name],
                "bytes": sizes[source.name],
                "encoding": source.encoding,
                "unknown_columns": list(source.unknown_columns),
                "missing_columns": list(source.missing_columns),
                "passed_over": dict(source.passed_over),
            }
            | writer.file_counts[source.name]
            for source in delivery.files
        ],
        "ignored_files": dict(delivery.ignored),
        "notes": list(delivery.notes),
        "tables": writer.counts,
        "quarantine_reasons": writer.reasons,
    }


def _described(folder: Path, *, already_landed: bool) -> LandedBatch:
    manifest = json.loads((folder / "manifest.json").read_text())
    return LandedBatch(
        batch_id=manifest["batch_id"],
        already_landed=already_landed,
        format=manifest["format"],
        recognised=manifest.get("recognised", ""),
        received_date=datetime.date.fromisoformat(manifest["received_date"]),
        folder=folder,
        counts=manifest["tables"],
        reasons=manifest["quarantine_reasons"],
    )


def _guarded(action: Any, doing: str, what: str) -> Any:
    """Run `action`; an engine error becomes one without the engine's text, which may quote a row."""
    try:
        return action()
    except duckdb.OutOfMemoryException:
        raise LandingError(
            f"{doing} {what}: more memory is needed than CCM_MEMORY_LIMIT allows, or the disk is full"
        ) from None
    except duckdb.Error as fault:
        raise LandingError(f"{doing} {what}: the engine stopped with {type(fault).__name__}") from None


def _batch_id(name: str, checksums: dict[str, str]) -> str:
    digest = hashlib.sha256(name.encode())
    for file, checksum in sorted(checksums.items()):
        digest.update(f"\0{file}\0{checksum}".encode())
    return f"batch-{digest.hexdigest()[:12]}"


def _sha256(path: Path, called: str) -> str:
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as fault:
        raise UnreadableExtract(called, f"cannot be opened ({fault.strerror})") from None


@contextlib.contextmanager
def _only_writer(landing: Path) -> Iterator[None]:
    """Wait until no other process lands here; the lock goes with the process, so it cannot be left behind."""
    lock = landing / ".lock"
    with lock.open("w") as handle:
        lock.chmod(0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _own_version() -> str:
    try:
        return version("ccm-warehouse")
    except Exception:
        return "unknown"
