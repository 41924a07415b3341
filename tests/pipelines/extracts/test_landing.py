"""A delivery becomes a batch: every row is accounted for, nothing is half done, nothing lands twice."""

from __future__ import annotations

import datetime
import errno
import fcntl
import gzip
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.extracts import batch as batch_module
from pipelines.extracts import landed, practice
from pipelines.extracts import landing as landing_module
from pipelines.extracts.contract import load_contracts
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import LandingError, quarantine_advice, refuse_broken

TABLES = (
    "claims",
    "claim_lines",
    "claim_diagnoses",
    "providers",
    "care_management_time",
    "enrollment_months",
)


def everything(delivery: Any) -> None:
    for table in TABLES:
        delivery.give(table)


def refused(delivery: Any, table: str, **values: str) -> list[tuple]:
    """Column and reason of the quarantined rows after `table` got one row like its last but with `values`."""
    everything(delivery)
    delivery.give(table, delivery.spoil(table, **values))
    return delivery.quarantined(delivery.land(), "column_name, reason")


def test_valid_rows_land_with_the_types_of_the_contract_and_their_origin(delivery: Any) -> None:
    everything(delivery)
    batch = delivery.land()
    assert delivery.quarantined(batch) == []
    assert delivery.rows(batch, "claim_lines", "claim_id, line_number, hcpcs_code, units, source_row") == [
        ("C1", 1, "99490", 1, 2),
        ("C1", 2, "99439", 2, 3),
        ("C2", 1, "80053", None, 4),
    ]
    assert delivery.rows(batch, "claims", "distinct batch_id, received_date, source_file") == [
        (batch.batch_id, datetime.date(2024, 6, 30), "claims.csv")
    ]
    assert batch.counts["claims"] == {"rows_in": 3, "rows_landed": 3, "rows_quarantined": 0}


def test_every_contract_table_is_a_file_of_the_batch_with_the_same_columns(delivery: Any) -> None:
    delivery.give("providers")
    batch = delivery.land()
    for table, contract in load_contracts().items():
        path = batch.folder / f"{table}.parquet"
        described = duckdb.sql(f"describe select * from read_parquet('{path}')").fetchall()
        assert {row[0]: row[1] for row in described} == contract.landed_types, table
    assert duckdb.sql(f"select * from read_parquet('{batch.folder}/batch_files.parquet')").columns == [
        "batch_id", "received_date", "format", "source_file", "sha256", "rows_in", "rows_landed",
        "rows_quarantined",
    ]  # fmt: skip


def test_a_missing_required_column_stops_the_delivery(delivery: Any) -> None:
    delivery.write("providers.csv", "npi,provider_name\n1234567890,Ana\n")
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert str(caught.value) == (
        "providers.csv, line 1, column practice_tin: a required column is missing; "
        "expected a header with npi, practice_tin; found 2 columns"
    )


def test_a_wrong_delimiter_stops_the_delivery(delivery: Any) -> None:
    delivery.write("providers.csv", "npi;practice_tin\n1234567890;T1\n")
    with pytest.raises(
        UnreadableExtract, match="wrong delimiter; expected a comma between columns; found a semi"
    ):
        delivery.land()


def test_a_truncated_gzip_stops_the_delivery(delivery: Any) -> None:
    delivery.write("providers.csv.gz", gzip.compress(b"npi,practice_tin\n" + b"1234567890,T1\n" * 99)[:-8])
    with pytest.raises(
        UnreadableExtract, match=r"^providers\.csv\.gz: the gzip file is truncated or damaged"
    ):
        delivery.land()


def test_a_binary_file_stops_the_delivery(delivery: Any) -> None:
    delivery.write("claims.csv", bytes(range(256)) * 10)
    with pytest.raises(
        UnreadableExtract, match=r"^claims\.csv: this is a binary file; expected delimited text"
    ):
        delivery.land()


def test_an_empty_file_stops_the_delivery(delivery: Any) -> None:
    delivery.write("claims.csv", "")
    with pytest.raises(UnreadableExtract, match=r"^claims\.csv: the file is empty"):
        delivery.land()


