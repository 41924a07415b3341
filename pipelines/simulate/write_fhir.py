"""Contract tables as FHIR R4 NDJSON in the manner of Blue Button: what a bulk export of the same people holds.

Carried: people, enrolment months, changes of identifier, claims, lines and diagnoses. Not in FHIR, and so not
written: practices, providers, encounters, care-management time, consents and care plans, hospice elections,
the payer's own final-action mark, a month's Medicare status (a Coverage has one a year), denial of a facility's line.
"""

from __future__ import annotations

import glob
import shutil
from datetime import date
from pathlib import Path

import duckdb

from pipelines.extracts.contract import load_contracts
from pipelines.extracts.delivery import sql_text

BB = "https://bluebutton.cms.gov/resources"
CARIN = "http://hl7.org/fhir/us/carin-bb"
PROFILE = f"{CARIN}/StructureDefinition/C4BB-ExplanationOfBenefit"
# About so many diagnoses (or lines) are put together at once; that is some 150 MB of text.
ROWS_AT_ONCE = 100_000
# A character that no text holds: each line is one resource as it stands.
SEPARATOR = "\x01"
TABLES = ("claims", "claim_lines", "claim_diagnoses")
CARRIED = ("beneficiaries", "beneficiary_xref", "enrollment_months", *TABLES)


def write(extracts: Path, out: Path, *, received: date, memory_limit: str = "2GB") -> dict[str, int]:
    """Write Patient, Coverage and ExplanationOfBenefit files into `out`; resources by kind.

    `extracts` holds `<table>.parquet` (or `<table>-*.parquet`) of the contract. Every resource about coverage
    and claims is dated `received`, a person by the day that the row describes; statements about one claim are
    a second apart. Claims are put together a part at a time, so memory does not grow with their number.
    A table that `extracts` lacks is empty. ValueError: it has none of those that are written.
    """
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        with duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(scratch)}) as con:
            con.execute("set preserve_insertion_order = false")
            found = {table: _files(extracts, table) for table in CARRIED}
            if not any(found.values()):
                raise ValueError(f"{extracts} holds no table that FHIR carries: {', '.join(CARRIED)}")
            for table, files in found.items():
                con.execute(f"create view {table} as select * from {files or _empty(table)}")
            return {
                "Patient": _write_lines(con, _patients(received), out / "Patient.ndjson"),
                "Coverage": _write_lines(con, _covers(received), out / "Coverage.ndjson"),
                "ExplanationOfBenefit": _write_claims(con, out, scratch, received),
            }
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def rewrite(extracts: Path, *, received: date) -> dict[str, int]:
    """Turn a folder of contract tables into FHIR; what FHIR does not carry moves to its folder `practice`.

    A folder with nothing for FHIR (a month in which only practices sent something) stays as it is.
    """
    if not any(_files(extracts, table) for table in CARRIED):
        return {}
    written = write(extracts, extracts, received=received)
    rest = extracts / "practice"
    rest.mkdir()
    for path in sorted(extracts.glob("*.parquet")):
        if path.stem in CARRIED:
            path.unlink()
        else:
            path.rename(rest / path.name)
    return written


def _files(extracts: Path, table: str) -> str:
    """SQL for the files of `table`; empty text where there are none."""
    found = sorted((*extracts.glob(f"{table}.parquet"), *extracts.glob(f"{table}-*.parquet")))
    listed = ", ".join(sql_text(glob.escape(str(path))) for path in found)
    return f"read_parquet([{listed}])" if found else ""


def _empty(table: str) -> str:
    columns = ", ".join(
        f'null::{column.duckdb_type} as "{column.name}"' for column in load_contracts()[table].columns
    )
    return f"(select {columns} where false)"


def _write_lines(con: duckdb.DuckDBPyConnection, select: str, target: Path) -> int:
    """Write `select` of (place, resource) in order of place, one resource a line, without empty parts.

    Every part that may be empty follows one that is not (or is required), so that a comma goes with it.
    """
    (rows,) = con.execute(f"""
        copy (
            select regexp_replace(to_json(resource)::varchar, ',"[A-Za-z]+":(null|\\[\\])', '', 'g')
            from ({select}) order by place
        ) to {sql_text(str(target))} (format csv, header false, quote '', escape '', delimiter '{SEPARATOR}')""").fetchall()[0]
    return int(rows)


