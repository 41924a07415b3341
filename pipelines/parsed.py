"""The dbt project as dbt parses it, kept beside the project and taken again by every run that would parse it to the same.

Parsing a thousand files takes longer than building them for a few thousand people. Where a run's files lie is no part of what is parsed:
it stands there as the name of a variable, which `dbt_process` fills in. So what one run has parsed serves any output folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines import dbt_artifacts
from pipelines.dbt_process import PLACES, stands_for
from pipelines.settings import DBT_PROJECT, Settings

# What dbt's parser writes for itself.
PARSED_FILE = "partial_parse.msgpack"
# What of the environment the project's files read while they are parsed, besides the places of files.
READ_WHEN_PARSED = ("CCM_CONDITIONS", "CCM_COMPARE_CONDITIONS", "CCM_RULES_ABOUT")
KEPT = DBT_PROJECT / "target" / "parsed"
# Variants of conditions, proposals, and the versions of the project that were worked on last.
MOST_KEPT = 8
WHOLE = "sha256"


def project_fingerprint() -> str:
    """SHA-256 over the dbt project's files: the version of policy, models and rules that a run used."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.is_file() and path.suffix in {".sql", ".yml", ".csv", ".md"} and "target" not in path.parts:
            digest.update(path.relative_to(DBT_PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def parse_mark(settings: Settings, about: Mapping[str, str]) -> str:
    """Changes whenever dbt would parse the project to something else: its files, dbt, what they read of the environment.

    A run's window is no part of it: `var()` is asked only when a model is compiled.
    """
    environment = {**os.environ, **settings.dbt_environment(), **about}
    told = [environment.get(name) for name in READ_WHEN_PARSED]
    versions = [importlib.metadata.version(name) for name in ("dbt-core", "dbt-duckdb")]
    return hashlib.sha256(json.dumps([project_fingerprint(), told, versions]).encode()).hexdigest()


def take(settings: Settings, target: Path, about: Mapping[str, str] | None = None) -> Path:
    """Copy the project as it is parsed into dbt's folder `target`, manifest and PARSED_FILE; returns the latter's path there.

    about: environment that the project's files read besides that of the settings. Raises RuntimeError where dbt cannot parse.
    """
    target.mkdir(parents=True, exist_ok=True)
    while True:
        folder = parsed(settings, about or {})
        # Another run may just have removed it to make room.
        with contextlib.suppress(FileNotFoundError):
            for name in (dbt_artifacts.MANIFEST, PARSED_FILE):
                shutil.copyfile(folder / name, target / name)
            return target / PARSED_FILE


def parsed(settings: Settings, about: Mapping[str, str]) -> Path:
    """The folder of the project as it stands, parsed only where no run has done so before: beside the project, or where nothing can be
    written there, in the output folder."""
    mark = parse_mark(settings, about)
    for kept in (KEPT, settings.dbt_target / "parsed"):
        if is_whole(kept / mark):
            return kept / mark
    kept = KEPT if can_be_written(KEPT) else settings.dbt_target / "parsed"
    kept.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".", dir=kept))
    try:
        parse(settings, fresh, about)
        (fresh / WHOLE).write_text(sums(fresh))
        shutil.rmtree(kept / mark, ignore_errors=True)  # damaged, or it would have been taken
        # Where another run was quicker, its own is as good.
        with contextlib.suppress(OSError):
            fresh.replace(kept / mark)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    forget(kept, kept / mark)
    return kept / mark


def parse(settings: Settings, folder: Path, about: Mapping[str, str]) -> None:
    """Parse the project into `folder`, with the names of variables where the places of files would stand."""
    from dbt.cli.main import dbtRunner

    where = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    outputs = ["--target-path", str(folder), "--log-path", str(folder)]
    nowhere = {name: stands_for(name) for name in PLACES}
    with temporary_environment({**settings.dbt_environment(), **about, **nowhere}):
        result = dbtRunner().invoke(["--quiet", "parse", *where, *outputs])
    if not result.success:
        raise RuntimeError(f"dbt cannot parse the project: {result.exception}")


def sums(folder: Path) -> str:
    """SHA-256 of both files that are read of a parsed project."""
    digests = [
        hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (dbt_artifacts.MANIFEST, PARSED_FILE)
    ]
    return "\n".join(digests)


def is_whole(folder: Path) -> bool:
    """Whether a parsed project is there as it was written."""
    try:
        return (folder / WHOLE).read_text() == sums(folder)
    except OSError:
        return False


def can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def forget(kept: Path, newest: Path) -> None:
    """Remove all but the parsed projects made last."""
    old = sorted((one for one in kept.iterdir() if one != newest), key=lambda one: one.stat().st_mtime)
    for folder in old[: -(MOST_KEPT - 1)]:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def temporary_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that hold inside the block only."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
