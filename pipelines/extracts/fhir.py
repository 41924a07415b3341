"""FHIR as BCDA, AB2D, DPC and Blue Button deliver it: ExplanationOfBenefit, Patient and Coverage.

NDJSON (one resource a line, or a Bundle a line), JSON documents and Bundles, plain or gzip, STU3 and R4. A
later statement about a resource (by its time of last update) replaces an earlier one; a cancelled claim is
a cancellation, which core acts upon. Drug events and other resources are counted and passed over.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from pathlib import Path

import duckdb

from pipelines.extracts import fhir_claims, fhir_people, file_names
from pipelines.extracts.delimited import prepare_rejects, scratch_folder
from pipelines.extracts.delivery import SET_ASIDE, Delivery, SourceFile, UnreadableExtract
from pipelines.extracts.fhir_shapes import CLAIM, COVER, PARSED, PERSON, parse
from pipelines.extracts.json_resources import write_resources

NAME = "fhir"
LOOKS_FOR = 'JSON with "resourceType" (*.ndjson, *.jsonl, *.json, also .gz)'
LINES = re.compile(r"\.(ndjson|jsonl)(\.gz)?$", re.IGNORECASE)
DOCUMENT = re.compile(r"\.json(\.gz)?$", re.IGNORECASE)
HEAD = 65_536
# The table in which each read resource is one row (Coverage: any number of rows).
TABLES = {CLAIM: "claims", PERSON: "beneficiaries", COVER: "enrollment_months"}
REASONS = {
    "not_utf8": "text in UTF-8",
    "broken_document": "a complete JSON value",
    "unparsable_line": "one JSON object",
    "unexpected_shape": "parts of the shape that FHIR gives them",
    "superseded": "the last statement about this resource",
}


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    found = [path for path in sources(folder) if _names_resources(path)]
    return f'{called(folder)[found[0]]} holds JSON with "resourceType"' if found else None


def sources(folder: Path) -> list[Path]:
    """Files of `folder` called *.ndjson or *.jsonl, and *.json that name a resource near their beginning."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and (LINES.search(path.name) or (DOCUMENT.search(path.name) and _names_resources(path)))
    )


