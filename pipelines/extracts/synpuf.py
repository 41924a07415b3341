"""DE-SynPUF, the CMS synthetic public use files of 2008 to 2010.

Comma-separated text with a header; dates as YYYYMMDD; ICD-9. One row a person and year, one wide row a carrier
claim, one wide row a segment of a facility claim. Every row is final. Coverage is known only as months a year.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extracts.delimited import REJECTS, open_delimited, prepare_rejects
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name
from pipelines.extracts.ssa_states import postal_state

NAME = "synpuf"
LOOKS_FOR = "DE-SynPUF files (DE1_0_2008_Beneficiary_Summary_File_*.csv, *_Carrier_Claims_*.csv, ...)"
FILE_NAME = re.compile(
    r".*(?P<kind>Beneficiary_Summary_File|Carrier_Claims|Inpatient_Claims|Outpatient_Claims"
    r"|Prescription_Drug_Events)_.*\.csv(\.gz)?",
    re.IGNORECASE,
)
YEAR = re.compile(r"(?<![0-9])(?P<year>20[0-9]{2})_Beneficiary", re.IGNORECASE)
KINDS = {
    "beneficiary_summary_file": "beneficiary",
    "carrier_claims": "carrier",
    "inpatient_claims": "inpatient",
    "outpatient_claims": "outpatient",
    "prescription_drug_events": "pde",
}
NCH_CLAIM_TYPE = {"carrier": "71", "outpatient": "40", "inpatient": "60"}
FACILITY = ("outpatient", "inpatient")
DIAGNOSIS_SLOTS = {"carrier": 8, "outpatient": 10, "inpatient": 10}
LINE_SLOTS = {"carrier": 13, "outpatient": 45, "inpatient": 45}
AMOUNTS = {
    "paid_usd": "LINE_NCH_PMT_AMT",
    "deductible_usd": "LINE_BENE_PTB_DDCTBL_AMT",
    "primary_payer_usd": "LINE_BENE_PRMRY_PYR_PD_AMT",
    "coinsurance_usd": "LINE_COINSRNC_AMT",
    "allowed_usd": "LINE_ALOWD_CHRG_AMT",
}
LINE_FIELDS = ("PRF_PHYSN_NPI", "TAX_NUM", "HCPCS_CD", "LINE_PRCSG_IND_CD", "LINE_ICD9_DGNS_CD")
# Stands in further segments where a code belongs.
NO_CODE = "OTHER"


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    found = sources(folder)
    return f"{found[0].name} is named like a DE-SynPUF file" if found else None


def sources(folder: Path) -> list[Path]:
    """Files of `folder` that are named after a kind of file that is read."""
    return sorted(path for path in folder.iterdir() if path.is_file() and _kind(path) not in (None, "pde"))


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`."""
    opened = [
        _open(con, path, kind, place)
        for place, path in enumerate(sources(folder))
        if (kind := _kind(path)) is not None
    ]
    if not opened:
        raise UnreadableExtract(str(folder), "no file to read", expected=LOOKS_FOR)
    people = [file for file in opened if file.kind == "beneficiary"]
    claims = [file for file in opened if file.kind != "beneficiary"]
    tables: dict[str, str] = {}
    if people:
        tables["beneficiaries"] = _view(con, "beneficiaries", [_beneficiaries(file) for file in people])
        tables["enrollment_months"] = _view(con, "enrollment_months", [_months(file) for file in people])
    if claims:
        _join_segments(con, [file for file in claims if file.kind in FACILITY])
        tables["claims"] = _view(con, "claims", [_claims(file) for file in claims])
        tables["claim_lines"] = _view(con, "claim_lines", [_lines(file) for file in claims])
        tables["claim_diagnoses"] = _view(con, "claim_diagnoses", [_diagnoses(file) for file in claims])
    return Delivery(
        tables=tables,
        files=[file.source for file in opened],
        accounting={
            file.source.name: "beneficiaries" if file.kind == "beneficiary" else "claims" for file in opened
        },
        joined_rows="synpuf_joined_segments" if claims else None,
        ignored={
            str(path.relative_to(folder)): (
                "drug events: the contract has no table for them"
                if _kind(path) == "pde"
                else "not named like a DE-SynPUF file"
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path not in {file.source.path for file in opened}
        },
    )


def _kind(path: Path) -> str | None:
    match = FILE_NAME.fullmatch(path.name)
    return KINDS[match["kind"].lower()] if match else None


@dataclass(frozen=True)
class _File:
    """`raw`: view of the file's columns; `column(name)`: its SQL, null where the file lacks it."""

    source: SourceFile
    kind: str
    place: int
    raw: str
    column: Callable[[str], str]

    @property
    def rows(self) -> str:
        """The file's rows; of facility claims with what their segments share (alias `claim`)."""
        if self.kind not in FACILITY:
            return f"{sql_name(self.raw)} as rows_read"
        return f"""
            {sql_name(self.raw)} as rows_read
            inner join synpuf_segments as claim
                on claim.file_place = {self.place} and claim.source_row = rows_read.source_row"""


def _open(con: duckdb.DuckDBPyConnection, path: Path, kind: str, place: int) -> _File:
    required, optional = _columns(kind)
    raw = f"synpuf_raw_{place}"
    source = open_delimited(
        con, path, delimiter=",", required=required, view=raw, columns=[*required, *optional]
    )
    if kind == "beneficiary" and not YEAR.search(path.name):
        raise UnreadableExtract(
            path.name,
            "the file name does not tell the year",
            expected="DE1_0_2008_Beneficiary_Summary_File_*",
        )
    spelt = {name.upper(): name for name in source.columns}

    def column(name: str) -> str:
        return f"rows_read.{sql_name(spelt[name])}" if name in spelt else "null::varchar"

    missing = tuple(name for name in optional if name not in spelt)
    return _File(dataclasses.replace(source, missing_columns=missing), kind, place, raw, column)


def _columns(kind: str) -> tuple[list[str], list[str]]:
    """Columns that a file of `kind` must have, and those that are used where it has them."""
    if kind == "beneficiary":
        counts = ["BENE_HI_CVRAGE_TOT_MONS", "BENE_SMI_CVRAGE_TOT_MONS", "BENE_HMO_CVRAGE_TOT_MONS"]
        facts = ["BENE_BIRTH_DT", "BENE_DEATH_DT", "BENE_SEX_IDENT_CD", "BENE_RACE_CD", "BENE_ESRD_IND"]
        return ["DESYNPUF_ID", *counts], [*facts, "SP_STATE_CODE"]
    required = ["DESYNPUF_ID", "CLM_ID", "CLM_FROM_DT", "CLM_THRU_DT", "HCPCS_CD_1", "ICD9_DGNS_CD_1"]
    optional = [f"ICD9_DGNS_CD_{slot}" for slot in range(2, DIAGNOSIS_SLOTS[kind] + 1)]
    slots = range(1, LINE_SLOTS[kind] + 1)
    if kind == "carrier":
        fields = (*LINE_FIELDS, *AMOUNTS.values())
        optional += [
            name for field in fields for slot in slots if (name := f"{field}_{slot}") not in required
        ]
        return required, optional
    optional += [f"HCPCS_CD_{slot}" for slot in slots if slot > 1]
    optional += ["PRVDR_NUM", "ADMTNG_ICD9_DGNS_CD"]
    if kind == "inpatient":
        optional += ["CLM_ADMSN_DT", "NCH_BENE_DSCHRG_DT"]
    return [*required, "SEGMENT", "CLM_PMT_AMT"], optional


def _view(con: duckdb.DuckDBPyConnection, table: str, selects: Sequence[str]) -> str:
    name = f"synpuf_{table}"
    con.execute(f"create or replace view {name} as {' union all by name '.join(selects)}")
    return name


def _date(value: str) -> str:
    """ISO text of YYYYMMDD; other text stays, for validation."""
    eight = f"case when regexp_full_match({value}, '[0-9]{{8}}') then {value} end"
    return f"coalesce(try_strptime({eight}, '%Y%m%d')::date::varchar, {value})"


def _beneficiaries(file: _File) -> str:
    col = file.column
    sex, esrd = col("BENE_SEX_IDENT_CD"), col("BENE_ESRD_IND")
    return f"""
        select {col("DESYNPUF_ID")} as beneficiary_id, '{_year(file)}-12-31' as reference_date,
               {_date(col("BENE_BIRTH_DT"))} as birth_date, {_date(col("BENE_DEATH_DT"))} as death_date,
               case {sex} when '1' then 'male' when '2' then 'female' else {sex} end as sex,
               {col("BENE_RACE_CD")} as race_ethnicity_code,
               case when {col("BENE_RACE_CD")} is not null then 'enrollment' end as race_ethnicity_source,
               {postal_state(col("SP_STATE_CODE"))} as state_code,
               case {esrd} when 'Y' then 'true' when '0' then 'false' else 'code ' || {esrd} end as has_esrd,
               source_file, source_row
        from {file.rows}"""


def _months(file: _File) -> str:
    """Twelve rows a person: a count of months says which only where it is none or all of them."""
    col = file.column

    def stated(count: str) -> str:
        value = f"try_cast({count} as decimal(9, 2))"
        return f"case {value} when 12 then true when 0 then false end"

    return f"""
        select {col("DESYNPUF_ID")} as beneficiary_id,
               make_date({_year(file)}, unnest(range(1, 13))::integer, 1) as service_month,
               {stated(col("BENE_HI_CVRAGE_TOT_MONS"))} as has_part_a,
               {stated(col("BENE_SMI_CVRAGE_TOT_MONS"))} as has_part_b,
               {stated(col("BENE_HMO_CVRAGE_TOT_MONS"))} as is_medicare_advantage,
               'count' as coverage_grain, source_file, source_row
        from {file.rows}"""


def _year(file: _File) -> str:
    match = YEAR.search(file.source.name)
    return match["year"] if match else ""


def _join_segments(con: duckdb.DuckDBPyConnection, files: Sequence[_File]) -> None:
    """Tables of what segments of a claim have to do with each other.

    `synpuf_segments`: each segment with its claim's dates, total payment and whether it stands for the claim
    (the first segment does). `synpuf_joined_segments`: the others, and the row that stands for them. A later
    segment that is delivered twice is set aside the second time; a repeated first one is left to the general
    rule for repeated keys. Segments of a claim whose first one is absent are set aside, dated or not.
    """
    every = " union all ".join(
        f"""select {file.place} as file_place, '{file.kind}' as kind, source_file, source_row,
                   {file.column("CLM_ID")} as claim_id,
                   try_cast({file.column("SEGMENT")} as integer) as segment,
                   {_date(file.column("CLM_FROM_DT"))} as from_date,
                   {_date(file.column("CLM_THRU_DT"))} as through_date,
                   {file.column("CLM_PMT_AMT")} as paid
            from {sql_name(file.raw)} as rows_read"""
        for file in files
    )
    if not files:
        every = """select 0 as file_place, '' as kind, '' as source_file, 0 as source_row, '' as claim_id,
                          0 as segment, '' as from_date, '' as through_date, '' as paid where false"""
    con.execute(f"""
        create or replace table synpuf_all_segments as
        select *, claim_id is null or coalesce(segment = min(segment) over claim, true) as is_head,
               claim_id is not null and coalesce(min(segment) over claim > 1, false) as is_orphan,
               row_number() over (
                   partition by kind, claim_id, segment order by file_place, source_row) as occurrence
        from ({every})
        window claim as (partition by kind, claim_id)""")
    # An amount that is not a number makes the sum unknown; the text then goes on to validation.
    con.execute("""
        create or replace table synpuf_segments as
        with further as (
            select kind, claim_id,
                   sum(coalesce(try_cast(paid as decimal(12, 2)), 0)) as paid,
                   any_value(paid) filter (try_cast(paid as decimal(12, 2)) is null) as unreadable
            from synpuf_all_segments where not is_head and not is_orphan and occurrence = 1 group by all
        ),
        heads as (
            select * from synpuf_all_segments
            where is_head qualify row_number() over (
                partition by kind, claim_id order by file_place, source_row) = 1
        )
        select each.file_place, each.source_file, each.source_row, each.segment, each.is_head,
               heads.source_file as head_file, heads.source_row as head_row,
               case when each.is_head then each.from_date else heads.from_date end as from_date,
               case when each.is_head then each.through_date else heads.through_date end as through_date,
               case when further.claim_id is null or try_cast(each.paid as decimal(12, 2)) is null
                    then each.paid
                    else coalesce(
                        further.unreadable, (each.paid::decimal(12, 2) + further.paid)::varchar)
                    end as claim_paid
        from synpuf_all_segments as each
        left join heads on each.kind = heads.kind and each.claim_id = heads.claim_id
        left join further on each.kind = further.kind and each.claim_id = further.claim_id
        where (each.is_head or each.occurrence = 1) and not each.is_orphan""")
    con.execute("""
        create or replace view synpuf_joined_segments as
        select source_file, source_row, head_file, head_row from synpuf_segments where not is_head""")
    prepare_rejects(con)
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row, 'repeated_segment', 'each segment of a claim once',
               json_object('CLM_ID', claim_id, 'SEGMENT', segment)::varchar
        from synpuf_all_segments where not is_head and not is_orphan and occurrence > 1""")
    for file in files:
        con.execute(f"""
            insert into {REJECTS}
            select orphans.source_file, orphans.source_row, 'first_segment_missing',
                   'the first segment of the claim in the same delivery', to_json(rows_read)::varchar
            from {sql_name(file.raw)} as rows_read
            inner join synpuf_all_segments as orphans
                on orphans.file_place = {file.place} and orphans.source_row = rows_read.source_row
            where orphans.is_orphan""")


def _claims(file: _File) -> str:
    col = file.column
    common = f"""
        {col("CLM_ID")} as claim_id, 1 as claim_version, {col("DESYNPUF_ID")} as beneficiary_id,
        '{file.kind}' as claim_type, '{NCH_CLAIM_TYPE[file.kind]}' as nch_claim_type_code,
        'original' as action, true as is_final_action, rows_read.source_file, rows_read.source_row"""
    if file.kind == "carrier":
        amounts = [col(f"LINE_NCH_PMT_AMT_{slot}") for slot in range(1, LINE_SLOTS["carrier"] + 1)]
        paid = " + ".join(f"coalesce(try_cast({amount} as decimal(12, 2)), 0)" for amount in amounts)
        return f"""
            select {common}, {_date(col("CLM_FROM_DT"))} as from_date,
                   {_date(col("CLM_THRU_DT"))} as through_date, {paid} as paid_usd
            from {file.rows}"""
    return f"""
        select {common}, claim.from_date, claim.through_date, claim.claim_paid as paid_usd,
               {_date(col("CLM_ADMSN_DT"))} as admission_date,
               {_date(col("NCH_BENE_DSCHRG_DT"))} as discharge_date, {col("PRVDR_NUM")} as facility_ccn
        from {file.rows} where claim.is_head"""


def _lines(file: _File) -> str:
    """A line for each slot with a code or money; a claim's lines are numbered through its segments."""
    col, slots = file.column, range(1, LINE_SLOTS[file.kind] + 1)
    row = "rows_read.source_file, rows_read.source_row"
    if file.kind != "carrier":
        said = ", ".join(f"{{'slot': {slot}, 'hcpcs': {col(f'HCPCS_CD_{slot}')}}}" for slot in slots)
        return f"""
            select claim_id, 1 as claim_version, (segment - 1) * {len(slots)} + said.slot as line_number,
                   from_date, through_date, said.hcpcs as hcpcs_code, source_file, source_row
            from (
                select {col("CLM_ID")} as claim_id, claim.segment, claim.from_date, claim.through_date,
                       unnest([{said}]) as said, {row}
                from {file.rows}
            )
            where said.hcpcs is not null"""
    said = ", ".join(
        f"{{'slot': {slot}, "
        + ", ".join(f"'{field}': {col(f'{field}_{slot}')}" for field in (*LINE_FIELDS, *AMOUNTS.values()))
        + "}"
        for slot in slots
    )
    # Text that is not an amount is money all the same: validation looks at it.
    money = " or ".join(
        f"coalesce(try_cast(said.{name} as double), 1) <> 0 and said.{name} is not null"
        for name in AMOUNTS.values()
    )
    amounts = ", ".join(
        f"said.{source} as {name}" for name, source in AMOUNTS.items() if name != "primary_payer_usd"
    )
    return f"""
        select claim_id, 1 as claim_version, said.slot as line_number, from_date, through_date,
               said.HCPCS_CD as hcpcs_code, said.PRF_PHYSN_NPI as rendering_npi, said.TAX_NUM as billing_tin,
               {amounts}, said.LINE_PRCSG_IND_CD as processing_indicator_code,
               upper(said.LINE_PRCSG_IND_CD) not in ('A', 'R', 'S') as is_denied, source_file, source_row
        from (
            select {col("CLM_ID")} as claim_id, {_date(col("CLM_FROM_DT"))} as from_date,
                   {_date(col("CLM_THRU_DT"))} as through_date, unnest([{said}]) as said, {row}
            from {file.rows}
        )
        where said.HCPCS_CD is not null or {money}"""


def _diagnoses(file: _File) -> str:
    """Header slots, the first being the principal one, and each carrier slot's own diagnosis."""
    col, width = file.column, DIAGNOSIS_SLOTS[file.kind]
    further = "0" if file.kind == "carrier" else f"(claim.segment - 1) * {width}"
    is_first = "true" if file.kind == "carrier" else "claim.is_head"

    def slot(role: str, line: int, position: str, code: str) -> str:
        return f"{{'role': {role}, 'line': {line}, 'position': {position}, 'code': {code}}}"

    slots = [
        slot(
            f"case when {is_first} then 'principal' else 'other' end" if number == 1 else "'other'",
            0,
            f"{further} + {number}",
            col(f"ICD9_DGNS_CD_{number}"),
        )
        for number in range(1, width + 1)
    ]
    if file.kind == "carrier":
        slots += [
            slot("'line'", number, "1", col(f"LINE_ICD9_DGNS_CD_{number}"))
            for number in range(1, LINE_SLOTS["carrier"] + 1)
        ]
    else:
        slots.append(slot("'admitting'", 0, "claim.segment", col("ADMTNG_ICD9_DGNS_CD")))
    return f"""
        select claim_id, 1 as claim_version, said.line as line_number, said.role as role,
               said.position as position, nullif(said.code, '{NO_CODE}') as diagnosis_code, 9 as icd_version,
               source_file, source_row
        from (
            select {col("CLM_ID")} as claim_id, unnest([{", ".join(slots)}]) as said,
                   rows_read.source_file, rows_read.source_row
            from {file.rows}
        )
        where said.code is not null"""