def _write_claims(con: duckdb.DuckDBPyConnection, out: Path, scratch: Path, received: date) -> int:
    """All claims in order of their identifier, a range of identifiers at a time and a file each."""
    largest = max(_count(con, table) for table in ("claims", "claim_lines", "claim_diagnoses"))
    parts = -(-largest // ROWS_AT_ONCE) or 1
    if parts == 1:
        return _write_lines(con, _claims(received), out / "ExplanationOfBenefit.ndjson")
    bounds = _sort_by_claim(con, scratch, parts)
    written = 0
    for part, (first, last) in enumerate(zip([None, *bounds], [*bounds, None], strict=True), 1):
        within = " and ".join(
            f"claim_id {sign} {sql_text(bound)}"
            for sign, bound in ((">=", first), ("<", last))
            if bound is not None
        )
        for table in TABLES:
            con.execute(f"""
                create or replace view {table} as
                select * from read_parquet({sql_text(str(scratch / table))}) where {within}""")
        target = out / f"ExplanationOfBenefit-{part:0{len(str(parts))}}.ndjson"
        written += _write_lines(con, _claims(received), target)
    return written


def _sort_by_claim(con: duckdb.DuckDBPyConnection, scratch: Path, parts: int) -> list[str]:
    """Sort the tables by claim into `scratch`, so that a range of claims is read alone; bounds of the ranges."""
    con.execute("set preserve_insertion_order = true")
    for table in TABLES:
        con.execute(f"""
            copy (select * from {table} order by claim_id)
            to {sql_text(str(scratch / table))} (format parquet, row_group_size 20480)""")
    con.execute("set preserve_insertion_order = false")
    claims = _count(con, "claims")
    rows = [claims * part // parts for part in range(1, parts)]
    found = con.execute(
        f"""select distinct claim_id
            from read_parquet({sql_text(str(scratch / "claims"))}, file_row_number = true)
            where file_row_number in (select unnest(?::bigint[])) order by claim_id""",
        [rows],
    ).fetchall()
    return [str(claim) for (claim,) in found]


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])


def _concept(system: str, code: str) -> str:
    return f"{{'coding': [{{'system': '{system}', 'code': {code}}}]}}"


def _extension(name: str, code: str) -> str:
    """An extension of the payer, or null where it has no code."""
    url = f"{BB}/variables/{name}"
    coding = f"{{'url': '{url}', 'valueCoding': {{'system': '{url}', 'code': {code}}}}}"
    return f"case when {code} is not null then {coding} end"


def _given(parts: list[str]) -> str:
    """The list of `parts` without those that are null."""
    return f"list_filter([{', '.join(parts)}], lambda part: part is not null)"


def _patients(received: date) -> str:
    """People by the day of their description; one whose number alone changed is named without description."""
    names = """(
        select current_beneficiary_id as beneficiary_id,
               list({'system': 'http://hl7.org/fhir/sid/us-mbi', 'value': previous_beneficiary_id,
                     'period': {'start': effective_date, 'end': obsolete_date}}
                    order by previous_beneficiary_id) as numbers
        from beneficiary_xref group by current_beneficiary_id)"""
    race = "case when race_ethnicity_source = 'rti' then race_ethnicity_code end"
    other_race = "case when race_ethnicity_source is distinct from 'rti' then race_ethnicity_code end"
    return f"""
        select (beneficiary_id, reference_date) as place, {{
            'resourceType': 'Patient', 'id': beneficiary_id,
            'meta': {{'lastUpdated': coalesce(reference_date, date '{received}') || 'T00:00:00Z'}},
            'identifier': numbers,
            'extension': {_given([_extension("rti_race_cd", race), _extension("race", other_race)])},
            'gender': sex, 'birthDate': birth_date, 'deceasedDateTime': death_date,
            'address': [{{'country': 'US', 'state': state_code, 'postalCode': zip_code,
                         'district': county_fips_code}}]}} as resource
        from beneficiaries full join {names} using (beneficiary_id)"""


