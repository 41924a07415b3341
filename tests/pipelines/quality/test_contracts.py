"""Each landed batch is asked once: what passed is not read again, what did not or changed is."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from expectations.run import Outcome
from pipelines.extracts.contract import load_contracts
from pipelines.extracts.landed import sha256
from pipelines.extracts.landing import land
from pipelines.quality import contracts
from pipelines.settings import Settings

BENEFICIARIES = ("beneficiary_id,reference_date", "B{n},2024-01-01", "C{n},2024-01-01")
MONTHS = ("beneficiary_id,service_month,coverage_grain", "B{n},2024-01-01,month")
CLAIMS = ("claim_id,claim_version,beneficiary_id,claim_type,from_date,through_date,action", "K{n},1,B{n},carrier,2024-01-05,2024-01-05,original", "L{n},1,B{n},carrier,2024-01-05,2024-01-05,original")  # fmt: skip
CONSENTS = ("consent_id,beneficiary_id,practice_tin,consent_date", "S{n},B{n},T1,2024-01-01")  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An output folder, in which the tables of these deliveries alone are asked about: all of them take seconds a time."""
    tables = {name: load_contracts()[name] for name in ("beneficiaries", "enrollment_months", "claims")}
    monkeypatch.setattr(contracts, "load_contracts", lambda: tables)
    return Settings(out=tmp_path / "out", memory_limit="1GB", threads=1)


def deliver(settings: Settings, number: int, **tables: tuple[str, ...]) -> str:
    """Land a delivery of so many tables, received in month `number`; its batch."""
    folder = settings.out.parent / f"delivery-{number}"
    folder.mkdir()
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("".join(f"{line.format(n=number)}\n" for line in lines))
    return land(folder, settings, received=dt.date(2024, number, 28)).batch_id


def whole(settings: Settings, number: int) -> str:
    return deliver(settings, number, beneficiaries=BENEFICIARIES, enrollment_months=MONTHS, claims=CLAIMS)


def spoil(settings: Settings, batch: str) -> None:
    """The same claim twice instead of two claims in a landed batch, with the checksum of what the file is then."""
    file = settings.landing / batch / "claims.parquet"
    rows = pl.read_parquet(file)
    file.chmod(0o600)
    pl.concat([rows[:1], rows[:1]]).write_parquet(file)
    manifest = file.with_name("manifest.json")
    told = json.loads(manifest.read_text())
    told["sha256"][file.name] = sha256(file)
    manifest.chmod(0o600)
    manifest.write_text(json.dumps(told))


def asked(found: list[Outcome], table: str) -> int:
    """Rows of `table` that were asked whether their first column is there."""
    return next(
        one.rows
        for one in found
        if one.table == table and one.expectation == "expect_column_values_to_not_be_null"
    )


def failed(found: list[Outcome]) -> set[tuple[str, str]]:
    return {(one.suite, one.expectation) for one in found if not one.success}


def test_only_what_is_new_is_asked_and_every_question_is_put_each_time(settings: Settings) -> None:
    whole(settings, 1)
    first = contracts.outcomes(settings)
    whole(settings, 2)
    whole(settings, 3)
    second = contracts.outcomes(settings)
    third = contracts.outcomes(settings)
    assert [asked(found, "beneficiaries") for found in (first, second, third)] == [2, 4, 0]
    assert failed(first) == failed(second) == failed(third) == set()
    questions = [
        [(one.suite, one.expectation, one.column) for one in found] for found in (first, second, third)
    ]
    assert questions[0] == questions[1] == questions[2]
    assert {suite for suite, _, _ in questions[0]} == {
        "contract_beneficiaries",
        "contract_enrollment_months",
        "contract_claims",
    }


def test_what_does_not_pass_is_asked_again_with_all_that_came_beside_it(settings: Settings) -> None:
    whole(settings, 1)
    contracts.outcomes(settings)
    spoil(settings, whole(settings, 2))
    whole(settings, 3)
    for _ in range(2):
        found = contracts.outcomes(settings)
        assert failed(found) == {("contract_claims", "unexpected_rows_expectation")}
        assert asked(found, "beneficiaries") == 4


def test_a_batch_that_changed_after_it_passed_is_asked_again(settings: Settings) -> None:
    batch = whole(settings, 1)
    assert failed(contracts.outcomes(settings)) == set()
    spoil(settings, batch)
    assert failed(contracts.outcomes(settings)) == {("contract_claims", "unexpected_rows_expectation")}


@pytest.mark.parametrize("record", [None, "", "[]", "{", "7"])
def test_a_record_that_cannot_be_read_says_that_nothing_passed(tmp_path: Path, record: str | None) -> None:
    path = tmp_path / "passed_batches.json"
    if record is not None:
        path.write_text(record)
    assert contracts.read(path) == {}


def test_when_something_else_is_asked_everything_is_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole(settings, 1)
    contracts.outcomes(settings)
    monkeypatch.setattr(contracts, "version", lambda: "another")
    assert asked(contracts.outcomes(settings), "beneficiaries") == 2


def test_a_batch_without_checksums_is_asked_every_time(settings: Settings) -> None:
    manifest = settings.landing / whole(settings, 1) / "manifest.json"
    told = json.loads(manifest.read_text())
    del told["sha256"]
    manifest.chmod(0o600)
    manifest.write_text(json.dumps(told))
    for _ in range(2):
        assert asked(contracts.outcomes(settings), "beneficiaries") == 2


def test_rows_are_needed_in_all_deliveries_together_not_in_each(settings: Settings) -> None:
    deliver(settings, 1, consents=CONSENTS)
    nobody = {(f"contract_{table}", "expect_table_row_count_to_be_between") for table in ("beneficiaries", "enrollment_months", "claims")}  # fmt: skip
    assert failed(contracts.outcomes(settings)) == nobody
    whole(settings, 2)
    assert failed(contracts.outcomes(settings)) == set()
    deliver(settings, 3, consents=CONSENTS)
    assert failed(contracts.outcomes(settings)) == set()


def test_the_record_holds_batches_alone_and_is_its_owners(settings: Settings) -> None:
    batch = whole(settings, 1)
    contracts.outcomes(settings)
    held = json.loads(settings.passed_batches.read_text())
    assert list(held) == [batch] and len(held[batch]) == 64
    assert settings.passed_batches.stat().st_mode & 0o777 == 0o600
    assert not list(settings.out.glob("*.incoming"))
