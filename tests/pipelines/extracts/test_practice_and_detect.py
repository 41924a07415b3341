"""The contract's own tables as files, and how a folder's format is found."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import cli
from pipelines.extracts import detect, practice
from pipelines.extracts.delivery import UnreadableExtract
from tests.pipelines.extracts.small_samples import SAMPLES


def parquet(delivery: Any, name: str, select: str) -> Path:
    path = delivery.folder / name
    duckdb.sql(f"copy ({select}) to '{path}' (format parquet)")
    return path


def test_parquet_with_the_contract_s_types_lands_as_it_is(delivery: Any) -> None:
    delivery.give("claims")
    parquet(
        delivery,
        "claim_lines.parquet",
        """select 'C1' as claim_id, 1 as claim_version, 1 as line_number, date '2024-01-05' as from_date,
                  ' 99490 ' as hcpcs_code, 1.5::decimal(12,3) as units, 42.1::decimal(12,2) as paid_usd""",
    )
    batch = delivery.land()
    columns = "claim_id, from_date, hcpcs_code, units, paid_usd, source_file, source_row"
    assert delivery.rows(batch, "claim_lines", columns) == [
        ("C1", datetime.date(2024, 1, 5), "99490", Decimal("1.5"), Decimal("42.1"), "claim_lines.parquet", 1)
    ]


def test_parquet_with_other_types_is_converted_and_judged(delivery: Any) -> None:
    delivery.give("claims")
    parquet(
        delivery,
        "claim_lines.parquet",
        """select 'C1' as claim_id, 1::bigint as claim_version, line_number, 99490 as hcpcs_code,
                  timestamp '2024-01-05 00:00:00' as from_date, 'nan'::double as paid_usd,
                  2.0::double as units
           from (values (1.0::double), (2.5::double), (null)) as t(line_number)""",
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claim_lines", "line_number, hcpcs_code, from_date, paid_usd, units") == [
        (1, "99490", datetime.date(2024, 1, 5), None, Decimal("2"))
    ]
    assert delivery.quarantined(batch) == [
        ("claim_lines.parquet", 2, "line_number", "not_a_number"),
        ("claim_lines.parquet", 3, "line_number", "missing_required"),
    ]


def test_parquet_times_with_a_zone_are_not_taken_for_local_ones(delivery: Any) -> None:
    parquet(
        delivery,
        "care_management_time.parquet",
        """select 'A1' as activity_id, 'B1' as beneficiary_id, '1234567890' as practitioner_npi,
                  'T1' as practice_tin, timestamptz '2024-01-31 23:30:00-05' as started_at, 60 as seconds,
                  'CCM' as programme, false as is_voided""",
    )
    assert delivery.land().reasons == {"care_management_time": {"not_local_time": 1}}


@pytest.mark.parametrize("kept", [0, 3, 400])
def test_a_truncated_parquet_file_is_named(delivery: Any, kept: int) -> None:
    path = parquet(delivery, "providers.parquet", "select '1' as npi, 'T' as practice_tin from range(999)")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        UnreadableExtract, match=r"^providers\.parquet: the (file is empty|Parquet file is tru)"
    ):
        delivery.land()


def test_a_parquet_file_damaged_inside_its_data_is_named(delivery: Any) -> None:
    path = parquet(
        delivery,
        "providers.parquet",
        "select (1000000000 + i)::varchar as npi, md5(i::varchar) as practice_tin from range(20000) t(i)",
    )
    content = bytearray(path.read_bytes())
    content[1000:60_000] = b"\xff" * 59_000
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert str(caught.value) == (
        "providers.parquet: the Parquet file is truncated or damaged; expected a complete Parquet file"
    )


def test_a_parquet_file_without_a_required_column_is_named(delivery: Any) -> None:
    parquet(delivery, "providers.parquet", "select '1' as npi")
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert str(caught.value) == (
        "providers.parquet, column practice_tin: a required column is missing; "
        "expected the columns npi, practice_tin; found 1 columns"
    )


def test_a_landed_file_can_be_delivered_again(delivery: Any, new_delivery: Any) -> None:
    delivery.give("providers")
    landed = delivery.land().folder / "providers.parquet"
    other = new_delivery()
    other.write("providers.parquet", landed.read_bytes())
    assert other.rows(other.land(), "providers", "npi, source_file, source_row") == [
        ("1234567890", "providers.parquet", 1),
        ("1234567891", "providers.parquet", 2),
    ]


def test_one_table_may_come_as_text_and_parquet_together(delivery: Any) -> None:
    delivery.give("providers", name="Providers-first.CSV")
    parquet(delivery, "providers-second.parquet", "select '1234567899' as npi, 'T1' as practice_tin")
    batch = delivery.land()
    assert delivery.rows(batch, "providers", "npi, source_file") == [
        ("1234567890", "Providers-first.CSV"),
        ("1234567891", "Providers-first.CSV"),
        ("1234567899", "providers-second.parquet"),
    ]


def test_header_names_match_in_any_case(delivery: Any) -> None:
    delivery.write("providers.csv", "PRACTICE_TIN, Npi \nT1,1234567890\n")
    assert delivery.rows(delivery.land(), "providers", "npi, practice_tin") == [("1234567890", "T1")]


def test_a_practice_folder_is_recognised_by_its_file_names(delivery: Any) -> None:
    delivery.give("claims")
    assert practice.recognises(delivery.folder) == "claims.csv is named after a contract table"
    assert detect.choose(delivery.folder).NAME == "practice"


@pytest.mark.parametrize(
    "name", ["claims.txt", "claim.csv", "claims_old.csv", "claims.csv.bak", "xclaims.csv"]
)
def test_files_that_only_resemble_a_table_are_not_read(delivery: Any, name: str) -> None:
    delivery.write(name, "claim_id\n1\n")
    assert practice.recognises(delivery.folder) is None


def test_an_unrecognised_folder_is_refused_with_what_was_looked_for(delivery: Any) -> None:
    delivery.write("holiday.jpg", b"\xff\xd8")
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert "no known format fits; expected practice: files called after a contract table" in str(caught.value)
    assert str(caught.value).endswith("found 1 files, none of these")


def test_an_ambiguous_folder_is_refused(delivery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        NAME = "other"

        @staticmethod
        def recognises(folder: Path) -> str:
            return "it likes every folder"

    honest = detect.reader
    monkeypatch.setattr(detect, "FORMATS", ("practice", "other"))
    monkeypatch.setattr(detect, "reader", lambda name: Other if name == "other" else honest(name))
    delivery.give("claims")
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert "more than one format fits; expected one format in a folder: give each its own" in str(
        caught.value
    )
    assert (
        "found practice (claims.csv is named after a contract table); other (it likes every folder)"
        in str(caught.value)
    )


def test_a_mixture_of_formats_is_refused_on_the_command_line_and_one_can_be_asked_for(
    delivery: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.give("claims")
    delivery.write("Patient.ndjson", '{"resourceType": "Patient", "id": "p1"}\n')
    arguments = [
        "land",
        str(delivery.folder),
        "--out",
        str(delivery.settings.out),
        "--received",
        "2024-06-30",
    ]
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "practice (claims.csv is named" in line
    assert 'fhir (Patient.ndjson holds JSON with "resourceType")' in line
    assert cli.main([*arguments, "--format", "practice"]) == 0
    told = capsys.readouterr().out
    assert "recognised as practice: claims.csv is named after a contract table" in told
    assert "not read: 1 other files" in told


def test_an_unknown_format_is_refused(delivery: Any) -> None:
    delivery.give("claims")
    with pytest.raises(UnreadableExtract, match="there is no format 'punchcard'; expected practice"):
        delivery.land(format="punchcard")


def test_a_missing_folder_is_refused(delivery: Any) -> None:
    delivery.folder.rmdir()
    with pytest.raises(UnreadableExtract, match="there is no such folder"):
        delivery.land()


def put(folder: Path, sample: str) -> None:
    for name, content in SAMPLES[sample]().items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_each_format_is_recognised_by_its_own_files_alone(delivery: Any, sample: str) -> None:
    put(delivery.folder, sample)
    chosen = detect.choose(delivery.folder)
    assert sample.split()[0] == chosen.NAME
    assert detect.reason(chosen, delivery.folder).split()[0] in {
        path.name for path in delivery.folder.iterdir()
    }


@pytest.mark.parametrize(
    "pair", itertools.combinations(("practice", "rif", "cclf", "fhir", "synpuf"), 2), ids=" and ".join
)
def test_two_formats_in_one_folder_are_refused_by_name(delivery: Any, pair: tuple[str, str]) -> None:
    for sample in pair:
        put(delivery.folder, sample)
    with pytest.raises(UnreadableExtract, match="more than one format fits") as caught:
        detect.choose(delivery.folder)
    for sample in pair:
        assert f"{sample} (" in str(caught.value)
        assert sample == detect.choose(delivery.folder, sample).NAME
