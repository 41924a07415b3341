"""Recognisable values in every sensitive column, and a search for them in everything that a run writes beside patients' data."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import polars as pl

from pipelines.extracts.contract import Column, load_contracts

MARK = "CANARY"
# Values that fit their column, so that they land and go through every model; none occurs by chance.
BIRTH_DATE, AMOUNT, DIAGNOSIS = "1903-07-19", "98765.43", "Z9Q8X7K"
NEEDLES = (MARK, BIRTH_DATE, AMOUNT, DIAGNOSIS)
# Where patients' data may lie: landing without its manifests, the warehouse and what is cut out of it by person.
PERSONAL = ("landing", "quarantine", "ledger", "published", "building", "backfill", "simulated")
# How deep a publication lies in each folder that holds some.
PUBLICATIONS = {"published": 2, "building": 1, "backfill": 2}
PUBLISHABLE_TABLES = (
    *(f"disparity_{name}.parquet" for name in ("measures", "gradients", "parts", "places")),
    "outreach_fairness.parquet",
    "quarantine_summary.parquet",
)


def plant(extracts: Path) -> None:
    """Mark every identifier of a folder of the contract's Parquet files, set recognisable values in its first rows, and add a row
    a table whose sensitive columns hold what does not fit them."""
    for table, contract in load_contracts().items():
        sensitive = [column for column in contract.columns if column.sensitivity != "none"]
        path = extracts / f"{table}.parquet"
        if path.exists():
            frame = pl.read_parquet(path)
            for column in sensitive:
                frame = frame.with_columns(marked(column, frame.schema.get(column.name), frame.height))
            frame.write_parquet(path)
        if sensitive:
            bad = {column.name: fitting(column) for column in contract.columns}
            bad |= {column.name: f"{MARK}_BAD_{column.name}" for column in sensitive}
            pl.DataFrame([bad]).write_csv(extracts / f"{table}-more.csv")


def marked(column: Column, kind: pl.DataType | None, rows: int) -> list[pl.Expr]:
    """How a column of Parquet is marked: identifiers all, one value of a kind that is rare enough to be recognised."""
    if kind is None or rows == 0:
        return []
    if column.sensitivity == "direct_identifier" and kind == pl.String:
        return [pl.concat_str(pl.lit(MARK), column.name).alias(column.name)]
    rare = {"birth_date": BIRTH_DATE, "diagnosis_code": DIAGNOSIS, "paid_usd": AMOUNT}.get(column.name)
    if rare is None:
        return []
    is_first = pl.int_range(rows) == 0
    value = pl.lit(rare).str.to_date() if kind == pl.Date else pl.lit(rare).cast(kind)
    return [pl.when(is_first).then(value).otherwise(column.name).alias(column.name)]


def fitting(column: Column) -> str:
    """A value that the column's contract allows; in a sensitive column one that is searched for, where it allows that."""
    if column.allowed:
        return str(column.allowed[0])
    if column.name == "birth_date":
        return BIRTH_DATE
    if column.name == "diagnosis_code":
        return DIAGNOSIS
    if column.type == "date":
        return "2025-06-01" if "month" in column.name or "start" in column.name else "2025-06-02"
    if column.type == "timestamp":
        return "2025-06-02 10:00:00"
    if column.type == "boolean":
        return "false"
    if column.type.startswith("decimal"):
        return AMOUNT if column.sensitivity == "financial" else "1"
    if column.type == "integer":
        return "1"
    if column.pattern:
        return of_pattern(column.pattern)
    return f"{MARK}_{column.name}"


def of_pattern(pattern: str) -> str:
    """A text of the kind `[0-9A-Z]{3,7}` that the contracts' patterns describe."""
    kind = re.fullmatch(r"\[(?P<of>[^\]]+)\]\{(?P<least>\d+)(,\d*)?\}", pattern)
    assert kind is not None, pattern
    made = ("9" if "0-9" in kind["of"] else "W") * int(kind["least"])
    assert re.fullmatch(pattern, made)
    return made


def leaks(*written: str, folders: tuple[Path, ...] = ()) -> list[str]:
    """Where a planted value stands: `written` texts by their place in the call, and files of the output folders `folders`.

    A folder's person-level parts are passed over; what may be published of them is not.
    """
    found = [f"text {place}" for place, text in enumerate(written) if any(one in text for one in NEEDLES)]
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and not is_personal(path.relative_to(folder)):
                found += [f"{path.relative_to(folder)}: {one}" for one in NEEDLES if one in content(path)]
    return found


def is_personal(path: Path) -> bool:
    """Whether patients' data may lie at `path`, relative to an output folder."""
    if path.name in {"manifest.json", "run.json", *PUBLISHABLE_TABLES}:
        return False
    depth = PUBLICATIONS.get(path.parts[0])
    if depth is not None and len(path.parts) > depth:
        kind = path.parts[depth]
        return (kind != "reports" and path.suffix != ".json") or "person-level" in path.parts
    if path.parts[0] == "backfill":
        return False
    # what Spark hands over are tables; what it says of itself is no patient's
    return path.suffix == ".parquet" if path.parts[0] == "spark" else path.parts[0] in PERSONAL


def leaks_in_tables(warehouse: Path) -> list[str]:
    """Tables of a warehouse that are no person's (reports, policy) and hold a planted value all the same."""
    found = []
    with duckdb.connect(str(warehouse), read_only=True) as con:
        tables = con.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name in ('reports', 'policy')"
            " and not exists (select 1 from duckdb_columns() as c where c.schema_name = duckdb_tables.schema_name"
            " and c.table_name = duckdb_tables.table_name and c.column_name = 'beneficiary_id') order by all"
        ).fetchall()
        for schema, table in tables:
            text = "\n".join(map(repr, con.execute(f'from "{schema}"."{table}"').fetchall()))
            found += [f"{schema}.{table}: {one}" for one in NEEDLES if one in text]
    return found


def content(path: Path) -> str:
    """A file's text, also where it is Parquet or written in two bytes a character."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).write_ndjson()
    raw = path.read_bytes()
    return raw.decode("latin-1") + raw.replace(b"\0", b"").decode("latin-1")