def called(folder: Path) -> dict[Path, str]:
    """What each file of `folder` is called wherever it is told of: one that may be named after a patient by a number."""
    return file_names.called(folder, (path for path in folder.rglob("*") if path.is_file()))


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`."""
    files = sources(folder)
    if not files:
        raise UnreadableExtract(str(folder), "no file to read", expected=LOOKS_FOR)
    place = scratch_folder(con)
    resources = place / "fhir_resources.parquet"
    names = called(folder)
    counts = write_resources([(path, names[path]) for path in files], resources)
    parse(con, resources, place / "fhir_parsed.parquet")
    resources.unlink()
    fhir_claims.prepare(con)
    fhir_people.prepare(con)
    kinds = _kinds(con)
    _set_aside(con, {names[path]: kinds.get(names[path], ("claims",))[0] for path in files})
    tables = {
        "claims": fhir_claims.claims(),
        "claim_lines": fhir_claims.lines(),
        "claim_diagnoses": fhir_claims.diagnoses(),
        "beneficiaries": fhir_people.beneficiaries(),
        "beneficiary_xref": _identifiers(),
        "enrollment_months": fhir_people.months(),
    }
    for table, select in tables.items():
        con.execute(f"create or replace view fhir_{table} as {select}")
    con.execute(f"create or replace table fhir_month_sources as {fhir_people.month_sources()}")
    passed_over = _passed_over(con)
    return Delivery(
        tables={table: f"fhir_{table}" for table in tables},
        files=[
            SourceFile(
                path=path,
                name=names[path],
                rows_in=counts[names[path]] - sum(passed_over[names[path]].values()),
                passed_over=passed_over[names[path]],
            )
            for path in files
        ],
        accounting={names[path]: kinds.get(names[path], ("claims",)) for path in files},
        spread_rows={"enrollment_months": "fhir_month_sources"},
        ignored={name: "no JSON with a resourceType" for path, name in names.items() if path not in files},
        notes=[
            f"{name}: {rows} x {reason} passed over, the contract has no row for it"
            for name, reasons in sorted(passed_over.items())
            for reason, rows in reasons.items()
        ],
    )


def _names_resources(path: Path) -> bool:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw, "rb") if packed else raw as content:
                return b'"resourceType"' in content.read(HEAD)
    except (OSError, EOFError, zlib.error):
        return False


def _kinds(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Contract tables by file, of the resources that stand in it."""
    found = con.execute(
        f"select distinct source_file, resource_type from {PARSED} where resource_type is not null"
    ).fetchall()
    kinds: dict[str, set[str]] = defaultdict(set)
    for name, resource in found:
        if resource in TABLES:
            kinds[name].add(TABLES[resource])
    return {name: tuple(sorted(tables)) for name, tables in kinds.items()}


def _set_aside(con: duckdb.DuckDBPyConnection, usual: dict[str, str]) -> None:
    """Put what is not a sound resource, and former statements about people, on the way to the quarantine.

    `usual`: table by file, for what does not show its kind.
    """
    prepare_rejects(con)
    con.execute("create or replace table fhir_files (source_file varchar, usual varchar)")
    con.executemany("insert into fhir_files values (?, ?)", list(usual.items()))
    tables = " ".join(f"when '{kind}' then '{table}'" for kind, table in TABLES.items())
    expected = " ".join(f"when '{reason}' then '{text}'" for reason, text in REASONS.items())
    con.execute(f"""
        insert into {SET_ASIDE}
        select case resource_type {tables} else usual end, source_file, source_row, nullif(misshapen, ''),
               fault, case fault {expected} end, resource
        from {PARSED} inner join fhir_files using (source_file) where fault is not null
        union all
        select 'beneficiaries', source_file, source_row, null, 'superseded', '{REASONS["superseded"]}',
               json_object('id', id, 'lastUpdated', stated_at)::varchar
        from fhir_patients where is_superseded
        union all
        select 'enrollment_months', source_file, source_row, null, 'superseded', '{REASONS["superseded"]}',
               json_object('beneficiary', beneficiary_id, 'lastUpdated', stated_at)::varchar
        from fhir_covers where is_superseded""")


def _identifiers() -> str:
    """Select of Medicare numbers as former identifiers of the person, whom FHIR calls by another."""
    return f"""
        select number as previous_beneficiary_id, beneficiary_id as current_beneficiary_id, effective_date,
               obsolete_date, place.file as source_file, place."row" as source_row
        from (
            select number, beneficiary_id, max(effective_date) as effective_date,
                   max(obsolete_date) as obsolete_date,
                   min({{'file': source_file, 'row': source_row}}) as place
            from (
                select * from ({fhir_people.identifiers()})
                union all select * from ({fhir_claims.identifiers()})
            )
            where number is not null and number <> beneficiary_id
            group by number, beneficiary_id
        )"""


def _passed_over(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Resources by file and reason that no contract table has a row for."""
    known = ", ".join(f"'{kind}'" for kind in TABLES)
    found = con.execute(f"""
        select source_file, 'drug event' as reason, count(*) from fhir_drug_events group by all
        union all
        select source_file,
               case when resource_type is null then 'no resource type'
                    when regexp_full_match(resource_type, '[A-Z][A-Za-z]{{2,40}}') then resource_type
                    else 'another resource type' end as reason, count(*)
        from {PARSED}
        where fault is null and (resource_type is null or resource_type not in ({known})) group by all
        union all
        select source_file, 'Coverage without months', count(*) from fhir_covers
        where not is_superseded and place not in (select place from fhir_month_sources) group by all
        order by all""").fetchall()
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for name, reason, rows in found:
        counts[name][reason] = int(rows)
    return counts