def _covers(received: date) -> str:
    parts = """case when has_part_a and has_part_b then '3' when has_part_a then '1' when has_part_b then '2'
                    when has_part_a is not null or has_part_b is not null then '0' end"""
    plan = "case is_medicare_advantage when true then '1' when false then '0' end"
    coding = "{{'url': '{0}' || month, 'valueCoding': {{'system': '{0}' || month, 'code': {1}}}}}"
    flags = ", ".join(
        f"list({coding.format(f'{BB}/variables/{name}', code)} order by month) filter ({code} is not null)"
        for name, code in (("buyin", "parts"), ("hmo_ind_", "plan"), ("dual_", "dual"))
    )
    esrd = "case has_esrd when true then 'Y' when false then '0' end"
    return f"""
        select (beneficiary_id, year) as place, {{
            'resourceType': 'Coverage', 'id': 'part-b-' || beneficiary_id || '-' || year,
            'meta': {{'lastUpdated': '{received}T00:00:00Z'}}, 'status': 'active',
            'type': {_concept("Medicare", "'Part B'")},
            'beneficiary': {{'reference': 'Patient/' || beneficiary_id}},
            'extension': list_concat(
                [{{'url': '{BB}/variables/rfrnc_yr', 'valueDate': year, 'valueCoding': null}}],
                list_transform(
                    list_concat({
        _given(
            [_extension("ms_cd", "status"), _extension("orec", "entitlement"), _extension("esrd_ind", esrd)]
        )
    }, {flags}),
                    lambda e: {{'url': e.url, 'valueDate': null, 'valueCoding': e.valueCoding}}))}} as resource
        from (
            select beneficiary_id, year, month, parts, plan, dual,
                   max_by(status_code, month) over (partition by beneficiary_id, year) as status
            from (
                select beneficiary_id, left(service_month::varchar, 4) as year,
                       substr(service_month::varchar, 6, 2) as month, {parts} as parts, {plan} as plan,
                       dual_status_code as dual, medicare_status_code as status_code
                from enrollment_months
            )
        )
        left join (
            select beneficiary_id, max_by(original_entitlement_code, reference_date) as entitlement,
                   max_by(has_esrd, reference_date) as has_esrd
            from beneficiaries group by beneficiary_id
        ) using (beneficiary_id)
        group by beneficiary_id, year, status, entitlement, has_esrd"""


def _money(name: str, also: str, value: str) -> str:
    systems = f"""[{{'system': '{CARIN}/CodeSystem/C4BBAdjudication', 'code': '{also}'}},
                   {{'system': '{BB}/codesystem/adjudication', 'code': '{BB}/variables/{name}'}}]"""
    category = f"{{'coding': {systems}}}"
    return f"""case when {value} is not null then
        {{'category': {category}, 'amount': {{'currency': 'USD', 'value': {value}}}}} end"""


def _items() -> str:
    """Lines of each claim statement: items and the care team that they point to."""
    amounts = [
        _money("line_alowd_chrg_amt", "eligible", "allowed_usd"),
        _money("line_nch_pmt_amt", "benefit", "paid_usd"),
        _money("line_bene_ptb_ddctbl_amt", "deductible", "deductible_usd"),
        _money("line_coinsrnc_amt", "coinsurance", "coinsurance_usd"),
    ]
    hcpcs = f"{BB}/codesystem/hcpcs"
    place = _concept(f"{BB}/variables/line_place_of_srvc_cd", "place_of_service_code")
    tin = f"""case when billing_tin is not null then
        {{'url': '{BB}/variables/tax_num', 'valueIdentifier': {{'value': billing_tin}}}} end"""
    codes = _given(
        [_extension("line_prcsg_ind_cd", "processing_indicator_code"), _extension("betos_cd", "betos_code")]
    )
    empty_id = 'null::struct("value" varchar)'
    return f"""(
        select claim_id, claim_version, list({{
                   'sequence': line_number,
                   'careTeamSequence': case when has_member then [line_number] else [] end,
                   'diagnosisSequence': coalesce(pointers, []),
                   'revenue': case when revenue_center_code is not null
                              then {_concept(f"{BB}/variables/rev_cntr", "revenue_center_code")} end,
                   'productOrService': {{'coding': case when hcpcs_code is not null
                       then [{{'system': '{hcpcs}', 'code': hcpcs_code}}]
                       else [{{'system': 'http://terminology.hl7.org/CodeSystem/data-absent-reason',
                              'code': 'not-applicable'}}] end}},
                   'modifier': list_transform(
                       list_filter([modifier_1, modifier_2], lambda m: m is not null),
                       lambda m: {_concept(hcpcs, "m")}),
                   'servicedPeriod': {{'start': from_date, 'end': through_date}},
                   'locationCodeableConcept': case when place_of_service_code is not null then {place} end,
                   'quantity': case when units is not null then {{'value': units}} end,
                   'adjudication': {_given(amounts)},
                   'extension': list_concat(
                       list_transform({codes}, lambda e: {{
                           'url': e.url, 'valueCoding': e.valueCoding, 'valueIdentifier': {empty_id}}}),
                       list_transform({_given([tin])}, lambda e: {{
                           'url': e.url, 'valueCoding': null, 'valueIdentifier': e.valueIdentifier}}))
               }} order by line_number) as items,
               list({{
                   'sequence': line_number,
                   'provider': case when rendering_npi is not null then {{'identifier': {{
                       'type': {_concept(f"{CARIN}/CodeSystem/C4BBIdentifierType", "'npi'")},
                       'value': rendering_npi}}}} end,
                   'role': {_concept(f"{CARIN}/CodeSystem/C4BBClaimCareTeamRole", "'performing'")},
                   'qualification': case when provider_specialty_code is not null
                       then {_concept(f"{BB}/variables/prvdr_spclty", "provider_specialty_code")} end
               }} order by line_number) filter (has_member) as team
        from (
            select *, rendering_npi is not null or provider_specialty_code is not null as has_member
            from claim_lines
        )
        left join pointers using (claim_id, claim_version, line_number)
        group by claim_id, claim_version)"""