def test_nothing_is_left_behind_by_a_delivery_that_stops(delivery: Any) -> None:
    everything(delivery)
    delivery.write("providers.csv", "")
    with pytest.raises(UnreadableExtract):
        delivery.land()
    assert [path.name for path in delivery.settings.landing.iterdir()] == [".lock"]
    assert list(delivery.settings.quarantine.iterdir()) == []


def test_rows_that_would_be_lost_stop_the_landing(delivery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    everything(delivery)
    honest = batch_module.validate

    def forgetful(*arguments: Any) -> Any:
        checked = honest(*arguments)
        return type(checked)(clean=f"{checked.clean} limit 1", faulty=checked.faulty)

    monkeypatch.setattr(batch_module, "validate", forgetful)
    with pytest.raises(LandingError, match="rows came in, but 1 landed and 0 were quarantined"):
        delivery.land()
    assert [path.name for path in delivery.settings.landing.iterdir()] == [".lock"]


def test_an_engine_error_is_reported_without_the_engine_s_text(
    delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(delivery)
    honest = batch_module.validate

    def failing(*arguments: Any) -> Any:
        checked = honest(*arguments)
        return type(checked)(clean=f"{checked.clean} and cast('SECRET' as integer) = 1", faulty="")

    monkeypatch.setattr(batch_module, "validate", failing)
    with pytest.raises(LandingError) as caught:
        delivery.land()
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        ("claims", {"claim_id": "X", "from_date": "0001-01-01"}, ("from_date", "before_earliest")),
        ("claims", {"claim_id": "X", "through_date": "2024-07-01"}, ("through_date", "after_received")),
        ("claims", {"claim_id": "X", "through_date": "2024-01-31"}, ("through_date", "before_from_date")),
        ("claims", {"claim_id": "X", "from_date": "20240201"}, ("from_date", "not_a_date")),
        ("claims", {"claim_id": "X", "from_date": "2024-02-30"}, ("from_date", "not_a_date")),
        ("claims", {"claim_id": "X", "from_date": "epoch"}, ("from_date", "not_a_date")),
        ("claims", {"claim_id": "X", "from_date": "infinity"}, ("from_date", "not_a_date")),
        ("claims", {"claim_id": "X", "beneficiary_id": " "}, ("beneficiary_id", "missing_required")),
        ("claims", {"claim_id": "X", "claim_type": "dental"}, ("claim_type", "not_allowed")),
        ("claims", {"claim_version": "0"}, ("claim_version", "below_minimum")),
        ("claims", {"claim_version": "1.5"}, ("claim_version", "not_a_number")),
        ("claims", {"claim_version": "99999999999"}, ("claim_version", "not_a_number")),
        ("claim_lines", {"line_number": "9", "hcpcs_code": "99.490"}, ("hcpcs_code", "pattern")),
        ("claim_lines", {"line_number": "9", "paid_usd": "$5"}, ("paid_usd", "not_a_number")),
        ("claim_lines", {"line_number": "9", "paid_usd": "nan"}, ("paid_usd", "not_a_number")),
        ("claim_lines", {"claim_id": "C9"}, ("claim_id", "parent_missing")),
        ("claim_lines", {"claim_version": "7"}, ("claim_id", "parent_missing")),
        ("claim_diagnoses", {"position": "9", "diagnosis_code": "."}, ("diagnosis_code", "missing_required")),
        ("claim_diagnoses", {"position": "9", "icd_version": "11"}, ("icd_version", "not_allowed")),
        ("care_management_time", {"activity_id": "Z", "seconds": "90000"}, ("seconds", "above_maximum")),
        ("care_management_time", {"activity_id": "Z", "seconds": "12:30"}, ("seconds", "not_a_number")),
        (
            "care_management_time",
            {"activity_id": "Z", "started_at": "2024-01-31T23:30:00-05:00"},
            ("started_at", "not_local_time"),
        ),
        (
            "care_management_time",
            {"activity_id": "Z", "started_at": "2024-01-31T23:30:00Z"},
            ("started_at", "not_local_time"),
        ),
        (
            "care_management_time",
            {"activity_id": "Z", "started_at": "noon"},
            ("started_at", "not_a_timestamp"),
        ),
        (
            "care_management_time",
            {"activity_id": "Z", "started_at": "2024-07-01 00:00:00"},
            ("started_at", "after_received"),
        ),
        (
            "care_management_time",
            {"activity_id": "Z", "is_voided": "perhaps"},
            ("is_voided", "not_a_boolean"),
        ),
        ("enrollment_months", {"service_month": "2024-03-15"}, ("service_month", "not_first_of_month")),
        ("enrollment_months", {"service_month": "2101-01-01"}, ("service_month", "after_latest")),
    ],
)
def test_a_row_that_breaks_the_contract_is_quarantined_with_its_reason(
    delivery: Any, table: str, values: dict[str, str], expected: tuple[str, str]
) -> None:
    assert refused(delivery, table, **values) == [expected]


