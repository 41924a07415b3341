"""The Claim and Claim Line Feed reader on files made by position, with planted faults, and on public samples."""

from __future__ import annotations

import csv
import datetime
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts import detect
from pipelines.extracts.cclf_layout import EARLIER_LENGTHS, current_length, positions
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import land, quarantine_advice
from pipelines.settings import Settings

NAME = "P.A1234.ACO.ZC{number}Y24.D240601.T010203{number}"
CLAIM_1 = {
    "CUR_CLM_UNIQ_ID": "1000000000001",
    "PRVDR_OSCAR_NUM": "654321",
    "BENE_MBI_ID": "1EG4TE5MK73",
    "CLM_TYPE_CD": "60",
    "CLM_FROM_DT": "2024-01-10",
    "CLM_THRU_DT": "2024-01-14",
    "CLM_BILL_FAC_TYPE_CD": "1",
    "CLM_BILL_CLSFCTN_CD": "1",
    "CLM_BILL_FREQ_CD": "1",
    "PRNCPL_DGNS_CD": "I5033",
    "ADMTG_DGNS_CD": "R0602",
    "CLM_PMT_AMT": "210.00",
    "BENE_PTNT_STUS_CD": "01",
    "FAC_PRVDR_NPI_NUM": "1999999999",
    "CLM_ADJSMT_TYPE_CD": "0",
    "CLM_EFCTV_DT": "2024-02-01",
    "DGNS_PRCDR_ICD_IND": "0",
    "CLM_BLG_PRVDR_OSCAR_NUM": "654321",
}
LINE_2 = {
    "CUR_CLM_UNIQ_ID": "1000000000001",
    "CLM_LINE_NUM": "1",
    "BENE_MBI_ID": "1EG4TE5MK73",
    "CLM_TYPE_CD": "60",
    "CLM_LINE_FROM_DT": "2024-01-10",
    "CLM_LINE_THRU_DT": "2024-01-14",
    "CLM_LINE_PROD_REV_CTR_CD": "0450",
    "CLM_LINE_INSTNL_REV_CTR_DT": "1000-01-01",
    "CLM_LINE_SRVC_UNIT_QTY": "4.0000",
    "CLM_LINE_CVRD_PD_AMT": "210.00",
}
CODE_4 = {
    "CUR_CLM_UNIQ_ID": "1000000000001",
    "CLM_TYPE_CD": "60",
    "CLM_PROD_TYPE_CD": "D",
    "CLM_VAL_SQNC_NUM": "1",
    "CLM_DGNS_CD": "I5033",
    "CLM_THRU_DT": "2024-01-14",
    "DGNS_PRCDR_ICD_IND": "0",
}
LINE_5 = {
    "CUR_CLM_UNIQ_ID": "2000000000001",
    "CLM_LINE_NUM": "1",
    "BENE_MBI_ID": "1EG4TE5MK73",
    "CLM_TYPE_CD": "71",
    "CLM_FROM_DT": "2024-01-31",
    "CLM_THRU_DT": "2024-01-31",
    "CLM_PRVDR_SPCLTY_CD": "08",
    "CLM_POS_CD": "11",
    "CLM_LINE_FROM_DT": "2024-01-31",
    "CLM_LINE_THRU_DT": "2024-01-31",
    "CLM_LINE_HCPCS_CD": "99490",
    "CLM_LINE_CVRD_PD_AMT": "49.10",
    "CLM_LINE_DGNS_CD": "E119",
    "CLM_RNDRG_PRVDR_TAX_NUM": "123456789",
    "RNDRG_PRVDR_NPI_NUM": "1234567893",
    "CLM_CARR_PMT_DNL_CD": "1",
    "CLM_PRCSG_IND_CD": "A",
    "CLM_ADJSMT_TYPE_CD": "0",
    "CLM_EFCTV_DT": "2024-02-20",
    "CLM_CNTL_NUM": "77",
    "CLM_LINE_ALOWD_CHRG_AMT": "61.38",
    "CLM_LINE_SRVC_UNIT_QTY": "1.0000",
    "CLM_DGNS_1_CD": "E119",
    "CLM_DGNS_2_CD": "I10",
    "DGNS_PRCDR_ICD_IND": "0",
}
PERSON_8 = {
    "BENE_MBI_ID": "1EG4TE5MK73",
    "BENE_FIPS_STATE_CD": "06",
    "BENE_FIPS_CNTY_CD": "037",
    "BENE_DOB": "1945-03-02",
    "BENE_SEX_CD": "2",
    "BENE_RACE_CD": "5",
    "BENE_MDCR_STUS_CD": "10",
    "BENE_DUAL_STUS_CD": "02",
    "BENE_RNG_BGN_DT": "1000-01-01",
    "BENE_RNG_END_DT": "9999-12-31",
    "BENE_ORGNL_ENTLMT_RSN_CD": "0",
    "BENE_PART_A_ENRLMT_BGN_DT": "2010-03-01",
    "BENE_PART_B_ENRLMT_BGN_DT": "2024-02-01",
    "GEO_USPS_STATE_CD": "CA",
    "GEO_ZIP5_CD": "90001",
}
TEMPLATES = {"1": CLAIM_1, "2": LINE_2, "4": CODE_4, "5": LINE_5, "8": PERSON_8}


