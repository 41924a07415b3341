"""A small delivery of each format, with identifiers that occur nowhere else, to spoil or to rearrange.

Each is a dictionary from file name to bytes. `SECRET` matches every value that must not be seen in a message.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tests.pipelines.extracts import test_cclf, test_exports, test_rif, test_synpuf, test_synthea, test_tuva
from tests.pipelines.extracts.conftest import SAMPLE
from tests.pipelines.extracts.fhir_making import CLAIM, COVERAGE, PATIENT, bundle, lines, made, restated

Files = dict[str, bytes]
SECRET = re.compile(r"zq[bcm]?\d{3,}|1zq\d|7310\d{9}", re.IGNORECASE)
PEOPLE = 4


def practice() -> Files:
    """Comma-separated contract tables: claims, lines and diagnoses of a few people, and records of a practice."""
    claims, claim_lines, diagnoses = (
        [SAMPLE[name][0]] for name in ("claims", "claim_lines", "claim_diagnoses")
    )
    time, months = ([SAMPLE[name][0]] for name in ("care_management_time", "enrollment_months"))
    for number in range(PEOPLE):
        person, claim = f"ZQB{number:04}", f"ZQC{number:04}"
        claims.append(f"{claim},1,{person},carrier,2024-01-05,2024-01-05,original")
        claim_lines.append(f"{claim},1,1,2024-01-05,99490,1,42.10")
        claim_lines.append(f"{claim},1,2,2024-01-05,99439,2,63.00")
        diagnoses.append(f"{claim},1,0,principal,1,E119,10")
        time.append(f"ZQM{number:04},{person},1234567890,T1,2024-01-31 23:50:00,600,CCM,false")
        months.append(f"{person},2024-01-01,true,month")
    tables = {
        "claims": claims,
        "claim_lines": claim_lines,
        "claim_diagnoses": diagnoses,
        "care_management_time": time,
        "enrollment_months": months,
        "providers": SAMPLE["providers"],
    }
    return {f"{name}.csv": "".join(f"{row}\n" for row in rows).encode() for name, rows in tables.items()}


def practice_quoted() -> Files:
    """The same with every field quoted, gzip for the claims and Parquet for the lines."""
    plain = practice()
    files: Files = {}
    for name, content in plain.items():
        rows = [line.split(",") for line in content.decode().splitlines()]
        files[name] = "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows).encode()
    files["claims.csv.gz"] = gzip.compress(files.pop("claims.csv"), mtime=0)
    target = io.BytesIO()
    options = pa.csv.ConvertOptions(column_types={"paid_usd": pa.string(), "hcpcs_code": pa.string()})
    table = pa.csv.read_csv(io.BytesIO(plain["claim_lines.csv"]), convert_options=options)
    pa.parquet.write_table(table, target)
    del files["claim_lines.csv"]
    files["claim_lines.parquet"] = target.getvalue()
    return files


def rif() -> Files:
    """Research Identifiable Files: people and carrier claims."""
    people = [test_rif.PERSON | {"BENE_ID": f"ZQB{number:04}"} for number in range(PEOPLE)]
    claims = [
        test_rif.CARRIER | {"BENE_ID": f"ZQB{number:04}", "CLM_ID": f"ZQC{number:04}", "LINE_NUM": str(line)}
        for number in range(PEOPLE)
        for line in (1, 2)
    ]
    return {
        "beneficiary_2023.csv": test_rif.rif(*people).encode(),
        "carrier.csv": test_rif.rif(*claims).encode(),
    }


def cclf() -> Files:
    """A Claim and Claim Line Feed: facility and professional claims, people and the control file."""
    files: Files = {}

    class Folder:
        @staticmethod
        def write(name: str, content: str) -> None:
            files[name] = content.encode()

    def own(number: int) -> dict[str, str]:
        return {"CUR_CLM_UNIQ_ID": f"7310{number:09}", "BENE_MBI_ID": f"1ZQ{number:08}"}

    test_cclf.feed(
        Folder,
        {
            "1": [own(number) for number in range(PEOPLE)],
            "2": [own(number) for number in range(PEOPLE)],
            "4": [{"CUR_CLM_UNIQ_ID": own(number)["CUR_CLM_UNIQ_ID"]} for number in range(PEOPLE)],
            "5": [own(number + 100) for number in range(PEOPLE)],
            "8": [{"BENE_MBI_ID": own(number)["BENE_MBI_ID"]} for number in range(PEOPLE)],
        },
    )
    return files


def synpuf() -> Files:
    """DE-SynPUF: people of a year and carrier claims."""
    people = [test_synpuf.PERSON | {"DESYNPUF_ID": f"ZQB{number:04}"} for number in range(PEOPLE)]
    claims = [
        test_synpuf.CARRIER
        | {"DESYNPUF_ID": f"ZQB{number:04}", "CLM_ID": f"ZQC{number:04}", "HCPCS_CD_1": "99213"}
        for number in range(PEOPLE)
    ]
    return {
        test_synpuf.PEOPLE_2008: test_synpuf.table(*people).encode(),
        test_synpuf.CARRIER_A: test_synpuf.table(*claims).encode(),
    }


def fhir_resources() -> dict[str, list[dict[str, Any]]]:
    """Claims (one of them stated twice), people and their coverage."""
    claims, people, covers = [], [], []
    for number in range(PEOPLE):
        person = {"reference": f"Patient/ZQB{number:04}"}
        own = [{**CLAIM["identifier"][0], "value": f"ZQC{number:04}"}]
        claims.append(made(CLAIM, id=f"carrier-ZQC{number:04}", identifier=own, patient=person))
        people.append(made(PATIENT, id=f"ZQB{number:04}", identifier=[]))
        covers.append(made(COVERAGE, id=f"part-b-ZQB{number:04}", beneficiary=person))
    claims.append(restated(claims[0], "2024-05-01", status="cancelled", item=[]))
    return {"ExplanationOfBenefit": claims, "Patient": people, "Coverage": covers}


def fhir() -> Files:
    """NDJSON, one file a kind of resource."""
    return {f"{kind}.ndjson": lines(*found).encode() for kind, found in fhir_resources().items()}


def fhir_bundle() -> Files:
    """A pretty-printed Bundle of everything, and claims compressed."""
    kinds = fhir_resources()
    everyone = bundle(*kinds["Patient"], *kinds["Coverage"])
    return {
        "people.json": json.dumps(everyone, indent=2).encode(),
        "claims.ndjson.gz": gzip.compress(lines(*kinds["ExplanationOfBenefit"]).encode(), mtime=0),
    }


def synthea() -> Files:
    """Synthea's CSV export: people, encounters, claims and charges."""
    people, visits, claims, charges = (
        [text]
        for text in (
            test_synthea.PATIENTS,
            test_synthea.ENCOUNTERS,
            test_synthea.CLAIMS,
            test_synthea.CHARGES,
        )
    )
    for number in range(PEOPLE):
        person, claim = f"ZQB{number:04}", f"ZQC{number:04}"
        people.append(f"{person},1945-03-02,,white,nonhispanic,F,MA,01730,1\n")
        visits.append(f"E{number},2024-01-05T10:00:00Z,2024-01-05T10:30:00Z,{person},O1,ambulatory,1\n")
        claims.append(f"{claim},{person},E119,I10,E{number},2024-01-05T10:00:00Z,1\n")
        charges.append(f"{number},{claim},0,CHARGE,2024-01-05,2024-01-05,O1,99490,1\n")
    return {
        "patients.csv": "".join(people).encode(),
        "encounters.csv": "".join(visits).encode(),
        "claims.csv": "".join(claims).encode(),
        "claims_transactions.csv": "".join(charges).encode(),
    }


