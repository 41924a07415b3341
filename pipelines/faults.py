"""What stopped a run, in one line that says what to do: faults of the machine told apart from faults of the data.

Errors of engines quote rows. So their texts are only searched for the marks of known faults, and what is told is the text here.
"""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A kind of fault: what it says, whether trying again later may help, and the marks of it in the texts of engines."""

    name: str
    says: str
    is_transient: bool
    marks: re.Pattern[str]


def _fault(name: str, says: str, marks: str, *, transient: bool = False) -> Fault:
    return Fault(name, says, transient, re.compile(marks, re.IGNORECASE))


# The first that fits is told: a full disk also shows as a failed write, a lack of memory as a failed step.
FAULTS = (
    _fault(
        "disk_full",
        "the disk is full: free space there (a run needs about twice what the last one left) and run again",
        r"no space left on device|disk is full|disk quota exceeded|\bENOSPC\b|file too large"
        r"|max_temp_directory_size",
    ),
    _fault(
        "out_of_memory",
        "more memory was needed than there is: raise CCM_MEMORY_LIMIT, lower CCM_THREADS, or free memory, and run again",
        r"out of memory|OutOfMemory|failed to allocate|could not allocate|cannot allocate memory|MemoryError|exit code `?-9\b"
        r"|can't start new thread|bad[ _]alloc",
    ),
    _fault(
        "locked",
        "another process holds a file that the run must write: close it (or wait) and run again",
        r"could not set lock on file|conflicting lock|database is locked",
        transient=True,
    ),
    _fault(
        "not_writable",
        "the output folder cannot be written: make it writable, or use another --out",
        r"read-only file system|permission denied|operation not permitted|readonly database",
    ),
    _fault(
        "damaged",
        "a file is damaged: see `ccm doctor`, which names it; a damaged warehouse is built anew by the next run",
        r"not a valid duckdb database|corrupt|checksum|failed to deserialize|no magic bytes|TProtocolException"
        r"|database disk image is malformed|file is not a database|invalid parquet|parquet file.{0,80}(truncated|too small)",
    ),
    _fault(
        "vanished",
        "a file went away or changed while it was read: deliver it again whole and run again",
        r"no such file or directory|no files found that match|the file changed while it was read"
        r"|the file came while the others were read|stale file handle",
        transient=True,
    ),
    _fault(
        "storage",
        "a database under the output folder cannot be opened: the disk is full, or the folder cannot be written;"
        " see to that and run again",
        r"unable to open database file|disk i/o error",
    ),
    _fault(
        "input_output",
        "the disk or the network share reported an error: check it and run again",
        r"input/output error|connection timed out|host is down|transport endpoint",
        transient=True,
    ),
)
_BY_NUMBER = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.ENOMEM: "out_of_memory",
    errno.EROFS: "not_writable",
    errno.EACCES: "not_writable",
    errno.EPERM: "not_writable",
    errno.ENOENT: "vanished",
    errno.ESTALE: "vanished",
    errno.EIO: "input_output",
}


def diagnose(texts: Iterable[str]) -> Fault | None:
    """The known fault that the texts of errors bear the marks of; None where they bear none. The texts go nowhere else."""
    joined = "\n".join(texts)
    return next((fault for fault in FAULTS if fault.marks.search(joined)), None)


def of_error(problem: BaseException) -> Fault | None:
    """The known fault behind an exception or what caused it."""
    chain: list[BaseException] = []
    one: BaseException | None = problem
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or one.__context__
    for error in chain:
        if isinstance(error, OSError) and error.errno in _BY_NUMBER:
            return named(_BY_NUMBER[error.errno])
        if isinstance(error, MemoryError):
            return named("out_of_memory")
    return diagnose(f"{type(error).__name__}: {error}" for error in chain)


def named(name: str) -> Fault:
    return next(fault for fault in FAULTS if fault.name == name)


def is_from_outside(problem: BaseException) -> bool:
    """Whether an exception comes from the machine or an engine rather than from the project's own code."""
    return isinstance(problem, OSError | MemoryError | sqlite3.Error) or of_error(problem) is not None


def where(problem: BaseException) -> str:
    """Kind of an error and the place in the project's code where it arose, without its message, which may quote a row."""
    place, step = "", problem.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if "site-packages" not in name and "pipelines" in name:
            place = f" at {name.rpartition('/')[2]}:{step.tb_lineno}"
        step = step.tb_next
    return f"{type(problem).__name__}{place}"
