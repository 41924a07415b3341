"""Small FHIR resources to spoil, and a plain reading of public samples to compare with."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BB = "https://bluebutton.cms.gov/resources"


def extension(name: str, code: str) -> dict[str, Any]:
    return {"url": f"{BB}/variables/{name}", "valueCoding": {"code": code}}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def money(name: str, value: float) -> dict[str, Any]:
    return {
        "category": concept(f"{BB}/codesystem/adjudication", f"{BB}/variables/{name}"),
        "amount": {"value": value, "currency": "USD"},
    }


CLAIM: dict[str, Any] = {
    "resourceType": "ExplanationOfBenefit",
    "id": "carrier-1",
    "meta": {"lastUpdated": "2024-02-01T08:00:00-05:00"},
    "identifier": [
        {"system": f"{BB}/variables/clm_id", "value": "1"},
        {"system": f"{BB}/identifier/claim-group", "value": "g1"},
    ],
    "status": "active",
    "type": {
        "coding": [
            {"system": f"{BB}/variables/nch_clm_type_cd", "code": "71"},
            {"system": f"{BB}/codesystem/eob-type", "code": "CARRIER"},
        ]
    },
    "patient": {"reference": "Patient/p1"},
    "billablePeriod": {"start": "2024-01-05", "end": "2024-01-05"},
    "careTeam": [
        {
            "sequence": 1,
            "provider": {"identifier": {"value": "1111111111"}},
            "role": concept("r", "referring"),
        },
        {
            "sequence": 2,
            "provider": {"identifier": {"value": "1234567890"}},
            "role": concept("r", "performing"),
            "qualification": concept(f"{BB}/variables/prvdr_spclty", "8"),
        },
    ],
    "diagnosis": [
        {
            "sequence": 1,
            "diagnosisCodeableConcept": concept("http://hl7.org/fhir/sid/icd-10", "E11.9"),
            "type": [concept("t", "principal")],
        },
        {
            "sequence": 2,
            "diagnosisCodeableConcept": concept("http://hl7.org/fhir/sid/icd-9-cm", "4019"),
            "type": [concept("t", "principal")],
        },
    ],
    "payment": {"amount": {"value": 42.1}},
    "extension": [extension("carr_clm_pmt_dnl_cd", "1")],
    "item": [
        {
            "sequence": 1,
            "careTeamSequence": [1, 2],
            "diagnosisSequence": [2],
            "productOrService": concept(f"{BB}/codesystem/hcpcs", "99490"),
            "modifier": [concept(f"{BB}/codesystem/hcpcs", "25")],
            "servicedPeriod": {"start": "2024-01-05", "end": "2024-01-06"},
            "locationCodeableConcept": concept(f"{BB}/variables/line_place_of_srvc_cd", "11"),
            "quantity": {"value": 2},
            "adjudication": [money("line_nch_pmt_amt", 42.1), money("line_alowd_chrg_amt", 50)],
            "extension": [extension("line_prcsg_ind_cd", "A"), extension("betos_cd", "M1B")],
        }
    ],
}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"lastUpdated": "2024-03-01T00:00:00Z"},
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-mbi", "value": "1S00E00AA00"}],
    "extension": [extension("race", "2")],
    "gender": "female",
    "birthDate": "1950-05-01",
    "address": [{"state": "05", "postalCode": "90210-1234", "district": "200"}],
}
COVERAGE: dict[str, Any] = {
    "resourceType": "Coverage",
    "id": "part-b-p1",
    "meta": {"lastUpdated": "2024-03-01T00:00:00Z"},
    "status": "active",
    "beneficiary": {"reference": "Patient/p1"},
    "grouping": {"subPlan": "Part B"},
    "extension": [
        {"url": f"{BB}/variables/rfrnc_yr", "valueDate": "2024"},
        extension("ms_cd", "10"),
        extension("orec", "1"),
        extension("esrd_ind", "Y"),
        *[extension(f"buyin{month:02}", "3") for month in (1, 2)],
        extension("hmo_ind_02", "1"),
        extension("dual_01", "2"),
    ],
}


def made(resource: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A copy of `resource` with these values."""
    return copy.deepcopy(resource) | values


def restated(resource: dict[str, Any], when: str, **values: Any) -> dict[str, Any]:
    """A later (or earlier) statement about the same resource."""
    return made(resource, meta={"lastUpdated": when}, **values)


def lines(*resources: Any) -> str:
    """NDJSON; text stands as it is."""
    return "".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in resources)


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "total": 9, "entry": [{"resource": item} for item in resources]}


def plain_reading(folder: Path) -> Iterator[dict[str, Any]]:
    """Every resource of a folder of samples, by the standard library alone."""
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8")
        try:
            documents = [json.loads(text)]
        except ValueError:
            documents = [json.loads(line) for line in text.splitlines()]
        for document in documents:
            if document["resourceType"] == "Bundle":
                yield from (entry["resource"] for entry in document["entry"])
            else:
                yield document