def record(number: str, values: dict[str, str], length: int | None = None) -> str:
    """One record of file `number`, cut after `length`."""
    cells = [" "] * current_length(number)
    for field, value in values.items():
        first, last = positions(number)[field]
        assert len(value) <= last - first + 1, field
        cells[first - 1 : first - 1 + len(value)] = value
    return "".join(cells)[:length]


def feed(delivery: Any, files: dict[str, list[dict[str, str]]], name: str = NAME, **lengths: int) -> None:
    """Write files and the control file that states them; each record is the template with the given values."""
    stated = ["File Number  |File Description    |Total Records Count |Record Length"]
    for number, rows in files.items():
        length = lengths.get(f"length_{number}", current_length(number))
        lines = [record(number, TEMPLATES.get(number, {}) | row, length) for row in rows]
        delivery.write(name.format(number=number), "".join(f"{line}\n" for line in lines))
        stated.append(f"CCLF{number}  |File {number:<14} |{len(rows):>20}|{length:>5}")
    delivery.write(name.format(number="0"), "\n".join(stated) + "\n")


def test_a_facility_claim_lands_with_its_stay_lines_and_diagnoses(delivery: Any) -> None:
    external = {"CLM_PROD_TYPE_CD": "E", "CLM_VAL_SQNC_NUM": "1", "CLM_DGNS_CD": "W1830XA"}
    other = {"CLM_VAL_SQNC_NUM": "2", "CLM_DGNS_CD": "E119"}
    admitted = {"CUR_CLM_UNIQ_ID": "1000000000001", "CLM_ACTV_CARE_FROM_DT": "2024-01-09"}
    feed(delivery, {"1": [{}], "2": [{}], "4": [{}, other, external], "A": [admitted]})
    batch = delivery.land()
    assert batch.format == "cclf"
    assert (batch.rows_quarantined, batch.rows_in) == (0, batch.rows_landed)
    assert delivery.rows(
        batch,
        "claims",
        "claim_id, claim_type, admission_date, discharge_date, bill_type_code, facility_ccn, action, paid_usd",
    ) == [
        (
            "1000000000001",
            "inpatient",
            datetime.date(2024, 1, 9),
            datetime.date(2024, 1, 14),
            "111",
            "654321",
            "original",
            Decimal("210.00"),
        )
    ]
    assert delivery.rows(
        batch, "claim_lines", "line_number, from_date, revenue_center_code, units, paid_usd"
    ) == [(1, datetime.date(2024, 1, 10), "0450", Decimal(4), Decimal("210.00"))]
    assert delivery.rows(batch, "claim_diagnoses", "role, position, diagnosis_code, source_row") == [
        ("admitting", 1, "R0602", 1),
        ("external", 2, "W1830XA", 3),
        ("other", 2, "E119", 2),
        ("principal", 1, "I5033", 1),
    ]


