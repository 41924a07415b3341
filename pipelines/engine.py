"""DuckDB as a run opens it: with the run's limits on memory and threads."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.settings import Settings


def limits(settings: Settings) -> dict[str, str]:
    """What every connection of a run sets. DuckDB's own default is four fifths of the machine, whatever else runs on it."""
    return {"memory_limit": settings.memory_limit, "threads": str(settings.threads)}


def connect(
    settings: Settings, database: Path | None = None, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open `database`, which spills beside itself, or one in memory, which spills into the run's temporary folder.

    Raises duckdb.Error where the file cannot be opened.
    """
    if database is None:
        con = duckdb.connect(config={"temp_directory": str(settings.temporary)})
    else:
        con = duckdb.connect(str(database), read_only=read_only)
    for name, value in limits(settings).items():
        con.execute(f"set {name} = '{value}'")
    return con
