"""Contract tables as a Claim and Claim Line Feed: what an accountable care organisation gets of the same people.

Carried: people, their identifiers, spans of alignment (the months with both parts in Original Medicare),
claims, lines and diagnoses. Statements become debits and credits: what a replacement or cancellation takes
back is a record of its own with the old, unsigned amounts. Claim numbers have 13 places, too few for those of
the contract: they are checksums (`claim_number`). Not carried: see `docs/formats.md`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from pipelines.extracts.cclf_layout import current_length, positions
from pipelines.extracts.delivery import sql_text
from pipelines.simulate.contract_folder import holds_any, leave_the_rest, opened, write_lines

CARRIED = (
    "beneficiaries",
    "beneficiary_xref",
    "enrollment_months",
    "claims",
    "claim_lines",
    "claim_diagnoses",
)
FACILITY = ("inpatient", "snf", "hha", "outpatient", "hospice")
TYPE_CODES = {
    "inpatient": "60",
    "snf": "20",
    "hha": "10",
    "outpatient": "40",
    "hospice": "50",
    "carrier": "71",
    "dme": "82",
}
DESCRIPTIONS = {
    "1": "Part A Claims Header",
    "2": "Part A Revenue Lines",
    "4": "Part A Diagnoses",
    "5": "Part B Physicians",
    "6": "Part B DME",
    "8": "Beneficiary Demog",
    "9": "BENE XREF",
    "A": "Part A BE and Demo",
}


def write(extracts: Path, out: Path, *, received: date, memory_limit: str = "2GB") -> dict[str, int]:
    """Write the files of one delivery, cut on the day `received`, into `out`; records by kind of file.

    `extracts` holds `<table>.parquet` (or `<table>-*.parquet`) of the contract; a table that it lacks is
    empty. ValueError: it has none of those that are written. An identifier that is too long for its field
    stops the writing.
    """

    def name(number: str) -> str:
        return f"P.A0000.ACO.ZC{number}Y{received:%y}.D{received:%y%m%d}.T0000000"

    with opened(extracts, CARRIED, out, memory_limit) as con:
        _prepare(con)
        selects = {
            "1": _facility_claims(),
            "2": _facility_lines(),
            "4": _facility_diagnoses(),
            "5": _professional_lines("5", "carrier"),
            "6": _professional_lines("6", "dme"),
            "8": _people(),
            "9": _identifiers(),
            "A": _admissions(),
        }
        written = {number: write_lines(con, select, out / name(number)) for number, select in selects.items()}
        con.execute(f"""
            copy ({_spans()}) to {sql_text(str(out / f"ALR.D{received:%y%m%d}.csv"))} (format csv, header)""")
    title = "File Number  |File Description    |Total Records Count |Record Length"
    stated = [
        f"CCLF{number:<9}|{DESCRIPTIONS[number]:<20}|{records:>20}|{current_length(number):>13}"
        for number, records in written.items()
    ]
    (out / name("0")).write_text("".join(f"{line}\n" for line in (title, *stated)), encoding="ascii")
    return written


def rewrite(extracts: Path, *, received: date) -> dict[str, int]:
    """Turn a folder of contract tables into a feed; what it does not carry moves to its folder `practice`.

    A folder with nothing for it (a month in which only practices sent something) stays as it is.
    """
    if not holds_any(extracts, CARRIED):
        return {}
    written = write(extracts, extracts, received=received)
    leave_the_rest(extracts, CARRIED)
    return written


def claim_number(statement: str) -> str:
    """SQL of the 13-place number of a statement (SQL of text that names it): 63 bits of a checksum, base 36."""
    return f"lpad(to_base((md5_number_lower({statement}) >> 1)::bigint, 36), 13, '0')"


def _record(number: str, values: dict[str, str]) -> str:
    """SQL of one record of file `number` with `values` (SQL of text) in their fields, blank elsewhere."""
    parts: list[str] = []
    at = 1
    for field, (first, last) in positions(number).items():
        if field not in values:
            continue
        if first > at:
            parts.append(f"repeat(' ', {first - at})")
        width = last - first + 1
        value = f"coalesce({values[field]}, '')"
        too_long = f"error('{field} of file {number} has {width} places')"
        parts.append(
            f"case when length({value}) > {width} then {too_long} else rpad({value}, {width}, ' ') end"
        )
        at = last + 1
    if at <= current_length(number):
        parts.append(f"repeat(' ', {current_length(number) - at + 1})")
    return " || ".join(parts)


def _prepare(con: duckdb.DuckDBPyConnection) -> None:
    """`emitted`: one row a record group to write, and the statement that its amounts and lines come from.

    A replacement writes what it takes back and what it states. Where the statement taken back is not in
    `extracts` (it was in an earlier delivery) the record has the amount that is known, or none.
    """
    codes = " ".join(f"when '{kind}' then '{code}'" for kind, code in TYPE_CODES.items())
    statement = "concat_ws('|', claim_id, claim_version, action, processed_date)"
    con.execute(f"""
        create table emitted as
        with stated as (
            select claim_id, claim_version, action, adjusted_claim_id, processed_date, paid_usd,
                   {statement} as statement,
                   lag(claim_version) over (partition by claim_id order by claim_version) as version_before,
                   row_number() over (partition by claim_id order by claim_version desc) as recency
            from (select distinct on (claim_id, claim_version) * from claims)
        ),
        taking_back as (
            select acting.*,
                   coalesce(case when acting.version_before is not null then acting.claim_id end,
                            named.claim_id) as old_claim_id,
                   coalesce(acting.version_before, named.claim_version) as old_version
            from stated as acting
            left join stated as named on acting.adjusted_claim_id = named.claim_id and named.recency = 1
            where acting.action in ('replacement', 'cancellation')
        )
        select claim_id, claim_version, claim_id as source_claim_id, claim_version as source_version,
               case when action = 'replacement' then '2' else '0' end as adjustment,
               {claim_number("statement")} as number, null::decimal(12, 2) as amount, true as has_source
        from stated where action <> 'cancellation'
        union all
        select claim_id, claim_version, coalesce(old_claim_id, claim_id), coalesce(old_version, claim_version),
               '1', {claim_number("statement || '|taken back'")},
               case when old_claim_id is null
                    then case when action = 'cancellation' then abs(paid_usd) else 0 end end,
               old_claim_id is not null
        from taking_back""")
    # The header of a record is that of the source statement; the acting one says when, and to which family.
    con.execute(f"""
        create view headers as
        select emitted.*, source.beneficiary_id, source.claim_type, acting.claim_group_id,
               coalesce(source.nch_claim_type_code, case source.claim_type {codes} end) as type_code,
               source.from_date, source.through_date, source.admission_date, source.discharge_status_code,
               source.bill_type_code, source.facility_ccn, source.billing_npi, source.billing_tin,
               acting.processed_date, source.is_denied,
               abs(coalesce(emitted.amount, source.paid_usd)) as paid_usd,
               -- Null finds no lines: a condition on one side alone would make the join a loop.
               case when emitted.has_source then emitted.source_claim_id end as lines_claim_id
        from emitted
        inner join claims as acting
            on emitted.claim_id = acting.claim_id and emitted.claim_version = acting.claim_version
        inner join claims as source
            on emitted.source_claim_id = source.claim_id and emitted.source_version = source.claim_version""")
    # A column a slot: looked up once a claim, however many lines it has.
    slots = ", ".join(
        f"min(upper(replace(diagnosis_code, '.', ''))) filter (role = '{role}' and position = {place}) "
        f"as {role}_{place}"
        for role, place in (("principal", 1), ("admitting", 1), *(("other", n) for n in range(2, 13)))
    )
    con.execute(f"""
        create table header_codes as
        select claim_id, claim_version, {slots}, max(icd_version) as icd_version
        from claim_diagnoses where line_number = 0 group by all""")
    con.execute("""
        create table line_codes as
        select claim_id, claim_version, line_number,
               min(upper(replace(diagnosis_code, '.', ''))) as code
        from claim_diagnoses where role = 'line' group by all""")


def _of_role(role: str, place: int = 1) -> str:
    return f"codes.{role}_{place}"


# Indicator of the revision: 9 or 0.
ICD = "case codes.icd_version when 9 then '9' when 10 then '0' end"
CODES = """
    left join header_codes as codes
        on headers.source_claim_id = codes.claim_id and headers.source_version = codes.claim_version"""
OF_FACILITIES = f"headers.claim_type in ({', '.join(sql_text(kind) for kind in FACILITY)})"


def _day(column: str) -> str:
    return f"coalesce(strftime({column}, '%Y-%m-%d'), '1000-01-01')"


def _facility_claims() -> str:
    record = _record(
        "1",
        {
            "CUR_CLM_UNIQ_ID": "number",
            "PRVDR_OSCAR_NUM": "facility_ccn",
            "BENE_MBI_ID": "beneficiary_id",
            "CLM_TYPE_CD": "type_code",
            "CLM_FROM_DT": _day("from_date"),
            "CLM_THRU_DT": _day("through_date"),
            "CLM_BILL_FAC_TYPE_CD": "bill_type_code[1]",
            "CLM_BILL_CLSFCTN_CD": "bill_type_code[2]",
            "CLM_BILL_FREQ_CD": "bill_type_code[3:]",
            "PRNCPL_DGNS_CD": _of_role("principal"),
            "ADMTG_DGNS_CD": _of_role("admitting"),
            "CLM_MDCR_NPMT_RSN_CD": "case when is_denied then 'N' end",
            "CLM_PMT_AMT": "headers.paid_usd::varchar",
            "BENE_PTNT_STUS_CD": "discharge_status_code",
            "FAC_PRVDR_NPI_NUM": "billing_npi",
            "CLM_ADJSMT_TYPE_CD": "adjustment",
            "CLM_EFCTV_DT": _day("headers.processed_date"),
            "CLM_IDR_LD_DT": _day("processed_date"),
            "DGNS_PRCDR_ICD_IND": ICD,
            "CLM_BLG_PRVDR_OSCAR_NUM": "facility_ccn",
            "CLM_BLG_PRVDR_NPI_NUM": "billing_npi",
            "CLM_CNTL_NUM": "claim_group_id",
        },
    )
    return f"select {record} from headers {CODES} where {OF_FACILITIES} order by number"


def _facility_lines() -> str:
    record = _record(
        "2",
        {
            "CUR_CLM_UNIQ_ID": "number",
            "CLM_LINE_NUM": "lines.line_number::varchar",
            "BENE_MBI_ID": "beneficiary_id",
            "CLM_TYPE_CD": "type_code",
            "CLM_LINE_FROM_DT": _day("lines.from_date"),
            "CLM_LINE_THRU_DT": _day("lines.through_date"),
            "CLM_LINE_PROD_REV_CTR_CD": "lines.revenue_center_code",
            "CLM_LINE_INSTNL_REV_CTR_DT": "'1000-01-01'",
            "CLM_LINE_HCPCS_CD": "lines.hcpcs_code",
            "PRVDR_OSCAR_NUM": "facility_ccn",
            "CLM_FROM_DT": _day("headers.from_date"),
            "CLM_THRU_DT": _day("headers.through_date"),
            "CLM_LINE_SRVC_UNIT_QTY": "lines.units::varchar",
            "CLM_LINE_CVRD_PD_AMT": "abs(lines.paid_usd)::varchar",
            "HCPCS_1_MDFR_CD": "lines.modifier_1",
            "HCPCS_2_MDFR_CD": "lines.modifier_2",
            "CLM_FAC_PRVDR_OSCAR_NUM": "facility_ccn",
        },
    )
    return f"""
        select {record} from claim_lines as lines
        inner join headers
            on lines.claim_id = headers.source_claim_id and lines.claim_version = headers.source_version
        where {OF_FACILITIES} and has_source
        order by number, lines.line_number"""


def _facility_diagnoses() -> str:
    record = _record(
        "4",
        {
            "CUR_CLM_UNIQ_ID": "number",
            "BENE_MBI_ID": "beneficiary_id",
            "CLM_TYPE_CD": "type_code",
            "CLM_PROD_TYPE_CD": "case when listed.role = 'external' then '1' else 'D' end",
            "CLM_VAL_SQNC_NUM": "listed.position::varchar",
            "CLM_DGNS_CD": "upper(replace(listed.diagnosis_code, '.', ''))",
            "PRVDR_OSCAR_NUM": "facility_ccn",
            "CLM_FROM_DT": _day("headers.from_date"),
            "CLM_THRU_DT": _day("headers.through_date"),
            "DGNS_PRCDR_ICD_IND": "case listed.icd_version when 9 then '9' else '0' end",
            "CLM_BLG_PRVDR_OSCAR_NUM": "facility_ccn",
        },
    )
    return f"""
        select {record} from claim_diagnoses as listed
        inner join headers
            on listed.claim_id = headers.source_claim_id and listed.claim_version = headers.source_version
        where {OF_FACILITIES} and has_source and listed.role in ('principal', 'other', 'external')
        order by number, listed.role, listed.position"""


def _admissions() -> str:
    record = _record(
        "A",
        {
            "CUR_CLM_UNIQ_ID": "number",
            "BENE_MBI_ID": "beneficiary_id",
            "CLM_TYPE_CD": "type_code",
            "CLM_ACTV_CARE_FROM_DT": _day("admission_date"),
        },
    )
    return (
        f"select {record} from headers where {OF_FACILITIES} and admission_date is not null order by number"
    )


def _professional_lines(number: str, kind: str) -> str:
    """A record a line; a claim without lines here (what an earlier delivery stated) is one record."""
    values = {
        "CUR_CLM_UNIQ_ID": "number",
        "CLM_LINE_NUM": "coalesce(lines.line_number, 1)::varchar",
        "BENE_MBI_ID": "beneficiary_id",
        "CLM_TYPE_CD": "type_code",
        "CLM_FROM_DT": _day("headers.from_date"),
        "CLM_THRU_DT": _day("headers.through_date"),
        "CLM_POS_CD": "lines.place_of_service_code",
        "CLM_LINE_FROM_DT": _day("lines.from_date"),
        "CLM_LINE_THRU_DT": _day("lines.through_date"),
        "CLM_LINE_HCPCS_CD": "lines.hcpcs_code",
        "CLM_LINE_CVRD_PD_AMT": "case when lines.claim_id is null then headers.paid_usd "
        "else abs(lines.paid_usd) end::varchar",
        "CLM_CARR_PMT_DNL_CD": "case when headers.is_denied then '0' else '1' end",
        "CLM_PRCSG_IND_CD": "lines.processing_indicator_code",
        "CLM_ADJSMT_TYPE_CD": "case when adjustment = '1' then '1' else '0' end",
        "CLM_EFCTV_DT": _day("headers.processed_date"),
        "CLM_IDR_LD_DT": _day("processed_date"),
        "CLM_CNTL_NUM": "coalesce(claim_group_id, headers.claim_id)",
        "CLM_LINE_ALOWD_CHRG_AMT": "abs(lines.allowed_usd)::varchar",
    }
    if number == "5":
        values |= {
            "CLM_PRVDR_SPCLTY_CD": "lines.provider_specialty_code",
            "CLM_LINE_DGNS_CD": "line_codes.code",
            "CLM_RNDRG_PRVDR_TAX_NUM": "coalesce(lines.billing_tin, headers.billing_tin)",
            "RNDRG_PRVDR_NPI_NUM": "lines.rendering_npi",
            "CLM_RNDRG_PRVDR_NPI_NUM": "lines.rendering_npi",
            "CLM_LINE_SRVC_UNIT_QTY": "lines.units::varchar",
            "HCPCS_1_MDFR_CD": "lines.modifier_1",
            "HCPCS_2_MDFR_CD": "lines.modifier_2",
            "HCPCS_BETOS_CD": "lines.betos_code",
            "CLM_DGNS_1_CD": _of_role("principal"),
            "DGNS_PRCDR_ICD_IND": ICD,
        }
        values |= {f"CLM_DGNS_{place}_CD": _of_role("other", place) for place in range(2, 13)}
    else:
        values |= {
            "PAYTO_PRVDR_NPI_NUM": "headers.billing_npi",
            "CLM_BLG_PRVDR_NPI_NUM": "headers.billing_npi",
        }
    line_codes = """
        left join line_codes
            on lines.claim_id = line_codes.claim_id and lines.claim_version = line_codes.claim_version
            and lines.line_number = line_codes.line_number"""
    return f"""
        select {_record(number, values)}
        from headers
        left join claim_lines as lines
            on headers.lines_claim_id = lines.claim_id
            and headers.source_version = lines.claim_version
        {CODES} {line_codes if number == "5" else ""}
        where headers.claim_type = '{kind}'
        order by number, lines.line_number"""


# Former identifiers and what replaced them.
RENAMED = """
    select rows_read.*, coalesce(xref.current_beneficiary_id, rows_read.beneficiary_id) as current_id
    from {} as rows_read
    left join (select distinct on (previous_beneficiary_id) * from beneficiary_xref) as xref
        on rows_read.beneficiary_id = xref.previous_beneficiary_id"""


def _runs(condition: str) -> str:
    """Runs of months under `condition`: current_id, first_month, last_month."""
    return f"""
        select current_id, min(service_month) as first_month, max(service_month) as last_month
        from (
            select *, service_month - to_months((row_number() over (
                partition by current_id order by service_month))::integer) as run
            from (select distinct current_id, service_month from ({RENAMED.format("enrollment_months")})
                  where {condition})
        ) group by current_id, run"""


def _people() -> str:
    """The newest description of each person with their latest status, a record a hospice election."""
    record = _record(
        "8",
        {
            "BENE_MBI_ID": "people.current_id",
            "BENE_FIPS_STATE_CD": "county_fips_code[1:2]",
            "BENE_FIPS_CNTY_CD": "county_fips_code[3:5]",
            "BENE_ZIP_CD": "zip_code",
            "BENE_DOB": _day("birth_date"),
            "BENE_SEX_CD": "case sex when 'male' then '1' when 'female' then '2' else '0' end",
            "BENE_RACE_CD": "race_ethnicity_code",
            "BENE_MDCR_STUS_CD": "months.status",
            "BENE_DUAL_STUS_CD": "months.dual",
            "BENE_DEATH_DT": "strftime(death_date, '%Y-%m-%d')",
            "BENE_RNG_BGN_DT": _day("hospice.first_month"),
            "BENE_RNG_END_DT": "coalesce(strftime(last_day(hospice.last_month), '%Y-%m-%d'), '9999-12-31')",
            "BENE_ORGNL_ENTLMT_RSN_CD": "original_entitlement_code",
            "BENE_PART_A_ENRLMT_BGN_DT": _day("months.part_a"),
            "BENE_PART_B_ENRLMT_BGN_DT": _day("months.part_b"),
            "GEO_USPS_STATE_CD": "state_code",
            "GEO_ZIP5_CD": "zip_code",
        },
    )
    return f"""
        select {record}
        from (
            select * from ({RENAMED.format("beneficiaries")})
            qualify row_number() over (
                partition by current_id order by reference_date desc, beneficiary_id) = 1
        ) as people
        left join (
            select current_id, max_by(medicare_status_code, service_month) as status,
                   max_by(dual_status_code, service_month) as dual,
                   min(service_month) filter (where has_part_a) as part_a,
                   min(service_month) filter (where has_part_b) as part_b
            from ({RENAMED.format("enrollment_months")}) group by current_id
        ) as months on people.current_id = months.current_id
        left join ({_runs("has_hospice_election")}) as hospice on people.current_id = hospice.current_id
        order by people.current_id, hospice.first_month"""


def _identifiers() -> str:
    record = _record(
        "9",
        {
            "HICN_MBI_XREF_IND": "'M'",
            "CRNT_NUM": "current_beneficiary_id",
            "PRVS_NUM": "previous_beneficiary_id",
            "PRVS_ID_EFCTV_DT": _day("effective_date"),
            "PRVS_ID_OBSLT_DT": "coalesce(strftime(obsolete_date, '%Y-%m-%d'), '9999-12-31')",
        },
    )
    return f"select {record} from beneficiary_xref order by previous_beneficiary_id"


def _spans() -> str:
    """The alignment report: months with both parts in Original Medicare, as spans."""
    aligned = "has_part_a and has_part_b and not coalesce(is_medicare_advantage, false)"
    return f"""
        select current_id as BENE_MBI_ID, strftime(first_month, '%Y-%m-%d') as START_DATE,
               strftime(last_day(last_month), '%Y-%m-%d') as END_DATE
        from ({_runs(aligned)}) order by all"""