def test_a_professional_claim_is_made_of_its_lines(delivery: Any) -> None:
    second = {
        "CLM_LINE_NUM": "2",
        "CLM_LINE_HCPCS_CD": "99439",
        "CLM_LINE_CVRD_PD_AMT": "74.00",
        "CLM_PRCSG_IND_CD": "N",
        "CLM_LINE_DGNS_CD": "I10",
    }
    feed(delivery, {"5": [{}, second]})
    batch = delivery.land()
    assert delivery.rows(
        batch, "claims", "claim_type, claim_group_id, billing_tin, processed_date, paid_usd"
    ) == [("carrier", "B 77", "123456789", datetime.date(2024, 2, 20), Decimal("123.10"))]
    columns = "line_number, hcpcs_code, rendering_npi, allowed_usd, paid_usd, is_denied"
    assert delivery.rows(batch, "claim_lines", columns) == [
        (1, "99490", "1234567893", Decimal("61.38"), Decimal("49.10"), False),
        (2, "99439", "1234567893", Decimal("61.38"), Decimal("74.00"), True),
    ]
    assert delivery.rows(batch, "claim_diagnoses", "line_number, role, position, diagnosis_code") == [
        (0, "other", 2, "I10"),
        (0, "principal", 1, "E119"),
        (1, "line", 1, "E119"),
        (2, "line", 1, "I10"),
    ]


def test_amounts_of_a_cancellation_are_negated_and_it_names_its_family(delivery: Any) -> None:
    cancelled = {"CUR_CLM_UNIQ_ID": "2000000000002", "CLM_ADJSMT_TYPE_CD": "1"}
    facility = {"CUR_CLM_UNIQ_ID": "1000000000002", "CLM_ADJSMT_TYPE_CD": "01"}
    line = {"CUR_CLM_UNIQ_ID": "1000000000002"}
    feed(delivery, {"1": [facility], "2": [line], "5": [{}, cancelled]})
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id, action, adjusted_claim_id, paid_usd") == [
        (
            "1000000000002",
            "cancellation",
            "A 60 654321 2024-01-10 2024-01-14",
            Decimal("-210.00"),
        ),
        ("2000000000001", "original", None, Decimal("49.10")),
        ("2000000000002", "cancellation", "B 77", Decimal("-49.10")),
    ]
    assert delivery.rows(batch, "claim_lines", "claim_id, paid_usd, allowed_usd") == [
        ("1000000000002", Decimal("-210.00"), None),
        ("2000000000001", Decimal("49.10"), Decimal("61.38")),
        ("2000000000002", Decimal("-49.10"), Decimal("-61.38")),
    ]


def test_amounts_of_lines_that_do_not_add_up_to_their_claim_are_left_out(delivery: Any) -> None:
    feed(delivery, {"1": [{}], "2": [{}, {"CLM_LINE_NUM": "2", "CLM_LINE_CVRD_PD_AMT": "0.01"}]})
    batch = delivery.land()
    assert delivery.rows(batch, "claim_lines", "line_number, paid_usd") == [(1, None), (2, None)]
    assert delivery.rows(batch, "claims", "paid_usd") == [(Decimal("210.00"),)]


def test_the_stated_record_length_chooses_the_layout(delivery: Any) -> None:
    # What lies beyond the older record is not there: the family comes from the older field.
    feed(
        delivery,
        {"1": [{"PRVDR_OSCAR_NUM": "111111"}], "5": [{}]},
        length_1=EARLIER_LENGTHS["1"][0],
        length_5=EARLIER_LENGTHS["5"][0],
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_group_id") == [
        ("A 60 111111 2024-01-10 2024-01-14",),
        ("B 77",),
    ]


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (
            "CCLF5|Part B Physicians|2|388\n",
            "ZC0, line 1, column Total Records Count: CCLF5 is not complete, or is here twice; "
            "expected 2 records; found 1 records",
        ),
        (
            "CCLF5|Part B Physicians|1|400\n",
            "ZC0, line 1, column Record Length: states a record length of file 5 that no known layout has; "
            "expected 388 or 363; found 400",
        ),
        (
            "CCLF5|Part B Physicians|one|388\n",
            "ZC0, line 1, column Total Records Count: not a number; expected a whole number",
        ),
        ("CCLF5|388\n", "ZC0, line 1: not a line of a control file; expected file number"),
        ("CCLF1|Part A|1|437\n", "ZC0: does not state CCLF5"),
        ("nothing\n", "ZC0: the control file states nothing"),
    ],
)
def test_a_control_file_that_does_not_fit_stops_the_delivery(
    delivery: Any, control: str, expected: str
) -> None:
    delivery.write("ZC5", record("5", LINE_5) + "\n")
    delivery.write("ZC0", control)
    with pytest.raises(UnreadableExtract) as caught:
        delivery.land()
    assert expected in str(caught.value)
    assert not list(delivery.settings.landing.glob("batch-*"))


