"""Expectations on landed tables, made from the contracts: nothing about a column is said twice."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations.declared import blocks
from expectations.run import Check, Suite

# Without rows in these there is nothing to say about anybody; the others may be empty.
NEEDED = ("beneficiaries", "enrollment_months", "claims")


def unique(columns: list[str], *, blocking: bool) -> Check:
    """No two rows are the same in `columns`, none of which is null.

    Great Expectations' own joins a table to its groups and so holds all its columns, and every key as text, in memory: at 136 million
    diagnoses more than the machine has. Here one number a row is held, and rows whose numbers meet are compared by the key itself.
    """
    key = ", ".join(columns)
    query = (
        f"select count(*) as times from {{batch}} where hash({key}) in"
        f" (select hash({key}) from {{batch}} group by hash({key}) having count(*) > 1)"
        f" group by {key} having count(*) > 1"
    )
    says = f"{key}: a key, in one row only"
    return Check(
        gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, description=says), blocking, says, key
    )


def suite(contract: dict[str, Any]) -> Suite:
    """The suite of one contract table as landed (`contract`: the parsed YAML)."""
    table, blocking = contract["table"], blocks("contract")
    checks = [unique(["batch_id", *contract["key"]], blocking=blocking)]
    if table in NEEDED:
        checks.append(Check(gxe.ExpectTableRowCountToBeBetween(min_value=1), blocking))
    for column in contract["columns"]:
        if column.get("nullable", True) is False:
            checks.append(Check(gxe.ExpectColumnValuesToNotBeNull(column=column["name"]), blocking))
        if "allowed" in column:
            checks.append(
                Check(
                    gxe.ExpectColumnValuesToBeInSet(column=column["name"], value_set=list(column["allowed"])),
                    blocking,
                )
            )
    return Suite(name=f"contract_{table}", schema="main", table=table, checks=checks)
