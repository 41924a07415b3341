"""Synthea's CSV export: people, encounters, organisations, claims and their charges, and who paid when.

Synthea codes in SNOMED CT, which the contract does not hold: a code lands only where it is one of ICD-10-CM or
HCPCS, and the number of others is a note. So this is a source of encounters and people more than of billing.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import duckdb

from pipelines.extracts.delimited import REJECTS, open_delimited, prepare_rejects
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name, sql_text

NAME = "synthea"
LOOKS_FOR = "Synthea's files (patients.csv and encounters.csv with its columns)"
FILE_NAME = re.compile(r"(?P<kind>[a-z_]+)\.csv(\.gz)?", re.IGNORECASE)
REQUIRED = {
    "patients": ("Id", "BIRTHDATE", "GENDER"),
    "encounters": ("Id", "START", "PATIENT", "ENCOUNTERCLASS"),
    "organizations": ("Id", "NAME"),
    "payers": ("Id", "NAME"),
    "payer_transitions": ("PATIENT", "PAYER"),
    "claims": ("Id", "PATIENTID", "SERVICEDATE", "HEALTHCARECLAIMTYPEID1"),
    "claims_transactions": ("CLAIMID", "CHARGEID", "TYPE", "FROMDATE"),
}
OPTIONAL = {
    "patients": ("DEATHDATE", "RACE", "ETHNICITY", "STATE", "ZIP"),
    "encounters": ("STOP", "ORGANIZATION"),
    "organizations": ("STATE", "ZIP"),
    "payers": (),
    "payer_transitions": ("START_YEAR", "END_YEAR", "START_DATE", "END_DATE"),
    "claims": ("APPOINTMENTID", *(f"DIAGNOSIS{slot}" for slot in range(1, 9))),
    "claims_transactions": ("TODATE", "PLACEOFSERVICE", "PROCEDURECODE", "UNITS"),
}
ACCOUNTED_BY = {
    "patients": "beneficiaries",
    "encounters": "encounters",
    "organizations": "practices",
    "payer_transitions": "beneficiaries",
    "claims": "claims",
    "claims_transactions": "claim_lines",
}
CODED_OTHERWISE = (
    "problems, procedures and drugs in SNOMED CT, LOINC or RxNorm: the contract has no table for them"
)
CLASSES = {
    "ambulatory": "office",
    "outpatient": "office",
    "wellness": "office",
    "urgentcare": "office",
    "home": "home",
    "virtual": "telehealth",
    "emergency": "emergency",
    "inpatient": "inpatient",
    "snf": "snf",
}
FACILITY_CLASSES = {"inpatient": "inpatient", "snf": "snf", "hospice": "hospice", "home": "hha"}
RACES = {"white": "1", "black": "2", "other": "3", "asian": "4", "hawaiian": "4", "native": "6"}
MEDICARE = ("medicare", "dual eligible")
ICD_10 = r"[A-TV-Z][0-9][0-9A-Z]\.?[0-9A-Z]{0,4}"
HCPCS = r"[0-9A-V][0-9]{3}[0-9A-Z]"
STATES = dict(
    zip(
        [
            "Alabama",
            "Alaska",
            "Arizona",
            "Arkansas",
            "California",
            "Colorado",
            "Connecticut",
            "Delaware",
            "District of Columbia",
            "Florida",
            "Georgia",
            "Hawaii",
            "Idaho",
            "Illinois",
            "Indiana",
            "Iowa",
            "Kansas",
            "Kentucky",
            "Louisiana",
            "Maine",
            "Maryland",
            "Massachusetts",
            "Michigan",
            "Minnesota",
            "Mississippi",
            "Missouri",
            "Montana",
            "Nebraska",
            "Nevada",
            "New Hampshire",
            "New Jersey",
            "New Mexico",
            "New York",
            "North Carolina",
            "North Dakota",
            "Ohio",
            "Oklahoma",
            "Oregon",
            "Pennsylvania",
            "Rhode Island",
            "South Carolina",
            "South Dakota",
            "Tennessee",
            "Texas",
            "Utah",
            "Vermont",
            "Virginia",
            "Washington",
            "West Virginia",
            "Wisconsin",
            "Wyoming",
        ],
        [
            "AL",
            "AK",
            "AZ",
            "AR",
            "CA",
            "CO",
            "CT",
            "DE",
            "DC",
            "FL",
            "GA",
            "HI",
            "ID",
            "IL",
            "IN",
            "IA",
            "KS",
            "KY",
            "LA",
            "ME",
            "MD",
            "MA",
            "MI",
            "MN",
            "MS",
            "MO",
            "MT",
            "NE",
            "NV",
            "NH",
            "NJ",
            "NM",
            "NY",
            "NC",
            "ND",
            "OH",
            "OK",
            "OR",
            "PA",
            "RI",
            "SC",
            "SD",
            "TN",
            "TX",
            "UT",
            "VT",
            "VA",
            "WA",
            "WV",
            "WI",
            "WY",
        ],
        strict=True,
    )
)
RECEIVED = "getvariable('received_date')::date"


def sources(folder: Path) -> list[Path]:
    """Files of `folder` that are read."""
    return sorted(path for path in folder.iterdir() if path.is_file() and _kind(path) in REQUIRED)


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    for path in sources(folder):
        if _kind(path) in ("patients", "encounters") and path.suffix.lower() == ".csv":
            with path.open("rb") as content:
                header = content.readline(65_536).decode("utf-8-sig", "replace").upper()
            if "ENCOUNTERCLASS" in header or "HEALTHCARE_EXPENSES" in header:
                return f"{path.name} has the columns of Synthea's {_kind(path)}"
    return None


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`."""
    files = {kind: path for path in sources(folder) if (kind := _kind(path)) is not None}
    if not set(files) & set(ACCOUNTED_BY):
        raise UnreadableExtract(str(folder), "no file to read", expected=LOOKS_FOR)
    prepare_rejects(con)
    opened = {kind: _open(con, path, kind) for kind, path in files.items()}
    for kind in set(REQUIRED) - set(opened):
        none = ", ".join(f"null::varchar as {name}" for name in (*REQUIRED[kind], *OPTIONAL[kind]))
        con.execute(f"""
            create or replace view synthea_in_{kind} as
            select {none}, null::varchar as source_file, null::bigint as source_row where false""")
    if "claims_transactions" in opened:
        opened["claims_transactions"] = _only_charges(con, opened["claims_transactions"])
    _join_payers(con)
    tables: dict[str, str] = {}
    for table, kind, select in (
        ("beneficiaries", "patients", _beneficiaries()),
        ("encounters", "encounters", _encounters()),
        ("practices", "organizations", _practices()),
        ("enrollment_months", "payer_transitions", _months()),
        ("claims", "claims", _claims()),
        ("claim_diagnoses", "claims", _diagnoses()),
        ("claim_lines", "claims_transactions", _lines()),
    ):
        if kind in opened:
            tables[table] = f"synthea_{table}"
            con.execute(f"create or replace view synthea_{table} as {select}")
    # Names of payers only tell Medicare from others; they are no rows of the contract.
    read_files = [source for kind, source in opened.items() if kind in ACCOUNTED_BY]
    return Delivery(
        tables=tables,
        files=read_files,
        accounting={opened[kind].name: table for kind, table in ACCOUNTED_BY.items() if kind in opened},
        joined_rows="synthea_joined_rows",
        ignored={
            str(path.relative_to(folder)): "names of payers: they tell which spans are Medicare's"
            if _kind(path) == "payers"
            else CODED_OTHERWISE
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path not in {source.path for source in read_files}
        },
        notes=_notes(con),
    )


