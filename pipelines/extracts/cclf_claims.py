"""Claims, lines and diagnoses of Claim and Claim Line Feed files (CCLF1, 2, 4, 5, 6; the admission of A).

Amounts carry no sign: those of cancellations (adjustment type 1) are negated. A cancellation names no claim;
it takes back one claim of its family (`claim_group_id`), which core decides when all deliveries are known:
the original may have come months earlier.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from pipelines.extracts.delimited import REJECTS, prepare_rejects

FACILITY_TYPES = {
    "10": "hha",
    "20": "snf",
    "30": "snf",
    "40": "outpatient",
    "50": "hospice",
    "60": "inpatient",
    "61": "inpatient",
    "62": "inpatient",
    "63": "inpatient",
    "64": "inpatient",
}
PROFESSIONAL_TYPES = {"71": "carrier", "72": "carrier", "81": "dme", "82": "dme"}
NO_DATE = ("1000-01-01", "0001-01-01", "9999-12-31")
HEADER_SLOTS = 12
ICD_10_SINCE = "2015-10-01"


def date(value: str) -> str:
    """SQL of a date, null where the files write that there is none."""
    return f"case when {value} not in ({', '.join(repr(day) for day in NO_DATE)}) then {value} end"


def tables(
    con: duckdb.DuckDBPyConnection, present: Collection[str], *, several: bool
) -> tuple[dict[str, str], str]:
    """Contract table -> view for the claim files in `present`, and SQL of the rows joined to others.

    Reads the views `cclf_1` to `cclf_A`. `several`: the folder holds more than one delivery; what a later one
    says about a claim is then a further version of it.
    """
    prepare_rejects(con)
    _heads(con, several)
    made: dict[str, str] = {}
    headers = [_facility_claims()] if "1" in present else []
    headers += [_professional_claims(number) for number in ("5", "6") if number in present]
    lines = [_facility_lines()] if "2" in present else []
    lines += [_professional_lines(number) for number in ("5", "6") if number in present]
    diagnoses = [_header_diagnoses()] if "1" in present else []
    diagnoses += [_facility_diagnoses()] if "4" in present else []
    diagnoses += [_professional_diagnoses()] if "5" in present else []
    for table, selects in (("claims", headers), ("claim_lines", lines), ("claim_diagnoses", diagnoses)):
        if selects:
            con.execute(f"create or replace view cclf_{table} as {' union all by name '.join(selects)}")
            made[table] = f"cclf_{table}"
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row, 'parent_missing', 'the claim in file 1 of the same delivery',
               json_object('CUR_CLM_UNIQ_ID', CUR_CLM_UNIQ_ID)::varchar
        from cclf_A as extra
        where not exists (
            select 1 from cclf_facility_heads as heads
            where heads.claim_id = extra.CUR_CLM_UNIQ_ID and heads.delivery = extra.delivery)""")
    return (
        made,
        """
        select extra.source_file, extra.source_row, heads.head_file, heads.head_row
        from cclf_A as extra
        inner join cclf_facility_heads as heads
            on extra.CUR_CLM_UNIQ_ID = heads.claim_id and extra.delivery = heads.delivery""",
    )