def test_a_time_on_the_day_of_receipt_lands(delivery: Any) -> None:
    assert refused(delivery, "care_management_time", activity_id="Z", started_at="2024-06-30 23:59:59") == []


def test_a_row_with_several_faults_is_quarantined_once_with_all_of_them(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_lines", "C1,1,x,0001-01-01,9,1,free")
    batch = delivery.land()
    assert delivery.quarantined(batch, "source_row, column_name, reason, detail") == [
        (
            5,
            "line_number",
            "not_a_number",
            "line_number: not_a_number, expected a whole number; "
            "from_date: before_earliest, expected 1965-07-01 or later; "
            "hcpcs_code: pattern, expected text like [0-9A-Z]{5}; "
            "paid_usd: not_a_number, expected a number as decimal(12,2)",
        )
    ]
    assert batch.counts["claim_lines"] == {"rows_in": 4, "rows_landed": 3, "rows_quarantined": 1}


def test_the_quarantine_keeps_the_row_as_it_was_delivered(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_lines", "C1,1,9,2024-01-05,bad,1,1.00")
    (kept,) = delivery.quarantined(delivery.land(), "source_text")[0]
    assert json.loads(kept)["hcpcs_code"] == "bad"
    assert json.loads(kept)["from_date"] == "2024-01-05"


def test_a_code_with_a_dot_lands_without_it(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_diagnoses", "C1,1,0,other,3, e11.9 ,10")
    batch = delivery.land()
    assert delivery.quarantined(batch) == []
    assert delivery.rows(batch, "claim_diagnoses", "position, diagnosis_code")[-1] == (3, "E119")


def test_codes_land_in_upper_case(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_lines", "C1,1,3,2024-01-05,g0506,1,1.00")
    assert ("G0506",) in delivery.rows(delivery.land(), "claim_lines", "hcpcs_code")


def test_identical_rows_of_one_key_land_once(delivery: Any) -> None:
    everything(delivery)
    delivery.give("providers", *[delivery.spoil("providers")] * 2)
    batch = delivery.land()
    assert len(delivery.rows(batch, "providers")) == 2
    assert delivery.quarantined(batch) == [
        ("providers.csv", 4, "practice_tin", "duplicate_row"),
        ("providers.csv", 5, "practice_tin", "duplicate_row"),
    ]


def test_rows_that_contradict_each_other_under_one_key_are_all_quarantined(delivery: Any) -> None:
    everything(delivery)
    delivery.give("providers", delivery.spoil("providers", credential="MD"), delivery.spoil("providers"))
    batch = delivery.land()
    assert delivery.rows(batch, "providers", "npi") == [("1234567890",)]
    assert delivery.quarantined(batch) == [
        ("providers.csv", row, "practice_tin", "conflicting_key") for row in (3, 4, 5)
    ]


def test_lines_of_a_quarantined_claim_follow_it(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claims", "C1,1,B1,carrier,2024-01-05,2024-01-06,original")
    batch = delivery.land()
    assert batch.reasons == {
        "claims": {"conflicting_key": 2},
        "claim_lines": {"parent_missing": 2},
        "claim_diagnoses": {"parent_missing": 2},
    }


def test_a_repeated_orphan_has_one_reason_a_row(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_lines", *["C9,1,1,2024-01-05,99490,1,1"] * 2)
    batch = delivery.land()
    assert delivery.quarantined(batch) == [
        ("claim_lines.csv", 5, "claim_id", "parent_missing"),
        ("claim_lines.csv", 6, "line_number", "duplicate_row"),
    ]
    assert batch.counts["claim_lines"] == {"rows_in": 5, "rows_landed": 3, "rows_quarantined": 2}


def test_lines_without_any_claims_are_orphans(delivery: Any) -> None:
    delivery.give("claim_lines")
    assert delivery.land().reasons == {"claim_lines": {"parent_missing": 3}}


def test_a_byte_order_mark_carriage_returns_and_latin_1_change_nothing(
    new_delivery: Callable[[], Any],
) -> None:
    plain = new_delivery()
    plain.give("providers")
    expected = plain.rows(
        plain.land(), "providers", "npi, practice_tin, provider_name, credential, source_row"
    )
    assert expected[0][2] == "Ana Muñoz"
    content = (plain.folder / "providers.csv").read_text(encoding="utf-8")
    for spoilt in (
        b"\xef\xbb\xbf" + content.encode(),
        content.replace("\n", "\r\n").encode(),
        content.encode("latin-1"),
        content.replace(",", " , ").encode(),
    ):
        other = new_delivery()
        other.write("providers.csv", spoilt)
        batch = other.land()
        found = other.rows(batch, "providers", "npi, practice_tin, provider_name, credential, source_row")
        assert found == expected


def test_a_space_stands_for_no_value(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_lines", "C1,1,3,2024-01-05, , , ")
    batch = delivery.land()
    assert ("C1", 3, None, None, None) in delivery.rows(
        batch, "claim_lines", "claim_id, line_number, hcpcs_code, units, paid_usd"
    )


def test_a_ragged_line_is_quarantined_with_its_line_and_text(delivery: Any) -> None:
    delivery.give("providers", "", "1234567892,T1", "1234567893,T1,Eva,MD")
    batch = delivery.land()
    assert delivery.quarantined(batch, "source_file, source_row, reason, source_text") == [
        ("providers.csv", 5, "too_few_columns", "1234567892,T1")
    ]
    assert delivery.rows(batch, "providers", "npi, source_row")[-1] == ("1234567893", 6)
    assert batch.counts["providers"] == {"rows_in": 4, "rows_landed": 3, "rows_quarantined": 1}


def test_the_same_delivery_lands_once(delivery: Any) -> None:
    everything(delivery)
    first = delivery.land()
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = delivery.land(received=datetime.date(2024, 7, 31))
    assert not first.already_landed
    assert again.already_landed
    assert again.batch_id == first.batch_id
    assert again.received_date == first.received_date
    assert again.counts == first.counts
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == before


def test_a_delivery_with_other_content_is_another_batch(delivery: Any) -> None:
    everything(delivery)
    first = delivery.land()
    delivery.give("providers", "1234567899,T1,Eva,MD")
    second = delivery.land()
    assert second.batch_id != first.batch_id
    assert first.folder.exists()


def test_landing_again_elsewhere_gives_the_same_bytes_of_facts(new_delivery: Callable[[], Any]) -> None:
    manifests = []
    for _ in range(2):
        delivery = new_delivery()
        everything(delivery)
        delivery.give("claim_lines", "C9,1,1,2024-01-05,99490,1,1")
        manifests.append((delivery.land().folder / "manifest.json").read_text())
    assert manifests[0] == manifests[1]


def test_what_a_killed_landing_left_is_cleared(delivery: Any) -> None:
    everything(delivery)
    stale = delivery.settings.landing / "incoming-batch-0123456789ab"
    stale.mkdir(parents=True)
    (stale / "claims.parquet").write_bytes(b"half")
    batch = delivery.land()
    assert sorted(path.name for path in delivery.settings.landing.iterdir()) == [".lock", batch.batch_id]


def test_no_other_landing_may_begin_while_one_writes(delivery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    everything(delivery)
    honest = landing_module._land
    refused_to = []

    def watched(*arguments: Any) -> None:
        with (delivery.settings.landing / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                refused_to.append("another landing")
        honest(*arguments)

    monkeypatch.setattr(landing_module, "_land", watched)
    delivery.land()
    assert refused_to == ["another landing"]
    with (delivery.settings.landing / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_file_that_changes_while_it_is_read_stops_the_delivery(
    delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(delivery)
    honest = practice.read

    def slow(con: duckdb.DuckDBPyConnection, folder: Path) -> Any:
        delivered = honest(con, folder)
        delivery.give("providers", "1234567899,T1,Eva,MD")
        return delivered

    monkeypatch.setattr(practice, "read", slow)
    with pytest.raises(UnreadableExtract, match=r"^providers\.csv: the file changed while it was read$"):
        delivery.land()
    assert [path.name for path in delivery.settings.landing.iterdir()] == [".lock"]


def test_a_batch_of_another_contract_refuses_new_ones_beside_it(delivery: Any) -> None:
    everything(delivery)
    first = delivery.land()
    file = first.folder / "providers.parquet"
    pl.read_parquet(file).drop("credential").write_parquet(file)
    with pytest.raises(
        LandingError,
        match=rf"^{first.batch_id} was landed by another version, with no column credential in providers; ",
    ):
        delivery.land()
    # Nor is anything built from landing alone.
    with pytest.raises(LandingError, match="was landed by another version"):
        refuse_broken(delivery.settings)
    file.unlink()
    with pytest.raises(
        LandingError, match=r"providers\.parquet damaged or gone: .* into a new --out folder$"
    ):
        delivery.land()


def test_a_byte_that_changed_within_a_landed_file_is_noticed(delivery: Any) -> None:
    everything(delivery)
    file = delivery.land().folder / "claims.parquet"
    content = bytearray(file.read_bytes())
    content[8] ^= 255
    file.write_bytes(content)
    refuse_broken(delivery.settings)  # its own count of rows is as it was
    with pytest.raises(
        LandingError, match=r"claims\.parquet damaged or gone: restore landing/ from the backup"
    ):
        refuse_broken(delivery.settings, to_the_end=True)


def test_a_fault_of_the_machine_is_not_taken_for_a_damaged_file(
    delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(delivery)
    delivery.land()

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(landed.parquet, "read_metadata", fails)
    with pytest.raises(OSError, match="Input/output error"):
        refuse_broken(delivery.settings)


def test_a_folder_that_cannot_be_written_stops_the_landing(delivery: Any) -> None:
    everything(delivery)
    delivery.settings.out.write_text("a file where the folder should be")
    with pytest.raises(LandingError, match=r"^cannot write under .*out \(File exists\)$"):
        delivery.land()


def test_only_the_owner_can_read_what_landed(delivery: Any) -> None:
    everything(delivery)
    batch = delivery.land()
    folders = [delivery.settings.landing, delivery.settings.quarantine, batch.folder]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    files = [*batch.folder.iterdir(), *delivery.settings.quarantine.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_manifest_says_what_was_delivered_and_what_was_not_used(delivery: Any) -> None:
    everything(delivery)
    delivery.write("providers.csv", "NPI,Practice_TIN,Shoe_Size\n1234567890,T1,44\n")
    delivery.write("notes.txt", "hello")
    batch = delivery.land()
    manifest = json.loads((batch.folder / "manifest.json").read_text())
    (providers,) = [file for file in manifest["files"] if file["name"] == "providers.csv"]
    assert manifest["format"] == "practice"
    assert manifest["received_date"] == "2024-06-30"
    assert manifest["ignored_files"] == {
        "notes.txt": "not named after a contract table, and no mapping fits its header"
    }
    assert providers["unknown_columns"] == ["Shoe_Size"]
    assert providers["missing_columns"] == [
        "provider_name",
        "credential",
        "specialty_code",
        "is_qualifying_participant",
    ]
    assert (providers["rows_in"], providers["rows_landed"], providers["rows_quarantined"]) == (1, 1, 0)
    assert len(providers["sha256"]) == 64
    assert providers["bytes"] == 44
    assert set(manifest["software"]) == {"python", "duckdb", "ccm-warehouse"}


def test_advice_tells_what_was_set_aside_and_how_to_bring_it_in(delivery: Any) -> None:
    everything(delivery)
    delivery.give("claim_lines", "C9,1,1,2024-01-05,99490,1,1")
    batch = delivery.land()
    advice = quarantine_advice(delivery.settings, batch.batch_id)
    assert advice[0] == f"{batch.batch_id}: 1 of its rows were set aside and are in no table:"
    assert advice[1:3] == [
        "  claim_lines: parent_missing 1",
        "    claim_lines.csv, line 5, claim_id: parent_missing",
    ]
    assert any("ccm land FOLDER --format practice" in line for line in advice)


def test_advice_shows_the_first_places_and_says_how_many_more(delivery: Any) -> None:
    everything(delivery)
    delivery.give("providers", *(f"{number},T9,Eva,MD" for number in range(8)), "1234567890,T1,Ana Muñoz,MD")
    advice = quarantine_advice(delivery.settings, delivery.land().batch_id)
    assert advice[2:8] == [
        *(f"    providers.csv, line {line}, npi: pattern" for line in range(4, 9)),
        "    and 3 more",
    ]
    assert not any("Eva" in line for line in advice)


def test_a_corrected_row_lands_in_a_later_batch_and_both_batches_tell(
    new_delivery: Callable[[], Any], delivery: Any
) -> None:
    everything(delivery)
    delivery.give("providers", "1234567899,t9,Eva,", "12,T9,Ada,MD")
    delivery.give("claim_lines", "C9,1,1,2024-01-05,99490,1,1", "C1,1,3,2024-01-05,99490,1,one")
    first = delivery.land()
    assert first.reasons == {
        "claim_lines": {"not_a_number": 1, "parent_missing": 1},
        "providers": {"pattern": 1},
    }
    later = new_delivery()
    later.settings = delivery.settings
    later.give("claims")
    later.give("claim_lines", "C1,1,3,2024-01-05,99490,1,1.00")
    batch = later.land(received=datetime.date(2024, 7, 31))
    assert batch.counts["claim_lines"] == {"rows_in": 4, "rows_landed": 4, "rows_quarantined": 0}
    assert (
        f"brought in 1 rows that {first.batch_id} had set aside (claim_lines not_a_number 1)"
        in landing_module.told(delivery.settings, batch)
    )
    advice = quarantine_advice(delivery.settings, first.batch_id)
    assert "  (1 of them have come in, corrected, with later batches)" in advice
    again = json.loads((batch.folder / "manifest.json").read_text())["resolved"]
    assert again == {first.batch_id: {"claim_lines": {"not_a_number": 1}}}
    rows = duckdb.sql(
        f"select batch_id, quarantined_batch_id, table_name, source_file, source_row"
        f" from read_parquet('{batch.folder}/resolved_rows.parquet')"
    ).fetchall()
    (place,) = duckdb.sql(
        "select source_file, source_row from"
        f" read_parquet('{delivery.settings.quarantine}/{first.batch_id}.parquet') where reason = 'not_a_number'"
    ).fetchall()
    assert rows == [(batch.batch_id, first.batch_id, "claim_lines", *place)]


def test_a_delivery_of_an_earlier_day_settles_nothing(new_delivery: Callable[[], Any], delivery: Any) -> None:
    delivery.give("providers", "1234567899,T9,Eva,MD", "1234567899,T9,Eva,NP")
    assert delivery.land().reasons == {"providers": {"conflicting_key": 2}}
    for month, settled in ((5, 0), (7, 2)):
        later = new_delivery()
        later.settings = delivery.settings
        later.write("providers.csv", f"npi,practice_tin,provider_name\n1234567899,t9,Eva {month}\n")
        batch = later.land(received=datetime.date(2024, month, 30))
        found = json.loads((batch.folder / "manifest.json").read_text())["resolved"]
        assert sum(sum(tables["providers"].values()) for tables in found.values()) == settled


FAULTS: dict[str, dict[str, list[str]]] = {
    "claims": {
        "claim_id": ["C1", "C2", "C3", ""],
        "claim_version": ["1", "2", "x"],
        "from_date": ["2024-01-05", "2024-02-01", "0001-01-01", "2030-01-01"],
        "claim_type": ["carrier", "other"],
    },
    "claim_lines": {
        "claim_id": ["C1", "C2", "C3"],
        "line_number": ["1", "2", "-1"],
        "hcpcs_code": ["99490", "9 490", "g0506", ""],
        "paid_usd": ["1.00", "1.0", "one"],
    },
    "claim_diagnoses": {
        "claim_id": ["C1", "C3"],
        "position": ["1", "2", "0"],
        "diagnosis_code": ["E11.9", "E119", "?"],
    },
}
MUTATIONS = st.lists(
    st.sampled_from(sorted(FAULTS)).flatmap(
        lambda table: st.tuples(
            st.just(table),
            st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in FAULTS[table].items()}),
            st.sampled_from(["", "", "", ",extra", '"']),
        )
    ),
    max_size=10,
)
ONE_MUTATED_DELIVERY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def mutated(delivery: Any, mutations: list[tuple[str, dict[str, str], str]]) -> dict[str, list[str]]:
    more: dict[str, list[str]] = {table: [] for table in FAULTS}
    for table, values, broken in mutations:
        more[table].append(delivery.spoil(table, **values) + broken)
    return more


def outcome(delivery: Any) -> tuple[dict[str, list[tuple]], list[tuple]]:
    """Landed content by table and quarantined content, without where in the files it stood."""
    batch = delivery.land()
    landed = {}
    for table in FAULTS:
        columns = ", ".join(column.name for column in load_contracts()[table].columns)
        landed[table] = delivery.rows(batch, table, columns)
    return landed, delivery.quarantined(batch, "table_name, column_name, reason, detail, source_text")


@ONE_MUTATED_DELIVERY
@given(mutations=MUTATIONS)
def test_rows_in_are_landed_plus_quarantined_whatever_is_delivered(
    new_delivery: Callable[[], Any], mutations: list[tuple[str, dict[str, str], str]]
) -> None:
    delivery = new_delivery()
    more = mutated(delivery, mutations)
    for table, rows in more.items():
        delivery.give(table, *rows)
    batch = delivery.land()
    set_aside = delivery.quarantined(batch, "table_name, source_row")
    assert len(set_aside) == len(set(set_aside))
    for table, rows in more.items():
        lines = {row for (row,) in delivery.rows(batch, table, "source_row")}
        lines |= {row for name, row in set_aside if name == table}
        delivered = len((delivery.folder / f"{table}.csv").read_text().splitlines()) - 1
        assert lines == set(range(2, delivered + 2))
        assert sum(delivery_count(batch, table)) == delivered == batch.counts[table]["rows_in"]
        assert len(rows) <= delivered
    first = {path.name: path.read_bytes() for path in batch.folder.iterdir()}
    assert delivery.land().already_landed
    assert {path.name: path.read_bytes() for path in batch.folder.iterdir()} == first


def delivery_count(batch: Any, table: str) -> tuple[int, int]:
    return batch.counts[table]["rows_landed"], batch.counts[table]["rows_quarantined"]


@ONE_MUTATED_DELIVERY
@given(mutations=MUTATIONS, order=st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_their_split_over_files_changes_what_lands(
    new_delivery: Callable[[], Any], mutations: list[tuple[str, dict[str, str], str]], order: Any
) -> None:
    together, shuffled, split = new_delivery(), new_delivery(), new_delivery()
    more = mutated(together, mutations)
    for table, rows in more.items():
        together.give(table, *rows)
        header, *lines = (together.folder / f"{table}.csv").read_text().splitlines()
        moved = list(lines)
        order.shuffle(moved)
        shuffled.write(f"{table}.csv", "\n".join([header, *moved]))
        half = len(lines) // 2
        split.write(f"{table}-1.csv", "\n".join([header, *lines[:half]]))
        split.write(f"{table}-2.csv", "\n".join([header, *lines[half:]]))
    expected = outcome(together)
    assert outcome(shuffled) == expected
    assert outcome(split) == expected


def test_a_person_is_told_the_format_why_and_what_was_not_read(delivery: Any) -> None:
    delivery.give("providers")
    delivery.write("notes.txt", "x")
    lines = landing_module.told(delivery.settings, delivery.land())
    assert lines[0] == "recognised as practice: providers.csv is named after a contract table"
    assert lines[1] == "not read: 1 other files, listed in the batch's manifest.json"
    assert lines[2].endswith(" landed: 2 of 2 rows")
    again = landing_module.told(delivery.settings, delivery.land())
    assert again[2].endswith("was landed before; nothing changed: 2 of 2 rows")
