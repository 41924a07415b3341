"""Contract tables as Research Identifiable Files: pipe-delimited, a row a claim line, a row a person and year.

Carried: people, enrolment months, claims, lines and diagnoses. A replacement or cancellation of a claim under
its own identifier becomes UPDATE or DELETE; one that names another claim deletes that one. Not carried: see
`docs/formats.md`. Columns that the contract knows nothing of are there and blank.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path

import duckdb

from pipelines.extracts.delivery import sql_name, sql_text
from pipelines.extracts.ssa_states import POSTAL
from pipelines.simulate.contract_folder import holds_any, leave_the_rest, opened

CARRIED = ("beneficiaries", "enrollment_months", "claims", "claim_lines", "claim_diagnoses")
PROFESSIONAL = ("carrier", "dme")
FACILITY = ("outpatient", "inpatient", "snf", "hha", "hospice")
COLUMNS = Path(__file__).with_name("rif_columns.csv")
# Kinds whose full list of columns is not known here: they are laid out like a neighbour, less what that has alone.
LIKE = {"dme": "carrier", "hha": "outpatient", "hospice": "outpatient"}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
DIAGNOSIS_SLOTS = {"carrier": 12, "dme": 12} | dict.fromkeys(FACILITY, 25)
EXTERNAL_SLOTS, REASON_SLOTS = 12, 3
TYPE_CODES = {
    "inpatient": "60",
    "snf": "20",
    "hha": "10",
    "outpatient": "40",
    "hospice": "50",
    "carrier": "71",
    "dme": "82",
}


def write(extracts: Path, out: Path, *, received: date, memory_limit: str = "2GB") -> dict[str, int]:
    """Write `beneficiary_YYYY.csv` and a file a kind of claim into `out`; rows by file name.

    `extracts` holds `<table>.parquet` (or `<table>-*.parquet`) of the contract; a table that it lacks is
    empty, and so is a file without rows left out. `received` is not part of these files. ValueError: it has
    none of the tables that are written.
    """
    del received
    written: dict[str, int] = {}
    with opened(extracts, CARRIED, out, memory_limit) as con:
        _prepare(con)
        for (year,) in con.execute("select distinct year from person_years order by year").fetchall():
            name = f"beneficiary_{year}.csv"
            written[name] = _copy(con, _people(year), out / name)
        kinds = con.execute("select distinct claim_type from stated order by claim_type").fetchall()
        for (kind,) in kinds:
            written[f"{kind}.csv"] = _copy(con, _claims(kind), out / f"{kind}.csv")
    return written


def rewrite(extracts: Path, *, received: date) -> dict[str, int]:
    """Turn a folder of contract tables into these files; what they do not carry moves to its folder `practice`.

    A folder with nothing for them (a month in which only practices sent something) stays as it is.
    """
    if not holds_any(extracts, CARRIED):
        return {}
    written = write(extracts, extracts, received=received)
    leave_the_rest(extracts, CARRIED)
    return written


@cache
def columns(kind: str) -> tuple[str, ...]:
    """Columns of the file of `kind`, in order."""
    with COLUMNS.open(encoding="utf-8", newline="") as content:
        return tuple(row["column"] for row in csv.DictReader(content) if row["kind"] == LIKE.get(kind, kind))


def _copy(con: duckdb.DuckDBPyConnection, select: str, target: Path) -> int:
    (rows,) = con.execute(
        f"copy ({select}) to {sql_text(str(target))} (format csv, header, delimiter '|', quote '\"')"
    ).fetchall()[0]
    return int(rows)


def _row(kind: str, values: dict[str, str]) -> str:
    """SQL of the columns of `kind` with `values`; the others are null, and a value without a column is added."""
    listed = [*columns(kind), *(name for name in values if name not in columns(kind))]
    return ", ".join(f"{values.get(name, 'null')} as {sql_name(name)}" for name in listed)


def _prepare(con: duckdb.DuckDBPyConnection) -> None:
    """`stated`: what each file says of a claim, in order: DML, the claim, and the row that it is told by."""
    con.execute("""
        create table stated as
        with own as (
            select distinct on (claim_id, claim_version) claim_id, claim_version, claim_type, action,
                   adjusted_claim_id,
                   row_number() over (partition by claim_id order by claim_version) as statement
            from claims
        )
        select claim_id as about, claim_version as place, claim_type, claim_id, claim_version,
               case when action = 'cancellation' then 'DELETE'
                    when action = 'replacement' and statement > 1 then 'UPDATE' else 'INSERT' end as dml
        from own where action <> 'cancellation' or coalesce(adjusted_claim_id, claim_id) = claim_id
        union all
        select adjusted_claim_id, 1000000 + claim_version, claim_type, claim_id, claim_version, 'DELETE'
        from own where adjusted_claim_id <> claim_id""")
    # A column a slot: looked up once a claim, however many lines it has.
    slots = ", ".join(
        f"min(diagnosis_code) filter (role = '{role}' and position = {place}) as {role}_{place}"
        for role, places in (
            ("principal", 1),
            ("admitting", 1),
            ("other", max(DIAGNOSIS_SLOTS.values())),
            ("external", EXTERNAL_SLOTS + 1),
            ("reason", REASON_SLOTS),
        )
        for place in range(1, places + 1)
    )
    con.execute(f"""
        create table codes as
        select claim_id, claim_version, {slots}, max(icd_version) as icd_version
        from claim_diagnoses where line_number = 0 group by all""")
    con.execute("""
        create table line_codes as
        select claim_id, claim_version, line_number, min(diagnosis_code) as code,
               max(icd_version) as icd_version
        from claim_diagnoses where role = 'line' group by all""")
    con.execute("""
        create table person_years as
        select distinct on (beneficiary_id, year) beneficiary_id, year, has_description
        from (
            select beneficiary_id, year(reference_date) as year, true as has_description from beneficiaries
            where month(reference_date) = 12 and day(reference_date) = 31
            union all
            select beneficiary_id, year(service_month), false from enrollment_months
        ) order by has_description desc""")


def _day(column: str) -> str:
    return f"strftime({column}, '%d-%b-%Y')"


def _of_role(role: str, place: int = 1) -> str:
    return f"codes.{role}_{place}"


def _version(code: str) -> str:
    return f"case when {code} is not null then case codes.icd_version when 9 then '9' else '0' end end"


def _claims(kind: str) -> str:
    """Rows of one kind of claim, the statements about each in order; a statement without lines is one row."""
    is_professional = kind in PROFESSIONAL
    principal = _of_role("principal")
    values = {
        "DML_IND": "stated.dml",
        "BENE_ID": "claims.beneficiary_id",
        "CLM_ID": "stated.about",
        "CLM_GRP_ID": "claims.claim_group_id",
        "FINAL_ACTION": "case when stated.dml = 'DELETE' then 'N' else 'F' end",
        "NCH_CLM_TYPE_CD": f"coalesce(claims.nch_claim_type_code, '{TYPE_CODES[kind]}')",
        "CLM_FROM_DT": _day("claims.from_date"),
        "CLM_THRU_DT": _day("claims.through_date"),
        "NCH_WKLY_PROC_DT": _day("claims.processed_date"),
        "CLM_PMT_AMT": "claims.paid_usd",
        "PRNCPAL_DGNS_CD": principal,
        "PRNCPAL_DGNS_VRSN_CD": _version(principal),
        "ICD_DGNS_CD1": principal,
        "ICD_DGNS_VRSN_CD1": _version(principal),
        "HCPCS_CD": "lines.hcpcs_code",
    }
    for place in range(2, DIAGNOSIS_SLOTS[kind] + 1):
        values[f"ICD_DGNS_CD{place}"] = _of_role("other", place)
        values[f"ICD_DGNS_VRSN_CD{place}"] = _version(_of_role("other", place))
    if kind not in ("inpatient", "snf"):
        values |= {"HCPCS_1ST_MDFR_CD": "lines.modifier_1", "HCPCS_2ND_MDFR_CD": "lines.modifier_2"}
    values |= _of_professionals(kind) if is_professional else _of_facilities(kind)
    return f"""
        select {_row(kind, values)}
        from (
            -- Null finds no lines: a condition on one side alone would make the join a loop.
            select *, case when dml <> 'DELETE' then claim_id end as lines_claim_id from stated
        ) as stated
        inner join claims
            on stated.claim_id = claims.claim_id and stated.claim_version = claims.claim_version
        left join claim_lines as lines
            on stated.lines_claim_id = lines.claim_id
            and stated.claim_version = lines.claim_version
        left join codes
            on stated.lines_claim_id = codes.claim_id
            and stated.claim_version = codes.claim_version
        left join line_codes
            on lines.claim_id = line_codes.claim_id and lines.claim_version = line_codes.claim_version
            and lines.line_number = line_codes.line_number
        where stated.claim_type = '{kind}'
        order by stated.about, stated.place, lines.line_number"""


def _of_professionals(kind: str) -> dict[str, str]:
    line_version = (
        "case when line_codes.icd_version = 9 then '9' when line_codes.icd_version = 10 then '0' end"
    )
    values = {
        "CARR_CLM_PMT_DNL_CD": "case when claims.is_denied then '0' else '1' end",
        "LINE_NUM": "coalesce(lines.line_number, 1)",
        "LINE_1ST_EXPNS_DT": _day("lines.from_date"),
        "LINE_LAST_EXPNS_DT": _day("lines.through_date"),
        "LINE_SRVC_CNT": "lines.units",
        "LINE_PLACE_OF_SRVC_CD": "lines.place_of_service_code",
        "TAX_NUM": "coalesce(lines.billing_tin, claims.billing_tin)",
        "PRVDR_SPCLTY": "lines.provider_specialty_code",
        "LINE_ALOWD_CHRG_AMT": "lines.allowed_usd",
        "LINE_NCH_PMT_AMT": "lines.paid_usd",
        "LINE_BENE_PTB_DDCTBL_AMT": "lines.deductible_usd",
        "LINE_COINSRNC_AMT": "lines.coinsurance_usd",
        "LINE_PRCSG_IND_CD": "lines.processing_indicator_code",
        "BETOS_CD": "lines.betos_code",
        "LINE_ICD_DGNS_CD": "line_codes.code",
        "LINE_ICD_DGNS_VRSN_CD": line_version,
    }
    if kind == "carrier":
        return values | {"CARR_CLM_BLG_NPI_NUM": "claims.billing_npi", "PRF_PHYSN_NPI": "lines.rendering_npi"}
    return values | {"PRVDR_NPI": "claims.billing_npi"}


def _of_facilities(kind: str) -> dict[str, str]:
    first_external = _of_role("external")
    values = {
        "CLM_MDCR_NON_PMT_RSN_CD": "case when claims.is_denied then 'N' end",
        "CLM_FAC_TYPE_CD": "claims.bill_type_code[1]",
        "CLM_SRVC_CLSFCTN_TYPE_CD": "claims.bill_type_code[2]",
        "CLM_FREQ_CD": "claims.bill_type_code[3:]",
        "PRVDR_NUM": "claims.facility_ccn",
        "ORG_NPI_NUM": "claims.billing_npi",
        "PTNT_DSCHRG_STUS_CD": "claims.discharge_status_code",
        "CLM_LINE_NUM": "coalesce(lines.line_number, 1)",
        "REV_CNTR": "lines.revenue_center_code",
        "REV_CNTR_UNIT_CNT": "lines.units",
        "RNDRNG_PHYSN_NPI": "lines.rendering_npi",
        "FST_DGNS_E_CD": first_external,
        "FST_DGNS_E_VRSN_CD": _version(first_external),
    }
    for place in range(2, EXTERNAL_SLOTS + 2):
        values[f"ICD_DGNS_E_CD{place - 1}"] = _of_role("external", place)
        values[f"ICD_DGNS_E_VRSN_CD{place - 1}"] = _version(_of_role("external", place))
    if kind in ("inpatient", "snf"):
        admitting = _of_role("admitting")
        return values | {
            "CLM_ADMSN_DT": _day("claims.admission_date"),
            "NCH_BENE_DSCHRG_DT": _day("claims.discharge_date"),
            "ADMTG_DGNS_CD": admitting,
            "ADMTG_DGNS_VRSN_CD": _version(admitting),
        }
    values |= {"REV_CNTR_DT": _day("lines.from_date"), "REV_CNTR_PMT_AMT_AMT": "lines.paid_usd"}
    if kind == "hha":
        return values | {"CLM_ADMSN_DT": _day("claims.admission_date")}
    if kind == "hospice":
        return values | {
            "CLM_HOSPC_START_DT_ID": _day("claims.admission_date"),
            "NCH_BENE_DSCHRG_DT": _day("claims.discharge_date"),
        }
    for place in range(1, REASON_SLOTS + 1):
        values[f"RSN_VISIT_CD{place}"] = _of_role("reason", place)
        values[f"RSN_VISIT_VRSN_CD{place}"] = _version(_of_role("reason", place))
    return values | {
        "REV_CNTR_CASH_DDCTBL_AMT": "lines.deductible_usd",
        "REV_CNTR_COINSRNC_WGE_ADJSTD_C": "lines.coinsurance_usd",
    }


def _people(year: int) -> str:
    """A row a person described at the end of `year` or covered in it."""
    ssa: dict[str, str] = {}
    for code, postal in POSTAL.items():
        ssa.setdefault(postal, code)
    states = " ".join(f"when '{postal}' then '{code}'" for postal, code in ssa.items())
    values = {
        "DML_IND": "'INSERT'",
        "BENE_ID": "person_years.beneficiary_id",
        "STATE_CODE": f"case people.state_code {states} end",
        "BENE_ZIP_CD": "people.zip_code",
        "BENE_BIRTH_DT": _day("people.birth_date"),
        "BENE_SEX_IDENT_CD": "case people.sex when 'male' then '1' when 'female' then '2' "
        "when 'unknown' then '0' end",
        "BENE_RACE_CD": "case when people.race_ethnicity_source <> 'rti' then people.race_ethnicity_code end",
        "RTI_RACE_CD": "case when people.race_ethnicity_source = 'rti' then people.race_ethnicity_code end",
        "BENE_ENTLMT_RSN_ORIG": "people.original_entitlement_code",
        "BENE_ESRD_IND": "case when people.has_esrd then 'Y' when not people.has_esrd then '0' end",
        "DEATH_DT": _day("people.death_date"),
        "RFRNC_YR": str(year),
    }
    for number, name in enumerate(MONTHS, 1):
        said = f"months.said[{number}]"
        values |= {
            f"FIPS_STATE_CNTY_{name}_CD": "people.county_fips_code",
            f"MDCR_ENTLMT_BUYIN_{number}_IND": f"{said}.buyin",
            f"HMO_{number}_IND": f"{said}.hmo",
            f"META_DUAL_ELGBL_STUS_{name}_CD": f"{said}.dual",
            f"MDCR_STUS_{name}_CD": f"{said}.status",
        }
    return f"""
        select {_row("beneficiary", values)}
        from person_years
        left join beneficiaries as people
            on person_years.beneficiary_id = people.beneficiary_id
            and people.reference_date = date '{year}-12-31'
        left join (
            select beneficiary_id, map_from_entries(list(struct_pack(
                k := month(service_month)::integer, v := struct_pack(
                    buyin := case when has_part_a is not null and has_part_b is not null
                                  then (has_part_a::integer + 2 * has_part_b::integer)::varchar end,
                    hmo := case when is_medicare_advantage then '1'
                                when not is_medicare_advantage then '0' end,
                    dual := dual_status_code, status := medicare_status_code)))) as said
            from (select distinct on (beneficiary_id, service_month) * from enrollment_months)
            where year(service_month) = {year} group by beneficiary_id
        ) as months on person_years.beneficiary_id = months.beneficiary_id
        where person_years.year = {year}
        order by person_years.beneficiary_id"""
