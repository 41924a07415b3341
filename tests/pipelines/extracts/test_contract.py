"""The contract files themselves: complete, typed, and refused where they contradict themselves."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.extracts.contract import (
    SENSITIVITIES,
    Contract,
    ContractError,
    contract_version,
    load_contracts,
)
from pipelines.settings import CONTRACTS

ALL = load_contracts()
GOOD = """\
table: things
title: Things
grain: one row a thing
key: [thing_id]
columns:
  - {name: thing_id, type: string, nullable: false, sensitivity: none, description: Its identifier.}
  - {name: seen_date, type: date, not_before: 1965-07-01, not_after: received_date,
     sensitivity: none, description: Day.}
"""


def test_all_tables_of_the_design_have_a_contract() -> None:
    assert set(ALL) == {
        "beneficiaries", "beneficiary_xref", "enrollment_months", "claims", "claim_lines",
        "claim_diagnoses", "encounters", "care_management_time", "consents", "care_plans", "problems", "do_not_contact",
        "providers", "practices", "area_measures", "locality_gpci", "model_rosters", "patient_charges",
    }  # fmt: skip


@pytest.mark.parametrize("contract", ALL.values(), ids=ALL)
def test_every_column_has_a_known_type_a_meaning_and_a_sensitivity(contract: Contract) -> None:
    assert contract.title
    assert contract.grain
    con = duckdb.connect()
    for column in contract.columns:
        assert con.execute(f"select typeof(null::{column.duckdb_type})").fetchone() is not None
        assert column.sensitivity in SENSITIVITIES, column.name
        assert len(column.description) > 3, column.name
        assert column.description.endswith("."), f"{column.name}: the description is cut off?"


@pytest.mark.parametrize("contract", ALL.values(), ids=ALL)
def test_identifiers_of_people_are_marked_as_such(contract: Contract) -> None:
    for column in contract.columns:
        if column.name.endswith("beneficiary_id"):
            assert column.sensitivity == "direct_identifier"


def test_parents_come_before_their_children() -> None:
    order = list(ALL)
    for contract in ALL.values():
        if contract.parent is not None:
            assert order.index(contract.parent.table) < order.index(contract.table)
            assert set(contract.parent.columns) <= set(ALL[contract.parent.table].key)


def read(folder: Path, content: str) -> dict[str, Contract]:
    (folder / "things.yml").write_text(content)
    return load_contracts(folder)


def test_a_good_contract_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD)["things"].required == ("thing_id",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("table: things", "table: others", "declares the table others"),
        ("key: [thing_id]", "key: [seen_date]", "the key column seen_date may be empty"),
        ("key: [thing_id]", "key: [nothing]", "things has no column nothing"),
        ("type: string", "type: text", "thing_id: unknown type text"),
        ("sensitivity: none", "sensitivity: secret", "thing_id: unknown sensitivity secret"),
        (
            "description: Its identifier.",
            "description: Its identifier, as is.",
            r"unknown attributes \['as is",
        ),
        ("description: Its identifier.", 'description: ""', "thing_id: no description"),
        ("name: seen_date", "name: thing_id", "names a column twice"),
        ("name: seen_date", "name: source_row", "are landing's own columns"),
        ("not_before: 1965-07-01, ", "", "seen_date: a date needs not_before and not_after"),
        ("not_after: received_date", "not_after: today", "not_after must be a date or received_date"),
        (
            "nullable: false",
            "nullable: false, minimum: 1, not_after: received_date",
            "date limits on a string",
        ),
        ("type: date,", 'type: date, pattern: "x",', "a pattern needs a string"),
        ("key: [thing_id]\n", "", "key"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(ContractError, match=message):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_an_unknown_parent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="its parent boxes has no contract"):
        read(tmp_path, GOOD + "parent: {table: boxes, columns: [thing_id]}\n")


def test_the_version_changes_with_any_contract(tmp_path: Path) -> None:
    for path in CONTRACTS.glob("*.yml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert contract_version(tmp_path) == contract_version()
    (tmp_path / "claims.yml").write_text((tmp_path / "claims.yml").read_text() + "# changed\n")
    assert contract_version(tmp_path) != contract_version()
