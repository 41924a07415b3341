"""The tables that Spark built and those of DuckDB from the same landing, compared row by row.

    .venv/bin/python -m benchmarks.parity WAREHOUSE.duckdb SPARK_WAREHOUSE

prints each table that differs and in which columns; exit status 1 where one does. docs/scale.md says how to build with Spark.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

# Of two doubles that are sums or quotients of the same numbers in another order, relative to the larger one.
TOLERANCE = 1e-9
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


def builds(warehouse: Path, tables: Path) -> list[Compared]:
    """Every table that Spark wrote outside policy (`tables/<schema>.db/<table>/*.parquet`) and that of the same name in DuckDB's
    warehouse; a table that the warehouse lacks has -1 rows there."""
    with duckdb.connect() as con:
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warehouse", type=Path, help="warehouse that DuckDB built")
    parser.add_argument(
        "tables", type=Path, help="folder of the tables that Spark built (CCM_SPARK_WAREHOUSE)"
    )
    chosen = parser.parse_args()
    found = builds(chosen.warehouse, chosen.tables)
    print("\n".join(told(found)))
    return 0 if found and all(one.is_equal for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
