"""People, their identifiers and their months from Claim and Claim Line Feed files 8 and 9.

The feed has no table of coverage by month. Months come from an alignment report where there is one, else
from the days on which Parts A and B began, marked approximate: who is in the feed is taken to be in Original
Medicare. The date range in file 8 is that of a hospice election, not of coverage.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from pipelines.extracts.cclf_claims import date
from pipelines.extracts.delimited import REJECTS, prepare_rejects

# How far back months are made without an alignment report: the history that a newly assigned person has.
HISTORY_MONTHS = 36
# Files write earlier days where they do not know since when an identifier held.
MEDICARE_BEGAN = "1965-07-01"
ESRD_STATUSES = ("11", "21", "31")


def tables(
    con: duckdb.DuckDBPyConnection, present: Collection[str], spans: str | None
) -> tuple[dict[str, str], list[str]]:
    """Contract table -> view for the files in `present`, and SQL of the rows that are joined to others.

    Reads the views `cclf_1` to `cclf_9`; `spans` is the view of alignment spans, if there is a report.
    """
    prepare_rejects(con)
    made: dict[str, str] = {}
    joined: list[str] = []
    if "8" in present or spans is not None:
        joined += _people(con, spans)
        _months(con, spans)
        made |= {"beneficiaries": "cclf_beneficiaries", "enrollment_months": "cclf_enrollment_months"}
    if "9" in present:
        joined.append(_identifiers(con))
        made["beneficiary_xref"] = "cclf_beneficiary_xref"
    return made, joined


def notes(con: duckdb.DuckDBPyConnection, spans: str | None) -> list[str]:
    """How many people of file 8 an alignment report leaves without months."""
    if spans is None:
        return []
    ((people,),) = con.execute(f"""
        select count(distinct BENE_MBI_ID) from cclf_8
        where BENE_MBI_ID not in (select beneficiary_id from {spans})""").fetchall()
    if not people:
        return []
    return [f"{people} people of file 8 are not in the alignment report: they have no enrolment months"]


def _shown(value: str) -> str:
    """Null where the file hides a value behind a run of x."""
    return f"case when not regexp_full_match({value}, 'x+') then {value} end"


def _people(con: duckdb.DuckDBPyConnection, spans: str | None) -> list[str]:
    """One row a person and day of description; a person's further rows (hospice elections) are joined."""
    con.execute("""
        create or replace table cclf_person_rows as
        select BENE_MBI_ID as beneficiary_id, cut_on, source_file, source_row,
               first_value(source_file) over heads as head_file,
               first_value(source_row) over heads as head_row
        from cclf_8 where BENE_MBI_ID is not null
        window heads as (
            partition by BENE_MBI_ID, cut_on
            order by delivery desc, BENE_RNG_BGN_DT desc nulls last, file_place, source_row
            rows between unbounded preceding and unbounded following)""")
    status = "lpad(BENE_MDCR_STUS_CD, 2, '0')"
    esrd = ", ".join(repr(code) for code in ESRD_STATUSES)
    selects = [
        f"""
        select BENE_MBI_ID as beneficiary_id, rows_read.cut_on as reference_date,
               {date(_shown("BENE_DOB"))} as birth_date, {date("BENE_DEATH_DT")} as death_date,
               case BENE_SEX_CD when '1' then 'male' when '2' then 'female' when '0' then 'unknown'
                    else BENE_SEX_CD end as sex,
               BENE_RACE_CD as race_ethnicity_code,
               case when BENE_RACE_CD is not null then 'enrollment' end as race_ethnicity_source,
               GEO_USPS_STATE_CD as state_code,
               lpad(BENE_FIPS_STATE_CD, 2, '0') || lpad(BENE_FIPS_CNTY_CD, 3, '0') as county_fips_code,
               coalesce(GEO_ZIP5_CD, {_shown("BENE_ZIP_CD")}) as zip_code,
               BENE_ORGNL_ENTLMT_RSN_CD as original_entitlement_code,
               {status} in ({esrd}) as has_esrd,
               rows_read.source_file, rows_read.source_row
        from cclf_8 as rows_read
        left join cclf_person_rows as heads
            on rows_read.source_file = heads.source_file and rows_read.source_row = heads.source_row
        where heads.head_file is null
           or (heads.head_file = heads.source_file and heads.head_row = heads.source_row)"""
    ]
    joined = [
        """
        select source_file, source_row, head_file, head_row from cclf_person_rows
        where head_file <> source_file or head_row <> source_row"""
    ]
    if spans is not None:
        # Somebody who is only in the report is described by their first span; others' spans are joined.
        con.execute(f"""
            create or replace table cclf_span_rows as
            with described as (
                select beneficiary_id, max_by(head_file, cut_on) as head_file,
                       max_by(head_row, cut_on) as head_row
                from cclf_person_rows group by all
            )
            select spans.beneficiary_id, spans.source_file, spans.source_row,
                   coalesce(described.head_file, first_value(spans.source_file) over own) as head_file,
                   coalesce(described.head_row, first_value(spans.source_row) over own) as head_row
            from {spans} as spans
            left join described on spans.beneficiary_id = described.beneficiary_id
            window own as (partition by spans.beneficiary_id order by spans.source_file, spans.source_row)""")
        is_head = "head_file = source_file and head_row = source_row"
        selects.append(f"""
            select beneficiary_id, (select last_cut from cclf_window) as reference_date,
                   source_file, source_row
            from cclf_span_rows where {is_head}""")
        joined.append(f"""
            select source_file, source_row, head_file, head_row from cclf_span_rows where not ({is_head})""")
    _window(con)
    con.execute(f"create or replace view cclf_beneficiaries as {' union all by name '.join(selects)}")
    return joined


