"""Which rows that earlier batches set aside have come in, corrected, with a later one."""

from __future__ import annotations

import glob
from pathlib import Path

import duckdb

from pipelines.extracts.contract import Column, Contract, load_contracts
from pipelines.extracts.delivery import sql_name, sql_text

# Rows with these reasons wait for nothing: what they say has landed or was withdrawn.
SETTLED = ("duplicate_row", "sent_twice", "superseded", "deleted_by_source")
Counts = dict[str, dict[str, dict[str, int]]]


def find(con: duckdb.DuckDBPyConnection, batch: Path, quarantine: Path, received: str) -> Counts:
    """Rows set aside by batches received up to `received` of which `batch` has the key: by batch, table, reason.

    `batch`: folder with the batch's Parquet files; `quarantine`: folder with those of the earlier batches. A row
    is known by the contract's key, read from its text as delivered; one whose key cannot be read stays open.
    Leaves the rows in the table `resolved_rows`: batch_id (that set it aside), table_name, source_file, source_row, reason.
    """
    con.execute("""
        create or replace temp table resolved_rows (
            batch_id varchar, table_name varchar, source_file varchar, source_row bigint, reason varchar)""")
    files = sorted(quarantine.glob("batch-*.parquet"))
    if not files:
        return {}
    listed = ", ".join(sql_text(glob.escape(str(path))) for path in files)
    con.execute(f"""
        create or replace temp table set_aside_earlier as
        select batch_id, table_name, source_file, source_row, reason, try_cast(source_text as json) as delivered
        from read_parquet([{listed}], union_by_name = true)
        where reason not in {SETTLED} and received_date <= date '{received}'
            and try_cast(source_text as json) is not null""")
    waiting = con.execute("select distinct table_name from set_aside_earlier order by all").fetchall()
    for (table,) in waiting:
        contract = load_contracts()[table]
        con.execute(f"insert into resolved_rows {_matching(contract, batch / f'{table}.parquet')}")
    found: Counts = {}
    counted = con.execute(
        "select batch_id, table_name, reason, count(*) from resolved_rows group by all order by all"
    )
    for earlier, table, reason, rows in counted.fetchall():
        found.setdefault(earlier, {}).setdefault(table, {})[reason] = int(rows)
    return found


def _matching(contract: Contract, landed: Path) -> str:
    keys = [contract.column(name) for name in contract.key]
    given = ", ".join(f"{_value(column)} as key_{place}" for place, column in enumerate(keys))
    same = " and ".join(
        f"earlier.key_{place} = landed.{sql_name(column.name)}" for place, column in enumerate(keys)
    )
    return f"""
        select earlier.batch_id, '{contract.table}', earlier.source_file, earlier.source_row, earlier.reason
        from (
            select *, {given} from set_aside_earlier where table_name = '{contract.table}'
        ) as earlier
        semi join read_parquet({sql_text(glob.escape(str(landed)))}) as landed on {same}"""


def _value(column: Column) -> str:
    """The column's value in a row as delivered, null where it is none of the column's type."""
    text = f"nullif(trim(delivered->>{sql_text(column.name)}), '')"
    if column.normalise == "code":
        text = f"upper({text})"
    elif column.normalise == "icd_code":
        text = f"upper(replace(replace({text}, '.', ''), ' ', ''))"
    return f"try_cast({text} as {column.duckdb_type})"


def described(counts: Counts) -> list[str]:
    """One line a batch of which rows have come in."""
    lines = []
    for batch, tables in sorted(counts.items()):
        rows = sum(sum(reasons.values()) for reasons in tables.values())
        listed = ", ".join(
            f"{table} {reason} {count}"
            for table, reasons in sorted(tables.items())
            for reason, count in sorted(reasons.items())
        )
        lines.append(f"brought in {rows} rows that {batch} had set aside ({listed})")
    return lines
