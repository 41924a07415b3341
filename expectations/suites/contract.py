"""Expectations on landed tables, made from the contracts: nothing about a column is said twice."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe

from expectations.declared import blocks
from expectations.run import Check, Suite

# Without rows in these there is nothing to say about anybody; the others may be empty.
NEEDED = ("beneficiaries", "enrollment_months", "claims")


def suite(contract: dict[str, Any]) -> Suite:
    """The suite of one contract table as landed (`contract`: the parsed YAML)."""
    table, blocking = contract["table"], blocks("contract")
    checks = [
        Check(gxe.ExpectCompoundColumnsToBeUnique(column_list=["batch_id", *contract["key"]]), blocking)
    ]
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