def _window(con: duckdb.DuckDBPyConnection) -> None:
    """The months that a delivery without an alignment report tells of: from its claims to its last full month."""
    claims = " union all ".join(
        f"select try_cast({date('CLM_FROM_DT')} as date) as from_date from cclf_{number}"
        for number in ("1", "5", "6")
    )
    con.execute(f"""
        create or replace table cclf_window as
        with cuts as (
            select coalesce(
                max(cut_on), getvariable('received_date')::date) as last_cut
            from (
                select cut_on from cclf_8 union all select cut_on from cclf_1
                union all select cut_on from cclf_5
            )
        ),
        ends as (
            select last_cut, (date_trunc('month', last_cut) - interval 1 month)::date as last_month from cuts
        )
        select last_cut, last_month,
               least(last_month, greatest(
                   coalesce((select date_trunc('month', min(from_date)) from ({claims})), last_month),
                   last_month - interval {HISTORY_MONTHS - 1} month))::date as first_month
        from ends""")


def _months(con: duckdb.DuckDBPyConnection, spans: str | None) -> None:
    con.execute(f"""
        create or replace table cclf_people_now as
        select BENE_MBI_ID as beneficiary_id,
               max_by(struct_pack(
                   dual := BENE_DUAL_STUS_CD, status := BENE_MDCR_STUS_CD,
                   part_a := try_cast({date("BENE_PART_A_ENRLMT_BGN_DT")} as date),
                   part_b := try_cast({date("BENE_PART_B_ENRLMT_BGN_DT")} as date),
                   source_file := source_file, source_row := source_row),
                   struct_pack(cut_on := cut_on, delivery := delivery, source_row := -source_row)) as said,
               max(try_cast({date("BENE_DEATH_DT")} as date)) as death_date
        from cclf_8 where BENE_MBI_ID is not null group by all""")
    # An election that has not ended is open.
    con.execute(f"""
        create or replace table cclf_hospice as
        select distinct BENE_MBI_ID as beneficiary_id,
               date_trunc('month', try_cast({date("BENE_RNG_BGN_DT")} as date)) as first_month,
               coalesce(try_cast({date("BENE_RNG_END_DT")} as date), date '9999-12-31') as last_day
        from cclf_8 where BENE_MBI_ID is not null and try_cast({date("BENE_RNG_BGN_DT")} as date) is not null""")
    if spans is None:
        ranges = """
            select beneficiary_id, said.source_file, said.source_row, 'approximate' as coverage_grain,
                   greatest(first_month, date_trunc('month', least(said.part_a, said.part_b))) as first_month,
                   least(last_month, coalesce(death_date, last_month)) as last_day,
                   said.part_a, said.part_b
            from cclf_people_now, cclf_window
            where coalesce(said.part_a, said.part_b) is not null"""
    else:
        ranges = f"""
            select spans.beneficiary_id, spans.source_file, spans.source_row, 'span' as coverage_grain,
                   date_trunc('month', start_date) as first_month,
                   least(case when end_date > last_day(last_cut) then last_month else end_date end,
                         coalesce(death_date, end_date)) as last_day,
                   start_date as part_a, start_date as part_b
            from {spans} as spans
            cross join cclf_window
            left join cclf_people_now as people on spans.beneficiary_id = people.beneficiary_id"""
    con.execute(f"""
        create or replace view cclf_enrollment_months as
        with months as (
            select beneficiary_id, source_file, source_row, coverage_grain, part_a, part_b,
                   unnest(generate_series(first_month::date, last_day::date, interval 1 month))::date
                       as service_month
            from ({ranges})
        ),
        once as (
            select * from months
            qualify row_number() over (
                partition by beneficiary_id, service_month order by source_file, source_row) = 1
        )
        select once.beneficiary_id, once.service_month,
               coalesce(part_a <= last_day(service_month), false) as has_part_a,
               coalesce(part_b <= last_day(service_month), false) as has_part_b,
               false as is_medicare_advantage,
               case when people.said.dual = 'NA' then 'NA' else lpad(people.said.dual, 2, '0') end
                   as dual_status_code,
               lpad(people.said.status, 2, '0') as medicare_status_code,
               case when people.beneficiary_id is not null then exists (
                   select 1 from cclf_hospice as hospice
                   where hospice.beneficiary_id = once.beneficiary_id
                     and hospice.first_month <= once.service_month
                     and hospice.last_day >= once.service_month) end as has_hospice_election,
               once.coverage_grain, once.source_file, once.source_row
        from once
        left join cclf_people_now as people on once.beneficiary_id = people.beneficiary_id""")


