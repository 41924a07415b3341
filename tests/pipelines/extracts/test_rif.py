"""The RIF reader on hand-written files with planted faults, and on the public samples."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts import detect
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import LandedBatch, land
from pipelines.settings import Settings
from tests.pipelines.extracts.control_totals import CARE_MANAGEMENT, Landed, control_totals

CARRIER: dict[str, str] = {
    "DML_IND": "INSERT",
    "BENE_ID": "-7",
    "CLM_ID": "C1",
    "CLM_GRP_ID": "G1",
    "FINAL_ACTION": "F",
    "NCH_CLM_TYPE_CD": "71",
    "CLM_FROM_DT": "05-Jan-2024",
    "CLM_THRU_DT": "06-JAN-2024",
    "NCH_WKLY_PROC_DT": "12-jan-2024",
    "CARR_CLM_PMT_DNL_CD": "1",
    "CLM_PMT_AMT": "80.5",
    "PRNCPAL_DGNS_CD": "E119",
    "PRNCPAL_DGNS_VRSN_CD": "0",
    "ICD_DGNS_CD1": "E119",
    "ICD_DGNS_VRSN_CD1": "0",
    "ICD_DGNS_CD2": "I10",
    "ICD_DGNS_VRSN_CD2": "0",
    "CARR_CLM_BLG_NPI_NUM": " ",
    "LINE_NUM": "1",
    "PRF_PHYSN_NPI": "1234567893",
    "TAX_NUM": "12345678",
    "PRVDR_SPCLTY": "1",
    "LINE_SRVC_CNT": "2",
    "LINE_PLACE_OF_SRVC_CD": "2",
    "LINE_1ST_EXPNS_DT": "05-Jan-2024",
    "LINE_LAST_EXPNS_DT": "05-Jan-2024",
    "HCPCS_CD": "99490",
    "LINE_NCH_PMT_AMT": "80.50",
    "LINE_PRCSG_IND_CD": "A",
    "LINE_ICD_DGNS_CD": "4019",
    "LINE_ICD_DGNS_VRSN_CD": "9",
}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
PERSON: dict[str, str] = {
    "DML_IND": "INSERT",
    "BENE_ID": "-7",
    "STATE_CODE": "22",
    "BENE_ZIP_CD": "1730",
    "BENE_BIRTH_DT": "17-Jan-1942",
    "BENE_SEX_IDENT_CD": "2",
    "BENE_RACE_CD": "3",
    "RTI_RACE_CD": "4",
    "BENE_ENTLMT_RSN_ORIG": "0",
    "BENE_ESRD_IND": "Y",
    "DEATH_DT": " ",
    "RFRNC_YR": "2023",
}
for place, month in enumerate(MONTHS, 1):
    PERSON |= {
        f"MDCR_ENTLMT_BUYIN_{place}_IND": "3",
        f"HMO_{place}_IND": " ",
        f"META_DUAL_ELGBL_STUS_{month}_CD": "NA",
        f"MDCR_STUS_{month}_CD": "10",
        f"FIPS_STATE_CNTY_{month}_CD": "25017" if place < 6 else "",
    }


def rif(*rows: dict[str, str], quoted: bool = False, delimiter: str = "|") -> str:
    mark = '"' if quoted else ""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(delimiter.join(f"{mark}{cell}{mark}" for cell in line) + "\n" for line in lines)


def land_carrier(delivery: Any, *rows: dict[str, str], **options: Any) -> LandedBatch:
    delivery.write("carrier.csv", rif(*(CARRIER | row for row in rows), **options))
    return delivery.land()


def test_a_carrier_claim_lands_with_iso_dates_and_the_zeros_that_its_codes_lost(delivery: Any) -> None:
    batch = land_carrier(delivery, {}, {"LINE_NUM": "2", "LINE_PRCSG_IND_CD": "C"})
    assert batch.format == "rif"
    header = "claim_type, claim_group_id, from_date, through_date, processed_date, billing_npi, is_denied, paid_usd"
    assert delivery.rows(batch, "claims", header) == [
        (
            "carrier",
            "G1",
            datetime.date(2024, 1, 5),
            datetime.date(2024, 1, 6),
            datetime.date(2024, 1, 12),
            None,
            False,
            Decimal("80.50"),
        )
    ]
    line = "line_number, place_of_service_code, billing_tin, provider_specialty_code, units, is_denied, source_row"
    assert delivery.rows(batch, "claim_lines", line) == [
        (1, "02", "012345678", "01", Decimal(2), False, 2),
        (2, "02", "012345678", "01", Decimal(2), True, 3),
    ]


def test_the_principal_diagnosis_is_kept_once_and_lines_keep_their_own(delivery: Any) -> None:
    batch = land_carrier(delivery, {})
    columns = "line_number, role, position, diagnosis_code, icd_version"
    assert delivery.rows(batch, "claim_diagnoses", columns) == [
        (0, "other", 2, "I10", 10),
        (0, "principal", 1, "E119", 10),
        (1, "line", 1, "4019", 9),
    ]


def test_statements_about_a_claim_are_numbered_in_file_order(delivery: Any) -> None:
    batch = land_carrier(
        delivery,
        {},
        {"LINE_NUM": "2"},
        {"CLM_ID": "C2"},
        {"DML_IND": "UPDATE", "FINAL_ACTION": "N", "CLM_PMT_AMT": "1"},
        {"DML_IND": "UPDATE", "FINAL_ACTION": "N", "LINE_NUM": "2"},
        {"DML_IND": "UPDATE", "CLM_PMT_AMT": "2"},
        {"DML_IND": "DELETE"},
    )
    columns = "claim_id, claim_version, action, is_final_action, paid_usd"
    assert delivery.rows(batch, "claims", columns) == [
        ("C1", 1, "original", True, Decimal("80.50")),
        ("C1", 2, "replacement", False, Decimal(1)),
        ("C1", 3, "replacement", True, Decimal(2)),
        ("C1", 4, "cancellation", True, Decimal("80.50")),
        ("C2", 1, "original", True, Decimal("80.50")),
    ]
    assert delivery.rows(batch, "claim_lines", "claim_id, claim_version, line_number") == [
        *[("C1", 1, 1), ("C1", 1, 2), ("C1", 2, 1), ("C1", 2, 2), ("C1", 3, 1), ("C1", 4, 1), ("C2", 1, 1)]
    ]


def test_statements_are_ordered_over_files_too(delivery: Any) -> None:
    delivery.write("carrier-1.csv", rif(CARRIER, CARRIER | {"LINE_NUM": "2"}))
    delivery.write("carrier-2.csv", rif(CARRIER | {"DML_IND": "DELETE"}))
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_version, action, source_file") == [
        (1, "original", "carrier-1.csv"),
        (2, "cancellation", "carrier-2.csv"),
    ]


def test_an_update_in_a_later_file_replaces_the_claim_whatever_its_first_line_is(delivery: Any) -> None:
    update = CARRIER | {"DML_IND": "UPDATE"}
    delivery.write("carrier-1.csv", rif(CARRIER, update))
    delivery.write("carrier-2.csv", rif(update | {"LINE_NUM": "2", "CLM_PMT_AMT": "9"}))
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_version, paid_usd") == [
        (1, Decimal("80.50")),
        (2, Decimal("80.50")),
        (3, Decimal(9)),
    ]
    assert delivery.rows(batch, "claim_lines", "claim_version, line_number") == [(1, 1), (2, 1), (3, 2)]


def test_the_quoted_dialect_and_a_byte_order_mark_change_nothing(new_delivery: Any) -> None:
    landed = []
    for content in (
        rif(CARRIER, CARRIER | {"LINE_NUM": "2"}).encode(),
        rif(CARRIER, CARRIER | {"LINE_NUM": "2"}, quoted=True).encode(),
        b"\xef\xbb\xbf" + rif(CARRIER, CARRIER | {"LINE_NUM": "2"}).encode(),
    ):
        delivery = new_delivery()
        delivery.write("carrier.csv", content)
        batch = delivery.land()
        landed.append(
            [
                delivery.rows(batch, table, "* exclude (batch_id)")
                for table in ("claims", "claim_lines", "claim_diagnoses")
            ]
        )
    assert landed[0] == landed[1] == landed[2]


def test_a_denied_claim_is_marked(new_delivery: Any) -> None:
    delivery = new_delivery()
    batch = land_carrier(delivery, {"CARR_CLM_PMT_DNL_CD": "0"})
    assert delivery.rows(batch, "claims", "is_denied") == [(True,)]
    facility = {
        name: value for name, value in CARRIER.items() if not name.startswith(("LINE", "CARR", "PRF", "TAX"))
    } | {
        "CLM_LINE_NUM": "1",
        "CLM_FAC_TYPE_CD": "1",
        "CLM_SRVC_CLSFCTN_TYPE_CD": "3",
        "CLM_FREQ_CD": "1",
        "PTNT_DSCHRG_STUS_CD": "1",
        "PRVDR_NUM": "50001",
        "REV_CNTR": "450",
        "REV_CNTR_DT": " ",
        "NCH_CLM_TYPE_CD": "40",
        "PRNCPAL_DGNS_CD": "I10",
        "FST_DGNS_E_CD": "W19",
        "FST_DGNS_E_VRSN_CD": "0",
        "RSN_VISIT_CD1": "R51",
        "RSN_VISIT_VRSN_CD1": "0",
    }
    delivery = new_delivery()
    delivery.write(
        "outpatient.csv",
        rif(
            facility | {"CLM_MDCR_NON_PMT_RSN_CD": " "},
            facility | {"CLM_ID": "C2", "CLM_MDCR_NON_PMT_RSN_CD": "N", "REV_CNTR_DT": "06-Jan-2024"},
        ),
    )
    batch = delivery.land()
    columns = "claim_id, is_denied, bill_type_code, facility_ccn, discharge_status_code"
    assert delivery.rows(batch, "claims", columns) == [
        ("C1", False, "131", "050001", "01"),
        ("C2", True, "131", "050001", "01"),
    ]
    assert delivery.rows(batch, "claim_lines", "claim_id, from_date, revenue_center_code") == [
        ("C1", datetime.date(2024, 1, 5), "0450"),
        ("C2", datetime.date(2024, 1, 6), "0450"),
    ]
    # The principal repeats as the second numbered code here.
    assert delivery.rows(batch, "claim_diagnoses", "claim_id, role, position, diagnosis_code")[:4] == [
        ("C1", "external", 1, "W19"),
        ("C1", "other", 1, "E119"),
        ("C1", "principal", 1, "I10"),
        ("C1", "reason", 1, "R51"),
    ]


def test_months_of_coverage_are_read_from_the_flags(delivery: Any) -> None:
    flags = {
        "MDCR_ENTLMT_BUYIN_1_IND": "0",
        "MDCR_ENTLMT_BUYIN_2_IND": "A",
        "MDCR_ENTLMT_BUYIN_3_IND": "2",
        "MDCR_ENTLMT_BUYIN_4_IND": "c",
        "HMO_2_IND": "4",
        "HMO_3_IND": "1",
        "HMO_4_IND": "B",
        "META_DUAL_ELGBL_STUS_FEB_CD": "2",
        "META_DUAL_ELGBL_STUS_MAR_CD": "**",
        "MDCR_STUS_SEPT_CD": "11",
        "CST_SHR_GRP_MAR_CD": "3",
        "CST_SHR_GRP_SEPT_CD": "09",
        # Nothing is said about December.
        "MDCR_ENTLMT_BUYIN_12_IND": "",
        "META_DUAL_ELGBL_STUS_DEC_CD": " ",
        "MDCR_STUS_DEC_CD": "",
        # Codes that mean nothing.
        "MDCR_ENTLMT_BUYIN_10_IND": "Y",
        "HMO_11_IND": "T",
    }
    delivery.write("beneficiary_2023.csv", rif(PERSON | flags))
    batch = delivery.land()
    columns = "month(service_month), has_part_a, has_part_b, is_medicare_advantage, dual_status_code"
    months = delivery.rows(batch, "enrollment_months", f"{columns}, medicare_status_code, coverage_grain")
    assert months[:5] == [
        (1, False, False, False, "NA", "10", "month"),
        (2, True, False, False, "02", "10", "month"),
        (3, False, True, True, "99", "10", "month"),
        (4, True, True, True, "NA", "10", "month"),
        (5, True, True, False, "NA", "10", "month"),
    ]
    assert [month[0] for month in months] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert months[8][5] == "11"
    subsidies = delivery.rows(batch, "enrollment_months", "month(service_month), low_income_subsidy_code")
    assert [code for _, code in subsidies] == [None, None, "03", None, None, None, None, None, "09"]
    assert delivery.quarantined(batch) == [
        ("beneficiary_2023.csv", 2, "has_part_a", "not_a_boolean"),
        ("beneficiary_2023.csv", 2, "is_medicare_advantage", "not_a_boolean"),
    ]


def test_a_person_is_described_on_the_last_day_of_the_reference_year(delivery: Any) -> None:
    delivery.write("beneficiary_2023.csv", rif(PERSON, PERSON | {"BENE_ID": "-8", "RTI_RACE_CD": " "}))
    batch = delivery.land()
    columns = (
        "beneficiary_id, reference_date, birth_date, death_date, sex, race_ethnicity_code, "
        "race_ethnicity_source, state_code, county_fips_code, zip_code, has_esrd"
    )
    common = (datetime.date(2023, 12, 31), datetime.date(1942, 1, 17), None, "female")
    assert delivery.rows(batch, "beneficiaries", columns) == [
        ("-7", *common, "4", "rti", "MA", "25017", "01730", True),
        ("-8", *common, "3", "enrollment", "MA", "25017", "01730", True),
    ]


def test_the_last_statement_about_a_person_and_year_holds_and_the_others_are_set_aside(delivery: Any) -> None:
    delivery.write(
        "beneficiary_2022.csv", rif(PERSON, PERSON | {"BENE_ID": "-8"}, PERSON | {"BENE_ID": "-9"})
    )
    delivery.write(
        "beneficiary_2023.csv",
        rif(
            PERSON | {"DML_IND": "UPDATE", "STATE_CODE": "10"},
            PERSON | {"BENE_ID": "-8", "DML_IND": "DELETE"},
        ),
    )
    batch = delivery.land()
    assert delivery.rows(batch, "beneficiaries", "beneficiary_id, state_code") == [("-7", "FL"), ("-9", "MA")]
    assert delivery.quarantined(batch) == [
        ("beneficiary_2022.csv", 2, None, "superseded"),
        ("beneficiary_2022.csv", 3, None, "superseded"),
        ("beneficiary_2023.csv", 3, None, "deleted_by_source"),
    ]
    assert batch.counts["enrollment_months"]["rows_landed"] == 24


def test_a_person_row_that_does_nothing_known_is_set_aside(delivery: Any) -> None:
    delivery.write(
        "beneficiary_2023.csv",
        rif(
            PERSON,
            PERSON | {"BENE_ID": "-8", "DML_IND": "REPLACE"},
            PERSON | {"BENE_ID": "-9", "DML_IND": " "},
        ),
    )
    batch = delivery.land()
    assert delivery.rows(batch, "beneficiaries", "beneficiary_id") == [("-7",)]
    assert batch.counts["enrollment_months"]["rows_landed"] == 12
    assert delivery.quarantined(batch) == [
        ("beneficiary_2023.csv", 3, None, "not_allowed"),
        ("beneficiary_2023.csv", 4, None, "missing_required"),
    ]


def test_values_that_the_contract_does_not_know_are_quarantined(delivery: Any) -> None:
    batch = land_carrier(
        delivery,
        {"DML_IND": "REPLACE"},
        {"CLM_ID": "C2", "PRF_PHYSN_NPI": "123"},
        {"CLM_ID": "C3", "CLM_FROM_DT": "05-Foo-2024", "LINE_1ST_EXPNS_DT": "05-Jan-2024"},
        {"CLM_ID": "C4", "LINE_ICD_DGNS_VRSN_CD": " "},
        {"CLM_ID": "C5", "FINAL_ACTION": "X"},
    )
    found = delivery.quarantined(batch, "table_name, source_row, column_name, reason")
    assert [row for row in found if row[3] != "parent_missing"] == [
        ("claim_diagnoses", 5, "icd_version", "missing_required"),
        ("claim_lines", 3, "rendering_npi", "pattern"),
        ("claims", 2, "action", "not_allowed"),
        ("claims", 4, "from_date", "not_a_date"),
        ("claims", 6, "is_final_action", "not_a_boolean"),
    ]
    assert batch.rows_in == batch.rows_landed + batch.rows_quarantined


def test_an_unknown_state_code_is_quarantined_and_a_foreign_country_is_no_state(delivery: Any) -> None:
    delivery.write(
        "beneficiary_2023.csv",
        rif(*(PERSON | {"BENE_ID": code, "STATE_CODE": code} for code in ("5", "58", "68", "MO", "93"))),
    )
    batch = delivery.land()
    assert delivery.rows(batch, "beneficiaries", "beneficiary_id, state_code") == [
        ("5", "CA"),
        ("58", None),
        ("68", "FL"),
        ("MO", "MO"),
    ]
    assert delivery.quarantined(batch) == [("beneficiary_2023.csv", 6, "state_code", "pattern")]


def test_a_missing_column_and_a_wrong_delimiter_are_named(new_delivery: Any) -> None:
    without = {name: value for name, value in CARRIER.items() if name != "CLM_THRU_DT"}
    for content, said in (
        (rif(without), "carrier.csv, line 1, column CLM_THRU_DT: a required column is missing"),
        (
            rif(CARRIER, delimiter=","),
            "carrier.csv, line 1: wrong delimiter; expected a pipe between columns",
        ),
    ):
        delivery = new_delivery()
        delivery.write("carrier.csv", content)
        with pytest.raises(UnreadableExtract) as raised:
            delivery.land()
        assert str(raised.value).startswith(said)
        assert "-7" not in str(raised.value)


def test_a_file_with_only_a_header_lands_nothing(delivery: Any) -> None:
    delivery.write("carrier.csv", rif(CARRIER).splitlines()[0] + "\n")
    batch = delivery.land()
    assert (batch.format, batch.rows_in) == ("rif", 0)


def test_drug_events_histories_and_summaries_are_passed_over_with_the_reason(delivery: Any) -> None:
    for name in ("pde.csv", "export_summary.csv", "beneficiary_history.csv", "notes.txt"):
        delivery.write(name, "anything\n")
    delivery.write("carrier.csv", rif(CARRIER))
    read = detect.choose(delivery.folder).read(Landed(delivery.land()).con, delivery.folder)
    assert [source.name for source in read.files] == ["carrier.csv"]
    assert read.ignored["pde.csv"] == "drug events: the contract has no table for them"
    assert set(read.ignored) == {"pde.csv", "export_summary.csv", "beneficiary_history.csv", "notes.txt"}


def notes(batch: LandedBatch) -> list[str]:
    return json.loads((batch.folder / "manifest.json").read_text())["notes"]


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        # A claim counts once, whatever is said about it and in however many lines.
        ("BENE_ID,CARRIER_CLAIMS,SNF_CLAIMS,PDE_CLAIMS\n-7,2,0,9\n-8,1,0,9\n", []),
        (
            "\ufeffbene_id,Carrier_Claims,SNF_CLAIMS\n-7,3,1\n",
            [
                "export_summary.csv: 2 people have another number of carrier claims than the delivery",
                "export_summary.csv: 1 people have another number of snf claims than the delivery",
            ],
        ),
        (
            "BENE_ID,CARRIER_CLAIMS\n-7,two\n-8,1\n",
            ["export_summary.csv: 1 people have another number of carrier claims than the delivery"],
        ),
        (
            "PERSON,CARRIER_CLAIMS\n-7,2\n",
            ["export_summary.csv: cannot be compared with the claims; expected a column BENE_ID"],
        ),
        (
            b"\xff\xfe\x00\x00",
            ["export_summary.csv: cannot be compared with the claims; expected comma-separated text"],
        ),
    ],
)
def test_a_summary_that_counts_otherwise_is_noted_and_stops_nothing(
    delivery: Any, summary: str | bytes, expected: list[str]
) -> None:
    delivery.write("export_summary.csv", summary)
    batch = land_carrier(
        delivery,
        {},
        {"LINE_NUM": "2"},
        {"DML_IND": "UPDATE"},
        {"CLM_ID": "C2"},
        {"BENE_ID": "-8", "CLM_ID": "C3"},
    )
    assert notes(batch) == expected
    assert (batch.rows_in, batch.rows_quarantined) == (batch.rows_landed, 0)


@pytest.mark.public_data
def test_the_public_rif_files_reach_every_control_total(public_data: Path, tmp_path: Path) -> None:
    folder = public_data / "rif_synthea_3benes"
    batch = land(folder, Settings(out=tmp_path))
    landed, totals = Landed(batch), control_totals(public_data, "rif_3benes")
    reached: dict[str, float] = {}
    for kind in ("carrier", "outpatient", "inpatient", "snf", "hha", "hospice", "dme"):
        claims = f"from claims where claim_type = '{kind}'"
        lines = f"count(*) from claim_lines semi join (select claim_id {claims}) using (claim_id)"
        reached |= {
            f"{kind}_lines": landed.value(lines),
            f"{kind}_claims": landed.value(f"count(distinct claim_id) {claims}"),
            f"{kind}_benes": landed.value(f"count(distinct beneficiary_id) {claims}"),
            f"{kind}_claim_pmt_sum": landed.value(f"sum(paid_usd) {claims}"),
            f"{kind}_care_mgmt_lines": landed.value(f"{lines} where {CARE_MANAGEMENT}"),
        }
    reached["pde_lines"] = landed.raw(
        folder / "pde.csv", "pde", delimiter="|", required=["PDE_ID", "BENE_ID"]
    )
    reached["pde_claims"] = landed.value("count(distinct PDE_ID) from pde")
    reached["pde_benes"] = landed.value("count(distinct BENE_ID) from pde")
    assert reached == pytest.approx(totals, abs=0.001)
    # The file of 2018 says 2019 as its reference year; the file of 2019 replaces what it says.
    assert batch.reasons == {"beneficiaries": {"superseded": 3}}
    assert batch.counts["beneficiaries"]["rows_landed"] == 30
    assert notes(batch) == []


@pytest.mark.public_data
@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("sample-a-bcarrier-multiple-lines.txt", {"claim_lines": {"pattern": 7}}),
        ("sample-a-bcarrier.txt", {"claim_lines": {"pattern": 1}}),
        (
            "sample-a-beneficiaries.txt",
            {"beneficiaries": {"pattern": 1}, "enrollment_months": {"not_allowed": 12}},
        ),
        (
            "sample-a-beneficiaries-with-backslash.txt",
            {"beneficiaries": {"pattern": 1}, "enrollment_months": {"not_allowed": 12}},
        ),
        ("sample-a-inpatient.txt", {"claim_lines": {"pattern": 1}}),
        ("sample-a-outpatient.txt", {"claim_lines": {"before_earliest": 1}}),
        ("sample-u-bcarrier.txt", {"claim_lines": {"too_many_columns": 1}}),
    ],
)
def test_each_static_sample_is_accounted_for_with_the_reasons(
    public_data: Path, delivery: Any, name: str, reasons: dict[str, dict[str, int]]
) -> None:
    # Made by hand: practitioner numbers of seven and nine digits, AA as a county, a line date in 1942,
    # a line with more values than the header has names.
    delivery.write(name, (public_data / "rif_static_samples" / name).read_bytes())
    batch = delivery.land()
    assert batch.reasons == reasons
    assert batch.rows_in == batch.rows_landed + batch.rows_quarantined


@pytest.mark.public_data
def test_a_folder_with_only_a_beneficiary_history_is_refused(public_data: Path, delivery: Any) -> None:
    name = "sample-a-beneficiaryhistory.txt"
    delivery.write(name, (public_data / "rif_static_samples" / name).read_bytes())
    with pytest.raises(UnreadableExtract, match="no known format fits"):
        delivery.land()
    with pytest.raises(UnreadableExtract, match="no file to read"):
        delivery.land(format="rif")