def _claims(received: date) -> str:
    """One resource a claim statement; diagnoses of lines are pointers to those of the header.

    A line's diagnosis that the header lacks is listed behind the header's, typed as the line's own.
    """
    kind = "case when claim_type in ('carrier', 'dme') then 'professional' else 'institutional' end"
    bill_length = "length(bill_type_code)"
    separate = f"{bill_length} between 2 and 3"
    identifiers = f"""[
        case when claim_id is not null then {{'system': '{BB}/variables/clm_id', 'value': claim_id}} end,
        case when claim_group_id is not null
             then {{'system': '{BB}/identifier/claim-group', 'value': claim_group_id}} end]"""
    numbers = ", ".join(
        f"case when {column} is not null then {{'type': {_concept(f'{CARIN}/CodeSystem/C4BBIdentifierType', repr(code))}, 'value': {column}}} end"
        for code, column in (("PRN", "facility_ccn"), ("npi", "billing_npi"), ("tax", "billing_tin"))
    )
    information = ", ".join(
        f"case when {given} then {{'category': {_concept(f'{CARIN}/CodeSystem/C4BBSupportingInfoType', repr(name))}, "
        f"'code': {code}, 'timingDate': {day}, 'timingPeriod': {period}}} end"
        for name, given, code, day, period in (
            (
                "admissionperiod",
                "coalesce(admission_date, discharge_date) is not null",
                "null",
                "null",
                "{'start': admission_date, 'end': discharge_date}",
            ),
            (
                "discharge-status",
                "discharge_status_code is not null",
                _concept(f"{BB}/variables/ptnt_dschrg_stus_cd", "discharge_status_code"),
                "null",
                "null",
            ),
            (
                "typeofbill",
                f"{separate} and {bill_length} = 3 or {bill_length} > 3",
                f"""{{'coding': [{{
                    'system': case when {separate} then '{BB}/variables/clm_freq_cd'
                                   else 'https://www.nubc.org/CodeSystem/TypeOfBill' end,
                    'code': case when {separate} then substr(bill_type_code, 3) else bill_type_code end}}]}}""",
                "null",
                "null",
            ),
            ("clmrecvddate", "processed_date is not null", "null", "processed_date", "null"),
        )
    )
    denied = _given(
        [
            _extension(
                "carr_clm_pmt_dnl_cd",
                "case when claim_type in ('carrier', 'dme') and is_denied is not null "
                "then case when is_denied then '0' else '1' end end",
            ),
            _extension(
                "clm_mdcr_non_pmt_rsn_cd",
                "case when claim_type not in ('carrier', 'dme') and is_denied then 'N' end",
            ),
            _extension(
                "clm_srvc_clsfctn_type_cd", f"case when {separate} then substr(bill_type_code, 2, 1) end"
            ),
        ]
    )
    return f"""
        with header_slots as (
            select *, case role when 'principal' then position when 'other' then position
                                when 'admitting' then 100 + position when 'external' then 200 + position
                                else 300 + position end as sequence
            from claim_diagnoses where line_number = 0
        ),
        line_slots as (
            select lines.claim_id, lines.claim_version, lines.line_number, lines.position,
                   lines.diagnosis_code, lines.icd_version, min(header.sequence) as header_sequence,
                   1000 + lines.line_number * 10 + lines.position as own_sequence
            from claim_diagnoses as lines
            left join header_slots as header
                on lines.claim_id = header.claim_id and lines.claim_version = header.claim_version
                and lines.diagnosis_code = header.diagnosis_code and lines.icd_version = header.icd_version
            where lines.line_number > 0
            group by all
        ),
        pointers as (
            select claim_id, claim_version, line_number,
                   list(coalesce(header_sequence, own_sequence) order by position) as pointers
            from line_slots group by claim_id, claim_version, line_number
        ),
        diagnoses as (
            select claim_id, claim_version, list({{
                       'sequence': sequence,
                       'diagnosisCodeableConcept': {{'coding': [{{
                           'system': 'http://hl7.org/fhir/sid/' || case icd_version when 9 then 'icd-9-cm'
                                                                        else 'icd-10-cm' end,
                           'code': diagnosis_code}}]}},
                       'type': [{_concept(f"{CARIN}/CodeSystem/C4BBClaimDiagnosisType", "type")}]
                   }} order by sequence) as slots
            from (
                select claim_id, claim_version, sequence, diagnosis_code, icd_version,
                       case role when 'external' then 'externalcauseofinjury'
                                 when 'reason' then 'patientreasonforvisit' else role end as type
                from header_slots
                union all
                select claim_id, claim_version, own_sequence, diagnosis_code, icd_version, 'line'
                from line_slots where header_sequence is null
            )
            group by claim_id, claim_version
        )
        select (claims.claim_id, claims.claim_version) as place, {{
            'resourceType': 'ExplanationOfBenefit', 'id': claim_type || '-' || claims.claim_id,
            'meta': {{
                'lastUpdated': strftime(timestamp '{received}' + to_seconds(claims.claim_version),
                                        '%Y-%m-%dT%H:%M:%SZ'),
                'profile': ['{PROFILE}-' || upper({kind}[1]) || {kind}[2:]]}},
            'contained': case when coalesce(facility_ccn, billing_npi, billing_tin) is not null then [{{
                'resourceType': 'Organization', 'id': 'provider-org', 'identifier': {
        _given([numbers])
    }}}] end,
            'extension': {denied},
            'identifier': list_filter({identifiers}, lambda i: i is not null),
            'status': case action when 'cancellation' then 'cancelled' else 'active' end,
            'type': {{'coding': list_filter([
                case when nch_claim_type_code is not null then
                    {{'system': '{BB}/variables/nch_clm_type_cd', 'code': nch_claim_type_code}} end,
                {{'system': '{BB}/codesystem/eob-type', 'code': upper(claim_type)}},
                {{'system': 'http://terminology.hl7.org/CodeSystem/claim-type', 'code': {kind}}}],
                lambda c: c is not null)}},
            'use': 'claim',
            'patient': {{'reference': 'Patient/' || beneficiary_id}},
            'billablePeriod': {{'start': from_date, 'end': through_date}},
            'created': '{received}',
            'facility': case when {separate} then
                {{'extension': {_given([_extension("clm_fac_type_cd", "left(bill_type_code, 1)")])}}} end,
            'related': case when adjusted_claim_id is not null then [{{
                'relationship': {
        _concept("http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship", "'prior'")
    },
                'reference': {{'value': adjusted_claim_id}}}}] end,
            'outcome': 'complete',
            'careTeam': team,
            'supportingInfo': list_transform({_given([information])}, lambda fact, place: {{
                'sequence': place, 'category': fact.category, 'code': fact.code,
                'timingDate': fact.timingDate, 'timingPeriod': fact.timingPeriod}}),
            'diagnosis': slots,
            'insurance': [{{'focal': true, 'coverage': {{'reference': 'Coverage/part-b-' || beneficiary_id}}}}],
            'item': items,
            'payment': case when paid_usd is not null then {{'amount': {{
                'currency': 'USD', 'value': paid_usd}}}} end}} as resource
        from claims
        left join {_items()} as lines using (claim_id, claim_version)
        left join diagnoses using (claim_id, claim_version)"""
