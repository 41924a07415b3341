"""Practices by quarter: what everybody eligible there costs, whether or not CCM reached them (intention to treat).

People belong to the practice that saw them when they were first eligible, for good, so that who is counted does not follow from CCM.
"""

from __future__ import annotations

import datetime as dt

import duckdb
import pandas as pd


def build(con: duckdb.DuckDBPyConnection, outcome: str, through: dt.date) -> pd.DataFrame:
    """unit, time (from 1), first (quarter in which adoption tells; 0: never), outcome (mean a person-month), people, person_months.

    `con` holds the `eligible_months` that `cohort.build` made. Practices without a person in some quarter are left out, and those that billed CCM before the second quarter.
    """
    value = "total_usd - ccm_usd" if outcome == "total_less_ccm_usd" else outcome
    frame = con.execute(f"""
        with assigned as (
            select beneficiary_id, min_by(practice_id, service_month) as practice, min(service_month) as since
            from eligible_months where practice_id is not null group by beneficiary_id
        ),
        months as (
            select assigned.practice, assigned.beneficiary_id,
                   unnest(generate_series(greatest(spans.first_month, assigned.since), least(spans.last_month, date '{through}'),
                                          interval 1 month))::date as service_month
            from assigned inner join marts.fct_observed_spans as spans using (beneficiary_id)
            where greatest(spans.first_month, assigned.since) <= least(spans.last_month, date '{through}')
        ),
        quarters as (
            select months.practice, date_trunc('quarter', months.service_month)::date as quarter,
                   sum(coalesce(outcomes.{value.replace(" - ", " - outcomes.")}, 0)) as total, count(*) as person_months,
                   count(distinct months.beneficiary_id) as people
            from months left join marts.fct_outcome_months as outcomes
              on months.beneficiary_id = outcomes.beneficiary_id and months.service_month = outcomes.service_month
            group by all
        ),
        bounds as (
            -- eligibility needs its look-back, so the first quarter with most of the people is the first of the panel
            select min(quarter) as first_quarter from (
                select quarter, sum(person_months) as here, max(sum(person_months)) over () as most from quarters group by quarter
            ) where here >= 0.5 * most
        ),
        counted as (
            select quarters.*, dense_rank() over (order by quarter) as time
            from quarters, bounds
            where quarter >= first_quarter and quarter + interval 3 month <= date '{through}' + interval 1 month
        ),
        adopted as (
            select practice_tin, date_trunc('quarter', first_paid_month + interval 1 month)::date as quarter from marts.fct_ccm_adoptions
        ),
        calendar as (select distinct quarter, time from counted)
        select counted.practice as unit, counted.time::bigint as time,
               case when adopted.quarter is null then 0
                    else coalesce((select time from calendar where calendar.quarter = adopted.quarter), 1)::bigint end as first,
               (counted.total / counted.person_months)::double as outcome, counted.people, counted.person_months
        from counted left join adopted on counted.practice = adopted.practice_tin
        order by unit, time
    """).df()
    if frame.empty:
        return frame
    whole = frame.groupby("unit")["time"].transform("size") == frame["time"].max()
    frame = frame[whole & ((frame["first"] == 0) | (frame["first"] > 1))].copy()
    # weights must not change within a practice: people at the start
    frame["weight"] = frame.groupby("unit")["people"].transform("first").astype(float)
    return frame


def people_by_arm(con: duckdb.DuckDBPyConnection, panel: pd.DataFrame) -> tuple[int, int]:
    """People assigned to practices that adopt, and to those that do not, among the practices of the panel."""
    units = panel.groupby("unit")["first"].first()
    con.register("panel_units", units.reset_index())
    rows = con.execute("""
        select count(*) filter (where units.first > 0), count(*) filter (where units.first = 0)
        from (
            select beneficiary_id, min_by(practice_id, service_month) as practice
            from eligible_months where practice_id is not null group by beneficiary_id
        ) as assigned inner join panel_units as units on assigned.practice = units.unit
    """).fetchone()
    con.unregister("panel_units")
    return (int(rows[0]), int(rows[1])) if rows else (0, 0)