def _kind(path: Path) -> str | None:
    match = FILE_NAME.fullmatch(path.name)
    return match["kind"].lower() if match else None


def _open(con: duckdb.DuckDBPyConnection, path: Path, kind: str) -> SourceFile:
    names = (*REQUIRED[kind], *OPTIONAL[kind])
    raw = f"synthea_raw_{kind}"
    source = open_delimited(con, path, delimiter=",", required=REQUIRED[kind], view=raw, columns=names)
    spelt = {name.lower(): name for name in source.columns}
    columns = ", ".join(
        f"{sql_name(spelt[name.lower()])} as {name}" if name.lower() in spelt else f"null::varchar as {name}"
        for name in names
    )
    con.execute(
        f"create or replace view synthea_in_{kind} as select {columns}, source_file, source_row from {raw}"
    )
    missing = tuple(name for name in OPTIONAL[kind] if name.lower() not in spelt)
    return dataclasses.replace(source, missing_columns=missing)


def _only_charges(con: duckdb.DuckDBPyConnection, source: SourceFile) -> SourceFile:
    """Payments and transfers stand beside the charges and are no lines."""
    others = "upper(coalesce(TYPE, '')) <> 'CHARGE'"
    ((left_out,),) = con.execute(
        f"select count(*) from synthea_in_claims_transactions where {others}"
    ).fetchall()
    con.execute(f"""
        create or replace view synthea_charges as
        select * from synthea_in_claims_transactions where not ({others})""")
    return dataclasses.replace(
        source, rows_in=source.rows_in - int(left_out), passed_over={"payment_or_transfer": int(left_out)}
    )


