"""Which parts of FHIR resources are read (STU3 and R4 alike), and SQL to find values in them.

What the two releases call differently stands side by side: `service` and `productOrService`, `information`
and `supportingInfo`, `careTeamLinkId` and `careTeamSequence`.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from pipelines.extracts.delivery import sql_text

TEXT = "VARCHAR"
CODING = {"system": TEXT, "code": TEXT}
CONCEPT = {"coding": [CODING]}
PERIOD = {"start": TEXT, "end": TEXT}
IDENTIFIER = {"type": CONCEPT, "system": TEXT, "value": TEXT, "period": PERIOD}
EXTENSION = {
    "url": TEXT,
    "valueCoding": CODING,
    "valueIdentifier": {"system": TEXT, "value": TEXT},
    "valueDate": TEXT,
}
ITEM = {
    "sequence": TEXT,
    "careTeamSequence": [TEXT],
    "careTeamLinkId": [TEXT],
    "diagnosisSequence": [TEXT],
    "diagnosisLinkId": [TEXT],
    "productOrService": CONCEPT,
    "service": CONCEPT,
    "revenue": CONCEPT,
    "modifier": [CONCEPT],
    "servicedPeriod": PERIOD,
    "servicedDate": TEXT,
    "locationCodeableConcept": CONCEPT,
    "quantity": {"value": TEXT},
    "adjudication": [{"category": CONCEPT, "reason": CONCEPT, "amount": {"value": TEXT}}],
    "extension": [EXTENSION],
}
INFORMATION = [{"category": CONCEPT, "code": CONCEPT, "timingDate": TEXT, "timingPeriod": PERIOD}]
# The parts of ExplanationOfBenefit, Patient and Coverage that are read; the same name has the same shape.
RESOURCE = {
    "resourceType": TEXT,
    "id": TEXT,
    "meta": {"lastUpdated": TEXT, "profile": [TEXT]},
    "status": TEXT,
    "extension": [EXTENSION],
    "identifier": [IDENTIFIER],
    "type": CONCEPT,
    "subType": CONCEPT,
    "patient": {"reference": TEXT},
    "billablePeriod": PERIOD,
    "hospitalization": PERIOD,
    "contained": [{"resourceType": TEXT, "identifier": [IDENTIFIER]}],
    "provider": {"identifier": IDENTIFIER},
    "organization": {"identifier": IDENTIFIER},
    "facility": {"extension": [EXTENSION]},
    "careTeam": [
        {
            "sequence": TEXT,
            "provider": {"identifier": IDENTIFIER},
            "role": CONCEPT,
            "qualification": CONCEPT,
        }
    ],
    "supportingInfo": INFORMATION,
    "information": INFORMATION,
    "diagnosis": [{"sequence": TEXT, "diagnosisCodeableConcept": CONCEPT, "type": [CONCEPT]}],
    "related": [{"relationship": CONCEPT, "reference": {"value": TEXT}}],
    "item": [ITEM],
    "payment": {"amount": {"value": TEXT}},
    "gender": TEXT,
    "birthDate": TEXT,
    "deceasedDateTime": TEXT,
    "address": [{"state": TEXT, "postalCode": TEXT, "district": TEXT}],
    "beneficiary": {"reference": TEXT},
    "grouping": {"subPlan": TEXT},
    "class": [{"value": TEXT}],
    "period": PERIOD,
}
CLAIM, PERSON, COVER = "ExplanationOfBenefit", "Patient", "Coverage"
PARSED = "fhir_parsed"


def parse(con: duckdb.DuckDBPyConnection, resources: Path, target: Path) -> None:
    """Write `resources` (see `json_resources`) to `target` with their parts as columns: view `fhir_parsed`.

    Beside the parts: `fault` (null, not_utf8, broken_document, unparsable_line, unexpected_shape), `misshapen`
    (names of the parts that are a list where FHIR has an object, and so on), `resource` (the text, where there
    is a fault), `place` (number of the resource in the delivery), `stated_at` (orders statements about one resource: time of the last update, then release).
    """
    parts = {name: shape for name, shape in RESOURCE.items() if not isinstance(shape, str)}
    paths = ", ".join(sql_text(f"$.{name}") for name in ("", *parts)).replace("'$.'", "'$'")
    misshapen = ", ".join(
        f"case when kinds[{place}] not in ('{'ARRAY' if isinstance(shape, list) else 'OBJECT'}', 'NULL') "
        f"then {sql_text(name)} end"
        for place, (name, shape) in enumerate(parts.items(), 2)
    )
    columns = ", ".join(f'part."{name}"' for name in RESOURCE if name != "resourceType")
    known = f"('{CLAIM}', '{PERSON}', '{COVER}')"
    # Lists of a few thousand resources are large: small row groups keep what is held while writing small.
    con.execute(f"""
        copy (
            with read as (
                select source_file, source_row, file_row_number as place, resource, fault,
                       try(json_type(resource, [{paths}])) as kinds,
                       try(from_json(resource, {sql_text(json.dumps(RESOURCE))})) as part
                from read_parquet({sql_text(str(resources))}, file_row_number = true)
            ),
            judged as (
                select *, case when part.resourceType in {known} then concat_ws(', ', {misshapen}) end as misshapen
                from read
            )
            select source_file, source_row, place, misshapen, part.resourceType as resource_type,
                   case when fault is not null then fault
                        when kinds is null or kinds[1] <> 'OBJECT' then 'unparsable_line'
                        when misshapen <> '' then 'unexpected_shape' end as fault,
                   case when fault is not null or kinds is null or kinds[1] <> 'OBJECT' or misshapen <> ''
                        then left(resource, 20000) end as resource,
                   coalesce(strftime(try_cast(part.meta.lastUpdated as timestamptz), '%Y-%m-%dT%H:%M:%S.%f'), '')
                       || case when part.item[1].productOrService is not null
                                    or len(list_filter(part.meta.profile, lambda p: p like '%C4BB%')) > 0
                               then ' R4' else ' R3' end as stated_at,
                   {columns}
            from judged
        ) to {sql_text(str(target))} (format parquet, compression lz4, row_group_size 4096)""")
    con.execute(f"create or replace view {PARSED} as select * from read_parquet({sql_text(str(target))})")


def code(concept: str, *systems: str) -> str:
    """The code that `concept` has in the first of `systems` (ends of their addresses) that it has one in."""
    found = [f"list_filter({concept}.coding, lambda c: c.system like '%{name}')[1].code" for name in systems]
    return f"coalesce({', '.join(found)}, null)"


def any_code(concept: str) -> str:
    """Every code of `concept` as a list, without the address that variable names begin with."""
    return f"list_transform({concept}.coding, lambda c: regexp_extract(c.code, '[^/]*$'))"


def extension(extensions: str, name: str, value: str = "valueCoding.code") -> str:
    """`value` of the first extension called `name` (the end of its address)."""
    return f"list_filter({extensions}, lambda e: e.url like '%/{name}')[1].{value}"


def identifier(identifiers: str, system: str) -> str:
    """The value of the first identifier whose system ends with `system`."""
    return f"list_filter({identifiers}, lambda i: i.system like '%{system}')[1].value"


def day(value: str) -> str:
    """The date of a FHIR date or date and time."""
    return f"regexp_extract({value}, '^[^T]*')"


def referred(reference: str) -> str:
    """The identifier that a reference such as Patient/123 ends with."""
    return f"nullif(regexp_extract({reference}, '[^/]*$'), '')"


def padded(value: str, width: int) -> str:
    """Digits with the leading zeros that a numeric code lost."""
    return (
        f"case when regexp_full_match({value}, '[0-9]+') and length({value}) < {width} "
        f"then lpad({value}, {width}, '0') else {value} end"
    )


def unmasked(value: str, least: int = 1) -> str:
    """`value`, null where it is `least` or more nines (or noughts): what test systems write for no value."""
    return f"case when not regexp_full_match({value}, '9{{{least},}}|0{{{least},}}') then {value} end"