def test_lines_that_are_too_long_are_set_aside_and_shorter_or_blank_ones_are_fine(delivery: Any) -> None:
    good = record("5", LINE_5).rstrip()
    long = record("5", LINE_5 | {"CLM_LINE_NUM": "2"}) + "X"
    delivery.write("ZC5", f"{good}\r\n\r\n   \r\n{long}\r\n".encode())
    batch = delivery.land()
    assert delivery.rows(batch, "claim_lines", "line_number, source_row") == [(1, 1)]
    assert delivery.quarantined(batch, "source_file, source_row, reason") == [("ZC5", 4, "line_too_long")]
    assert any("no control file" in line for line in quarantine_advice(delivery.settings, batch.batch_id))


@pytest.mark.parametrize("spoil", ["gzip", "latin-1", "mixed line ends", "byte-order mark"])
def test_how_the_text_is_written_changes_nothing(new_delivery: Any, spoil: str) -> None:
    landed = []
    for is_spoilt in (False, True):
        delivery = new_delivery()
        rows = [PERSON_8 | {"BENE_1ST_NAME": 'Jos "M'}, PERSON_8 | {"BENE_MBI_ID": "2EG4TE5MK73"}]
        text = "".join(record("8", row) + "\n" for row in rows)
        content, name = text.encode(), "ZC8.D240601"
        if is_spoilt and spoil == "gzip":
            content, name = gzip.compress(content), "ZC8.D240601.gz"
        if is_spoilt and spoil == "latin-1":
            content = text.replace("Jos ", "Jos\u00e9").encode("latin-1")
        if is_spoilt and spoil == "mixed line ends":
            content = content.replace(b"\n", b"\r\n", 1)
        if is_spoilt and spoil == "byte-order mark":
            content = b"\xef\xbb\xbf" + content
        delivery.write(name, content)
        batch = delivery.land()
        landed.append(delivery.rows(batch, "beneficiaries", "* exclude (batch_id, source_file)"))
    assert landed[0] == landed[1]
    assert len(landed[0]) == 2


def test_a_date_range_in_file_8_is_hospice_and_coverage_is_approximate(delivery: Any) -> None:
    hospice = {"BENE_RNG_BGN_DT": "2024-03-20", "BENE_RNG_END_DT": "2024-04-02"}
    feed(delivery, {"5": [{}], "8": [{}, hospice]})
    batch = delivery.land()
    months = "service_month, has_part_a, has_part_b, is_medicare_advantage, has_hospice_election"
    # From the first claim to the last full month before the day on which the files were cut.
    assert delivery.rows(batch, "enrollment_months", months) == [
        (datetime.date(2024, 1, 1), True, False, False, False),
        (datetime.date(2024, 2, 1), True, True, False, False),
        (datetime.date(2024, 3, 1), True, True, False, True),
        (datetime.date(2024, 4, 1), True, True, False, True),
        (datetime.date(2024, 5, 1), True, True, False, False),
    ]
    assert delivery.rows(batch, "enrollment_months", "distinct coverage_grain, dual_status_code") == [
        ("approximate", "02")
    ]
    # Two rows describe one person; both are accounted for.
    assert delivery.rows(batch, "beneficiaries", "beneficiary_id, reference_date, county_fips_code, sex") == [
        ("1EG4TE5MK73", datetime.date(2024, 6, 1), "06037", "female")
    ]
    assert batch.rows_quarantined == 0


def test_months_come_from_the_alignment_report_where_there_is_one(delivery: Any) -> None:
    feed(delivery, {"5": [{}], "8": [{}, {"BENE_MBI_ID": "2EG4TE5MK73"}]})
    delivery.write(
        "ALR.csv",
        "BENE_MBI_ID,Start_Date,End_Date\n1EG4TE5MK73,2024-01-01,02/29/2024\n"
        "1EG4TE5MK73,2024-05-01,\n3EG4TE5MK73,2024-04-15,2024-12-31\n3EG4TE5MK73,soon,\n",
    )
    batch = delivery.land()
    assert delivery.rows(batch, "enrollment_months", "beneficiary_id, service_month, coverage_grain") == [
        ("1EG4TE5MK73", datetime.date(2024, 1, 1), "span"),
        ("1EG4TE5MK73", datetime.date(2024, 2, 1), "span"),
        ("1EG4TE5MK73", datetime.date(2024, 5, 1), "span"),
        ("3EG4TE5MK73", datetime.date(2024, 4, 1), "span"),
        ("3EG4TE5MK73", datetime.date(2024, 5, 1), "span"),
    ]
    assert delivery.quarantined(batch, "source_file, source_row, reason") == [("ALR.csv", 5, "not_a_span")]
    assert any("1 people of file 8" in line for line in quarantine_advice(delivery.settings, batch.batch_id))


