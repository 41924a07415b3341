"""Research Identifiable Files as the CMS data warehouse and the Blue Button backend write them.

Pipe-delimited text with a header, quoted or not; one row a claim line with the header's fields repeated, and
one row a person and year. Columns are found by name. DML_IND says what a row does, in file order.
"""

from __future__ import annotations

import dataclasses
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extracts.delimited import REJECTS, open_delimited, prepare_rejects
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name
from pipelines.extracts.rif_summary import disagreements
from pipelines.extracts.ssa_states import postal_state

NAME = "rif"
LOOKS_FOR = (
    "pipe-delimited files with DML_IND in the header (beneficiary_2020.csv, carrier.csv, outpatient.csv, ...)"
)
PROFESSIONAL = ("carrier", "dme")
FACILITY = ("outpatient", "inpatient", "snf", "hha", "hospice")
CLAIM_KINDS = (*PROFESSIONAL, *FACILITY)
IGNORED = {
    "pde": "drug events: the contract has no table for them",
    "export_summary": "counts of claims, compared with the claims that were delivered",
    "beneficiary_history": "earlier states of a person's record; identifiers stay the same in this format",
}
SUFFIX = re.compile(r"\.(csv|txt)(\.gz)?$", re.IGNORECASE)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
DIAGNOSIS_SLOTS = {"carrier": 12, "dme": 12} | dict.fromkeys(FACILITY, 25)
EXTERNAL_SLOTS, REASON_SLOTS = 12, 3

Column = Callable[[str], str]


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    found = [path for path in sources(folder) if "DML_IND" in _first_line(path).upper()]
    return f"{found[0].name} has DML_IND in its header" if found else None


def sources(folder: Path) -> list[Path]:
    """Files of `folder` that are named after a kind of file that is read."""
    return sorted(path for path in folder.iterdir() if path.is_file() and _kind(path) not in (None, *IGNORED))


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
        _set_aside_former_statements(con, people)
        tables["beneficiaries"] = _view(con, "beneficiaries", [_beneficiaries(file) for file in people])
        tables["enrollment_months"] = _view(con, "enrollment_months", [_months(file) for file in people])
    if claims:
        _number_statements(con, claims)
        tables["claims"] = _view(con, "claims", [_claims(file) for file in claims])
        tables["claim_lines"] = _view(con, "claim_lines", [_lines(file) for file in claims])
        tables["claim_diagnoses"] = _view(con, "claim_diagnoses", [_diagnoses(file) for file in claims])
    return Delivery(
        tables=tables,
        files=[file.source for file in opened],
        accounting={
            file.source.name: "beneficiaries" if file.kind == "beneficiary" else "claim_lines"
            for file in opened
        },
        ignored={
            str(path.relative_to(folder)): IGNORED.get(
                _kind(path) or "", "not named after a kind of RIF file"
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path not in {file.source.path for file in opened}
        },
        notes=_notes(con, folder, claims),
    )


def _notes(con: duckdb.DuckDBPyConnection, folder: Path, claims: Sequence[_File]) -> list[str]:
    """Where a summary of the delivery counts otherwise than its claim files; kinds not delivered count 0."""
    rows = {
        kind: " union all ".join(
            f"""select {file.column("BENE_ID")} as beneficiary_id, {file.column("CLM_ID")} as claim_id
                from {sql_name(file.raw)} as rows_read"""
            for file in claims
            if file.kind == kind
        )
        or "select null::varchar as beneficiary_id, null::varchar as claim_id where false"
        for kind in CLAIM_KINDS
    }
    summaries = (
        path for path in sorted(folder.iterdir()) if path.is_file() and _kind(path) == "export_summary"
    )
    return [note for path in summaries for note in disagreements(con, path, rows)]


def _kind(path: Path) -> str | None:
    """Kind of file that the name tells: beneficiary, a claim kind, one to pass over, or None."""
    if not SUFFIX.search(path.name):
        return None
    words = re.split("[^a-z0-9]+", SUFFIX.sub("", path.name).lower())
    if words[0] == "de1":  # a DE-SynPUF file
        return None
    if {"beneficiaryhistory", "beneficiary_history"} & {*words, "_".join(words[-2:])}:
        return "beneficiary_history"
    if "pde" in words:
        return "pde"
    if words[:2] == ["export", "summary"]:
        return "export_summary"
    if {"beneficiary", "beneficiaries"} & set(words):
        return "beneficiary"
    return next((kind for kind in CLAIM_KINDS if kind in words or f"b{kind}" in words), None)


def _first_line(path: Path) -> str:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as content:
            return content.readline(65_536).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):
        return ""


