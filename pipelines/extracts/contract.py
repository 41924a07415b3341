"""The extract contract as objects: one YAML a table in `expectations/contracts/`, checked when loaded."""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipelines.settings import CONTRACTS

TYPES = {
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
}
DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
SENSITIVITIES = ("none", "quasi_identifier", "direct_identifier", "clinical", "financial")
NORMALISATIONS = ("code", "icd_code")
RECEIVED = "received_date"
# What landing adds to every contract table.
PROVENANCE = {
    "batch_id": "VARCHAR",
    "received_date": "DATE",
    "source_file": "VARCHAR",
    "source_row": "BIGINT",
}


class ContractError(ValueError):
    """A contract file that contradicts itself; a fault of the repository, never of a delivery."""


@dataclass(frozen=True)
class Column:
    """One column: its type, what it may hold, how sensitive it is, and what it means."""

    name: str
    type: str
    sensitivity: str
    description: str
    nullable: bool = True
    allowed: tuple[str | int, ...] | None = None
    pattern: str | None = None
    normalise: str | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    not_before: datetime.date | None = None
    not_after: datetime.date | str | None = None
    not_before_column: str | None = None
    first_of_month: bool = False
    unit: str | None = None

    @property
    def duckdb_type(self) -> str:
        """The DuckDB (and Parquet) type that landing writes."""
        if match := DECIMAL.fullmatch(self.type):
            return f"DECIMAL({match[1]},{match[2]})"
        return TYPES[self.type]


@dataclass(frozen=True)
class Parent:
    """Table and columns that a row's same-named columns must be found in, within the batch."""

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """One table: its key, its columns in order, and the table that its rows hang on, if any."""

    table: str
    title: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    parent: Parent | None = None

    def column(self, name: str) -> Column:
        """The column called `name`; raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.table} has no column {name}")

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that every source must have."""
        return tuple(column.name for column in self.columns if not column.nullable)

    @property
    def landed_types(self) -> dict[str, str]:
        """Every column of the landed Parquet file with its DuckDB type, in order."""
        return {column.name: column.duckdb_type for column in self.columns} | PROVENANCE


@cache
def load_contracts(folder: Path = CONTRACTS) -> dict[str, Contract]:
    """All contracts by table name, every table after its parent; raises `ContractError`."""
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.yml"))}
    for contract in found.values():
        if contract.parent is None:
            continue
        if contract.parent.table not in found:
            raise ContractError(f"{contract.table}: its parent {contract.parent.table} has no contract")
        for name in contract.parent.columns:
            if found[contract.parent.table].column(name).type != contract.column(name).type:
                raise ContractError(f"{contract.table}.{name}: another type than in its parent")
    return dict(sorted(found.items(), key=lambda item: (item[1].parent is not None, item[0])))


def contract_version(folder: Path = CONTRACTS) -> str:
    """First 12 hex digits of a checksum over all contract files."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.yml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _read(path: Path) -> Contract:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        parent = content.pop("parent", None)
        contract = Contract(
            **{**content, "key": tuple(content["key"])}
            | {"columns": tuple(_column(item) for item in content["columns"])}
            | {"parent": Parent(parent["table"], tuple(parent["columns"])) if parent else None}
        )
        _check(contract, path.stem)
    except (KeyError, TypeError, AttributeError, yaml.YAMLError, ContractError) as fault:
        raise ContractError(f"{path.name}: {fault}") from None
    return contract


def _check(contract: Contract, name: str) -> None:
    names = [column.name for column in contract.columns]
    if contract.table != name:
        raise ContractError(f"declares the table {contract.table}")
    if len(set(names)) < len(names):
        raise ContractError("names a column twice")
    if clash := set(names) & set(PROVENANCE):
        raise ContractError(f"{sorted(clash)} are landing's own columns")
    for key in contract.key:
        if contract.column(key).nullable:
            raise ContractError(f"the key column {key} may be empty")
    for column in contract.columns:
        if column.not_before_column is not None:
            contract.column(column.not_before_column)


def _column(item: dict[str, Any]) -> Column:
    unknown = set(item) - {field.name for field in fields(Column)}
    if unknown:
        raise ContractError(f"{item.get('name')}: unknown attributes {sorted(unknown)}")
    column = Column(**(item | ({"allowed": tuple(item["allowed"])} if "allowed" in item else {})))
    place = column.name
    if column.type not in TYPES and not DECIMAL.fullmatch(column.type):
        raise ContractError(f"{place}: unknown type {column.type}")
    if column.sensitivity not in SENSITIVITIES:
        raise ContractError(f"{place}: unknown sensitivity {column.sensitivity}")
    if not column.description.strip():
        raise ContractError(f"{place}: no description")
    if column.normalise is not None and (column.normalise not in NORMALISATIONS or column.type != "string"):
        raise ContractError(f"{place}: cannot normalise a {column.type} as {column.normalise}")
    if column.pattern is not None:
        if column.type != "string":
            raise ContractError(f"{place}: a pattern needs a string")
        re.compile(column.pattern)
    is_date = column.type in ("date", "timestamp")
    if is_date and (column.not_before is None or column.not_after is None):
        raise ContractError(f"{place}: a {column.type} needs not_before and not_after")
    if not is_date and (column.not_before or column.not_after or column.not_before_column):
        raise ContractError(f"{place}: date limits on a {column.type}")
    if isinstance(column.not_after, str) and column.not_after != RECEIVED:
        raise ContractError(f"{place}: not_after must be a date or {RECEIVED}")
    return column