def test_rows_that_a_later_delivery_repeats_do_not_double(delivery: Any) -> None:
    later = NAME.replace("D240601", "D240615").replace("Y24", "R24")
    changed = {"BENE_MBI_ID": "1EG4TE5MK73", "PRVS_NUM": "0EG4TE5MK73", "CRNT_NUM": "1EG4TE5MK73"}
    del changed["BENE_MBI_ID"]
    feed(delivery, {"5": [{}], "8": [{}], "9": [changed]})
    feed(delivery, {"5": [{}, {"CUR_CLM_UNIQ_ID": "2000000000009"}], "8": [{}], "9": [changed]}, name=later)
    batch = delivery.land()
    assert batch.rows_quarantined == 0
    assert delivery.rows(batch, "claims", "claim_id, claim_version, source_row") == [
        ("2000000000001", 1, 1),
        ("2000000000001", 2, 1),
        ("2000000000009", 1, 2),
    ]
    assert delivery.rows(batch, "beneficiary_xref", "previous_beneficiary_id, current_beneficiary_id") == [
        ("0EG4TE5MK73", "1EG4TE5MK73")
    ]
    assert delivery.rows(batch, "beneficiaries", "reference_date") == [
        (datetime.date(2024, 6, 1),),
        (datetime.date(2024, 6, 15),),
    ]


def test_an_admission_without_its_claim_and_codes_that_nobody_knows_are_set_aside(delivery: Any) -> None:
    feed(
        delivery,
        {
            "5": [
                {"CLM_TYPE_CD": "40"},
                {"CUR_CLM_UNIQ_ID": "2", "CLM_ADJSMT_TYPE_CD": "7"},
                {"CUR_CLM_UNIQ_ID": "3", "CLM_LINE_CVRD_PD_AMT": "12,50"},
            ],
            "A": [{"CUR_CLM_UNIQ_ID": "9", "CLM_ACTV_CARE_FROM_DT": "2024-01-09"}],
        },
    )
    batch = delivery.land()
    reasons = delivery.quarantined(batch, "table_name, column_name, reason")
    assert ("claims", "claim_type", "not_allowed") in reasons
    assert ("claims", "action", "not_allowed") in reasons
    assert ("claim_lines", "paid_usd", "not_a_number") in reasons
    assert ("claims", None, "parent_missing") in reasons
    # The claim whose only amount cannot be read lands without one.
    assert delivery.rows(batch, "claims", "claim_id, paid_usd") == [("3", None)]


def test_every_position_is_that_of_the_public_layout(public_data: Path) -> None:
    with (public_data / "layouts" / "cclf_layout.csv").open(encoding="utf-8", newline="") as content:
        published: dict[str, dict[str, tuple[int, int]]] = {}
        for row in csv.DictReader(content):
            place = (int(row["start"]), int(row["end"]))
            published.setdefault(row["file"].removeprefix("CCLF"), {})[row["field"]] = place
    del published["0"]
    assert {number: positions(number) for number in published} == published


@pytest.mark.public_data
def test_the_public_sample_lands_by_its_older_layout(public_data: Path, tmp_path: Path) -> None:
    folder = public_data / "cclf_bcda_small"
    assert detect.choose(folder).NAME == "cclf"
    settings = Settings(out=tmp_path, memory_limit="1GB", threads=1)
    batch = land(folder, settings, received=datetime.date(2024, 9, 30))
    assert (
        batch.counts["beneficiaries"]["rows_landed"],
        batch.counts["beneficiary_xref"]["rows_landed"],
    ) == (
        2490,
        2,
    )
    assert batch.rows_quarantined == 0
