"""The counts that come with Research Identifiable Files, held against the claims that were delivered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipelines.extracts.delivery import sql_name, sql_text

PERSON = "BENE_ID"
SUFFIX = "_CLAIMS"


def disagreements(con: duckdb.DuckDBPyConnection, summary: Path, claims: Mapping[str, str]) -> list[str]:
    """What `summary` counts otherwise than the delivery, one line a kind of claim; empty where all agree.

    `claims`: kind of claim -> SQL that selects `beneficiary_id` and `claim_id` of its rows. A column of the
    summary whose kind is not among them is not looked at. The lines hold counts of people, never a person. A
    summary that cannot be read is one such line: it is no reason to stop a delivery.
    """
    try:
        con.execute(f"""
            create or replace temp table rif_summary as
            select * from read_csv({sql_text(str(summary))}, delim = ',', header = true, all_varchar = true)""")
        spelt = {
            row[0].strip().upper(): row[0] for row in con.execute("describe rif_summary").fetchall() if row[0]
        }
        if PERSON not in spelt:
            return [f"{summary.name}: cannot be compared with the claims; expected a column {PERSON}"]
        found = {
            kind: _people_who_differ(con, spelt[PERSON], spelt[column], rows)
            for kind, rows in claims.items()
            if (column := kind.upper() + SUFFIX) in spelt
        }
    except duckdb.Error:
        return [f"{summary.name}: cannot be compared with the claims; expected comma-separated text"]
    return [
        f"{summary.name}: {people} people have another number of {kind} claims than the delivery"
        for kind, people in found.items()
        if people
    ]


def _people_who_differ(con: duckdb.DuckDBPyConnection, person: str, count: str, rows: str) -> int:
    (found,) = con.execute(f"""
        with stated as (
            select trim({sql_name(person)}) as beneficiary_id,
                   sum(coalesce(try_cast({sql_name(count)} as bigint), -1)) as claims
            from rif_summary group by all
        ),
        delivered as (
            select beneficiary_id, count(distinct claim_id) as claims from ({rows}) group by all
        )
        select count(*) from stated full join delivered using (beneficiary_id)
        where coalesce(stated.claims, 0) <> coalesce(delivered.claims, 0)""").fetchall()
    return int(found[0])
