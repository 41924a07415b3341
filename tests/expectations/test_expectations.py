"""Suites come from the contracts, an engine error is never a data failure, and results hold no values."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import great_expectations.expectations as gxe
import pytest
import yaml

from expectations.run import Check, ExpectationEngineError, Outcome, Suite
from expectations.run import run as run_within
from expectations.suites import contract
from pipelines.extracts.contract import load_contracts
from pipelines.settings import CONTRACTS

CANARY = "CANARY-7731"
LIMITS = {"threads": "1", "memory_limit": "100MB"}


def run(database: Path, suites: list[Suite]) -> list[Outcome]:
    return run_within(database, suites, LIMITS)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "things.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create table things (thing_id varchar, colour varchar, batch_id varchar)")
        con.execute(f"insert into things values ('1', 'red', 'b'), ('2', '{CANARY}', 'b'), ('2', null, 'b')")
    return path


def of(*checks: Check) -> list[Suite]:
    return [Suite("things", "main", "things", list(checks))]


def test_each_kind_of_expectation_passes_and_fails_with_its_count(database: Path) -> None:
    suites = of(
        Check(gxe.ExpectColumnValuesToNotBeNull(column="thing_id"), True),
        Check(gxe.ExpectColumnValuesToNotBeNull(column="colour"), True),
        Check(gxe.ExpectColumnValuesToBeInSet(column="colour", value_set=["red", "blue"]), False),
        Check(gxe.ExpectCompoundColumnsToBeUnique(column_list=["batch_id", "thing_id"]), True),
        Check(gxe.ExpectTableRowCountToBeBetween(min_value=4), True),
        Check(
            gxe.UnexpectedRowsExpectation(unexpected_rows_query="select * from {batch} where colour = 'red'"),
            True,
            "nothing is red",
        ),
    )
    found = run(database, suites)
    assert [(one.success, one.unexpected) for one in found] == [
        (True, 0),
        (False, 1),
        (False, 1),
        (False, 2),
        (False, 3),
        (False, 1),
    ]
    assert [one.blocking for one in found] == [True, True, False, True, True, True]
    assert found[-1].says == "nothing is red"


def test_results_hold_counts_and_never_a_value(database: Path) -> None:
    found = run(
        database,
        of(
            Check(gxe.ExpectColumnValuesToBeInSet(column="colour", value_set=["red"]), True),
            Check(gxe.ExpectColumnValuesToBeUnique(column="thing_id"), True),
            Check(gxe.UnexpectedRowsExpectation(unexpected_rows_query="select * from {batch}"), True),
        ),
    )
    assert not any(one.success for one in found)
    assert CANARY not in json.dumps([one.as_dict() for one in found])


def test_an_expectation_that_cannot_be_evaluated_is_an_engine_error_and_not_a_failure(database: Path) -> None:
    with pytest.raises(ExpectationEngineError) as raised:
        run(database, of(Check(gxe.ExpectColumnValuesToNotBeNull(column="no_such_column"), True)))
    assert "could not be evaluated" in str(raised.value)
    assert CANARY not in str(raised.value)


def test_a_query_with_an_error_is_an_engine_error_too(database: Path) -> None:
    with pytest.raises(ExpectationEngineError):
        run(
            database,
            of(
                Check(
                    gxe.UnexpectedRowsExpectation(unexpected_rows_query="select * from {batch} where"), True
                )
            ),
        )


def test_the_file_is_free_for_a_writer_after_a_run(database: Path) -> None:
    run(database, of(Check(gxe.ExpectColumnValuesToNotBeNull(column="thing_id"), True)))
    with duckdb.connect(str(database)) as con:
        con.execute("insert into things values ('3', 'blue', 'b')")


def test_a_key_in_two_rows_is_counted_once_a_key_and_named(database: Path) -> None:
    with duckdb.connect(str(database)) as con:
        con.execute("insert into things values ('1', 'blue', 'c'), ('2', 'grey', 'b'), ('4', 'red', 'c')")
    (twice,) = run(database, of(contract.unique(["batch_id", "thing_id"], blocking=True)))
    (once,) = run(database, of(contract.unique(["batch_id", "thing_id", "colour"], blocking=True)))
    assert (twice.success, twice.unexpected, twice.column) == (False, 1, "batch_id, thing_id")
    assert (once.success, once.unexpected) == (True, 0)


def test_every_query_keeps_to_the_limits_of_the_run(database: Path) -> None:
    query = "select 1 from {batch} where current_setting('threads') <> 1 or current_setting('memory_limit') <> '95.3 MiB'"
    (kept,) = run(database, of(Check(gxe.UnexpectedRowsExpectation(unexpected_rows_query=query), True)))
    assert kept.success


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_contract_makes_a_suite_that_says_what_the_contract_says(path: Path) -> None:
    table = yaml.safe_load(path.read_text())
    of_new, *of_all = contract.suites(load_contracts()[path.stem])
    assert {suite.name for suite in (of_new, *of_all)} == {f"contract_{path.stem}"}
    kinds = [
        (check.expectation.configuration.type, check.expectation.configuration.kwargs)
        for check in of_new.checks
    ]
    required = {c["name"] for c in table["columns"] if c.get("nullable", True) is False}
    assert {k["column"] for kind, k in kinds if kind == "expect_column_values_to_not_be_null"} == required
    allowed = {c["name"]: c["allowed"] for c in table["columns"] if "allowed" in c}
    assert {
        k["column"]: k["value_set"] for kind, k in kinds if kind == "expect_column_values_to_be_in_set"
    } == allowed
    assert [check.columns for check in of_new.checks if check.columns] == [
        ", ".join(["batch_id", *table["key"]])
    ]
    assert len(of_all) == (path.stem in contract.NEEDED)
    assert all(check.blocking for suite in (of_new, *of_all) for check in suite.checks)
