"""Faults of the machine are told by what to do, and never by the text of the engine that met them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from pipelines import faults, ledger, supply_chain
from pipelines.dagster_home import is_sound
from pipelines.pseudonyms import pseudonym
from pipelines.settings import Settings

TEXTS = {
    "disk_full": "IO Error: Could not write file '/x/CANARY': No space left on device",
    "out_of_memory": "Out of Memory Error: failed to allocate data of size 16.0 KiB (CANARY)",
    "locked": 'IO Error: Could not set lock on file "/x": Conflicting lock is held in CANARY (PID 7)',
    "not_writable": "OSError: [Errno 30] Read-only file system: 'CANARY'",
    "damaged": "IO Error: the file 'CANARY' exists, but it is not a valid DuckDB database file!",
    "vanished": "IO Error: No files found that match the pattern 'CANARY'",
    "storage": "(sqlite3.OperationalError) unable to open database file (CANARY)",
    "input_output": "OSError: [Errno 5] Input/output error: 'CANARY'",
}


# What a process that may not have more memory says where no engine is at work.
WITHOUT_ENGINE = (
    "RuntimeError: can't start new thread",
    "std::bad_alloc",
    "[Errno 12] Cannot allocate memory",
)


@pytest.mark.parametrize(
    ("name", "text"), [*TEXTS.items(), *(("out_of_memory", text) for text in WITHOUT_ENGINE)]
)
def test_the_texts_of_engines_are_known_by_their_marks_and_not_repeated(name: str, text: str) -> None:
    fault = faults.diagnose(["something else", text])
    assert fault is not None and fault.name == name
    assert "CANARY" not in fault.says and "\n" not in fault.says


def test_what_bears_no_mark_is_no_fault_of_the_machine() -> None:
    assert faults.diagnose(["Conversion Error: Could not convert string 'CANARY' to INT32"]) is None
    assert not faults.is_from_outside(ValueError("CANARY"))


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EFBIG, "disk_full"),
        (errno.EROFS, "not_writable"),
        (errno.EIO, "input_output"),
    ],
)
def test_an_error_of_the_system_is_known_by_its_number_also_behind_another(number: int, name: str) -> None:
    try:
        try:
            raise OSError(number, "told otherwise")
        except OSError:
            raise ValueError("CANARY") from None
    except ValueError as problem:
        fault = faults.of_error(problem)
    assert fault is not None and fault.name == name


def test_the_real_engine_bears_the_marks(tmp_path: Path) -> None:
    (tmp_path / "broken.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(duckdb.Error) as damaged:
        duckdb.connect(str(tmp_path / "broken.duckdb"))
    with (
        duckdb.connect(config={"memory_limit": "20MB", "temp_directory": ""}) as con,
        pytest.raises(duckdb.Error) as memory,
    ):
        con.execute("select list(range) from range(50_000_000)").fetchall()
    told = [faults.of_error(one.value) for one in (damaged, memory)]
    assert [fault and fault.name for fault in told] == ["damaged", "out_of_memory"]


def test_a_damaged_history_of_dagster_is_noticed(tmp_path: Path) -> None:
    whole, empty, broken = (tmp_path / name for name in ("whole.db", "empty.db", "broken.db"))
    with sqlite3.connect(whole) as con:
        con.execute("create table runs (id)")
    empty.touch()
    broken.write_bytes(b"overwritten" * 1000)
    assert [is_sound(path) for path in (whole, empty, broken)] == [True, True, False]


def test_what_is_damaged_or_gone_in_the_ledger_is_named(tmp_path: Path) -> None:
    made = Settings(out=tmp_path)
    ledger.prepare(made)
    reviews, sightings = (made.ledger / name for name in (ledger.REVIEWS, ledger.SIGHTINGS))
    for name in ("2026-03-31.000001", "2026-03-31.000002", "2026-04-30.000001"):
        shutil.copyfile(sightings / ledger.EMPTY, sightings / f"{name}.parquet")
    shutil.copyfile(reviews / ledger.EMPTY, reviews / "000001.parquet")
    ledger.refuse_broken(made)
    (sightings / "2026-03-31.000001.parquet").unlink()
    (reviews / "000001.parquet").write_bytes(b"PAR1 and no more")
    assert ledger.broken_files(made) == [
        "ledger/finding_reviews/000001.parquet",
        "ledger/finding_sightings/2026-03-31.000001.parquet",
    ]
    with pytest.raises(
        ledger.LedgerDamaged, match=r"^ledger/finding_reviews.* and 1 more damaged or gone: restore"
    ):
        ledger.refuse_broken(made)


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    child = (
        "from pipelines.dbt_process import end_with_parent; import os, time;"
        f"end_with_parent(); open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"]
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    number = int((tmp_path / "pid").read_text())
    for _ in range(200):
        status = Path(f"/proc/{number}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the child lives on")


def test_a_child_whose_parent_is_gone_already_ends() -> None:
    child = "import sys; from pipelines.dbt_process import end_with_parent; end_with_parent(int(sys.argv[1]))"
    statuses = [
        subprocess.run([sys.executable, "-c", child, str(parent)], check=False).returncode
        for parent in (os.getpid(), os.getppid())
    ]
    assert statuses == [0, -signal.SIGKILL]


def test_pseudonyms_are_the_same_in_one_folder_and_others_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Settings(out=tmp_path / "here"), Settings(out=tmp_path / "there")
    name = pseudonym(here, "delivery", "Smith")
    assert name == pseudonym(here, "delivery", "Smith") and len(name) == 16
    assert len({name, pseudonym(there, "delivery", "Smith"), pseudonym(here, "person", "Smith")}) == 3
    assert (here.ledger / "pseudonym.key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("CCM_PSEUDONYM_KEY", "one key for both")
    assert pseudonym(here, "delivery", "Smith") == pseudonym(there, "delivery", "Smith")


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, 0, "0 with known"),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}]}, 1, "a 1: CVE-1"),
        (
            {
                "dependencies": [
                    {"name": "a", "skip_reason": "not found"},
                    {"name": "b", "version": "1", "vulns": []},
                ]
            },
            0,
            "1 that the service does not know",
        ),
        ({"dependencies": [{"name": "a", "skip_reason": "not found"}]}, 0, "knows none of the 1 packages"),
        (None, 0, "not done"),
    ],
)
def test_the_audit_tells_what_it_found_and_where_it_could_not_ask(
    answer: object,
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = json.dumps(answer) if answer else "no connection"
    monkeypatch.setattr(
        supply_chain.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=text, returncode=1)
    )
    assert supply_chain.main(["audit"]) == status
    told = capsys.readouterr()
    assert says in told.out + told.err
