"""The same delivery through the main job on DuckDB and on Spark, and every table of the two compared row by row.

    .venv/bin/python -m benchmarks.parity [--people 1000 --months 12 --seed 3] [--keep FOLDER]

needs what `make spark` installs; prints each table that differs and in which columns, and writes `benchmarks/results/parity.md`. Exit
status 1 where a table differs. Two builds that are there already:

    .venv/bin/python -m benchmarks.parity --built WAREHOUSE.duckdb SPARK_WAREHOUSE

and two runs that are there already, one by each engine:

    .venv/bin/python -m benchmarks.parity --runs OUT OUT_OF_SPARK
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

RESULTS = Path(__file__).resolve().parent / "results"
REPOSITORY = RESULTS.parent.parent
# Of two doubles that are sums or quotients of the same numbers in another order, relative to the larger one.
TOLERANCE = 1e-9
# So few people that compiling a query takes Spark longer than walking through its rows.
FEW_PEOPLE = 10_000
FOR_FEW_ROWS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
FAMILIES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "double"),
}


@dataclass(frozen=True)
class Compared:
    """One table: rows on both sides, columns whose kinds differ, rows that differ (a row that one side lacks counts as one)."""

    name: str
    rows: tuple[int, int]
    kinds: tuple[str, ...]
    differing: int
    columns: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        return not self.kinds and not self.differing and self.rows[0] == self.rows[1]


def kind_of(declared: str) -> str:
    """What must be the same on both engines: `integer` of any width, `double`, a decimal's scale, else the type itself."""
    if declared.startswith("DECIMAL"):
        return f"decimal with {declared.rstrip(')').split(',')[1]} places"
    return FAMILIES.get(declared, declared)


def connect() -> duckdb.DuckDBPyConnection:
    """An engine with the limits of a run."""
    return duckdb.connect(config={"memory_limit": os.environ.get("CCM_MEMORY_LIMIT", "6GB")})


def compare(con: duckdb.DuckDBPyConnection, name: str, left: str, right: str) -> Compared:
    """Two relations that `con` can read, without regard to the order of rows. Doubles may differ by TOLERANCE, nothing else."""

    def columns(relation: str) -> dict[str, str]:
        return {
            row[0]: kind_of(row[1]) for row in con.execute(f"describe select * from {relation}").fetchall()
        }

    def rows(relation: str) -> int:
        row = con.execute(f"select count(*) from {relation}").fetchone()
        return int(row[0]) if row else 0

    here, there = columns(left), columns(right)
    counted = (rows(left), rows(right))
    kinds = tuple(
        f"{column}: {here.get(column, 'missing')} and {there.get(column, 'missing')}"
        for column in sorted({*here, *there})
        if here.get(column) != there.get(column)
    )
    both = [column for column in here if column in there]
    if not kinds and counted[0] == counted[1]:
        summed = [hashes(con, list(here), relation) for relation in (left, right)]
        if summed[0] == summed[1] or not unpaired(con, list(here), left, right):
            return Compared(name, counted, (), 0)
    # Doubles last: rows that are alike in all else are paired by them in order.
    order = ", ".join(sorted(both, key=lambda column: here[column] == "double"))
    differs = {
        column: f"(l.{column} is distinct from r.{column} and not coalesce("
        f"abs(l.{column} - r.{column}) <= {TOLERANCE} * greatest(abs(l.{column}), abs(r.{column}), 1), false))"
        if here[column] == there[column] == "double"
        else f"l.{column} is distinct from r.{column}"
        for column in both
    }
    numbered = "select *, row_number() over (order by {order}) as row_of_all from {relation}"
    counts = ", ".join(f"count(*) filter (where {says})" for says in differs.values())
    found = con.execute(
        f"select count(*) filter (where l.row_of_all is null or r.row_of_all is null or {' or '.join(differs.values())}), {counts}"
        f" from ({numbered.format(order=order, relation=left)}) l"
        f" full join ({numbered.format(order=order, relation=right)}) r using (row_of_all)"
    ).fetchone()
    assert found is not None
    named = tuple(column for column, count in zip(differs, found[1:], strict=True) if count)
    return Compared(name, counted, kinds, int(found[0]), named)


def hashes(con: duckdb.DuckDBPyConnection, columns: list[str], relation: str) -> tuple[Any, ...] | None:
    """Sum and exclusive or of a 64-bit hash a row: where both are the same on two sides, so are the rows, in one pass without memory."""
    row = f"hash({', '.join(columns)})"
    return con.execute(f"select sum({row}), bit_xor({row}) from {relation}").fetchone()


def unpaired(con: duckdb.DuckDBPyConnection, columns: list[str], left: str, right: str) -> int:
    """Groups of identical rows that are not as many on both sides: by hashing, in a fraction of the time that pairing in order takes."""
    named = ", ".join(columns)
    row = con.execute(
        f"select count(*) from (select sum(side) as more from"
        f" (select {named}, 1 as side from {left} union all select {named}, -1 as side from {right}) group by {named} having more <> 0)"
    ).fetchone()
    return int(row[0]) if row else 0


def builds(warehouse: Path, tables: Path) -> list[Compared]:
    """Every table that Spark wrote outside policy (`tables/<schema>.db/<table>/*.parquet`) and that of the same name in DuckDB's
    warehouse; a table that the warehouse lacks has -1 rows there."""
    with connect() as con:
        con.execute(f"attach '{warehouse}' as built (read_only)")
        known = {
            f"{schema}.{table}"
            for schema, table in con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'built'"
            ).fetchall()
        }
        found = []
        for folder in sorted(tables.glob("*.db/*")):
            name = f"{folder.parent.name.removesuffix('.db')}.{folder.name}"
            if folder.parent.name == "policy.db" or not any(folder.glob("*.parquet")):
                continue
            if name in known:
                found.append(compare(con, name, f"built.{name}", f"'{folder}/*.parquet'"))
            else:
                found.append(Compared(name, (-1, 0), (), 0))
        return found


