"""The FHIR reader on small resources with planted faults, and on the public samples."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.extracts import fhir, file_names
from pipelines.extracts.advice import told
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import land
from pipelines.settings import REPOSITORY, Settings
from tests.pipelines.extracts.control_totals import Landed
from tests.pipelines.extracts.fhir_making import (
    BB,
    CLAIM,
    COVERAGE,
    PATIENT,
    bundle,
    concept,
    extension,
    lines,
    made,
    plain_reading,
    restated,
)

DAY = datetime.date(2024, 1, 5)
FILE = "ExplanationOfBenefit.ndjson"


def statements(delivery: Any, *resources: Any) -> list[tuple]:
    delivery.write(FILE, lines(*resources))
    return delivery.rows(delivery.land(), "claims", "claim_id, claim_version, action, paid_usd")


def test_a_claim_of_release_4_becomes_header_line_and_diagnoses(delivery: Any) -> None:
    delivery.write(FILE, lines(CLAIM))
    batch = delivery.land()
    assert batch.format == "fhir"
    assert delivery.quarantined(batch) == []
    header = "claim_id, claim_group_id, beneficiary_id, claim_type, nch_claim_type_code, from_date, action"
    assert delivery.rows(batch, "claims", f"{header}, is_final_action, is_denied, paid_usd, source_row") == [
        ("1", "g1", "p1", "carrier", "71", DAY, "original", True, False, Decimal("42.10"), 1)
    ]
    by = ("1234567890", "08", 50, Decimal("42.10"), False, "M1B")
    line = "line_number, from_date, through_date, hcpcs_code, modifier_1, units, place_of_service_code"
    more = "rendering_npi, provider_specialty_code, allowed_usd, paid_usd, is_denied, betos_code"
    assert delivery.rows(batch, "claim_lines", f"{line}, {more}") == [
        (1, DAY, datetime.date(2024, 1, 6), "99490", "25", 2, "11", *by)
    ]
    slots = "line_number, role, position, diagnosis_code, icd_version"
    assert delivery.rows(batch, "claim_diagnoses", slots) == [
        (0, "other", 2, "4019", 9),
        (0, "principal", 1, "E119", 10),
        (1, "line", 1, "4019", 9),
    ]


def test_release_3_says_the_same_in_other_words(delivery: Any) -> None:
    item = made(
        CLAIM["item"][0],
        service=CLAIM["item"][0]["productOrService"],
        careTeamLinkId=[7],
        diagnosisLinkId=[1],
        adjudication=[
            *CLAIM["item"][0]["adjudication"],
            {
                "category": concept("a", f"{BB}/variables/line_prcsg_ind_cd"),
                "reason": concept(f"{BB}/variables/line_prcsg_ind_cd", "N"),
            },
        ],
        extension=[extension("betos_cd", "M1B")],
    )
    for name in ("productOrService", "careTeamSequence", "diagnosisSequence"):
        del item[name]
    team = [
        {
            "sequence": 7,
            "provider": {"identifier": {"value": "1234567890"}},
            "role": concept("http://hl7.org/fhir/claimcareteamrole", "primary"),
        }
    ]
    delivery.write(FILE, lines(made(CLAIM, item=[item], careTeam=team)))
    batch = delivery.land()
    columns = "hcpcs_code, rendering_npi, processing_indicator_code, is_denied"
    assert delivery.rows(batch, "claim_lines", columns) == [("99490", "1234567890", "N", True)]
    assert delivery.rows(batch, "claim_diagnoses", "diagnosis_code, role")[-1] == ("E119", "principal")


def test_a_facility_claim_has_its_stay_its_number_and_its_type_of_bill(delivery: Any) -> None:
    processed = datetime.date(2024, 1, 20)
    information = [
        {
            "category": concept("i", "admissionperiod"),
            "timingPeriod": {"start": "2024-01-05", "end": "2024-01-09"},
        },
        {"category": concept("i", "discharge-status"), "code": concept("d", "1")},
        {
            "category": concept("i", "typeofbill"),
            "code": concept(f"{BB}/variables/clm_freq_cd", "1"),
        },
        {"category": concept("i", f"{BB}/variables/nch_wkly_proc_dt"), "timingDate": "2024-01-20"},
    ]
    claim = made(
        CLAIM,
        type=concept(f"{BB}/variables/nch_clm_type_cd", "60"),
        supportingInfo=information,
        facility={"extension": [extension("clm_fac_type_cd", "1")]},
        extension=[extension("clm_srvc_clsfctn_type_cd", "1")],
        contained=[
            {
                "resourceType": "Organization",
                "identifier": [
                    {"type": concept("t", "PRN"), "value": "2506"},
                    {"type": concept("t", "npi"), "value": "1999999992"},
                ],
            }
        ],
    )
    delivery.write(FILE, lines(claim))
    columns = (
        "claim_type, admission_date, discharge_date, discharge_status_code, bill_type_code, facility_ccn,"
        "billing_npi, processed_date, is_denied"
    )
    assert delivery.rows(delivery.land(), "claims", columns) == [
        ("inpatient", DAY, datetime.date(2024, 1, 9), "01", "111", "002506", "1999999992", processed, False)
    ]


@pytest.mark.parametrize(
    ("codings", "subtype", "expected"),
    [
        ([("/eob-type", "HHA"), ("/nch_clm_type_cd", "40")], None, "hha"),
        ([("/nch_clm_type_cd", "82")], None, "dme"),
        ([("/CodeSystem/claim-type", "professional")], None, "carrier"),
        ([("/CodeSystem/claim-type", "institutional")], "outpatient", "outpatient"),
    ],
)
def test_the_kind_of_claim_is_told_by_the_payer_s_codes_or_by_those_of_hl7(
    delivery: Any, codings: list[tuple[str, str]], subtype: str | None, expected: str
) -> None:
    kind = {"coding": [{"system": f"http://x{system}", "code": code} for system, code in codings]}
    delivery.write(FILE, lines(made(CLAIM, type=kind, subType=concept("http://x", subtype or "-"))))
    assert delivery.rows(delivery.land(), "claims", "claim_type") == [(expected,)]


def test_a_claim_of_no_known_kind_is_set_aside(delivery: Any) -> None:
    delivery.write(FILE, lines(made(CLAIM, type=concept("http://x/claim-type", "vision"))))
    assert (FILE, 1, "claim_type", "missing_required") in delivery.quarantined(delivery.land())


def test_a_later_statement_follows_an_earlier_one_wherever_it_stands(delivery: Any) -> None:
    later = restated(CLAIM, "2024-02-01T14:00:00Z", payment={"amount": {"value": 50}})
    assert statements(delivery, later, CLAIM) == [
        ("1", 1, "original", Decimal("42.10")),
        ("1", 2, "replacement", Decimal("50.00")),
    ]


def test_a_cancelled_claim_is_a_cancellation(delivery: Any) -> None:
    cancelled = restated(CLAIM, "2024-05-01", status="cancelled", item=[])
    assert statements(delivery, CLAIM, cancelled)[1][:3] == ("1", 2, "cancellation")


def test_a_draft_is_set_aside(delivery: Any) -> None:
    delivery.write(FILE, lines(made(CLAIM, status="draft")))
    batch = delivery.land()
    assert (FILE, 1, "action", "not_allowed") in delivery.quarantined(batch)


def test_statements_of_one_moment_that_differ_are_set_aside(delivery: Any) -> None:
    other = made(CLAIM, payment={"amount": {"value": 50}})
    delivery.write(FILE, lines(CLAIM, other))
    batch = delivery.land()
    assert batch.counts["claims"]["rows_landed"] == 0
    assert batch.reasons["claims"] == {"conflicting_key": 2}


def test_the_same_resource_twice_lands_once(delivery: Any) -> None:
    delivery.write(FILE, lines(CLAIM))
    delivery.write("again.ndjson", lines(CLAIM))
    batch = delivery.land()
    assert batch.counts["claims"] == {"rows_in": 2, "rows_landed": 1, "rows_quarantined": 1}
    assert batch.reasons["claims"] == {"duplicate_row": 1}


def test_people_have_their_newest_statement_of_a_day(delivery: Any) -> None:
    wrong = restated(PATIENT, "2024-03-01T09:00:00Z", gender="male")
    right = restated(PATIENT, "2024-03-01T10:00:00Z")
    delivery.write("Patient.ndjson", lines(wrong, right))
    batch = delivery.land()
    columns = "beneficiary_id, reference_date, birth_date, sex, race_ethnicity_code, state_code, zip_code"
    assert delivery.rows(batch, "beneficiaries", columns) == [
        ("p1", datetime.date(2024, 3, 1), datetime.date(1950, 5, 1), "female", "2", "CA", "90210")
    ]
    assert delivery.quarantined(batch) == [("Patient.ndjson", 1, None, "superseded")]


def test_a_person_without_a_time_of_update_is_described_as_of_the_delivery(delivery: Any) -> None:
    resource = made(PATIENT)
    del resource["meta"]
    delivery.write("Patient.ndjson", lines(resource))
    assert delivery.rows(delivery.land(), "beneficiaries", "reference_date") == [
        (datetime.date(2024, 6, 30),)
    ]


def test_the_medicare_number_leads_to_the_person(delivery: Any) -> None:
    number = {"valueIdentifier": {"system": "http://hl7.org/fhir/sid/us-mbi", "value": "1S00E00AA00"}}
    delivery.write(FILE, lines(made(CLAIM, extension=[{"url": "x", **number}])))
    delivery.write("Patient.ndjson", lines(PATIENT))
    batch = delivery.land()
    columns = "previous_beneficiary_id, current_beneficiary_id"
    assert delivery.rows(batch, "beneficiary_xref", columns) == [("1S00E00AA00", "p1")]


def test_a_former_number_keeps_its_dates(delivery: Any) -> None:
    period = {"start": "2020-01-01", "end": "2023-05-31"}
    former = {"system": "http://hl7.org/fhir/sid/us-mbi", "value": "1S00E00AA99", "period": period}
    delivery.write("Patient.ndjson", lines(made(PATIENT, identifier=[*PATIENT["identifier"], former])))
    columns = "previous_beneficiary_id, current_beneficiary_id, effective_date, obsolete_date"
    assert delivery.rows(delivery.land(), "beneficiary_xref", columns) == [
        ("1S00E00AA00", "p1", None, None),
        ("1S00E00AA99", "p1", datetime.date(2020, 1, 1), datetime.date(2023, 5, 31)),
    ]


def test_monthly_flags_of_all_parts_make_one_row_a_month(delivery: Any) -> None:
    part_c = made(
        COVERAGE,
        id="part-c-p1",
        extension=[COVERAGE["extension"][0], extension("hmo_ind_01", "0")],
    )
    delivery.write("Coverage.ndjson", lines(COVERAGE, part_c))
    delivery.write("Patient.ndjson", lines(PATIENT))
    batch = delivery.land()
    columns = "service_month, has_part_a, has_part_b, is_medicare_advantage, dual_status_code, coverage_grain"
    assert delivery.rows(batch, "enrollment_months", columns) == [
        (datetime.date(2024, 1, 1), True, True, False, "02", "month"),
        (datetime.date(2024, 2, 1), True, True, True, None, "month"),
    ]
    assert delivery.rows(batch, "beneficiaries", "original_entitlement_code, has_esrd") == [("1", True)]
    manifest = json.loads((batch.folder / "manifest.json").read_text())
    counts = {item["name"]: (item["rows_in"], item["rows_landed"]) for item in manifest["files"]}
    assert counts == {"Coverage.ndjson": (2, 2), "Patient.ndjson": (1, 1)}


def test_a_dated_coverage_states_its_months(delivery: Any) -> None:
    part_a = made(COVERAGE, extension=[], grouping={"subPlan": "Part A"}, period={"start": "2024-01-15"})
    part_b = made(COVERAGE, id="b", extension=[], period={"start": "2024-02-01", "end": "2024-02-29"})
    delivery.write("Coverage.ndjson", lines(part_a, part_b))
    batch = delivery.land()
    columns = "service_month, has_part_a, has_part_b, is_medicare_advantage, coverage_grain"
    assert delivery.rows(batch, "enrollment_months", columns) == [
        (datetime.date(2024, 1, 1), True, False, None, "span"),
        (datetime.date(2024, 2, 1), True, True, None, "span"),
        (datetime.date(2024, 3, 1), True, False, None, "span"),
    ]


def test_bad_lines_are_set_aside_with_number_and_reason(delivery: Any) -> None:
    broken = json.dumps(CLAIM)[:200]
    misshapen = made(CLAIM, id="x", item={"sequence": 1})
    delivery.write(FILE, lines(CLAIM, "", broken, "17", misshapen).encode() + b'{"id": "\xff"}\n')
    batch = delivery.land()
    assert delivery.quarantined(batch) == [
        (FILE, 3, None, "unparsable_line"),
        (FILE, 4, None, "unparsable_line"),
        (FILE, 5, "item", "unexpected_shape"),
        (FILE, 6, None, "not_utf8"),
    ]
    assert batch.counts["claims"] == {"rows_in": 5, "rows_landed": 1, "rows_quarantined": 4}


def test_a_line_with_a_bad_value_is_set_aside_alone(delivery: Any) -> None:
    bad = made(CLAIM["item"][0], sequence=2, quantity={"value": "two"})
    delivery.write(FILE, lines(made(CLAIM, item=[CLAIM["item"][0], bad])))
    batch = delivery.land()
    assert delivery.quarantined(batch) == [(FILE, 1, "units", "not_a_number")]
    assert batch.counts["claim_lines"]["rows_landed"] == 1


def test_drug_events_and_other_resources_are_counted_and_passed_over(delivery: Any) -> None:
    drug = made(CLAIM, type=concept(f"{BB}/codesystem/eob-type", "PDE"))
    delivery.write(FILE, lines(CLAIM, drug, {"resourceType": "OperationOutcome"}, {"id": 1}))
    batch = delivery.land()
    (file,) = json.loads((batch.folder / "manifest.json").read_text())["files"]
    assert file["passed_over"] == {"OperationOutcome": 1, "drug event": 1, "no resource type": 1}
    assert (file["rows_in"], file["rows_landed"], file["rows_quarantined"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", lines(bundle(CLAIM, PATIENT))),
        ("a.ndjson", lines(CLAIM, bundle(PATIENT))),
        ("a.json", json.dumps(bundle(CLAIM, PATIENT), indent=2)),
        ("a.ndjson", json.dumps(bundle(CLAIM, PATIENT), indent=1)),
        ("a.json", json.dumps([CLAIM, PATIENT], indent=2)),
        ("a.json", json.dumps(CLAIM, indent=2) + "\n" + json.dumps(PATIENT, indent=2)),
        ("a.jsonl.gz", gzip.compress(lines(CLAIM, PATIENT).encode())),
        ("a.ndjson", "\ufeff" + lines(CLAIM, PATIENT).replace("\n", "\r\n").rstrip()),
    ],
    ids=["bundle line", "mixed lines", "bundle", "bundle in ndjson", "list", "documents", "gzip", "windows"],
)
def test_resources_are_found_however_they_are_packed(delivery: Any, name: str, content: str | bytes) -> None:
    delivery.write(name, content)
    batch = delivery.land()
    assert delivery.quarantined(batch) == []
    assert delivery.rows(batch, "claims", "claim_id") == [("1",)]
    assert delivery.rows(batch, "beneficiaries", "beneficiary_id") == [("p1",)]


def test_a_document_that_breaks_off_keeps_what_came_before(delivery: Any) -> None:
    text = json.dumps([CLAIM, made(CLAIM, id="2", identifier=[])], indent=2)
    delivery.write("a.json", text[:-100])
    batch = delivery.land()
    assert delivery.rows(batch, "claims", "claim_id") == [("1",)]
    assert [row[3] for row in delivery.quarantined(batch)] == ["broken_document"]


NAMED = "Canaryson442_Kim_5f0c7a9e-1111-4222-8333-944444444444"


def test_a_file_named_after_a_patient_goes_by_a_number(
    delivery: Any,
) -> None:
    """Nothing that is told of a batch, and no file of it, has the name; the checksum says which file a number means."""
    place = delivery.write(f"{NAMED}.json", json.dumps(bundle(CLAIM, PATIENT)))
    delivery.write("Patient.ndjson", lines(made(PATIENT, id="p2"), "{"))
    delivery.write(f"{NAMED}.pdf", b"a letter")
    batch = delivery.land()
    manifest = json.loads((batch.folder / "manifest.json").read_text())
    assert {file["name"]: file["sha256"] for file in manifest["files"]}["numbered-0001.json"] == (
        hashlib.sha256(place.read_bytes()).hexdigest()
    )
    assert sorted(file["name"] for file in manifest["files"]) == ["Patient.ndjson", "numbered-0001.json"]
    assert list(manifest["ignored_files"]) == ["numbered-0002"]
    assert set(delivery.rows(batch, "claims", "source_file")) == {("numbered-0001.json",)}
    written = [path for path in delivery.settings.out.rglob("*") if path.is_file()]
    # compressed pages of Parquet hide what they hold: those are looked into
    texts = [pl.read_parquet(path).write_ndjson() for path in written if path.suffix == ".parquet"]
    texts += [path.read_text() for path in written if path.suffix != ".parquet"]
    texts += told(delivery.settings, batch)
    assert len(texts) > 10 and not any(word in text for text in texts for word in ("Canaryson", "5f0c7a9e"))


@pytest.mark.parametrize("fault", ["broken", "rewritten", "gone", "another"])
def test_errors_over_a_file_named_after_a_patient_have_its_number(
    delivery: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    content = gzip.compress(lines(CLAIM, PATIENT).encode())
    place = delivery.write(f"{NAMED}.ndjson.gz", content[:-20] if fault == "broken" else content)
    real = fhir.read

    def disturbed(con: Any, folder: Path) -> Any:
        if fault == "another":
            delivery.write(f"A{NAMED}.ndjson.gz", content)
        found = real(con, folder)
        if fault == "rewritten":
            place.write_bytes(content)
        if fault == "gone":
            place.unlink()
        return found

    monkeypatch.setattr(fhir, "read", disturbed)
    with pytest.raises(UnreadableExtract, match=r"^numbered-000\d\.ndjson\.gz: ") as told:
        delivery.land(format="fhir")
    assert "Canaryson" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("ExplanationOfBenefit-2.ndjson", False),
        ("4d6f-0.explanationofbenefit.ndjson", True),
        ("Patient_2024-03-31.json.gz", False),
        ("patient-12345.json", True),
        ("1EG4TE5MK72.json", True),
        ("Patient/Muñoz.json", True),
        ("2024-03-31.json", False),
    ],
)
def test_a_name_is_shown_where_it_is_made_of_known_words(name: str, names: bool) -> None:
    assert file_names.names_nobody(name) is not names


def test_broken_compression_is_one_clear_message(delivery: Any) -> None:
    delivery.write("Claim.ndjson.gz", gzip.compress(lines(CLAIM).encode())[:-20])
    with pytest.raises(UnreadableExtract, match=r"Claim\.ndjson\.gz: the compressed data are damaged"):
        delivery.land(format="fhir")
    assert [path.name for path in delivery.settings.landing.iterdir()] == [".lock"]


def test_every_public_sample_loads_and_agrees_with_a_plain_reading(tmp_path: Path, public_data: Path) -> None:
    for folder in sorted(public_data.glob("fhir_*")):
        batch = land(folder, Settings(out=tmp_path / folder.name, memory_limit="1GB", threads=2))
        landed, resources = Landed(batch), list(plain_reading(folder))
        claims = [item for item in resources if item["resourceType"] == "ExplanationOfBenefit"]
        claims = [item for item in claims if not item["id"].startswith("pde")]
        assert batch.counts["claims"]["rows_in"] == len(claims)
        assert batch.counts["claim_lines"]["rows_in"] == sum(len(item["item"]) for item in claims)
        assert batch.counts["beneficiaries"]["rows_landed"] == sum(
            item["resourceType"] == "Patient" for item in resources
        )
        # A claim that is repeated counts once; what the contract refuses is in the quarantine.
        unique = {item["id"]: item for item in claims}.values()
        paid = sum(Decimal(str(item.get("payment", {}).get("amount", {}).get("value", 0))) for item in unique)
        refused = landed.con.execute(
            f"""select coalesce(sum((source_text->>'paid_usd')::decimal(12, 2)), 0)
                from read_parquet('{tmp_path / folder.name / "quarantine" / batch.batch_id}.parquet')
                where table_name = 'claims' and reason <> 'duplicate_row'"""
        ).fetchall()[0][0]
        assert Decimal(str(landed.value("sum(paid_usd) from claims"))) + refused == paid
        assert batch.rows_in == batch.rows_landed + batch.rows_quarantined


@pytest.mark.parametrize("shape", ["lines", "one bundle"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, shape: str) -> None:
    line = json.dumps(CLAIM).encode()
    peaks = []
    for megabytes in (12, 96):
        path = tmp_path / f"{megabytes}.ndjson"
        with path.open("wb") as content:
            count = (megabytes << 20) // len(line)
            if shape == "lines":
                content.writelines(line + b"\n" for _ in range(count))
            else:
                content.write(b'{"resourceType":"Bundle","entry":[')
                content.writelines(b'{"resource":' + line + b"}," for _ in range(count))
                content.write(b'{"resource":' + line + b"}]}\n")
        code = (
            "import resource, sys; from pathlib import Path;"
            "from pipelines.extracts.json_resources import write_resources;"
            f"rows = write_resources([(Path({str(path)!r}), 'a')], Path({str(tmp_path / 'out.parquet')!r}));"
            "print(rows['a'], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True
        )
        rows, peak = map(int, ended.stdout.split())
        assert rows == count + (shape != "lines")
        peaks.append(peak)
    # The file grew by 84 MB; what is held is a block, the largest resource and what the allocator keeps.
    assert peaks[1] - peaks[0] < 40_000, peaks
