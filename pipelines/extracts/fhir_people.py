"""Patient and Coverage resources as people, changes of identifier and enrolment months."""

from __future__ import annotations

import duckdb

from pipelines.extracts.fhir_shapes import COVER, PARSED, PERSON, day, extension, padded, referred
from pipelines.extracts.ssa_states import postal_state

RECEIVED = "getvariable('received_date')"


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that people and months are read from.

    `fhir_patients` (with `is_superseded`), `fhir_covers` (with `is_superseded` and the year and part that it is
    about) and `fhir_months` (one row a person and month, with the place of the Coverage that stands for all).
    """
    dated = "case when left(stated_at, 4) ~ '[0-9]{4}' then left(stated_at, 10) end"
    con.execute(f"""
        create or replace table fhir_patients as
        select *, id is not null
                  and stated_at < max(stated_at) over (partition by id, reference_date) as is_superseded
        from (
            select source_file, source_row, place, id, stated_at,
                   coalesce({dated}, {RECEIVED}::varchar) as reference_date,
                   {day("birthDate")} as birth_date, {day("deceasedDateTime")} as death_date, gender,
                   {extension("extension", "rti_race_cd")} as rti_race,
                   {extension("extension", "race")} as race,
                   address[1].state as state, address[1].district as county, address[1].postalCode as zip,
                   list_filter(identifier, lambda i: i.system like '%/us-mbi') as numbers
            from {PARSED} where resource_type = '{PERSON}' and fault is null
        )""")
    con.execute(f"""
        create or replace table fhir_covers as
        select * exclude (id),
               id is not null and stated_at < max(stated_at) over (
                   partition by beneficiary_id, id, reference_year) as is_superseded
        from (
            select source_file, source_row, place, id, stated_at, status, extension,
                   {referred("beneficiary.reference")} as beneficiary_id,
                   left({extension("extension", "rfrnc_yr", "valueDate")}, 4) as reference_year,
                   upper(right(coalesce("class"[1].value, grouping.subPlan, type.coding[1].code), 1)) as part,
                   try_cast({day('period."start"')} as date) as first_day,
                   try_cast({day('period."end"')} as date) as last_day
            from {PARSED} where resource_type = '{COVER}' and fault is null
        )""")
    _make_months(con)


def _make_months(con: duckdb.DuckDBPyConnection) -> None:
    flag = r"/(buyin|hmo_ind_|dual_)([0-9]{2})$"
    con.execute(f"""
        create or replace table fhir_flags as
        select beneficiary_id, reference_year, regexp_extract(said.url, '{flag}', 1) as kind,
               regexp_extract(said.url, '{flag}', 2) as month, said.valueCoding.code as code,
               status_code, source_file, source_row, place
        from (
            select *, unnest(extension) as said, {extension("extension", "ms_cd")} as status_code
            from fhir_covers
            where not is_superseded and reference_year is not null and coalesce(status, 'active') = 'active'
        )
        where regexp_matches(said.url, '{flag}') and said.valueCoding.code is not null""")
    con.execute("""
        create or replace table fhir_spans as
        select * from fhir_covers
        where not is_superseded and first_day is not null and part in ('A', 'B', 'C')
          and coalesce(status, 'active') = 'active'
          and beneficiary_id not in (select beneficiary_id from fhir_flags where beneficiary_id is not null)""")

    def has_part(letter: str, others: str) -> str:
        return f"""case when buyin in ('{letter}', {others}) then 'true'
                        when buyin in ('0', '1', '2', 'A', 'B') then 'false'
                        else 'code ' || buyin end"""

    def covered(part: str) -> str:
        return f"""case when bool_or(part = '{part}' and is_covered) then 'true'
                        when bool_or(part = '{part}') then 'false' end"""

    # A month's flags may stand on the Coverage of any part; all say the same.
    con.execute(f"""
        create or replace table fhir_months as
        select beneficiary_id, reference_year || '-' || month || '-01' as service_month,
               {has_part("A", "'1', '3', 'C'")} as has_part_a, {has_part("B", "'2', '3', 'C'")} as has_part_b,
               case when hmo in ('0', '4') then 'false' when hmo in ('1', '2', 'A', 'B', 'C') then 'true'
                    when hmo is not null then 'code ' || hmo
                    when buyin is not null then 'false' end as is_medicare_advantage,
               case when dual in ('**', 'AA') then '99' else {padded("dual", 2)} end as dual_status_code,
               {padded("status_code", 2)} as medicare_status_code, 'month' as coverage_grain, head
        from (
            select beneficiary_id, reference_year, month, min(status_code) as status_code,
                   min(upper(code)) filter (kind = 'buyin') as buyin,
                   min(upper(code)) filter (kind = 'hmo_ind_') as hmo,
                   min(upper(code)) filter (kind = 'dual_') as dual,
                   min({{'file': source_file, 'row': source_row}}) as head
            from fhir_flags group by beneficiary_id, reference_year, month
        )
        union all
        select beneficiary_id, service_month::varchar, {covered("A")}, {covered("B")}, {covered("C")},
               null, null, 'span', min(head)
        from (
            select spans.beneficiary_id, spans.part, months.service_month, months.head,
                   months.service_month between date_trunc('month', spans.first_day)
                       and coalesce(spans.last_day, date '9999-12-31') as is_covered
            from fhir_spans as spans
            inner join (
                select beneficiary_id, min({{'file': source_file, 'row': source_row}}) as head,
                       cast(unnest(generate_series(
                           date_trunc('month', greatest(min(first_day), date '1965-06-01')),
                           least(max(coalesce(last_day, date '9999-12-31')),
                                 coalesce(max(try_cast(left(stated_at, 10) as date)), {RECEIVED})),
                           interval 1 month)) as date) as service_month
                from fhir_spans group by beneficiary_id
            ) as months on spans.beneficiary_id = months.beneficiary_id
        )
        group by beneficiary_id, service_month""")


def beneficiaries() -> str:
    """Select of people; what only a Coverage says about a person is taken from there."""
    return f"""
        select patients.id as beneficiary_id, reference_date, birth_date, death_date,
               case gender when 'other' then 'unknown' else gender end as sex,
               coalesce(rti_race, race) as race_ethnicity_code,
               case when rti_race is not null then 'rti' when race is not null then 'enrollment' end
                   as race_ethnicity_source,
               {postal_state("state")} as state_code,
               case when length(county) = 5 then county end as county_fips_code,
               left(zip, 5) as zip_code,
               covers.original_entitlement_code, covers.has_esrd, source_file, source_row
        from fhir_patients as patients
        left join (
            select beneficiary_id,
                   arg_max({extension("extension", "orec")}, stated_at) as original_entitlement_code,
                   arg_max(case when esrd in ('Y', '1') then 'true' when esrd in ('N', '0') then 'false'
                                else 'code ' || esrd end, stated_at) as has_esrd
            from (
                select *, {extension("extension", "esrd_ind")} as esrd
                from fhir_covers where not is_superseded
            )
            group by beneficiary_id
        ) as covers on patients.id = covers.beneficiary_id
        where not is_superseded"""


def months() -> str:
    """Select of enrolment months."""
    return 'select * exclude (head), head.file as source_file, head."row" as source_row from fhir_months'


def month_sources() -> str:
    """Select of the Coverage resources that months were made of, each with the row that stands for it."""
    return """
        select distinct covers.source_file, covers.place, heads.head_file, heads.head_row
        from (
            select source_file, place, beneficiary_id, reference_year as year from fhir_flags
            union all
            select source_file, place, beneficiary_id, null from fhir_spans
        ) as covers
        inner join (
            select beneficiary_id, case when coverage_grain = 'month' then left(service_month, 4) end as year,
                   min(head).file as head_file, min(head)."row" as head_row
            from fhir_months group by all
        ) as heads
            on covers.beneficiary_id is not distinct from heads.beneficiary_id
            and covers.year is not distinct from heads.year"""


def identifiers() -> str:
    """Select of person, Medicare number and place for the people whose record carries the number."""
    return f"""
        select id as beneficiary_id, number.value as number,
               {day('number.period."start"')} as effective_date, {day('number.period."end"')} as obsolete_date,
               source_file, source_row
        from (select id, unnest(numbers) as number, source_file, source_row from fhir_patients)"""
