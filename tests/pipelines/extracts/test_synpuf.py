"""The DE-SynPUF reader on hand-written files with planted faults, and on the public samples."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import land
from pipelines.settings import Settings
from tests.pipelines.extracts.control_totals import CARE_MANAGEMENT, Landed, control_totals

PEOPLE_2008 = "DE1_0_2008_Beneficiary_Summary_File_Sample_1.csv"
CARRIER_A = "DE1_0_2008_to_2010_Carrier_Claims_Sample_1A.csv"
CARRIER_B = "DE1_0_2008_to_2010_Carrier_Claims_Sample_1B.csv"
OUTPATIENT = "DE1_0_2008_to_2010_Outpatient_Claims_Sample_1.csv"
PERSON = {
    "DESYNPUF_ID": "00AB",
    "BENE_BIRTH_DT": "19230501",
    "BENE_DEATH_DT": "",
    "BENE_SEX_IDENT_CD": "1",
    "BENE_RACE_CD": "5",
    "BENE_ESRD_IND": "Y",
    "SP_STATE_CODE": "05",
    "BENE_HI_CVRAGE_TOT_MONS": "12",
    "BENE_SMI_CVRAGE_TOT_MONS": "7",
    "BENE_HMO_CVRAGE_TOT_MONS": "0",
}
LINE_FIELDS = {
    "PRF_PHYSN_NPI": "",
    "TAX_NUM": "",
    "HCPCS_CD": "",
    "LINE_NCH_PMT_AMT": "0.00",
    "LINE_BENE_PTB_DDCTBL_AMT": "0.00",
    "LINE_BENE_PRMRY_PYR_PD_AMT": "0.00",
    "LINE_COINSRNC_AMT": "0.00",
    "LINE_ALOWD_CHRG_AMT": "0.00",
    "LINE_PRCSG_IND_CD": "",
    "LINE_ICD9_DGNS_CD": "",
}
CARRIER = {
    "DESYNPUF_ID": "00AB",
    "CLM_ID": "C1",
    "CLM_FROM_DT": "20080104",
    "CLM_THRU_DT": "20080105",
    **{f"ICD9_DGNS_CD_{slot}": "" for slot in range(1, 9)},
    **{f"{field}_{slot}": empty for field, empty in LINE_FIELDS.items() for slot in range(1, 14)},
}
FACILITY = {
    "DESYNPUF_ID": "00AB",
    "CLM_ID": "F1",
    "SEGMENT": "1",
    "CLM_FROM_DT": "20080301",
    "CLM_THRU_DT": "20080302",
    "PRVDR_NUM": "2600RA",
    "CLM_PMT_AMT": "50.00",
    **{f"ICD9_DGNS_CD_{slot}": "" for slot in range(1, 11)},
    "ADMTNG_ICD9_DGNS_CD": "",
    **{f"HCPCS_CD_{slot}": "" for slot in range(1, 46)},
}
SECOND = {"SEGMENT": "2", "CLM_FROM_DT": "", "CLM_THRU_DT": ""}


def table(*rows: dict[str, str]) -> str:
    return "".join(",".join(line) + "\n" for line in [rows[0], *(row.values() for row in rows)])


def test_a_count_of_months_states_a_month_only_where_it_is_none_or_all(delivery: Any) -> None:
    delivery.write(PEOPLE_2008, table(PERSON))
    batch = delivery.land()
    assert batch.format == "synpuf"
    columns = "service_month, has_part_a, has_part_b, is_medicare_advantage, coverage_grain"
    assert delivery.rows(batch, "enrollment_months", columns) == [
        (datetime.date(2008, month, 1), True, None, False, "count") for month in range(1, 13)
    ]
    person = (
        "reference_date, birth_date, sex, race_ethnicity_code, race_ethnicity_source, state_code, has_esrd"
    )
    assert delivery.rows(batch, "beneficiaries", person) == [
        (datetime.date(2008, 12, 31), datetime.date(1923, 5, 1), "male", "5", "enrollment", "CA", True)
    ]


def test_a_carrier_slot_is_a_line_where_it_has_a_code_or_money(delivery: Any) -> None:
    slots = {
        "HCPCS_CD_1": "99213",
        "LINE_NCH_PMT_AMT_1": "50.00",
        "LINE_PRCSG_IND_CD_1": "A",
        "LINE_ICD9_DGNS_CD_1": "4019",
        "PRF_PHYSN_NPI_3": "1234567893",
        "TAX_NUM_3": "123456789",
        "LINE_COINSRNC_AMT_3": "10.00",
        "LINE_PRCSG_IND_CD_3": "<",
        "LINE_ICD9_DGNS_CD_4": "25000",
        "HCPCS_CD_13": "80053",
        "ICD9_DGNS_CD_1": "4280",
        "ICD9_DGNS_CD_2": "496",
    }
    delivery.write(CARRIER_A, table(CARRIER | slots))
    delivery.write(CARRIER_B, table(CARRIER).splitlines()[0] + "\n")
    batch = delivery.land()
    columns = "line_number, hcpcs_code, paid_usd, coinsurance_usd, rendering_npi, billing_tin, is_denied"
    nothing = Decimal("0.00")
    assert delivery.rows(batch, "claim_lines", columns) == [
        (1, "99213", Decimal(50), nothing, None, None, False),
        (3, None, nothing, Decimal(10), "1234567893", "123456789", True),
        (13, "80053", nothing, nothing, None, None, None),
    ]
    assert delivery.rows(
        batch, "claim_diagnoses", "line_number, role, position, diagnosis_code, icd_version"
    ) == [
        (0, "other", 2, "496", 9),
        (0, "principal", 1, "4280", 9),
        (1, "line", 1, "4019", 9),
        (4, "line", 1, "25000", 9),
    ]
    header = "claim_type, nch_claim_type_code, from_date, through_date, paid_usd, is_final_action"
    days = (datetime.date(2008, 1, 4), datetime.date(2008, 1, 5))
    assert delivery.rows(batch, "claims", header) == [("carrier", "71", *days, Decimal(50), True)]


def test_segments_are_one_claim_with_the_dates_of_the_first_and_the_sum_of_payments(delivery: Any) -> None:
    delivery.write(
        OUTPATIENT,
        table(
            FACILITY | SECOND | {"HCPCS_CD_1": "36415", "CLM_PMT_AMT": "-20.00", "ICD9_DGNS_CD_1": "OTHER"},
            FACILITY | {"HCPCS_CD_2": "85610", "ICD9_DGNS_CD_1": "V5841", "ADMTNG_ICD9_DGNS_CD": "V5883"},
            FACILITY | {"CLM_ID": "F2"},
        ),
    )
    batch = delivery.land()
    days = (datetime.date(2008, 3, 1), datetime.date(2008, 3, 2))
    assert delivery.rows(batch, "claims", "claim_id, from_date, through_date, paid_usd, source_row") == [
        ("F1", *days, Decimal(30), 3),
        ("F2", *days, Decimal(50), 4),
    ]
    assert delivery.rows(
        batch, "claim_lines", "claim_id, line_number, hcpcs_code, from_date, source_row"
    ) == [
        ("F1", 2, "85610", days[0], 3),
        ("F1", 46, "36415", days[0], 2),
    ]
    assert delivery.rows(batch, "claim_diagnoses", "role, position, diagnosis_code") == [
        ("admitting", 1, "V5883"),
        ("principal", 1, "V5841"),
    ]
    assert delivery.quarantined(batch) == [(OUTPATIENT, 2, "diagnosis_code", "missing_required")]
    assert file_counts(batch)[OUTPATIENT] == (3, 3, 0)


def test_segments_without_a_first_are_set_aside_whole_even_where_they_have_dates(delivery: Any) -> None:
    orphan = FACILITY | {"SEGMENT": "2", "HCPCS_CD_1": "36415", "ICD9_DGNS_CD_1": "4019"}
    delivery.write(
        OUTPATIENT,
        table(
            FACILITY,
            orphan | SECOND | {"CLM_ID": "F8"},
            orphan | {"CLM_ID": "F9"},
            orphan | {"CLM_ID": "F9", "SEGMENT": "3"},
        ),
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id, paid_usd") == [("F1", Decimal(50))]
    assert delivery.rows(batch, "claim_lines") == delivery.rows(batch, "claim_diagnoses") == []
    assert delivery.quarantined(batch) == [
        (OUTPATIENT, row, None, "first_segment_missing") for row in (3, 4, 5)
    ]
    texts = [json.loads(text) for (text,) in delivery.quarantined(batch, "source_text")]
    assert sorted((text["CLM_ID"], text["HCPCS_CD_1"]) for text in texts) == [
        ("F8", "36415"),
        ("F9", "36415"),
        ("F9", "36415"),
    ]
    assert file_counts(batch)[OUTPATIENT] == (4, 1, 3)


def test_a_segment_shares_the_fate_of_its_claim_and_counts_once(delivery: Any) -> None:
    delivery.write(
        OUTPATIENT,
        table(
            FACILITY,
            FACILITY | SECOND,
            FACILITY | SECOND,
            FACILITY | {"CLM_ID": "F2", "CLM_FROM_DT": "2008030"},
            FACILITY | SECOND | {"CLM_ID": "F2"},
        ),
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id, paid_usd") == [("F1", Decimal(100))]
    assert delivery.quarantined(batch) == [
        (OUTPATIENT, 4, None, "repeated_segment"),
        (OUTPATIENT, 5, "from_date", "not_a_date"),
    ]
    assert file_counts(batch)[OUTPATIENT] == (5, 2, 3)


def test_a_claim_that_is_delivered_twice_lands_once_and_a_contradicted_one_not_at_all(delivery: Any) -> None:
    other = FACILITY | {"CLM_ID": "F2"}
    delivery.write(
        OUTPATIENT, table(FACILITY, FACILITY | SECOND, FACILITY, other, other | {"CLM_PMT_AMT": "9"})
    )
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id, paid_usd") == [("F1", Decimal(100))]
    assert delivery.quarantined(batch, "source_row, reason") == [
        (4, "duplicate_row"),
        (5, "conflicting_key"),
        (6, "conflicting_key"),
    ]
    assert file_counts(batch)[OUTPATIENT] == (5, 2, 3)


def test_a_claim_without_an_identifier_is_quarantined_segment_by_segment(delivery: Any) -> None:
    nameless = FACILITY | {"CLM_ID": ""}
    delivery.write(OUTPATIENT, table(FACILITY, nameless, nameless | SECOND))
    batch = delivery.land()
    assert file_counts(batch)[OUTPATIENT] == (3, 1, 2)


def test_a_missing_column_and_a_wrong_delimiter_are_named(new_delivery: Any) -> None:
    without = {name: value for name, value in FACILITY.items() if name != "SEGMENT"}
    for content, said in (
        (table(without), f"{OUTPATIENT}, line 1, column SEGMENT: a required column is missing"),
        (table(FACILITY).replace(",", "|"), f"{OUTPATIENT}, line 1: wrong delimiter; expected a comma"),
    ):
        delivery = new_delivery()
        delivery.write(OUTPATIENT, content)
        with pytest.raises(UnreadableExtract) as raised:
            delivery.land()
        assert str(raised.value).startswith(said)
        assert "00AB" not in str(raised.value)


def test_a_beneficiary_file_whose_name_tells_no_year_is_refused(delivery: Any) -> None:
    delivery.write("Beneficiary_Summary_File_Sample_1.csv", table(PERSON))
    with pytest.raises(UnreadableExtract, match="the file name does not tell the year"):
        delivery.land()


def file_counts(batch: Any) -> dict[str, tuple[int, int, int]]:
    manifest = json.loads((batch.folder / "manifest.json").read_text())
    return {
        file["name"]: (file["rows_in"], file["rows_landed"], file["rows_quarantined"])
        for file in manifest["files"]
    }


@pytest.mark.public_data
@pytest.mark.parametrize(
    ("name", "sample", "reasons"),
    [
        ("synpuf_A", "desynpuf_testA_10benes", {}),
        (
            "synpuf_B_dev",
            "desynpuf_testB_dev126",
            # OTHER in place of a diagnosis; a procedure code of four characters.
            {"claim_diagnoses": {"missing_required": 9}, "claim_lines": {"pattern": 1}},
        ),
    ],
)
def test_the_public_files_reach_every_control_total(
    public_data: Path, tmp_path: Path, name: str, sample: str, reasons: dict[str, dict[str, int]]
) -> None:
    folder = public_data / sample
    batch = land(folder, Settings(out=tmp_path))
    landed, totals = Landed(batch), control_totals(public_data, name)
    reached: dict[str, float] = {}
    for year in (2008, 2009, 2010):
        (path,) = folder.glob(f"DE1_0_{year}_Beneficiary*")
        # The summary flags are not read: they are counted in the file itself.
        people = landed.raw(path, f"people_{year}", delimiter=",", required=["DESYNPUF_ID"])
        flags = " + ".join(
            f"(SP_{flag} = '1')::int"
            for flag in (
                *("ALZHDMTA", "CHF", "CHRNKIDN", "CNCR", "COPD", "DEPRESSN", "DIABETES"),
                *("ISCHMCHT", "OSTEOPRS", "RA_OA", "STRKETIA"),
            )
        )
        january = f"from enrollment_months where service_month = date '{year}-01-01'"
        described = f"from beneficiaries where year(reference_date) = {year}"
        whole_year = f"{january} and has_part_b and is_medicare_advantage = false"
        assert people == landed.value(f"count(*) {january}")
        reached |= {
            f"beneficiaries_{year}": landed.value(f"count(*) {described}"),
            f"partb_12mo_{year}": landed.value(f"count(*) {january} and has_part_b"),
            f"hmo_gt0_{year}": landed.value(
                f"count(*) {january} and is_medicare_advantage is distinct from false"
            ),
            f"partb12_hmo0_alive_{year}": landed.value(
                f"count(*) {whole_year} and beneficiary_id in "
                f"(select beneficiary_id {described} and death_date is null)"
            ),
            f"deaths_{year}": landed.value(f"count(*) {described} and death_date is not null"),
            f"sp_flags_ge2_{year}": landed.value(f"count(*) from people_{year} where {flags} >= 2"),
        }
    carrier = "from claims where claim_type = 'carrier'"
    every_line = f"from claim_lines semi join (select claim_id {carrier}) using (claim_id) where true"
    lines = f"{every_line} and hcpcs_code is not null"
    reached |= {
        "carrier_claims": landed.value(f"count(*) {carrier}"),
        "carrier_claim_ids": landed.value(f"count(distinct claim_id) {carrier}"),
        "carrier_benes": landed.value(f"count(distinct beneficiary_id) {carrier}"),
        "carrier_hcpcs_lines": landed.value(f"count(*) {lines}"),
        "carrier_distinct_hcpcs": landed.value(f"count(distinct hcpcs_code) {lines}"),
        "carrier_line_pmt_sum": landed.value(f"sum(paid_usd) {lines}"),
        "carrier_line_alowd_sum": landed.value(f"sum(allowed_usd) {lines}"),
        # The control total counts a missing number as one.
        "carrier_rendering_npis": landed.value(f"count(distinct coalesce(rendering_npi, '')) {lines}"),
        "carrier_lines_prcsg_A": landed.value(f"count(*) {lines} and processing_indicator_code = 'A'"),
        "carrier_null_from_dt": landed.value("count(*) from claims where from_date is null"),
        "care_mgmt_lines": landed.value(f"count(*) {lines} and {CARE_MANAGEMENT}"),
    }
    reached |= {
        measure: landed.value(f"count(*) {lines} and hcpcs_code = '{measure.removeprefix('lines_')}'")
        for measure in totals
        if measure.startswith("lines_")
    }
    files = file_counts(batch)
    for kind in ("inpatient", "outpatient"):
        claims = f"from claims where claim_type = '{kind}'"
        (rows,) = (counts[1] for file, counts in files.items() if kind in file.lower())
        reached |= {
            f"{kind}_rows": rows,
            f"{kind}_claim_ids": landed.value(f"count(*) {claims}"),
            f"{kind}_pmt_sum": landed.value(f"sum(paid_usd) {claims}"),
        }
    (drugs,) = folder.glob("*Prescription_Drug_Events*")
    reached["pde_rows"] = landed.raw(drugs, "pde", delimiter=",", required=["PDE_ID"])
    assert reached == pytest.approx(totals, abs=0.001)
    assert batch.reasons == reasons
    assert next(counts for file, counts in files.items() if file.endswith("B.csv") and "Carrier" in file) == (
        0,
        0,
        0,
    )