@dataclass(frozen=True)
class _File:
    """`raw`: view of the file's columns; `column(name)`: its SQL, null where the file lacks it."""

    source: SourceFile
    kind: str
    place: int
    raw: str
    column: Column

    @property
    def is_professional(self) -> bool:
        return self.kind in PROFESSIONAL

    @property
    def line_number(self) -> str:
        return self.column("LINE_NUM" if self.is_professional else "CLM_LINE_NUM")

    @property
    def statements(self) -> str:
        """The file's rows with the claim version that each belongs to and whether it begins it."""
        return f"""
            {sql_name(self.raw)} as rows_read
            inner join rif_statements as statements
                on statements.file_place = {self.place} and statements.source_row = rows_read.source_row"""


def _open(con: duckdb.DuckDBPyConnection, path: Path, kind: str, place: int) -> _File:
    required, optional = _required(kind), _optional(kind)
    raw = f"rif_raw_{place}"
    source = open_delimited(
        con, path, delimiter="|", required=required, view=raw, columns=[*required, *optional]
    )
    wanted = {*required, *optional}
    spelt = {name.upper(): name for name in source.columns if name.upper() in wanted}

    def column(name: str) -> str:
        return f"rows_read.{sql_name(spelt[name])}" if name in spelt else "null::varchar"

    missing = tuple(name for name in optional if name not in spelt)
    return _File(dataclasses.replace(source, missing_columns=missing), kind, place, raw, column)


def _required(kind: str) -> list[str]:
    if kind == "beneficiary":
        months = [f"MDCR_ENTLMT_BUYIN_{month}_IND" for month in range(1, 13)]
        return ["DML_IND", "BENE_ID", "RFRNC_YR", *months]
    line = "LINE_NUM" if kind in PROFESSIONAL else "CLM_LINE_NUM"
    return ["DML_IND", "BENE_ID", "CLM_ID", "CLM_FROM_DT", "CLM_THRU_DT", line, "HCPCS_CD", "PRNCPAL_DGNS_CD"]


def _names(text: str) -> list[str]:
    return text.split()


def _optional(kind: str) -> list[str]:
    """Columns that are used where a file of `kind` has them."""
    if kind == "beneficiary":
        return _names(
            "BENE_BIRTH_DT DEATH_DT BENE_SEX_IDENT_CD RTI_RACE_CD BENE_RACE_CD STATE_CODE BENE_ZIP_CD "
            "BENE_ENTLMT_RSN_ORIG BENE_ESRD_IND"
        ) + [
            name
            for number, month in enumerate(MONTHS, 1)
            for name in (
                f"FIPS_STATE_CNTY_{month}_CD",
                f"MDCR_STUS_{month}_CD",
                f"META_DUAL_ELGBL_STUS_{month}_CD",
                f"CST_SHR_GRP_{month}_CD",
                f"HMO_{number}_IND",
            )
        ]
    names = _names(
        "CLM_GRP_ID FINAL_ACTION NCH_CLM_TYPE_CD NCH_WKLY_PROC_DT CLM_PMT_AMT PRNCPAL_DGNS_VRSN_CD"
    )
    if kind not in ("inpatient", "snf"):
        names += ["HCPCS_1ST_MDFR_CD", "HCPCS_2ND_MDFR_CD"]
    for slot in range(1, DIAGNOSIS_SLOTS[kind] + 1):
        names += [f"ICD_DGNS_CD{slot}", f"ICD_DGNS_VRSN_CD{slot}"]
    if kind in PROFESSIONAL:
        names += _names(
            "CARR_CLM_PMT_DNL_CD LINE_1ST_EXPNS_DT LINE_LAST_EXPNS_DT LINE_SRVC_CNT LINE_PLACE_OF_SRVC_CD "
            "TAX_NUM PRVDR_SPCLTY LINE_ALOWD_CHRG_AMT LINE_NCH_PMT_AMT LINE_BENE_PTB_DDCTBL_AMT "
            "LINE_COINSRNC_AMT LINE_PRCSG_IND_CD BETOS_CD LINE_ICD_DGNS_CD LINE_ICD_DGNS_VRSN_CD"
        )
        return names + (["CARR_CLM_BLG_NPI_NUM", "PRF_PHYSN_NPI"] if kind == "carrier" else ["PRVDR_NPI"])
    names += _names(
        "CLM_MDCR_NON_PMT_RSN_CD CLM_FAC_TYPE_CD CLM_SRVC_CLSFCTN_TYPE_CD CLM_FREQ_CD PRVDR_NUM ORG_NPI_NUM "
        "PTNT_DSCHRG_STUS_CD REV_CNTR REV_CNTR_UNIT_CNT RNDRNG_PHYSN_NPI FST_DGNS_E_CD FST_DGNS_E_VRSN_CD"
    )
    for slot in range(1, EXTERNAL_SLOTS + 1):
        names += [f"ICD_DGNS_E_CD{slot}", f"ICD_DGNS_E_VRSN_CD{slot}"]
    by_kind = {
        "outpatient": "REV_CNTR_DT REV_CNTR_PMT_AMT_AMT REV_CNTR_CASH_DDCTBL_AMT "
        "REV_CNTR_COINSRNC_WGE_ADJSTD_C RSN_VISIT_CD1 RSN_VISIT_CD2 RSN_VISIT_CD3 RSN_VISIT_VRSN_CD1 "
        "RSN_VISIT_VRSN_CD2 RSN_VISIT_VRSN_CD3",
        "inpatient": "CLM_ADMSN_DT NCH_BENE_DSCHRG_DT ADMTG_DGNS_CD ADMTG_DGNS_VRSN_CD",
        "snf": "CLM_ADMSN_DT NCH_BENE_DSCHRG_DT ADMTG_DGNS_CD ADMTG_DGNS_VRSN_CD",
        "hha": "CLM_ADMSN_DT REV_CNTR_DT REV_CNTR_PMT_AMT_AMT",
        "hospice": "CLM_HOSPC_START_DT_ID NCH_BENE_DSCHRG_DT REV_CNTR_DT REV_CNTR_PMT_AMT_AMT",
    }
    return names + _names(by_kind[kind])