def _heads(con: duckdb.DuckDBPyConnection, several: bool) -> None:
    """Small tables about each claim: its version, the row that states it, sums, its principal diagnosis."""
    con.execute("""
        create or replace table cclf_facility_heads as
        with paid as (
            select claim_id, delivery, sum(paid) as lines_paid
            from (
                select CUR_CLM_UNIQ_ID as claim_id, delivery, CLM_LINE_NUM,
                       max(coalesce(try_cast(CLM_LINE_CVRD_PD_AMT as decimal(18, 2)), 0)) as paid
                from cclf_2 group by all
            ) group by all
        ),
        admitted as (
            select CUR_CLM_UNIQ_ID as claim_id, delivery, min(CLM_ACTV_CARE_FROM_DT) as admission_date
            from cclf_A group by all
        ),
        heads as (
            select CUR_CLM_UNIQ_ID as claim_id, delivery, source_file as head_file, source_row as head_row,
                   try_cast(CLM_PMT_AMT as decimal(18, 2)) as header_paid,
                   ltrim(CLM_ADJSMT_TYPE_CD, '0') = '1' as is_cancellation,
                   PRNCPL_DGNS_CD as principal, CLM_FROM_DT as from_date, CLM_THRU_DT as through_date
            from cclf_1 where CUR_CLM_UNIQ_ID is not null
            qualify row_number() over (
                partition by CUR_CLM_UNIQ_ID, delivery order by file_place, source_row) = 1
        ),
        listed as (
            select codes.CUR_CLM_UNIQ_ID as claim_id, codes.delivery,
                   min(try_cast(codes.CLM_VAL_SQNC_NUM as integer)) as principal_position
            from cclf_4 as codes
            inner join heads
                on codes.CUR_CLM_UNIQ_ID = heads.claim_id and codes.delivery = heads.delivery
                and codes.CLM_DGNS_CD = heads.principal
            where coalesce(codes.CLM_PROD_TYPE_CD, 'D') not in ('E', '1')
            group by all
        )
        select heads.*, admitted.admission_date, listed.principal_position,
               coalesce(paid.lines_paid = heads.header_paid, false) as lines_add_up
        from heads
        left join paid on heads.claim_id = paid.claim_id and heads.delivery = paid.delivery
        left join admitted on heads.claim_id = admitted.claim_id and heads.delivery = admitted.delivery
        left join listed on heads.claim_id = listed.claim_id and heads.delivery = listed.delivery""")
    selects = " union all ".join(
        f"""
        select {number} as file, CUR_CLM_UNIQ_ID as claim_id, delivery, file_place, source_row,
               try_cast(CLM_LINE_NUM as bigint) as line_number,
               try_cast(CLM_LINE_CVRD_PD_AMT as decimal(18, 2)) as paid,
               CLM_LINE_CVRD_PD_AMT is not null as has_amount
        from cclf_{number}"""
        for number in ("5", "6")
    )
    con.execute(f"""
        create or replace table cclf_professional_heads as
        select file, claim_id, delivery, min(head) as head,
               case when count(paid) = count(*) filter (where has_amount) then sum(paid) end as paid
        from (
            -- A line that is here twice counts once.
            select file, claim_id, delivery,
                   min(struct_pack(line_number := line_number, file_place := file_place,
                                   source_row := source_row)) as head,
                   max(paid) as paid, bool_or(has_amount) as has_amount
            from ({selects}) where claim_id is not null group by file, claim_id, delivery, line_number
        ) group by file, claim_id, delivery""")
    # What several deliveries say about a claim is numbered in their order.
    version = "row_number() over (partition by claim_id order by delivery)" if several else "1"
    con.execute(f"""
        create or replace table cclf_versions as
        select claim_id, delivery, {version} as claim_version
        from (
            select claim_id, delivery from cclf_facility_heads
            union all select claim_id, delivery from cclf_professional_heads
        ) group by claim_id, delivery""")


def _versioned(number: str) -> str:
    """The rows of file `number` with the version of their claim."""
    return f"""
        cclf_{number} as rows_read
        left join cclf_versions as versions
            on rows_read.CUR_CLM_UNIQ_ID = versions.claim_id and rows_read.delivery = versions.delivery"""


# A row without a header still needs a version, to be set aside for want of a parent and not of a number.
VERSION = "coalesce(versions.claim_version, 1) as claim_version"


def _signed(amount: str, is_cancellation: str) -> str:
    negated = f"(-abs(try_cast({amount} as decimal(18, 2))))::varchar"
    return f"case when {is_cancellation} then coalesce({negated}, {amount}) else {amount} end"


