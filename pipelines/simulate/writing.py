"""Tables to files, a chunk at a time: the columns, order and types are those of the contracts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import yaml

from pipelines.settings import CONTRACTS

TYPES = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}


def contract_schemas() -> dict[str, pa.Schema]:
    """Arrow schema of every contract table, columns in the contract's order."""
    schemas = {}
    for path in sorted(CONTRACTS.glob("*.yml")):
        contract = yaml.safe_load(path.read_text(encoding="utf-8"))
        fields = [
            pa.field(column["name"], _type(column["type"]), column.get("nullable", True))
            for column in contract["columns"]
        ]
        schemas[contract["table"]] = pa.schema(fields)
    return schemas


def _type(name: str) -> pa.DataType:
    decimal = re.fullmatch(r"decimal\((\d+),(\d+)\)", name)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else TYPES[name]


def to_arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """`frame` in the types of `schema`; whole numbers become decimals: `_usd` columns hold cents."""
    columns = []
    for field in schema:
        series = frame[field.name]
        if pa.types.is_decimal(field.type):
            scale = 1 if field.name.endswith("_usd") else 10**field.type.scale
            columns.append(_decimals(series, scale, field.type))
        else:
            columns.append(series.to_arrow().cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _decimals(series: pl.Series, scale: int, kind: pa.DataType) -> pa.Array:
    """Exact decimals from whole numbers: a decimal is a 128-bit whole number in units of its last place."""
    valid = series.is_not_null().to_numpy()
    whole = series.fill_null(0).cast(pl.Int64).to_numpy() * scale
    halves = np.empty((len(whole), 2), dtype=np.int64)
    halves[:, 0], halves[:, 1] = whole, whole >> 63
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(whole), [bitmap, pa.py_buffer(halves.tobytes())])


class TableFile:
    """One growing file, Parquet or CSV; what is written depends on the rows and chunks only."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema, self.rows = schema, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            self._writer = pa.csv.CSVWriter(path, schema)
        else:
            texts = [field.name for field in schema if field.type == pa.string()]
            plain = [
                name
                for name in texts
                if not re.search(r"(claim|beneficiary|activity|encounter|group)_id$", name)
            ]
            self._writer = pa.parquet.ParquetWriter(
                path,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=plain,
                write_statistics=True,
            )

    def write(self, frame: pl.DataFrame) -> None:
        self.rows += len(frame)
        self._writer.write(to_arrow(frame, self.schema))

    def close(self) -> None:
        self._writer.close()


class OneFolder:
    """One file a contract table, all in one folder."""

    def __init__(self, folder: Path, schemas: dict[str, pa.Schema], files: str, received: int) -> None:
        self._files = {
            name: TableFile(folder / f"{name}.{files}", schema) for name, schema in schemas.items()
        }
        self._received = received

    def write(self, table: str, frame: pl.DataFrame) -> None:
        self._files[table].write(frame)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: file.rows for name, file in self._files.items()}

    @property
    def described(self) -> list[dict[str, Any]]:
        """Folder, day received and rows of the one delivery."""
        received = str(np.datetime64(self._received, "D"))
        return [{"folder": "extracts", "received": received, "rows": self.rows}]
