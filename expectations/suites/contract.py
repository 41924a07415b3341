"""Expectations on landed tables, made from the contracts: nothing about a column is said twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import great_expectations.expectations as gxe

from expectations.declared import blocks
from expectations.run import Check, Suite

if TYPE_CHECKING:
    from pipelines.extracts.contract import Contract

# Without rows in these there is nothing to say about anybody; the others may be empty.
NEEDED = ("beneficiaries", "enrollment_months", "claims")
# Schemas that hold a relation a table: rows that were not asked before, and all rows.
NEW, LANDED = "new", "landed"


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


def suites(contract: Contract) -> list[Suite]:
    """What is asked of one contract table, under one name: of its rows in NEW, and in LANDED whether there are any at all."""
    name = f"contract_{contract.table}"
    made = [Suite(name, NEW, contract.table, of_rows(contract))]
    if contract.table in NEEDED:
        some = Check(gxe.ExpectTableRowCountToBeBetween(min_value=1), blocks("contract"))
        made.append(Suite(name, LANDED, contract.table, [some]))
    return made


def of_rows(contract: Contract) -> list[Check]:
    """Expectations that a batch meets or not whatever other batches hold: its key, what may not be null, allowed values."""
    blocking = blocks("contract")
    checks = [unique(["batch_id", *contract.key], blocking=blocking)]
    for column in contract.columns:
        if not column.nullable:
            checks.append(Check(gxe.ExpectColumnValuesToNotBeNull(column=column.name), blocking))
        if column.allowed is not None:
            allowed = gxe.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.allowed))
            checks.append(Check(allowed, blocking))
    return checks