def _adjustment(kind: str) -> str:
    digit = f"case when ltrim({kind}, '0') = '' then '0' else ltrim({kind}, '0') end"
    return f"""case {digit} when '0' then 'original' when '1' then 'cancellation' when '2' then 'replacement'
                    else 'code ' || {kind} end"""


def _claim_type(code: str, types: dict[str, str]) -> str:
    named = " ".join(f"when '{number}' then '{kind}'" for number, kind in types.items())
    return f"case {code} {named} else 'code ' || {code} end"


def _icd_version(indicator: str, service_date: str) -> str:
    """9 or 0 as stated; where the indicator says that it is unknown, by the date of service."""
    return f"""case when {indicator} = '0' then '10' when {indicator} = '9' then '9'
                    when coalesce({indicator}, 'U') = 'U'
                    then case when {service_date} >= '{ICD_10_SINCE}' then '10' else '9' end
                    else 'code ' || {indicator} end"""


def _facility_claims() -> str:
    # The natural key without the person, whose identifier may change; the kind keeps a stay apart from an
    # outpatient claim of the same days.
    family = """'A ' || CLM_TYPE_CD || ' ' || coalesce(CLM_BLG_PRVDR_OSCAR_NUM, PRVDR_OSCAR_NUM)
                || ' ' || CLM_FROM_DT || ' ' || CLM_THRU_DT"""
    kind = "CLM_ADJSMT_TYPE_CD"
    return f"""
        select CUR_CLM_UNIQ_ID as claim_id, {VERSION}, {family} as claim_group_id,
               BENE_MBI_ID as beneficiary_id, {_claim_type("CLM_TYPE_CD", FACILITY_TYPES)} as claim_type,
               CLM_TYPE_CD as nch_claim_type_code, {date("CLM_FROM_DT")} as from_date,
               {date("CLM_THRU_DT")} as through_date,
               {date("heads.admission_date")} as admission_date,
               case when CLM_TYPE_CD in ('20', '30', '60', '61', '62', '63', '64')
                         and BENE_PTNT_STUS_CD <> '30' then {date("CLM_THRU_DT")} end as discharge_date,
               BENE_PTNT_STUS_CD as discharge_status_code,
               CLM_BILL_FAC_TYPE_CD || CLM_BILL_CLSFCTN_CD || coalesce(CLM_BILL_FREQ_CD, '') as bill_type_code,
               PRVDR_OSCAR_NUM as facility_ccn, FAC_PRVDR_NPI_NUM as billing_npi,
               {_adjustment(kind)} as action,
               case when ltrim({kind}, '0') = '1' then {family} end as adjusted_claim_id,
               {date("CLM_EFCTV_DT")} as processed_date,
               CLM_MDCR_NPMT_RSN_CD is not null as is_denied,
               {_signed("CLM_PMT_AMT", f"ltrim({kind}, '0') = '1'")} as paid_usd,
               rows_read.source_file, rows_read.source_row
        from {_versioned("1")}
        left join cclf_facility_heads as heads
            on rows_read.CUR_CLM_UNIQ_ID = heads.claim_id and rows_read.delivery = heads.delivery"""


def _facility_lines() -> str:
    """A line's amount stands only where the lines of its claim add up to the claim's."""
    day = date("CLM_LINE_INSTNL_REV_CTR_DT")
    return f"""
        select CUR_CLM_UNIQ_ID as claim_id, {VERSION}, CLM_LINE_NUM as line_number,
               coalesce({day}, {date("CLM_LINE_FROM_DT")}, {date("CLM_FROM_DT")}) as from_date,
               coalesce({day}, {date("CLM_LINE_THRU_DT")}, {date("CLM_THRU_DT")}) as through_date,
               CLM_LINE_HCPCS_CD as hcpcs_code, HCPCS_1_MDFR_CD as modifier_1,
               HCPCS_2_MDFR_CD as modifier_2, CLM_LINE_SRVC_UNIT_QTY as units,
               case when length(CLM_LINE_PROD_REV_CTR_CD) < 4 then lpad(CLM_LINE_PROD_REV_CTR_CD, 4, '0')
                    else CLM_LINE_PROD_REV_CTR_CD end as revenue_center_code,
               case when heads.lines_add_up
                    then {_signed("CLM_LINE_CVRD_PD_AMT", "heads.is_cancellation")} end as paid_usd,
               rows_read.source_file, rows_read.source_row
        from {_versioned("2")}
        left join cclf_facility_heads as heads
            on rows_read.CUR_CLM_UNIQ_ID = heads.claim_id and rows_read.delivery = heads.delivery"""


