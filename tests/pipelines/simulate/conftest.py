"""One simulated population, made once and read by all tests of this folder through DuckDB views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from pipelines.simulate import simulate
from pipelines.simulate.parameters import DEFAULTS

PEOPLE, MONTHS, SEED = 15_000, 36, 20_251


@dataclass(frozen=True)
class Population:
    """Views named as the contract tables, `truth_<name>`, `final_claims`, `final_lines`, `codes`."""

    folder: Path
    con: duckdb.DuckDBPyConnection
    record: dict[str, Any]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]


def open_population(folder: Path) -> Population:
    con = duckdb.connect()
    for path in sorted((folder / "extracts").glob("*.parquet")):
        con.execute(f"create view {path.stem} as select * from '{path}'")
    for path in sorted((folder / "truth").glob("*.parquet")):
        con.execute(f"create view truth_{path.stem} as select * from '{path}'")
    listed = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))["conditions"]["list"]
    con.execute("create table codes (condition varchar, code varchar, one_claim boolean, counted boolean)")
    con.executemany(
        "insert into codes values (?, ?, ?, ?)",
        [
            (item["name"], code, item.get("one_claim", False), item.get("counted", True))
            for item in listed
            for code in item["codes"]
        ],
    )
    # Identifiers resolved and final action decided, written again here so that nothing is borrowed.
    con.execute("""
        create view people_ids as
        select distinct b.beneficiary_id as delivered_id,
               coalesce(x.current_beneficiary_id, b.beneficiary_id) as beneficiary_id
        from beneficiaries b left join beneficiary_xref x on x.previous_beneficiary_id = b.beneficiary_id
    """)
    con.execute("""
        create table final_claims as
        with newest as (
            select * from claims where from_date > date '1900-01-01'
            qualify row_number() over (partition by claim_id order by claim_version desc) = 1
        ),
        gone as (select adjusted_claim_id from newest where adjusted_claim_id is not null)
        select n.* exclude (beneficiary_id), i.beneficiary_id
        from newest n join people_ids i on i.delivered_id = n.beneficiary_id
        where n.action <> 'cancellation' and n.claim_id not in (select * from gone)
    """)
    con.execute("""
        create table final_lines as
        select distinct l.*, c.beneficiary_id, c.claim_type,
               date_trunc('month', l.from_date)::date as service_month
        from claim_lines l join final_claims c using (claim_id, claim_version)
    """)
    record = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    return Population(folder=folder, con=con, record=record)


@pytest.fixture(scope="session")
def population(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Population]:
    folder = tmp_path_factory.mktemp("population")
    own = folder / "own.yml"
    own.write_text("window: {chunk_people: 5000}\n", encoding="utf-8")
    simulate(PEOPLE, MONTHS, SEED, folder, parameters=own)
    opened = open_population(folder)
    yield opened
    opened.con.close()
