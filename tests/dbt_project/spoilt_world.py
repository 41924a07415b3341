"""A simulated delivery whose records go wrong in every way that keeps a supported month from being billed."""

from __future__ import annotations

from pathlib import Path

import duckdb

# Services that exclude CCM in the month, or that CCM's minutes may not share: paid beside recorded months.
BESIDE = ("G0181", "90960", "G2064", "99424", "G0556", "99495", "G0506", "99490")


def _tenth(column: str, salt: str) -> str:
    """A tenth from 0 to 9 that depends on the identifier alone."""
    return f"cast(hash({column} || '{salt}') % 10 as integer)"


SPOILT = {
    # taken away, too late, of another practitioner, withdrawn early
    "consents": f"""
        select * replace (
            case when {_tenth("consent_id", "c")} = 1 then consent_date + 25 else consent_date end as consent_date,
            case when {_tenth("consent_id", "c")} = 2 then '1999999992' else practitioner_npi end as practitioner_npi,
            case when {_tenth("consent_id", "c")} = 3 then consent_date + 70 else
                case when {_tenth("consent_id", "c")} = 1 then null else revoked_date end end as revoked_date)
        from source where {_tenth("consent_id", "c")} != 0""",
    # taken away, never given, old
    "care_plans": f"""
        select * replace (
            case when {_tenth("care_plan_id", "p")} = 1 then null else given_to_patient_date end as given_to_patient_date,
            case when {_tenth("care_plan_id", "p")} = 2 then created_date - 900 else created_date end as created_date,
            case when {_tenth("care_plan_id", "p")} = 2 then null else last_revised_date end as last_revised_date)
        from source where {_tenth("beneficiary_id", "p")} != 0""",
    # of some people, many entries at the time of the month's first: some alike, some overlapping
    "care_management_time": f"""
        select * replace (
            case when {_tenth("beneficiary_id", "o")} < 2 and {_tenth("activity_id", "t")} < 4
                then min(started_at) over (partition by beneficiary_id, practitioner_npi, date_trunc('month', started_at))
                    + case when {_tenth("activity_id", "t")} < 2 then interval 0 minute
                        else to_minutes({_tenth("activity_id", "m")}) end
                else started_at end as started_at)
        from source""",
    "providers": f"""
        select * replace (case when {_tenth("npi", "s")} = 0 then '41' else specialty_code end as specialty_code)
        from source""",
    # people who were seen only in ways that begin nothing, and bills that were denied
    "claim_lines": f"""
        select * replace (
            case when hcpcs_code between '99202' and '99215' and {_tenth("people.beneficiary_id", "v")} = 0
                then '99211' else hcpcs_code end as hcpcs_code,
            is_denied or coalesce(hcpcs_code = '99490' and {_tenth("claim_id", "d")} = 0, false) as is_denied)
        from source left join (select distinct claim_id, beneficiary_id from claims) as people using (claim_id)""",
}


def spoil(extracts: Path, spoilt: Path) -> None:
    """Write the delivery of `extracts` again to `spoilt`, with faults in its records and paid services beside them."""
    spoilt.mkdir()
    with duckdb.connect() as con:
        for file in sorted(extracts.glob("*.parquet")):
            con.execute(f"create view {file.stem} as select * from '{file}'")
        for file in sorted(extracts.glob("*.parquet")):
            query = SPOILT.get(file.stem, "select * from source").replace("source", file.stem)
            if file.stem == "claim_lines":
                query = f"select columns(c -> c != 'beneficiary_id') from ({query})"
            con.execute(f"copy ({query}) to '{spoilt / file.name}' (format parquet)")
        codes = ", ".join(f"'{code}'" for code in BESIDE)
        # a third of the months of recorded time get a service beside it, by one of eight codes; the last is CCM by another
        con.execute(f"""
            create table beside as
            select
                'BESIDE' || lpad(cast(row_number() over (order by beneficiary_id, day) as varchar), 6, '0') as claim_id,
                beneficiary_id, day, practice_tin,
                [{codes}][1 + cast(hash(beneficiary_id || day) % {len(BESIDE)} as integer)] as code,
                case when code = '{BESIDE[-1]}' then '1999999992' else practitioner_npi end as npi
            from (
                select beneficiary_id, practice_tin, practitioner_npi, cast(max(started_at) as date) as day
                from care_management_time
                group by beneficiary_id, practice_tin, practitioner_npi, date_trunc('month', started_at)
            ) where hash(beneficiary_id || day || 'beside') % 3 = 0""")
        con.execute(f"""
            copy (
                select * from '{spoilt}/claims.parquet' union all by name
                select claim_id, 1 as claim_version, beneficiary_id, 'carrier' as claim_type, day as from_date,
                    day as through_date, npi as billing_npi, practice_tin as billing_tin, 'original' as action,
                    day as processed_date, false as is_denied
                from beside
            ) to '{spoilt}/all_claims.parquet' (format parquet)""")
        con.execute(f"""
            copy (
                select * from '{spoilt}/claim_lines.parquet' union all by name
                select claim_id, 1 as claim_version, 1 as line_number, day as from_date, day as through_date,
                    code as hcpcs_code, 1 as units, '11' as place_of_service_code, npi as rendering_npi,
                    practice_tin as billing_tin, 20 as paid_usd, 5 as coinsurance_usd, false as is_denied
                from beside
            ) to '{spoilt}/all_claim_lines.parquet' (format parquet)""")
    for name in ("claims", "claim_lines"):
        (spoilt / f"all_{name}.parquet").replace(spoilt / f"{name}.parquet")