def _header_diagnoses() -> str:
    """The admitting diagnosis, and the principal one where the list in file 4 lacks it."""
    return f"""
        select CUR_CLM_UNIQ_ID as claim_id, claim_version, '0' as line_number, said.role as role,
               1 as position, said.code as diagnosis_code,
               {_icd_version("DGNS_PRCDR_ICD_IND", "CLM_THRU_DT")} as icd_version, source_file, source_row
        from (
            select CUR_CLM_UNIQ_ID, {VERSION}, DGNS_PRCDR_ICD_IND, CLM_THRU_DT,
                   unnest([
                       {{'role': 'admitting', 'code': ADMTG_DGNS_CD}},
                       {{'role': 'principal',
                        'code': case when heads.principal_position is null then PRNCPL_DGNS_CD end}}
                   ]) as said,
                   rows_read.source_file, rows_read.source_row
            from {_versioned("1")}
            left join cclf_facility_heads as heads
                on rows_read.CUR_CLM_UNIQ_ID = heads.claim_id and rows_read.delivery = heads.delivery
        )
        where said.code is not null"""


def _facility_diagnoses() -> str:
    place = "try_cast(CLM_VAL_SQNC_NUM as integer)"
    is_principal = f"(heads.principal = CLM_DGNS_CD and heads.principal_position = {place})"
    # The first external cause stands at 1 and again in the list of them.
    return f"""
        select CUR_CLM_UNIQ_ID as claim_id, {VERSION}, '0' as line_number,
               case when CLM_PROD_TYPE_CD in ('E', '1') then 'external'
                    when {is_principal} then 'principal' else 'other' end as role,
               case when CLM_PROD_TYPE_CD = 'E' then ({place} + 1)::varchar
                    when coalesce(CLM_PROD_TYPE_CD, 'D') <> '1' and {is_principal} then '1'
                    else CLM_VAL_SQNC_NUM end as position,
               CLM_DGNS_CD as diagnosis_code,
               {_icd_version("DGNS_PRCDR_ICD_IND", "CLM_THRU_DT")} as icd_version,
               rows_read.source_file, rows_read.source_row
        from {_versioned("4")}
        left join cclf_facility_heads as heads
            on rows_read.CUR_CLM_UNIQ_ID = heads.claim_id and rows_read.delivery = heads.delivery"""


def _head_rows(number: str) -> str:
    """The rows of file `number` that state their claim: the first line of each."""
    return f"""{_versioned(number)}
        inner join cclf_professional_heads as heads
            on heads.file = {number} and rows_read.CUR_CLM_UNIQ_ID = heads.claim_id
            and rows_read.delivery = heads.delivery and rows_read.file_place = heads.head.file_place
            and rows_read.source_row = heads.head.source_row"""