def _identifiers(con: duckdb.DuckDBPyConnection) -> str:
    """Replaced identifiers; of what several deliveries say about one, the newest holds."""
    con.execute(f"""
        create or replace table cclf_identifier_rows as
        select *, max(delivery) over (partition by PRVS_NUM) as last_delivery,
               first_value(CRNT_NUM) over newest as newest_id,
               first_value(source_file) over newest as head_file,
               first_value(source_row) over newest as head_row
        from (
            select PRVS_NUM, CRNT_NUM, delivery, file_place, source_file, source_row,
                   case when PRVS_ID_EFCTV_DT >= '{MEDICARE_BEGAN}' then {date("PRVS_ID_EFCTV_DT")} end
                       as effective_date,
                   {date("PRVS_ID_OBSLT_DT")} as obsolete_date
            from cclf_9
        )
        window newest as (
            partition by PRVS_NUM order by delivery desc, file_place, source_row
            rows between unbounded preceding and unbounded following)""")
    con.execute("""
        create or replace view cclf_beneficiary_xref as
        select PRVS_NUM as previous_beneficiary_id, CRNT_NUM as current_beneficiary_id, effective_date,
               obsolete_date, source_file, source_row
        from cclf_identifier_rows where PRVS_NUM is null or delivery = last_delivery""")
    con.execute(f"""
        insert into {REJECTS}
        select source_file, source_row, 'superseded', 'the newest delivery''s word on this identifier',
               json_object('PRVS_NUM', PRVS_NUM, 'CRNT_NUM', CRNT_NUM)::varchar
        from cclf_identifier_rows
        where PRVS_NUM is not null and delivery < last_delivery and CRNT_NUM is distinct from newest_id""")
    return """
        select source_file, source_row, head_file, head_row from cclf_identifier_rows
        where PRVS_NUM is not null and delivery < last_delivery and CRNT_NUM is not distinct from newest_id"""
