"""One simulated population, made once and read by all tests of this folder through DuckDB views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.simulate import simulate
from pipelines.simulate.opened import open_population

PEOPLE, MONTHS, SEED = 15_000, 36, 20_251


@dataclass(frozen=True)
class Population:
    """A simulated folder, its views (see `pipelines.simulate.opened`) and `truth.json`."""

    folder: Path
    con: duckdb.DuckDBPyConnection
    record: dict[str, Any]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]


@pytest.fixture(scope="session")
def population(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Population]:
    folder = tmp_path_factory.mktemp("population")
    own = folder / "own.yml"
    own.write_text("window: {chunk_people: 5000}\n", encoding="utf-8")
    simulate(PEOPLE, MONTHS, SEED, folder, parameters=own)
    con = open_population(folder)
    record = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    yield Population(folder=folder, con=con, record=record)
    con.close()
