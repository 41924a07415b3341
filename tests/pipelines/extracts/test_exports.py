"""Practices' exports by a mapping of their columns: units, clocks, voids, repeats, lists, workbooks, faults."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook  # type: ignore[import-untyped]

from pipelines.extracts import mappings
from pipelines.extracts.contract import load_contracts
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import land, quarantine_advice
from tests.pipelines.extracts.conftest import RECEIVED, SAMPLE

LOG = "activity_id,patient_id,provider_npi,practice_tin,logger_id,duration_seconds,performed_at,chargeable_service,activity_type,deleted_at"
OWN = """
name: Own export
recognised_by: [Key, Person, Began]
tables:
  care_management_time:
    columns:
      activity_id: Key
      beneficiary_id: Person
      practitioner_npi: {{value: "1234567890"}}
      practice_tin: {{value: "123456789"}}
      started_at: {began}
      seconds: {seconds}
      programme: {{value: CCM}}
      is_voided: {{value: false}}
"""


def time_of(delivery: Any, batch: Any, columns: str = "activity_id, started_at, seconds") -> list[tuple]:
    return delivery.rows(batch, "care_management_time", columns)


def own(
    delivery: Any, rows: str, *, began: str = "Began", seconds: str = "{from: Took, unit: seconds}"
) -> Any:
    delivery.write("own.mapping.yml", OWN.format(began=began, seconds=seconds))
    delivery.write("log.csv", f"Key,Person,Began,Took\n{rows}")
    return delivery.land()


def test_a_platforms_log_lands_with_voids_programmes_and_what_was_sent_twice(delivery: Any) -> None:
    delivery.write(
        "activities 2024.csv",
        f"{LOG}\n"
        "1,B1,1234567890,T1,S1,600,2024-01-31 23:50:00,CCM,call,\n"
        "2,B1,1234567890,T1,S1,600,2024-01-31 23:50:00,CCM,call,\n"
        "3,B1,1234567890,T1,S1,300,2024-01-31 23:55:00,General BHI,call,2024-02-01 08:00:00\n"
        "4,B1,1234567890,T1,S1,300,01/31/2024 11:58:00 PM,Coaching,plan,\n",
    )
    batch = delivery.land()
    assert batch.format == "practice"
    assert time_of(delivery, batch, "activity_id, started_at, seconds, programme, is_voided") == [
        ("1", datetime.datetime(2024, 1, 31, 23, 50), 600, "CCM", False),
        ("3", datetime.datetime(2024, 1, 31, 23, 55), 300, "BHI", True),
        ("4", datetime.datetime(2024, 1, 31, 23, 58), 300, "OTHER", False),
    ]
    assert delivery.quarantined(batch, "source_file, source_row, reason") == [
        ("activities 2024.csv", 3, "sent_twice")
    ]
    advice = "\n".join(quarantine_advice(delivery.settings, batch.batch_id))
    assert "read as Time log of a care-management platform, in seconds (time_log_seconds.yml)" in advice
    # The one that is not voided begins while the first still runs.
    assert "1 activities begin while another of the same staff member runs" in advice


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("seconds", "1199", 1199),
        ("minutes", "19.98", 1199),
        ("minutes", "0.5", 30),
        ('"hh:mm:ss"', "00:19:59", 1199),
        ('"hh:mm:ss"', "1:05", 3900),
        ('"mm:ss"', "19:59", 1199),
    ],
)
def test_durations_become_whole_seconds(delivery: Any, unit: str, text: str, expected: int) -> None:
    batch = own(delivery, f"1,B1,2024-01-05 10:00:00,{text}\n", seconds=f"{{from: Took, unit: {unit}}}")
    assert time_of(delivery, batch, "seconds") == [(expected,)]


@pytest.mark.parametrize(
    ("unit", "text"), [("seconds", "20 min"), ("minutes", "20m"), ('"hh:mm:ss"', "20:75"), ('"mm:ss"', "abc")]
)
def test_text_that_is_no_duration_is_set_aside_with_its_line(delivery: Any, unit: str, text: str) -> None:
    batch = own(delivery, f"1,B1,2024-01-05 10:00:00,{text}\n", seconds=f"{{from: Took, unit: {unit}}}")
    assert batch.rows_landed == 0
    ((file, line, column, _),) = delivery.quarantined(batch)
    assert (file, line, column) == ("log.csv", 2, "seconds")


def test_an_instant_lands_as_the_wall_clock_of_the_practice(delivery: Any) -> None:
    # The last evening of January in New York is February in UTC; summer time moves the clock.
    batch = own(
        delivery,
        "1,B1,2024-02-01T04:50:00Z,60\n2,B1,2024-02-01 04:50:00,60\n"
        "3,B1,2024-06-01T03:50:00+00:00,60\n4,B1,2024-01-31T22:50:00-06:00,60\n",
        began="{from: Began, utc_to: America/New_York}",
    )
    assert time_of(delivery, batch, "activity_id, started_at") == [
        ("1", datetime.datetime(2024, 1, 31, 23, 50)),
        ("2", datetime.datetime(2024, 1, 31, 23, 50)),
        ("3", datetime.datetime(2024, 5, 31, 23, 50)),
        ("4", datetime.datetime(2024, 1, 31, 23, 50)),
    ]


def test_a_time_with_an_offset_and_no_time_zone_to_go_to_is_refused(delivery: Any) -> None:
    batch = own(delivery, "1,B1,2024-02-01T04:50:00Z,60\n")
    assert [row[3] for row in delivery.quarantined(batch)] == ["not_local_time"]


def test_a_billing_list_becomes_claims_and_a_code_written_twice_is_two_units(delivery: Any) -> None:
    delivery.write(
        "billing.csv",
        "Patient ID,Provider NPI,Practice TIN,Service Date,Codes,Paid\n"
        "B1,1234567890,T1,01/31/2024,99490; 99439;99439,150.25\n"
        "B2,1234567890,T1,2024-02-29,99491,\n",
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "beneficiary_id, from_date, paid_usd, claim_type") == [
        ("B1", datetime.date(2024, 1, 31), Decimal("150.25"), "carrier"),
        ("B2", datetime.date(2024, 2, 29), None, "carrier"),
    ]
    assert delivery.rows(batch, "claim_lines", "hcpcs_code, units, source_row") == [
        ("99439", Decimal(2), 2),
        ("99490", Decimal(1), 2),
        ("99491", Decimal(1), 3),
    ]
    assert batch.rows_quarantined == 0


def test_who_declined_has_given_no_consent(delivery: Any) -> None:
    delivery.write(
        "enrolled.csv",
        "Patient ID,Program,Status,Consent Date,Consent Method,Practice TIN,Revoked Date\n"
        "B1,CCM,Enrolled,01/05/2024,Phone,T1,\nB2,CCM,Declined,01/06/2024,,T1,\n"
        "B3,CCM,unenrolled,2024-01-07,Signed,T1,2024-03-01\n",
    )
    batch = delivery.land()
    assert delivery.rows(batch, "consents", "beneficiary_id, consent_mode, consent_date, revoked_date") == [
        ("B1", "verbal", datetime.date(2024, 1, 5), None),
        ("B3", "written", datetime.date(2024, 1, 7), datetime.date(2024, 3, 1)),
    ]


@pytest.mark.parametrize(
    ("header", "row", "table"),
    [
        (
            "Care Plan ID,Patient ID,Practice TIN,Created Date,Last Updated",
            "P1,B1,T1,01/05/2024,01/06/2024",
            "care_plans",
        ),
        (
            "Patient ID,Practice TIN,Problem Code,Problem Status,Onset Date,Resolved Date",
            "B1,T1,E11.9,Active,01/05/2024,",
            "problems",
        ),
        (
            "Encounter ID,Patient ID,Encounter Date,Visit Type,CPT",
            "E1,B1,2024-01-05,Office Visit,99214",
            "encounters",
        ),
        (
            "Session ID,Patient MBI,Billing Provider NPI,Practice TIN,Session Start,Session Time,Program,Status",
            "S1,B1,1234567890,T1,01/05/2024 10:15 AM,0:20:00,Chronic Care Management,Approved",
            "care_management_time",
        ),
        (
            "Patient ID,Provider NPI,Practice TIN,Staff,Date,Start,Minutes,Type,Program,Void",
            "B1,1234567890,T1,Kim,01/05/2024,10:15 AM,20.5,call,CCM,",
            "care_management_time",
        ),
    ],
)
def test_each_shipped_mapping_reads_an_export_of_its_kind(
    delivery: Any, header: str, row: str, table: str
) -> None:
    delivery.write("export.csv", f"{header}\n{row}\n")
    batch = delivery.land()
    assert (batch.counts[table]["rows_landed"], batch.rows_quarantined) == (1, 0)


def test_a_workbook_lands_like_the_text_and_keeps_its_row_numbers(new_delivery: Any) -> None:
    rows = [
        ["Key", "Person", "Began", "Took"],
        [1, "B1", datetime.datetime(2024, 1, 31, 23, 50), datetime.timedelta(minutes=20)],
        [None, None, None, None],
        [3.0, "B\n1", datetime.datetime(2024, 2, 1), datetime.time(0, 0, 30)],
        [4, "B1", "soon", "0:01:00"],
    ]
    book = Workbook()
    book.active.append(["Report of January"])
    sheet = book.create_sheet("Time")
    sheet.append(["a title above the header"])
    for row in rows:
        sheet.append(row)
    text = OWN.format(began="Began", seconds='{from: Took, unit: "hh:mm:ss"}')
    delivery = new_delivery()
    book.save(delivery.folder / "log.xlsx")
    delivery.write("own.mapping.yml", text + "sheet: Time\nheader_row: 2\n")
    batch = delivery.land()
    assert time_of(delivery, batch, "activity_id, beneficiary_id, started_at, seconds, source_row") == [
        ("1", "B1", datetime.datetime(2024, 1, 31, 23, 50), 1200, 3),
        ("3", "B 1", datetime.datetime(2024, 2, 1), 30, 5),
    ]
    assert delivery.quarantined(batch, "source_file, source_row, column_name") == [
        ("log.xlsx", 6, "started_at")
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"Key,Person,Began,Took\n"])
def test_a_damaged_workbook_is_no_traceback(delivery: Any, content: bytes) -> None:
    delivery.write("own.mapping.yml", OWN.format(began="Began", seconds="Took"))
    delivery.write("log.xlsx", content)
    with pytest.raises(UnreadableExtract):
        delivery.land()


def test_a_mapping_beside_the_delivery_counts_as_part_of_it(delivery: Any, tmp_path: Path) -> None:
    delivery.write("log.csv", "Key,Person,Began,Took\n1,B1,2024-01-05 10:00:00,2\n")
    mapping = tmp_path / "acme.yml"
    ids = set()
    for unit in ("seconds", "minutes"):
        mapping.write_text(OWN.format(began="Began", seconds=f"{{from: Took, unit: {unit}}}"))
        batch = land(delivery.folder, delivery.settings, received=RECEIVED, mapping=mapping)
        ids.add(batch.batch_id)
        assert time_of(delivery, batch, "seconds") == [(2 if unit == "seconds" else 120,)]
    assert len(ids) == 2
    assert not list(delivery.folder.glob("*.yml"))


def test_exports_and_tables_of_the_contract_land_together(delivery: Any) -> None:
    delivery.give("care_management_time")
    batch = own(delivery, "1,B1,2024-01-05 10:00:00,60\n")
    assert time_of(delivery, batch, "activity_id") == [("1",), ("A1",)]
    assert len(SAMPLE["care_management_time"]) == 2


def test_a_column_that_the_mapping_needs_is_named_where_it_is_missing(delivery: Any) -> None:
    delivery.write("billing.csv", "Patient ID,Provider NPI,Service Date,Codes\nB1,1234567890,,\n")
    delivery.write("log.csv", LOG.replace("practice_tin,", "") + "\n")
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert "log.csv, line 1, column practice_tin: a column that time_log_seconds.yml needs is missing" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("seconds: Took", "seconds: {from: Took, unit: hours}"),
            "column care_management_time.seconds: has a unit",
        ),
        (("  began", "  began"), ""),
        (
            ("programme: {value: CCM}", "programme: {value: XXX}"),
            "gives a value that the contract does not allow",
        ),
        (("programme: {value: CCM}", "program: {value: CCM}"), "does not know program"),
        (("      is_voided: {value: false}\n", ""), "these columns are required: is_voided"),
        (("started_at: Began", "started_at: {from: Began, utc_to: Mars}"), "has no such time zone"),
        (("started_at: Began", "started_at: {from: Began, value: x}"), "says not once where it comes from"),
        (("recognised_by: [Key, Person, Began]\n", ""), "recognised_by is missing"),
        (("care_management_time:", "care_time:"), "does not know care_time"),
        (("activity_id: Key", "activity_id: {listed: code}"), "is of a list"),
        (("name: Own export", "name: [a"), "line"),
    ],
)
def test_a_mapping_that_does_not_fit_the_contract_says_where(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "own.mapping.yml"
    text = OWN.format(began="Began", seconds="Took")
    assert not message or change[0] in text
    path.write_text(text.replace(*change))
    if not message:
        assert mappings.load(path).tables[0].table == "care_management_time"
        return
    with pytest.raises(UnreadableExtract) as caught:
        mappings.load(path)
    assert str(caught.value).startswith("own.mapping.yml")
    assert message in str(caught.value)


def test_shipped_mappings_fill_only_columns_of_the_contract_and_are_told_apart() -> None:
    found = mappings.shipped()
    assert len(found) >= 7
    assert {table.table for mapping in found for table in mapping.tables} <= set(load_contracts())
    for mapping in found:
        others = [other for other in found if other is not mapping and other.fits(list(mapping.columns))]
        assert not others, (mapping.path.name, [other.path.name for other in others])