def _view(con: duckdb.DuckDBPyConnection, table: str, selects: Sequence[str]) -> str:
    name = f"rif_{table}"
    con.execute(f"create or replace view {name} as {' union all by name '.join(selects)}")
    return name


def _date(value: str) -> str:
    """ISO text of DD-Mon-YYYY in any case; other text stays, for validation."""
    return f"coalesce(try_strptime({value}, '%d-%b-%Y')::date::varchar, {value})"


def _locality(contractor: str, locality: str) -> str:
    """Contractor and locality as one number of seven digits; null where either is missing or is none."""
    both = f"{_padded(contractor, 5)} || {_padded(locality, 2)}"
    return f"case when regexp_full_match({both}, '[0-9]{{7}}') then {both} end"


def _padded(value: str, width: int) -> str:
    """Digits with the leading zeros that a numeric export lost."""
    return (
        f"case when regexp_full_match({value}, '[0-9]+') and length({value}) < {width} "
        f"then lpad({value}, {width}, '0') else {value} end"
    )


def _unknown(value: str) -> str:
    """Text that no yes/no column accepts, so that validation sets the row aside."""
    return f"'code ' || {value}"


def _set_aside_former_statements(con: duckdb.DuckDBPyConnection, files: Sequence[_File]) -> None:
    """Of several rows about a person and year an UPDATE or DELETE replaces the earlier ones.

    What is replaced, deleted or says nothing known of what it does is set aside with its reason and listed
    in the table `rif_set_aside`.
    """
    every = " union all ".join(
        f"""select {file.place} as file_place, source_file, source_row,
                   {file.column("BENE_ID")} as beneficiary_id, {file.column("RFRNC_YR")} as reference_year,
                   upper({file.column("DML_IND")}) as dml
            from {sql_name(file.raw)} as rows_read"""
        for file in files
    )
    con.execute(f"""
        create or replace table rif_set_aside as
        select file_place, source_file, source_row, beneficiary_id, reference_year,
               case when dml is null then 'missing_required'
                    when dml not in ('INSERT', 'UPDATE', 'DELETE') then 'not_allowed'
                    when dml = 'DELETE' then 'deleted_by_source' else 'superseded' end as reason
        from (
            select *, max(case when dml in ('UPDATE', 'DELETE') then place end) over (
                       partition by beneficiary_id, reference_year) as last_change
            from (select *, row_number() over (order by file_place, source_row) as place from ({every}))
        )
        where coalesce(dml not in ('INSERT', 'UPDATE', 'DELETE'), true)
           or (beneficiary_id is not null and reference_year is not null
               and (dml = 'DELETE' or place < last_change))""")
    prepare_rejects(con)
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row, reason,
               case reason when 'superseded' then 'the last statement about this person and year'
                    when 'deleted_by_source' then 'a person and year that the source keeps'
                    else 'INSERT, UPDATE or DELETE as DML_IND' end,
               json_object('BENE_ID', beneficiary_id, 'RFRNC_YR', reference_year)::varchar
        from rif_set_aside""")


def _kept_people(file: _File) -> str:
    return f"""(
        select * from {sql_name(file.raw)}
        where source_row not in (select source_row from rif_set_aside where file_place = {file.place})
        ) as rows_read"""


def _beneficiaries(file: _File) -> str:
    col = file.column
    sex, zip_code, esrd = col("BENE_SEX_IDENT_CD"), col("BENE_ZIP_CD"), col("BENE_ESRD_IND")
    # The year's last known county.
    counties = ", ".join(col(f"FIPS_STATE_CNTY_{month}_CD") for month in reversed(MONTHS))
    return f"""
        select {col("BENE_ID")} as beneficiary_id,
               {col("RFRNC_YR")} || '-12-31' as reference_date,
               {_date(col("BENE_BIRTH_DT"))} as birth_date,
               {_date(col("DEATH_DT"))} as death_date,
               case {sex} when '1' then 'male' when '2' then 'female' when '0' then 'unknown'
                    else {sex} end as sex,
               coalesce({col("RTI_RACE_CD")}, {col("BENE_RACE_CD")}) as race_ethnicity_code,
               case when {col("RTI_RACE_CD")} is not null then 'rti'
                    when {col("BENE_RACE_CD")} is not null then 'enrollment' end as race_ethnicity_source,
               {postal_state(col("STATE_CODE"))} as state_code,
               {_padded(f"coalesce({counties})", 5)} as county_fips_code,
               case when regexp_full_match({zip_code}, '[0-9]{{9}}') then left({zip_code}, 5)
                    else {_padded(zip_code, 5)} end as zip_code,
               {col("BENE_ENTLMT_RSN_ORIG")} as original_entitlement_code,
               case when {esrd} in ('Y', '1') then 'true' when {esrd} in ('N', '0') then 'false'
                    else {_unknown(esrd)} end as has_esrd,
               source_file, source_row
        from {_kept_people(file)}"""


def _months(file: _File) -> str:
    """One row a month about which the file says anything."""
    col = file.column
    months = ", ".join(
        f"""{{
            'month': '{number:02}', 'buyin': upper({col(f"MDCR_ENTLMT_BUYIN_{number}_IND")}),
            'hmo': upper({col(f"HMO_{number}_IND")}), 'dual': upper({col(f"META_DUAL_ELGBL_STUS_{name}_CD")}),
            'status': {col(f"MDCR_STUS_{name}_CD")}, 'subsidy': {col(f"CST_SHR_GRP_{name}_CD")}}}"""
        for number, name in enumerate(MONTHS, 1)
    )

    def has_part(letter: str, others: str) -> str:
        return f"""case when said.buyin in ('{letter}', {others}) then 'true'
                        when said.buyin in ('0', '1', '2', 'A', 'B') then 'false'
                        else {_unknown("said.buyin")} end"""

    # ** and AA stand where Medicaid status could not be determined: the contract's 99, unknown.
    return f"""
        select beneficiary_id,
               reference_year || '-' || said.month || '-01' as service_month,
               {has_part("A", "'1', '3', 'C'")} as has_part_a,
               {has_part("B", "'2', '3', 'C'")} as has_part_b,
               case when said.hmo in ('0', '4') then 'false'
                    when said.hmo in ('1', '2', 'A', 'B', 'C') then 'true'
                    when said.hmo is not null then {_unknown("said.hmo")}
                    when said.buyin is not null then 'false' end as is_medicare_advantage,
               case when said.dual in ('**', 'AA') then '99' else {_padded("said.dual", 2)} end
                   as dual_status_code,
               {_padded("said.subsidy", 2)} as low_income_subsidy_code,
               {_padded("said.status", 2)} as medicare_status_code,
               'month' as coverage_grain,
               source_file, source_row
        from (
            select {col("BENE_ID")} as beneficiary_id, {col("RFRNC_YR")} as reference_year,
                   unnest([{months}]) as said, source_file, source_row
            from {_kept_people(file)}
        )
        where coalesce(said.buyin, said.hmo, said.dual, said.status) is not null"""


def _number_statements(con: duckdb.DuckDBPyConnection, files: Sequence[_File]) -> None:
    """Number what is said about each claim, in file order: the table `rif_statements`, one row a file row.

    A statement is the run of a claim's rows with one DML_IND; a second UPDATE begins where line numbers or
    another file do.
    """
    every = " union all ".join(
        f"""select {file.place} as file_place, source_row, {file.column("CLM_ID")} as claim_id,
                   upper({file.column("DML_IND")}) as dml,
                   try_cast({file.line_number} as bigint) as line_number
            from {sql_name(file.raw)} as rows_read"""
        for file in files
    )
    con.execute(f"""
        create or replace table rif_statements as
        select file_place, source_row, begins as is_first_row,
               cast(sum(begins::integer) over (
                   partition by claim_id order by file_place, source_row
                   rows between unbounded preceding and current row) as bigint) as claim_version
        from (
            select *,
                   row_number() over in_order = 1 or dml is distinct from lag(dml) over in_order
                   or (dml = 'UPDATE' and (
                       file_place <> lag(file_place) over in_order
                       or coalesce(line_number <= lag(line_number) over in_order, false))) as begins
            from ({every})
            window in_order as (partition by claim_id order by file_place, source_row)
        )""")


def _claims(file: _File) -> str:
    col = file.column
    dml, final = f"upper({col('DML_IND')})", f"upper({col('FINAL_ACTION')})"
    denial = col("CARR_CLM_PMT_DNL_CD" if file.is_professional else "CLM_MDCR_NON_PMT_RSN_CD")
    is_denied = f"({denial} = '0')" if file.is_professional else f"({denial} is not null)"
    if file.is_professional:
        more = f"{col('CARR_CLM_BLG_NPI_NUM')} as billing_npi, {_padded(col('TAX_NUM'), 9)} as billing_tin"
        if file.kind == "dme":
            more = f"{col('PRVDR_NPI')} as billing_npi, {_padded(col('TAX_NUM'), 9)} as billing_tin"
    else:
        admitted = col("CLM_HOSPC_START_DT_ID" if file.kind == "hospice" else "CLM_ADMSN_DT")
        more = f"""
            {_date(admitted)} as admission_date,
            {_date(col("NCH_BENE_DSCHRG_DT"))} as discharge_date,
            {_padded(col("PTNT_DSCHRG_STUS_CD"), 2)} as discharge_status_code,
            {col("CLM_FAC_TYPE_CD")} || {col("CLM_SRVC_CLSFCTN_TYPE_CD")}
                || coalesce({col("CLM_FREQ_CD")}, '') as bill_type_code,
            {_padded(col("PRVDR_NUM"), 6)} as facility_ccn,
            {col("ORG_NPI_NUM")} as billing_npi"""
    return f"""
        select {col("CLM_ID")} as claim_id, statements.claim_version,
               {col("CLM_GRP_ID")} as claim_group_id, {col("BENE_ID")} as beneficiary_id,
               '{file.kind}' as claim_type, {_padded(col("NCH_CLM_TYPE_CD"), 2)} as nch_claim_type_code,
               {_date(col("CLM_FROM_DT"))} as from_date, {_date(col("CLM_THRU_DT"))} as through_date,
               case {dml} when 'INSERT' then 'original' when 'UPDATE' then 'replacement'
                    when 'DELETE' then 'cancellation' else {dml} end as action,
               case {final} when 'F' then 'true' when 'N' then 'false' else {_unknown(final)} end
                   as is_final_action,
               {_date(col("NCH_WKLY_PROC_DT"))} as processed_date,
               {is_denied} as is_denied, {col("CLM_PMT_AMT")} as paid_usd, {more},
               rows_read.source_file, rows_read.source_row
        from {file.statements}
        where statements.is_first_row"""


def _lines(file: _File) -> str:
    col = file.column
    common = f"""
        {col("CLM_ID")} as claim_id, statements.claim_version, {file.line_number} as line_number,
        {col("HCPCS_CD")} as hcpcs_code, {col("HCPCS_1ST_MDFR_CD")} as modifier_1,
        {col("HCPCS_2ND_MDFR_CD")} as modifier_2"""
    claim_from, claim_through = col("CLM_FROM_DT"), col("CLM_THRU_DT")
    if file.is_professional:
        status = f"upper({col('LINE_PRCSG_IND_CD')})"
        rest = f"""
            {_date(f"coalesce({col('LINE_1ST_EXPNS_DT')}, {claim_from})")} as from_date,
            {_date(f"coalesce({col('LINE_LAST_EXPNS_DT')}, {claim_through})")} as through_date,
            {col("LINE_SRVC_CNT")} as units,
            {_padded(col("LINE_PLACE_OF_SRVC_CD"), 2)} as place_of_service_code,
            {col("PRF_PHYSN_NPI")} as rendering_npi,
            {_padded(col("TAX_NUM"), 9)} as billing_tin,
            {_padded(col("PRVDR_SPCLTY"), 2)} as provider_specialty_code,
            {col("LINE_ALOWD_CHRG_AMT")} as allowed_usd, {col("LINE_NCH_PMT_AMT")} as paid_usd,
            {col("LINE_BENE_PTB_DDCTBL_AMT")} as deductible_usd,
            {col("LINE_COINSRNC_AMT")} as coinsurance_usd,
            {status} as processing_indicator_code,
            {status} not in ('A', 'R', 'S') as is_denied,
            {col("BETOS_CD")} as betos_code,
            {_locality(col("CARR_NUM"), col("CARR_LINE_PRCNG_LCLTY_CD"))} as pricing_locality"""
    else:
        day = col("REV_CNTR_DT")
        rest = f"""
            {_date(f"coalesce({day}, {claim_from})")} as from_date,
            {_date(f"coalesce({day}, {claim_through})")} as through_date,
            {col("REV_CNTR_UNIT_CNT")} as units, {_padded(col("REV_CNTR"), 4)} as revenue_center_code,
            {col("RNDRNG_PHYSN_NPI")} as rendering_npi, {col("REV_CNTR_PMT_AMT_AMT")} as paid_usd,
            {col("REV_CNTR_CASH_DDCTBL_AMT")} as deductible_usd,
            {col("REV_CNTR_COINSRNC_WGE_ADJSTD_C")} as coinsurance_usd"""
    return f"select {common}, {rest}, rows_read.source_file, rows_read.source_row from {file.statements}"


def _diagnoses(file: _File) -> str:
    """Header slots once a statement and, for professional claims, each line's own diagnosis.

    The principal diagnosis stands in the numbered list again; it is kept once, as the principal.
    """
    col = file.column

    def slot(role: str, position: int, code: str, version: str) -> str:
        return f"""{{'role': '{role}', 'position': {position}, 'code': {code}, 'version': {version}}}"""

    principal = col("PRNCPAL_DGNS_CD")
    first_external = col("FST_DGNS_E_CD")
    slots = [slot("principal", 1, principal, col("PRNCPAL_DGNS_VRSN_CD"))]
    for number in range(1, DIAGNOSIS_SLOTS[file.kind] + 1):
        code = f"nullif({col(f'ICD_DGNS_CD{number}')}, {principal})"
        slots.append(slot("other", number, code, col(f"ICD_DGNS_VRSN_CD{number}")))
    slots.append(slot("admitting", 1, col("ADMTG_DGNS_CD"), col("ADMTG_DGNS_VRSN_CD")))
    slots.append(slot("external", 1, first_external, col("FST_DGNS_E_VRSN_CD")))
    for number in range(1, EXTERNAL_SLOTS + 1):
        code = f"nullif({col(f'ICD_DGNS_E_CD{number}')}, {first_external})"
        slots.append(slot("external", number + 1, code, col(f"ICD_DGNS_E_VRSN_CD{number}")))
    for number in range(1, REASON_SLOTS + 1):
        slots.append(slot("reason", number, col(f"RSN_VISIT_CD{number}"), col(f"RSN_VISIT_VRSN_CD{number}")))
    row = "rows_read.source_file, rows_read.source_row"
    parts = [
        f"""select {col("CLM_ID")} as claim_id, statements.claim_version, '0' as line_number,
                   unnest([{", ".join(slots)}]) as said, {row}
            from {file.statements} where statements.is_first_row"""
    ]
    if file.is_professional:
        line = slot("line", 1, col("LINE_ICD_DGNS_CD"), col("LINE_ICD_DGNS_VRSN_CD"))
        parts.append(
            f"""select {col("CLM_ID")} as claim_id, statements.claim_version,
                       {file.line_number} as line_number, {line} as said, {row}
                from {file.statements}"""
        )
    return f"""
        select claim_id, claim_version, line_number, said.role as role, said.position as position,
               said.code as diagnosis_code,
               case said.version when '0' then '10' else said.version end as icd_version,
               source_file, source_row
        from ({" union all ".join(parts)})
        where said.code is not null"""
