"""Mapping files: which column of a practice's export is which column of the contract, and in what unit.

One YAML a kind of export, described in `docs/formats.md`; those that come with the project lie in `mappings/`.
A mapping is checked against the contract when it is read: a fault names the file, the place and what belongs
there.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipelines.extracts.contract import Column, load_contracts
from pipelines.extracts.delivery import UnreadableExtract

SHIPPED = Path(__file__).with_name("mappings")
ENDING = ".mapping.yml"
UNITS = ("seconds", "minutes", "hh:mm:ss", "mm:ss")
FILLED = "filled"
LISTED = ("code", "count", "place")
OPTIONS = (
    "from",
    "join",
    "value",
    "codes",
    "otherwise",
    "unit",
    "format",
    "utc_to",
    "true_when",
    "checksum_of",
    "listed",
)


@dataclass(frozen=True)
class Source:
    """Where one contract column comes from; see `docs/formats.md` for the options."""

    columns: tuple[str, ...] = ()
    is_joined: bool = False
    value: str | None = None
    codes: MappingType[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    unit: str | None = None
    formats: tuple[str, ...] = ()
    utc_to: str | None = None
    true_when: tuple[str, ...] | None = None
    checksum_of: tuple[str, ...] = ()
    listed: str | None = None


@dataclass(frozen=True)
class TableMapping:
    """One contract table: its columns, a list of codes to take apart, and what must not be there twice."""

    table: str
    columns: MappingType[str, Source]
    list_column: str | None = None
    list_separator: str = ";"
    one_row_per: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """One kind of export: how it is told from others, and the tables that it fills (the first a row a row)."""

    path: Path
    name: str
    recognised_by: tuple[str, ...]
    tables: tuple[TableMapping, ...]
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1
    only_where: MappingType[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the export that is read, once."""
        named = list(self.only_where)
        for table in self.tables:
            named += [table.list_column] if table.list_column else []
            for source in table.columns.values():
                named += [*source.columns, *source.checksum_of]
        return tuple(dict.fromkeys(named))

    def fits(self, header: list[str]) -> bool:
        """Whether a file with these column names is of this kind."""
        present = {name.strip().lower() for name in header}
        return all(name.lower() in present for name in self.recognised_by)


@cache
def shipped() -> tuple[Mapping, ...]:
    """The mappings that come with the project."""
    return tuple(load(path) for path in sorted(SHIPPED.glob("*.yml")))