def tuva() -> Files:
    """The Tuva input layer as text: claim lines and spans of coverage."""
    claims = [
        test_tuva.CLAIM
        | {"person_id": f"ZQB{number:04}", "claim_id": f"ZQC{number:04}", "claim_line_number": str(line)}
        for number in range(PEOPLE)
        for line in (1, 2)
    ]
    spans = [test_tuva.SPAN | {"person_id": f"ZQB{number:04}"} for number in range(PEOPLE)]
    return {
        "medical_claim.csv": test_tuva.text(*claims).encode(),
        "eligibility.csv": test_tuva.text(*spans).encode(),
    }


def practice_exports() -> Files:
    """A vendor's time log as text, the same kind of log as a workbook, and the mapping of the latter."""
    log = [test_exports.LOG]
    book = openpyxl.Workbook()
    book.active.append(["Key", "Person", "Began", "Took"])
    for number in range(PEOPLE):
        person = f"ZQB{number:04}"
        log.append(f"ZQM{number:04},{person},1234567890,T1,S1,600,2024-01-31 23:50:00,CCM,call,")
        book.active.append([f"ZQM{number + 50:04}", person, f"2024-01-{number + 10} 10:00:00", 300])
    packed, fixed = io.BytesIO(), io.BytesIO()
    book.save(packed)
    # The parts again without the time of writing, so that a case is the same each time.
    with zipfile.ZipFile(packed) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as again:
        for name in parts.namelist():
            if name != "docProps/core.xml":
                again.writestr(zipfile.ZipInfo(name), parts.read(name), zipfile.ZIP_DEFLATED)
    mapping = test_exports.OWN.format(began="Began", seconds="{from: Took, unit: seconds}")
    return {
        "activities.csv": "".join(f"{row}\n" for row in log).encode(),
        "log.xlsx": fixed.getvalue(),
        "own.mapping.yml": mapping.encode(),
    }


SAMPLES: dict[str, Callable[[], Files]] = {
    "practice": practice,
    "practice quoted": practice_quoted,
    "practice exports": practice_exports,
    "rif": rif,
    "cclf": cclf,
    "synpuf": synpuf,
    "synthea": synthea,
    "tuva": tuva,
    "fhir": fhir,
    "fhir bundle": fhir_bundle,
}