def _professional_claims(number: str) -> str:
    family = "'B ' || CLM_CNTL_NUM"
    kind = "CLM_ADJSMT_TYPE_CD"
    tin = "CLM_RNDRG_PRVDR_TAX_NUM" if number == "5" else "null::varchar"
    npi = "null::varchar" if number == "5" else "PAYTO_PRVDR_NPI_NUM"
    return f"""
        select CUR_CLM_UNIQ_ID as claim_id, {VERSION}, {family} as claim_group_id,
               BENE_MBI_ID as beneficiary_id,
               {_claim_type("CLM_TYPE_CD", PROFESSIONAL_TYPES)} as claim_type,
               CLM_TYPE_CD as nch_claim_type_code, {date("CLM_FROM_DT")} as from_date,
               {date("CLM_THRU_DT")} as through_date, {npi} as billing_npi, {tin} as billing_tin,
               {_adjustment(kind)} as action,
               case when ltrim({kind}, '0') = '1' then {family} end as adjusted_claim_id,
               {date("CLM_EFCTV_DT")} as processed_date,
               coalesce(CLM_CARR_PMT_DNL_CD in ('0', '00'), false) as is_denied,
               {_signed("heads.paid::varchar", f"ltrim({kind}, '0') = '1'")} as paid_usd,
               rows_read.source_file, rows_read.source_row
        from {_head_rows(number)}"""


def _professional_lines(number: str) -> str:
    is_cancellation = "ltrim(CLM_ADJSMT_TYPE_CD, '0') = '1'"
    more = ""
    if number == "5":
        more = """
               RNDRG_PRVDR_NPI_NUM as rendering_npi, CLM_RNDRG_PRVDR_TAX_NUM as billing_tin,
               CLM_PRVDR_SPCLTY_CD as provider_specialty_code, CLM_LINE_SRVC_UNIT_QTY as units,
               HCPCS_1_MDFR_CD as modifier_1, HCPCS_2_MDFR_CD as modifier_2, HCPCS_BETOS_CD as betos_code,"""
    return f"""
        select CUR_CLM_UNIQ_ID as claim_id, {VERSION}, CLM_LINE_NUM as line_number,
               coalesce({date("CLM_LINE_FROM_DT")}, {date("CLM_FROM_DT")}) as from_date,
               coalesce({date("CLM_LINE_THRU_DT")}, {date("CLM_THRU_DT")}) as through_date,
               CLM_LINE_HCPCS_CD as hcpcs_code, CLM_POS_CD as place_of_service_code, {more}
               {_signed("CLM_LINE_ALOWD_CHRG_AMT", is_cancellation)} as allowed_usd,
               {_signed("CLM_LINE_CVRD_PD_AMT", is_cancellation)} as paid_usd,
               CLM_PRCSG_IND_CD as processing_indicator_code,
               upper(CLM_PRCSG_IND_CD) not in ('A', 'R', 'S') as is_denied,
               rows_read.source_file, rows_read.source_row
        from {_versioned(number)}"""


def _professional_diagnoses() -> str:
    """Header slots once a claim (from its first line) and each line's own diagnosis; only file 5 has them."""
    slots = ", ".join(
        f"{{'role': '{'principal' if slot == 1 else 'other'}', 'position': {slot}, "
        f"'code': CLM_DGNS_{slot}_CD}}"
        for slot in range(1, HEADER_SLOTS + 1)
    )
    return f"""
        select claim_id, claim_version, line_number, said.role as role, said.position as position,
               said.code as diagnosis_code, {_icd_version("indicator", "through_date")} as icd_version,
               source_file, source_row
        from (
            select CUR_CLM_UNIQ_ID as claim_id, {VERSION}, '0' as line_number, unnest([{slots}]) as said,
                   DGNS_PRCDR_ICD_IND as indicator, CLM_THRU_DT as through_date,
                   rows_read.source_file, rows_read.source_row
            from {_head_rows("5")}
            union all
            select CUR_CLM_UNIQ_ID, {VERSION}, CLM_LINE_NUM,
                   {{'role': 'line', 'position': 1, 'code': CLM_LINE_DGNS_CD}}, DGNS_PRCDR_ICD_IND,
                   CLM_THRU_DT, rows_read.source_file, rows_read.source_row
            from {_versioned("5")}
        )
        where said.code is not null"""
