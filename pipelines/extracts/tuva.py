"""The input layer of the Tuva data model: medical_claim and eligibility, as Parquet or CSV.

One row a claim line with the claim's fields repeated, and one row a person and span of coverage. The layer holds
claims as they finally stand, so every claim is an original. It tells payers, not Parts A and B: a span paid by
Medicare counts as both, and its months are marked approximate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extracts.columnar import open_parquet
from pipelines.extracts.delimited import REJECTS, open_delimited, prepare_rejects
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name

NAME = "tuva"
LOOKS_FOR = "files called medical_claim or eligibility (.parquet, .csv, .csv.gz)"
FILE_NAME = re.compile(
    r"(?P<table>medical_claim|eligibility|pharmacy_claim)(-[^/]*)?\.(csv|csv\.gz|parquet)", re.IGNORECASE
)
REQUIRED = {
    "medical_claim": ("claim_id", "claim_line_number", "claim_type", "person_id", "claim_start_date"),
    "eligibility": ("person_id", "enrollment_start_date", "enrollment_end_date", "payer_type"),
}
USED = {
    "medical_claim": (
        *REQUIRED["medical_claim"],
        *[
            "claim_end_date",
            "claim_line_start_date",
            "claim_line_end_date",
            "admission_date",
            "discharge_date",
        ],
        *["discharge_disposition_code", "place_of_service_code", "bill_type_code", "revenue_center_code"],
        *["service_unit_quantity", "hcpcs_code", "hcpcs_modifier_1", "hcpcs_modifier_2", "rendering_npi"],
        *["rendering_tin", "billing_npi", "billing_tin", "paid_date", "paid_amount", "allowed_amount"],
        *["coinsurance_amount", "deductible_amount", "diagnosis_code_type", "data_source"],
        *(f"diagnosis_code_{place}" for place in range(1, 26)),
    ),
    "eligibility": (
        *REQUIRED["eligibility"],
        *["gender", "race", "birth_date", "death_date", "payer", "plan", "original_reason_entitlement_code"],
        *["dual_status_code", "medicare_status_code", "state", "zip_code"],
    ),
}
DIAGNOSES = 25
# Kind of claim by the first two digits of the type of bill; other institutional ones are outpatient.
KINDS = {"11": "inpatient", "18": "snf", "21": "snf", "81": "hospice", "82": "hospice"}
KINDS |= dict.fromkeys(("32", "33", "34"), "hha")
RACES = {
    "white": "1",
    "black or african american": "2",
    "black": "2",
    "other race": "3",
    "other": "3",
    "asian": "4",
    "native hawaiian or other pacific islander": "4",
    "hispanic or latino": "5",
    "hispanic": "5",
    "american indian or alaska native": "6",
    "unknown": "0",
}
ESRD_STATUSES = ("11", "21", "31")


def sources(folder: Path) -> list[Path]:
    """Claim and eligibility files of `folder`."""
    return sorted(path for path in folder.iterdir() if path.is_file() and _table(path) in REQUIRED)


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    found = sources(folder)
    return f"{found[0].name} is named after a table of the Tuva input layer" if found else None


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`."""
    opened = [_open(con, path, place) for place, path in enumerate(sources(folder))]
    if not opened:
        raise UnreadableExtract(str(folder), "no file to read", expected=LOOKS_FOR)
    prepare_rejects(con)
    tables: dict[str, str] = {}
    joined: str | None = None
    for table in REQUIRED:
        selects = [f"select * from {file.view}" for file in opened if file.table == table]
        if selects:
            con.execute(f"create or replace view tuva_{table} as {' union all by name '.join(selects)}")
    if any(file.table == "medical_claim" for file in opened):
        tables |= _claims(con)
    if any(file.table == "eligibility" for file in opened):
        tables |= _people(con)
        joined = "tuva_further_spans"
    kept = {"medical_claim": "claim_lines", "eligibility": "beneficiaries"}
    return Delivery(
        tables=tables,
        files=[file.source for file in opened],
        accounting={file.source.name: kept[file.table] for file in opened},
        joined_rows=joined,
        ignored={
            str(path.relative_to(folder)): "drug claims: the contract has no table for them"
            if _table(path) == "pharmacy_claim"
            else "not a table of the input layer that is read"
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path not in {file.source.path for file in opened}
        },
    )


@dataclass(frozen=True)
class _File:
    source: SourceFile
    table: str
    view: str


