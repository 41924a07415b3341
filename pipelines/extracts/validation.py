"""SQL that turns one table of a delivery into contract rows and faulty rows, made from the contract alone.

Every statement is set-based and streams: values are normalised, converted and judged in one pass, and the
reasons are spelt out only for the rows that have one.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.extracts.contract import RECEIVED, Column, Contract
from pipelines.extracts.delivery import sql_name, sql_text

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER")
FLOATS = ("FLOAT", "DOUBLE")
# Ends of a timestamp that say it is not the practice's wall clock.
UTC_OFFSET = "(?i)([+-][0-9]{2}(:?[0-9]{2})?|z|utc|gmt)$"
TYPE_FAULTS = {
    "date": ("not_a_date", "a date as YYYY-MM-DD"),
    "timestamp": ("not_a_timestamp", "a local time as YYYY-MM-DD HH:MM:SS"),
    "integer": ("not_a_number", "a whole number"),
    "boolean": ("not_a_boolean", "true or false"),
}


@dataclass(frozen=True)
class Fault:
    """One way in which a column can break its contract: `condition` is SQL over the judged columns."""

    column: str
    reason: str
    expected: str
    condition: str


@dataclass(frozen=True)
class Validation:
    """`clean`: select of the contract's columns plus source_file, source_row; `faulty`: of quarantine rows.

    `faulty` yields source_file, source_row, column_name, reason, detail, source_text.
    """

    clean: str
    faulty: str


def validate(
    contract: Contract, relation: str, source_types: Mapping[str, str], received: datetime.date
) -> Validation:
    """Statements for `relation`, whose columns (as spelt there) have `source_types` (DuckDB names).

    A column that already has the contract's type is not converted. Columns that the source lacks are null.
    """
    spelt = {name.lower(): name for name in source_types}
    given, judged, faults = [], [], []
    for place, column in enumerate(contract.columns):
        source = spelt.get(column.name.lower())
        raw, value = f"given_{place}", f"value_{place}"
        if source is None:
            given.append(f"null::{column.duckdb_type} as {raw}")
            judged.append(f"{raw} as {value}")
        else:
            read, converted = _convert(column, raw, sql_name(source), source_types[source])
            given.append(f"{read} as {raw}")
            judged.append(f"{converted} as {value}")
        faults.extend(_faults(contract, column, source_types.get(source or "", ""), raw, value, received))
    any_fault = " or ".join(f"({fault.condition})" for fault in faults)
    base = f"""
        select *, coalesce({any_fault}, false) as is_faulty
        from (
            select *, {", ".join(judged)}
            from (select {", ".join(given)}, source_file, source_row from {relation})
        )"""
    columns = ", ".join(
        f"value_{place} as {sql_name(column.name)}" for place, column in enumerate(contract.columns)
    )
    as_delivered = ", ".join(
        f"{sql_text(column.name)}, given_{place}" for place, column in enumerate(contract.columns)
    )
    return Validation(
        clean=f"select {columns}, source_file, source_row from ({base}) where not is_faulty",
        faulty=f"""
            select source_file, source_row,
                   case {_choose(faults, "column")} end as column_name,
                   case {_choose(faults, "reason")} end as reason,
                   concat_ws('; ', {_details(faults)}) as detail,
                   json_object({as_delivered})::varchar as source_text
            from ({base}) where is_faulty""",
    )


def repeated_keys(contract: Contract, rows: str) -> str:
    """Hashes of keys that stand on more than one row: small, so that the exact look is at few rows."""
    return f"select {_key_hash(contract)} as key_hash from {rows} group by key_hash having count(*) > 1"


def judged_duplicates(contract: Contract, rows: str, hashes: str) -> str:
    """Rows of `rows` (which has file_row_number) that may not land because of their key, with the reason.

    Identical rows: all but the first in file order. Rows that differ under one key: every one of them.
    """
    key = ", ".join(sql_name(name) for name in contract.key)
    content = ", ".join(sql_name(column.name) for column in contract.columns)
    return f"""
        select file_row_number,
               case when same_rows = key_rows then 'duplicate_row' else 'conflicting_key' end as reason
        from (
            select file_row_number,
                   count(*) over (partition by {key}) as key_rows,
                   count(*) over (partition by {content}) as same_rows,
                   row_number() over (
                       partition by {content} order by source_file, source_row, file_row_number
                   ) as occurrence
            from {rows}
            where {_key_hash(contract)} in (select key_hash from {hashes})
        )
        where key_rows > 1 and (same_rows < key_rows or occurrence > 1)"""


def orphans(contract: Contract, rows: str, parents: str) -> str:
    """Places (file_row_number) of the rows whose parent is not among `parents`."""
    if contract.parent is None:
        raise ValueError(f"{contract.table} has no parent")
    same = " and ".join(
        f"parents.{sql_name(name)} = children.{sql_name(name)}" for name in contract.parent.columns
    )
    return f"""
        select children.file_row_number, 'parent_missing' as reason
        from {rows} as children anti join {parents} as parents on {same}"""


def _key_hash(contract: Contract) -> str:
    return f"hash({', '.join(sql_name(name) for name in contract.key)})"


def _convert(column: Column, raw: str, source: str, source_type: str) -> tuple[str, str]:
    """Expression that reads the source column as `raw`, and one that turns `raw` into the value."""
    target = column.duckdb_type
    text = f"nullif(trim({source}{'' if source_type == 'VARCHAR' else '::varchar'}), '')"
    if column.type == "string":
        return text, _normalise(column, raw)
    if source_type == target:
        return source, raw
    if source_type in FLOATS and column.type != "boolean":
        return f"case when not isnan({source}) then {source} end", f"try_cast({raw} as {target})"
    numeric = source_type in NUMBERS or source_type.startswith("DECIMAL")
    instant = source_type == "DATE" or (source_type.startswith("TIMESTAMP") and "ZONE" not in source_type)
    if (numeric and column.type not in ("date", "timestamp")) or (
        instant and column.type in ("date", "timestamp")
    ):
        return source, f"try_cast({raw} as {target})"
    if column.type == "integer":
        digits = f"case when regexp_full_match({raw}, '[+-]?[0-9]+([.]0*)?') then {raw} end"
        return text, f"try_cast({digits} as {target})"
    if column.type in ("date", "timestamp"):
        # Words that the engine takes for dates ('epoch', 'infinity') begin with a letter.
        return text, f"try_cast(case when {raw} < ':' then {raw} end as {target})"
    return text, f"try_cast({raw} as {target})"


def _normalise(column: Column, value: str) -> str:
    if column.normalise == "code":
        return f"upper({value})"
    if column.normalise == "icd_code":
        return f"nullif(upper(replace(replace({value}, '.', ''), ' ', '')), '')"
    return value


def _faults(
    contract: Contract, column: Column, source_type: str, raw: str, value: str, received: datetime.date
) -> list[Fault]:
    """Everything that can be wrong with one column, the most basic first."""
    found: list[tuple[str, str, str]] = []
    if not column.nullable:
        found.append(("missing_required", "a value", f"{raw} is null"))
    if column.type == "timestamp" and source_type != column.duckdb_type:
        found.append(
            (
                "not_local_time",
                "the practice's local time without a UTC offset",
                f"regexp_matches(substr({raw}::varchar, 11), '{UTC_OFFSET}')",
            )
        )
    if column.type != "string":
        reason, expected = TYPE_FAULTS.get(column.type, ("not_a_number", f"a number as {column.type}"))
        found.append((reason, expected, f"{raw} is not null and {value} is null"))
        if column.type == "integer" and (source_type in FLOATS or source_type.startswith("DECIMAL")):
            found.append((reason, expected, f"{value} <> {raw}"))
    elif column.normalise == "icd_code" and not column.nullable:
        found.append(("missing_required", "a value", f"{raw} is not null and {value} is null"))
    if column.allowed is not None:
        options = ", ".join(sql_text(item) if isinstance(item, str) else str(item) for item in column.allowed)
        listed = ", ".join(str(item) for item in column.allowed)
        found.append(("not_allowed", f"one of {listed}", f"{value} not in ({options})"))
    if column.pattern is not None:
        found.append(
            (
                "pattern",
                f"text like {column.pattern}",
                f"not regexp_full_match({value}, {sql_text(column.pattern)})",
            )
        )
    if column.minimum is not None:
        found.append(("below_minimum", f"at least {column.minimum}", f"{value} < {column.minimum}"))
    if column.maximum is not None:
        found.append(("above_maximum", f"at most {column.maximum}", f"{value} > {column.maximum}"))
    if column.not_before is not None:
        found.append(
            (
                "before_earliest",
                f"{column.not_before} or later",
                f"{value} < date '{column.not_before}'",
            )
        )
    if column.not_after is not None:
        is_received = column.not_after == RECEIVED
        last = column.not_after if isinstance(column.not_after, datetime.date) else received
        # after the last day that there is comes nothing
        if last < datetime.date.max:
            found.append(
                (
                    "after_received" if is_received else "after_latest",
                    "not after the day the delivery was received" if is_received else f"{last} or earlier",
                    f"{value} >= date '{last + datetime.timedelta(days=1)}'",
                )
            )
    if column.not_before_column is not None:
        names = [other.name for other in contract.columns]
        other = f"value_{names.index(column.not_before_column)}"
        found.append(
            (
                f"before_{column.not_before_column}",
                f"not before {column.not_before_column}",
                f"{value} < {other}",
            )
        )
    if column.first_of_month:
        found.append(("not_first_of_month", "the first day of a month", f"day({value}) <> 1"))
    return [Fault(column.name, reason, expected, condition) for reason, expected, condition in found]


def _choose(faults: list[Fault], attribute: str) -> str:
    return " ".join(f"when {fault.condition} then {sql_text(getattr(fault, attribute))}" for fault in faults)


def _details(faults: list[Fault]) -> str:
    return ", ".join(
        f"case when {fault.condition} then "
        f"{sql_text(f'{fault.column}: {fault.reason}, expected {fault.expected}')} end"
        for fault in faults
    )