def _day(value: str) -> str:
    """The day of a date or of an instant in UTC."""
    return f"left({value}, 10)"


def _words(column: str, words: dict[str, str], otherwise: str) -> str:
    known = " ".join(f"when {sql_text(word)} then {sql_text(value)}" for word, value in words.items())
    return f"case lower({column}) {known} else {otherwise} end"


def _beneficiaries() -> str:
    states = {name.lower(): postal for name, postal in STATES.items()}
    return f"""
        select Id as beneficiary_id, {RECEIVED} as reference_date, {_day("BIRTHDATE")} as birth_date,
               {_day("DEATHDATE")} as death_date,
               {_words("GENDER", {"m": "male", "f": "female"}, "GENDER")} as sex,
               case when lower(ETHNICITY) = 'hispanic' then '5'
                    else {_words("RACE", RACES, "null")} end as race_ethnicity_code,
               case when coalesce(RACE, ETHNICITY) is not null then 'self_report' end
                   as race_ethnicity_source,
               {_words("STATE", states, "STATE")} as state_code,
               case when length(ZIP) < 5 then lpad(ZIP, 5, '0') else left(ZIP, 5) end as zip_code,
               source_file, source_row
        from synthea_in_patients"""


def _encounters() -> str:
    return f"""
        select Id as encounter_id, PATIENT as beneficiary_id,
               {_words("ENCOUNTERCLASS", CLASSES, "'other'")} as encounter_class,
               {_day("START")} as start_date, {_day("STOP")} as end_date, ORGANIZATION as practice_tin,
               source_file, source_row
        from synthea_in_encounters"""


def _practices() -> str:
    return """
        select Id as practice_tin, NAME as practice_name, case when length(STATE) = 2 then STATE end as state_code,
               case when length(ZIP) < 5 then lpad(ZIP, 5, '0') else left(ZIP, 5) end as zip_code,
               source_file, source_row
        from synthea_in_organizations"""


def _spans() -> str:
    """Rows of the payers' file with the days that they cover; whole years where only those are told."""

    def day(year: str, date: str, of_year: str) -> str:
        return f"""coalesce(try_cast({_day(date)} as date), try_cast(case
            when regexp_full_match({year}, '[0-9]{{4}}') then {year} || '{of_year}'
            else {_day(year)} end as date))"""

    return f"""
        select spans.PATIENT as beneficiary_id, lower(payers.NAME) as payer,
               {day("START_YEAR", "START_DATE", "-01-01")} as first_day,
               least(coalesce({day("END_YEAR", "END_DATE", "-12-31")}, {RECEIVED}), {RECEIVED}) as last_day,
               spans.source_file, spans.source_row
        from synthea_in_payer_transitions as spans
        left join synthea_in_payers as payers on spans.PAYER = payers.Id"""


def _months() -> str:
    """Months that Medicare paid for; Synthea has no Parts, so both are taken to be there."""
    listed = ", ".join(sql_text(name) for name in MEDICARE)
    return f"""
        select beneficiary_id, service_month, true as has_part_a, true as has_part_b,
               false as is_medicare_advantage, 'approximate' as coverage_grain,
               min(source_file) as source_file, min(source_row) as source_row
        from (
            select beneficiary_id, source_file, source_row,
                   unnest(generate_series(date_trunc('month', first_day)::date, last_day, interval 1 month))::date
                       as service_month
            from synthea_payer_rows where payer in ({listed}) and head_file is not null
        )
        where service_month >= date '1965-07-01'
        group by beneficiary_id, service_month"""