def load(path: Path) -> Mapping:
    """The mapping in `path`; raises `UnreadableExtract` where it does not fit the contract."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UnreadableExtract(path, f"cannot be opened ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise UnreadableExtract(path, "is not text", expected="YAML as UTF-8") from None
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        raise UnreadableExtract(path, "is not YAML", line=mark.line + 1 if mark else None) from None
    return _Reader(path).mapping(content)


class _Reader:
    """Turns parsed YAML into a mapping; every complaint names the place in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, place: str, problem: str, expected: str | None = None) -> UnreadableExtract:
        return UnreadableExtract(self.path, problem, column=place, expected=expected)

    def mapping(self, content: object) -> Mapping:
        whole = self.block(
            content,
            "the file",
            {"name", "recognised_by", "tables", "delimiter", "sheet", "header_row", "only_where"},
        )
        for needed in ("name", "recognised_by", "tables"):
            if needed not in whole:
                raise self.refuse("the file", f"{needed} is missing")
        tables = self.block(whole["tables"], "tables", set(load_contracts()))
        if not tables:
            raise self.refuse("tables", "fills no table")
        header_row = whole.get("header_row", 1)
        if not isinstance(header_row, int) or header_row < 1:
            raise self.refuse("header_row", "is no row number", "a whole number from 1")
        delimiter = str(whole.get("delimiter", ","))
        if len(delimiter) != 1:
            raise self.refuse("delimiter", "is not one character")
        only_where = {
            str(name): tuple(text.upper() for text in self.texts(values, f"only_where.{name}"))
            for name, values in self.block(whole.get("only_where", {}), "only_where").items()
        }
        return Mapping(
            path=self.path,
            name=str(whole["name"]),
            recognised_by=self.texts(whole["recognised_by"], "recognised_by"),
            tables=tuple(self.table(name, value) for name, value in tables.items()),
            delimiter=delimiter,
            sheet=None if whole.get("sheet") is None else str(whole["sheet"]),
            header_row=header_row,
            only_where=only_where,
        )

    def table(self, name: str, content: object) -> TableMapping:
        block = self.block(content, name, {"columns", "list", "one_row_per"})
        contract = load_contracts()[name]
        known = {column.name for column in contract.columns}
        columns = self.block(block.get("columns"), f"{name}.columns", known)
        absent = [column for column in contract.required if column not in columns]
        if absent:
            raise self.refuse(name, f"these columns are required: {', '.join(absent)}")
        listing = self.block(block.get("list", {}), f"{name}.list", {"column", "separator"})
        if "list" in block and "column" not in listing:
            raise self.refuse(f"{name}.list", "column is missing")
        sources = {
            column: self.source(contract.column(column), value, f"{name}.{column}", bool(listing))
            for column, value in columns.items()
        }
        one_row_per = self.texts(block.get("one_row_per", []), f"{name}.one_row_per")
        if strange := set(one_row_per) - set(columns):
            raise self.refuse(
                f"{name}.one_row_per", f"these columns are not mapped: {', '.join(sorted(strange))}"
            )
        return TableMapping(
            table=name,
            columns=sources,
            list_column=str(listing["column"]) if listing else None,
            list_separator=str(listing.get("separator", ";")),
            one_row_per=one_row_per,
        )

    def source(self, column: Column, content: object, place: str, has_list: bool) -> Source:
        if isinstance(content, str):
            content = {"from": content}
        block = self.block(content, place, set(OPTIONS))
        origins = [name for name in ("from", "join", "value", "checksum_of", "listed") if name in block]
        if len(origins) != 1:
            raise self.refuse(
                place, "says not once where it comes from", "one of from, join, value, checksum_of, listed"
            )
        if "unit" in block and (block["unit"] not in UNITS or column.unit != "seconds"):
            raise self.refuse(place, "has a unit that it cannot have", f"{', '.join(UNITS)}, of a duration")
        if "utc_to" in block and (
            column.type != "timestamp" or str(block["utc_to"]) not in zoneinfo.available_timezones()
        ):
            raise self.refuse(place, "has no such time zone", "a name like America/New_York, of a time")
        if "format" in block and column.type not in ("date", "timestamp"):
            raise self.refuse(place, "has a format but is no date or time")
        if "true_when" in block and column.type != "boolean":
            raise self.refuse(place, "has true_when but is no yes or no")
        if "listed" in block and (block["listed"] not in LISTED or not has_list):
            raise self.refuse(place, "is of a list", f"a list in the table, and {', '.join(LISTED)}")
        codes = {
            str(key).upper(): str(value) for key, value in self.block(block.get("codes", {}), place).items()
        }
        otherwise = None if block.get("otherwise") is None else str(block["otherwise"])
        self.check_values(column, [*codes.values(), otherwise, block.get("value")], place)
        true_when = block.get("true_when")
        return Source(
            columns=self.texts(block.get("from", block.get("join", [])), place),
            is_joined="join" in block,
            value=None if "value" not in block else _plain(block["value"]),
            codes=codes,
            otherwise=otherwise,
            unit=block.get("unit"),
            formats=self.texts(block.get("format", []), place),
            utc_to=block.get("utc_to"),
            true_when=None if true_when is None else tuple(t.upper() for t in self.texts(true_when, place)),
            checksum_of=self.texts(block.get("checksum_of", []), place),
            listed=block.get("listed"),
        )

    def check_values(self, column: Column, values: list[Any], place: str) -> None:
        for value in values:
            if value is None:
                continue
            text = _plain(value)
            if column.allowed is not None and text not in {str(option) for option in column.allowed}:
                listed = ", ".join(str(option) for option in column.allowed)
                raise self.refuse(place, "gives a value that the contract does not allow", f"one of {listed}")
            if column.pattern is not None and not re.fullmatch(column.pattern, text):
                raise self.refuse(
                    place, "gives a value that the contract does not allow", f"text like {column.pattern}"
                )

    def block(self, content: object, place: str, known: set[str] | None = None) -> dict[str, Any]:
        if not isinstance(content, dict):
            raise self.refuse(place, "is not a block of names and values")
        strange = [str(name) for name in content if known is not None and name not in known]
        if strange:
            raise self.refuse(
                place, f"does not know {', '.join(strange)}", f"{', '.join(sorted(known or set()))}"
            )
        return content

    def texts(self, content: object, place: str) -> tuple[str, ...]:
        items = content if isinstance(content, list) else [content]
        if not all(isinstance(item, str | int | float) for item in items):
            raise self.refuse(place, "is not text or a list of texts")
        return tuple(_plain(item) for item in items)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