def warehouses(left: Path, right: Path) -> list[Compared]:
    """Every stored table of two warehouses outside policy; one that the second lacks has -1 rows there."""
    with connect() as con:
        tables = {}
        for side, path in (("l", left), ("r", right)):
            con.execute(f"attach '{path}' as {side} (read_only)")
            tables[side] = {
                f"{schema}.{table}"
                for schema, table in con.execute(
                    f"select schema_name, table_name from duckdb_tables() where database_name = '{side}' and schema_name <> 'policy'"
                ).fetchall()
            }
        return [
            compare(con, name, f"l.{name}", f"r.{name}")
            if name in tables["r"]
            else Compared(name, (0, -1), (), 0)
            for name in sorted(tables["l"])
        ]


def told(compared: list[Compared]) -> list[str]:
    """One line a table that is not equal, and a last one of all."""
    lines = [
        f"- {one.name}: {one.rows[0]:,} and {one.rows[1]:,} rows, {one.differing:,} differ"
        + (f" in {', '.join(one.columns)}" if one.columns else "")
        + (f"; kinds: {'; '.join(one.kinds)}" if one.kinds else "")
        for one in compared
        if not one.is_equal
    ]
    equal = [one for one in compared if one.is_equal]
    return [
        *lines,
        f"- {len(equal)} of {len(compared)} tables are equal, {sum(one.rows[0] for one in equal):,} rows",
    ]


def published(left: Path, right: Path) -> list[Compared]:
    """The published tables of two output folders; one that a folder lacks has -1 rows there."""
    names = sorted({path.name for folder in (left, right) for path in (folder / "tables").glob("*.parquet")})
    found = []
    with connect() as con:
        for name in names:
            files = [folder / "tables" / name for folder in (left, right)]
            if all(file.exists() for file in files):
                found.append(compare(con, name.removesuffix(".parquet"), *(f"'{file}'" for file in files)))
            else:
                rows = [0 if file.exists() else -1 for file in files]
                found.append(Compared(name.removesuffix(".parquet"), (rows[0], rows[1]), (), 0))
    return found


def for_few_rows(folder: Path) -> dict[str, str]:
    """Environment in which Spark starts and plans quickly; writes its configuration into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {value}\n" for name, value in FOR_FEW_ROWS.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines))
    return {
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "CCM_SPARK_MASTER": "local[1]",
        "CCM_SPARK_PARTITIONS": "1",
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }


def whole_job(folder: Path, people: int, months: int, seed: int) -> dict[str, float]:
    """Simulate once and run the main job with each engine into `folder/<engine>`; returns seconds by engine."""
    ccm = [sys.executable, "-m", "pipelines.cli"]
    size = ["--people", str(people), "--months", str(months), "--seed", str(seed)]
    simulated = folder / "simulated"
    environment = {**os.environ, **(for_few_rows(folder / "conf") if people <= FEW_PEOPLE else {})}
    # One key for the pseudonyms of both.
    environment["CCM_PSEUDONYM_KEY"] = "parity"
    subprocess.run([*ccm, "simulate", *size, "--out", str(simulated)], cwd=REPOSITORY, check=True)
    seconds = {}
    for target in ("duckdb", "spark"):
        run = [
            "run",
            "--extracts",
            str(simulated / "extracts"),
            "--received",
            "2026-03-31",
            "--target",
            target,
        ]
        started = time.perf_counter()
        subprocess.run(
            [*ccm, *run, "--out", str(folder / target)], cwd=REPOSITORY, env=environment, check=True
        )
        seconds[target] = time.perf_counter() - started
    return seconds


def both(left: Path, right: Path) -> tuple[list[Compared], list[Compared]]:
    """Published tables and stored tables of two output folders.

    After the run, not as Spark wrote them: what the report tables tell together is hidden in them later.
    """
    return published(left, right), warehouses(left / "warehouse.duckdb", right / "warehouse.duckdb")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    parser.add_argument("--built", type=Path, nargs=2, help="compare these two builds and build nothing")
    parser.add_argument("--runs", type=Path, nargs=2, help="compare the output folders of two runs")
    chosen = parser.parse_args()
    if chosen.built:
        found = builds(*chosen.built)
        print("\n".join(told(found)))
        return 0 if found and all(one.is_equal for one in found) else 1
    if chosen.runs:
        shown, stored = both(*chosen.runs)
        print("\n".join(["Published tables:", *told(shown), "All tables of the warehouse:", *told(stored)]))
        return 0 if shown and all(one.is_equal for one in [*shown, *stored]) else 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        seconds = whole_job(folder, chosen.people, chosen.months, chosen.seed)
        shown, stored = both(folder / "duckdb", folder / "spark")
    lines = [
        "# DuckDB and Spark",
        "",
        f"Written by `benchmarks/parity.py`: {chosen.people:,} people, {chosen.months} months, seed {chosen.seed}; the whole job took"
        f" {seconds['spark'] / seconds['duckdb']:.1f} times as long on Spark (a local session on the same cores).",
        "",
        "Published tables:",
        "",
        *told(shown),
        "",
        "All tables of the warehouse:",
        "",
        *told(stored),
    ]
    (RESULTS / "parity.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines[4:]))
    return 0 if shown and all(one.is_equal for one in [*shown, *stored]) else 1


if __name__ == "__main__":
    sys.exit(main())