def _join_payers(con: duckdb.DuckDBPyConnection) -> None:
    """Spans of payers are accounted for by their person; those of nobody, or without days, are set aside."""
    con.execute(f"""
        create or replace view synthea_payer_rows as
        select spans.*, people.source_file as head_file, people.source_row as head_row
        from ({_spans()}) as spans
        left join (select distinct on (Id) * from synthea_in_patients order by Id, source_row) as people
            on spans.beneficiary_id = people.Id""")
    con.execute("""
        create or replace view synthea_joined_rows as
        select source_file, source_row, head_file, head_row from synthea_payer_rows
        where head_file is not null and first_day is not null""")
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row,
               case when head_file is null then 'parent_missing' else 'not_a_span' end,
               case when head_file is null then 'the person in patients.csv of the same delivery'
                    else 'a start as a date or a year' end,
               json_object('PATIENT', beneficiary_id)::varchar
        from synthea_payer_rows where head_file is null or first_day is null""")


def _claims() -> str:
    facility = _words("visits.ENCOUNTERCLASS", FACILITY_CLASSES, "'outpatient'")
    return f"""
        select claims.Id as claim_id, '1' as claim_version, PATIENTID as beneficiary_id,
               case HEALTHCARECLAIMTYPEID1 when '1' then 'carrier' when '2' then {facility}
                    else 'code ' || HEALTHCARECLAIMTYPEID1 end as claim_type,
               {_day("SERVICEDATE")} as from_date,
               coalesce({_day("visits.STOP")}, {_day("SERVICEDATE")}) as through_date,
               visits.ORGANIZATION as billing_tin, 'original' as action, claims.source_file, claims.source_row
        from synthea_in_claims as claims
        left join (select distinct on (Id) * from synthea_in_encounters order by Id, source_row) as visits
            on claims.APPOINTMENTID = visits.Id"""


def _diagnoses() -> str:
    slots = ", ".join(
        f"{{'role': '{'principal' if slot == 1 else 'other'}', 'position': {slot}, "
        f"'code': upper(DIAGNOSIS{slot})}}"
        for slot in range(1, 9)
    )
    return f"""
        select claim_id, '1' as claim_version, '0' as line_number, said.role as role,
               said.position as position, said.code as diagnosis_code, '10' as icd_version,
               source_file, source_row
        from (select Id as claim_id, unnest([{slots}]) as said, source_file, source_row from synthea_in_claims)
        where regexp_full_match(said.code, '{ICD_10}')"""


def _lines() -> str:
    return f"""
        select CLAIMID as claim_id, '1' as claim_version,
               coalesce((try_cast(CHARGEID as bigint) + 1)::varchar, CHARGEID) as line_number,
               {_day("FROMDATE")} as from_date, {_day("TODATE")} as through_date,
               case when regexp_full_match(upper(PROCEDURECODE), '{HCPCS}') then PROCEDURECODE end as hcpcs_code,
               UNITS as units, PLACEOFSERVICE as billing_tin, source_file, source_row
        from synthea_charges"""


def _notes(con: duckdb.DuckDBPyConnection) -> list[str]:
    slots = " union all ".join(
        f"select DIAGNOSIS{slot} as code from synthea_in_claims" for slot in range(1, 9)
    )
    ((diagnoses,), (procedures,)) = con.execute(f"""
        select count(*) from ({slots}) where code is not null and not regexp_full_match(upper(code), '{ICD_10}')
        union all
        select count(*) from synthea_in_claims_transactions
        where upper(TYPE) = 'CHARGE' and PROCEDURECODE is not null
          and not regexp_full_match(upper(PROCEDURECODE), '{HCPCS}')""").fetchall()
    return [
        f"{count} {what} are in another code system and were left out"
        for count, what in ((diagnoses, "diagnoses of claims"), (procedures, "procedures of charges"))
        if count
    ]
