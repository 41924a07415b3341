"""A simulated folder opened for reading: final action and identifiers resolved a second time, on purpose.

Nothing is borrowed from the warehouse, so that either can check the other.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

from pipelines.simulate.parameters import load
from pipelines.simulate.policy import day_number
from pipelines.simulate.policy_conditions import counted_conditions, written_codes


def open_population(folder: Path, parameters: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Views over a simulated folder: the contract tables, `truth_<name>`, `people_ids`, `final_claims`,
    `final_lines` (identifiers resolved, final action, copies dropped) and `codes` (code to condition).
    """
    con = duckdb.connect()
    for path in sorted((folder / "extracts").glob("*.parquet")):
        con.execute(f"create view {path.stem} as select * from '{path}'")
    for path in sorted((folder / "truth").glob("*.parquet")):
        con.execute(f"create view truth_{path.stem} as select * from '{path}'")
    settings = load(parameters)
    conditions = settings["conditions"]
    counted = counted_conditions(settings, np.array([day_number(settings["window"]["last_month"])]))[0]
    con.execute("create table codes (condition varchar, code varchar, one_claim boolean, counted boolean)")
    con.executemany(
        "insert into codes values (?, ?, ?, ?)",
        [
            (item["name"], code, item.get("one_claim", False), bool(counts))
            for item, counts in zip(conditions["list"], counted, strict=True)
            for code in sorted({code for _, code in written_codes(conditions, item)})
        ],
    )
    con.execute("""
        create table people_ids as
        select distinct b.beneficiary_id as delivered_id,
               coalesce(x.current_beneficiary_id, b.beneficiary_id) as beneficiary_id
        from beneficiaries b left join beneficiary_xref x on x.previous_beneficiary_id = b.beneficiary_id;
        create table final_claims as
        with newest as (
            select * from claims where from_date > date '1900-01-01'
            qualify row_number() over (partition by claim_id order by claim_version desc) = 1
        ),
        gone as (select adjusted_claim_id from newest where adjusted_claim_id is not null)
        select n.* exclude (beneficiary_id), i.beneficiary_id
        from newest n join people_ids i on i.delivered_id = n.beneficiary_id
        where n.action <> 'cancellation' and n.claim_id not in (select * from gone);
        create table final_lines as
        select distinct l.*, c.beneficiary_id, c.claim_type,
               date_trunc('month', l.from_date)::date as service_month
        from claim_lines l join final_claims c using (claim_id, claim_version)
    """)
    return con