def _table(path: Path) -> str | None:
    match = FILE_NAME.fullmatch(path.name)
    return match["table"].lower() if match else None


def _open(con: duckdb.DuckDBPyConnection, path: Path, place: int) -> _File:
    """Make a view of the used columns as text, absent ones null, with the file's place."""
    table = str(_table(path))
    raw, view = f"tuva_raw_{place}", f"tuva_rows_{place}"
    if path.suffix.lower() == ".parquet":
        source = open_parquet(con, path, required=REQUIRED[table], view=raw)
    else:
        source = open_delimited(
            con, path, delimiter=",", required=REQUIRED[table], view=raw, columns=USED[table]
        )
    spelt = {name.lower(): name for name in source.columns}
    columns = ", ".join(
        f"nullif(trim({sql_name(spelt[name])}::varchar), '') as {name}"
        if name in spelt
        else f"null::varchar as {name}"
        for name in USED[table]
    )
    con.execute(f"""
        create or replace view {view} as
        select {columns}, {place} as file_place, source_file, source_row from {raw}""")
    return _File(source, table, view)


def _claims(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """A claim is made of its lines: its first line states it; a line that is there twice counts once."""
    # Claim numbers are unique only within a source.
    ((several,),) = con.execute(
        "select count(distinct coalesce(data_source, '')) > 1 from tuva_medical_claim"
    ).fetchall()
    claim_id = "coalesce(data_source, '') || '|' || claim_id" if several else "claim_id"
    con.execute(f"""
        create or replace view tuva_lines as
        select * replace ({claim_id} as claim_id), try_cast(claim_line_number as bigint) as line
        from tuva_medical_claim""")
    con.execute("""
        create or replace table tuva_heads as
        select claim_id, min(head) as head,
               case when count(paid) = count(*) filter (where has_amount) then sum(paid) end as paid
        from (
            select claim_id,
                   min(struct_pack(line := line, file_place := file_place, source_row := source_row)) as head,
                   max(try_cast(paid_amount as decimal(18, 2))) as paid,
                   bool_or(paid_amount is not null) as has_amount
            from tuva_lines where claim_id is not null group by claim_id, line
        ) group by claim_id""")
    head_rows = """
        tuva_lines as said
        inner join tuva_heads as heads
            on said.claim_id = heads.claim_id and said.file_place = heads.head.file_place
            and said.source_row = heads.head.source_row"""
    kinds = " ".join(f"when '{digits}' then '{kind}'" for digits, kind in KINDS.items())
    bill_type = "case when length(bill_type_code) = 4 then ltrim(bill_type_code, '0') else bill_type_code end"
    con.execute(f"""
        create or replace view tuva_claims as
        select said.claim_id, '1' as claim_version, person_id as beneficiary_id,
               case lower(claim_type) when 'professional' then 'carrier'
                    when 'institutional' then case left({bill_type}, 2) {kinds} else 'outpatient' end
                    else claim_type end as claim_type,
               claim_start_date as from_date, coalesce(claim_end_date, claim_start_date) as through_date,
               admission_date, discharge_date, lpad(discharge_disposition_code, 2, '0') as discharge_status_code,
               {bill_type} as bill_type_code, billing_npi, billing_tin, 'original' as action,
               paid_date as processed_date, heads.paid::varchar as paid_usd, source_file, source_row
        from {head_rows}""")
    con.execute("""
        create or replace view tuva_claim_lines as
        select claim_id, '1' as claim_version, claim_line_number as line_number,
               coalesce(claim_line_start_date, claim_start_date) as from_date,
               coalesce(claim_line_end_date, claim_end_date) as through_date, hcpcs_code,
               hcpcs_modifier_1 as modifier_1, hcpcs_modifier_2 as modifier_2, service_unit_quantity as units,
               case when length(place_of_service_code) = 1 then '0' || place_of_service_code
                    else place_of_service_code end as place_of_service_code,
               case when length(revenue_center_code) = 3 then '0' || revenue_center_code
                    else revenue_center_code end as revenue_center_code,
               rendering_npi, coalesce(rendering_tin, billing_tin) as billing_tin,
               allowed_amount as allowed_usd, paid_amount as paid_usd, deductible_amount as deductible_usd,
               coinsurance_amount as coinsurance_usd, source_file, source_row
        from tuva_lines""")
    slots = ", ".join(
        f"{{'role': '{'principal' if place == 1 else 'other'}', 'position': {place}, "
        f"'code': diagnosis_code_{place}}}"
        for place in range(1, DIAGNOSES + 1)
    )
    con.execute(f"""
        create or replace view tuva_claim_diagnoses as
        select claim_id, '1' as claim_version, '0' as line_number, listed.role as role,
               listed.position as position, listed.code as diagnosis_code,
               case when lower(code_type) like 'icd-9%' then '9'
                    when coalesce(lower(code_type), 'icd-10-cm') like 'icd-10%' then '10'
                    else code_type end as icd_version,
               source_file, source_row
        from (
            select said.claim_id, diagnosis_code_type as code_type, unnest([{slots}]) as listed,
                   source_file, source_row
            from {head_rows}
        )
        where listed.code is not null""")
    return {name: f"tuva_{name}" for name in ("claims", "claim_lines", "claim_diagnoses")}


def _people(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """A person is described by the newest span; months are those of the spans."""
    starts, ends = (f"try_cast({name} as date)" for name in ("enrollment_start_date", "enrollment_end_date"))
    is_span = (
        f"person_id is not null and {starts} is not null and coalesce({ends}, date '9999-12-31') >= {starts}"
    )
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row, 'not_a_span',
               'a person, a start as YYYY-MM-DD, and an end not before it',
               json_object('person_id', person_id)::varchar
        from tuva_eligibility where not coalesce({is_span}, false)
           or (enrollment_end_date is not null and {ends} is null)""")
    con.execute(f"""
        create or replace view tuva_spans as
        select *, {starts} as first_day,
               least(coalesce({ends}, date '9999-12-31'), getvariable('received_date')::date) as last_day,
               first_value(source_file) over newest as head_file,
               first_value(source_row) over newest as head_row
        from tuva_eligibility
        where coalesce({is_span}, false) and (enrollment_end_date is null or {ends} is not null)
        window newest as (
            partition by person_id order by {starts} desc, file_place, source_row
            rows between unbounded preceding and unbounded following)""")
    races = " ".join(f"when '{name}' then '{code}'" for name, code in RACES.items())
    esrd = ", ".join(f"'{code}'" for code in ESRD_STATUSES)
    is_head = "head_file = source_file and head_row = source_row"
    con.execute(f"""
        create or replace view tuva_beneficiaries as
        select person_id as beneficiary_id, getvariable('received_date')::date as reference_date, birth_date,
               death_date, case lower(gender) when 'male' then 'male' when 'female' then 'female'
                                when 'm' then 'male' when 'f' then 'female'
                                else case when gender is not null then 'unknown' end end as sex,
               case lower(race) {races} end as race_ethnicity_code,
               case when lower(race) in ({", ".join(repr(name) for name in RACES)}) then 'enrollment' end
                   as race_ethnicity_source,
               case when length(state) = 2 then state end as state_code,
               left(zip_code, 5) as zip_code, original_reason_entitlement_code as original_entitlement_code,
               medicare_status_code in ({esrd}) as has_esrd, source_file, source_row
        from tuva_spans where {is_head}""")
    con.execute(f"""
        create or replace view tuva_further_spans as
        select source_file, source_row, head_file, head_row from tuva_spans where not ({is_head})""")
    is_medicare = "lower(payer_type) = 'medicare'"
    con.execute(f"""
        create or replace view tuva_enrollment_months as
        select beneficiary_id, service_month, bool_or(is_medicare) as has_part_a,
               bool_or(is_medicare) as has_part_b, bool_or(is_advantage) as is_medicare_advantage,
               max(dual) as dual_status_code, max(status) as medicare_status_code,
               'approximate' as coverage_grain, min(source_file) as source_file, min(source_row) as source_row
        from (
            select person_id as beneficiary_id, {is_medicare} as is_medicare,
                   {is_medicare} and concat_ws(' ', payer, plan) ilike '%advantage%' as is_advantage,
                   lpad(dual_status_code, 2, '0') as dual, lpad(medicare_status_code, 2, '0') as status,
                   unnest(generate_series(date_trunc('month', first_day)::date, last_day, interval 1 month))::date
                       as service_month,
                   source_file, source_row
            from tuva_spans
        )
        group by beneficiary_id, service_month""")
    return {"beneficiaries": "tuva_beneficiaries", "enrollment_months": "tuva_enrollment_months"}
