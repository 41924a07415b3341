"""Who is in a study, from the warehouse: users at their first month of CCM, and comparison people at a month drawn from the users'.

A comparison person's index month is drawn from the months of the users and kept where the person could have started then: eligible
the month before, observed, unexposed so far. Nothing after the index month decides who is in, but for the one observed month that a
follow-up needs, asked of both arms alike.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl

from pipelines.impact.people import BASELINE, Floats, People
from pipelines.impact.protocol import GROUPS, OUTCOMES, Protocol

# What a study reads; named so that an older warehouse is refused with a clear message.
READS = (
    "marts.fct_ccm_exposures",
    "marts.fct_ccm_adoptions",
    "marts.fct_observed_spans",
    "marts.fct_study_months",
    "marts.fct_outcome_months",
    "marts.fct_run_out_months",
)


@dataclass(frozen=True)
class Step:
    """People left in an arm after a condition."""

    arm: str
    step: str
    people: int


@dataclass(frozen=True)
class Cohort:
    """`people` in the order of `keys` (beneficiary and index month, never published); `endings` counts why follow-up ended."""

    people: People
    flow: list[Step]
    first_month: dt.date
    last_month: dt.date
    data_through: dt.date
    endings: dict[str, int]
    keys: pl.DataFrame


class NothingToStudy(Exception):
    """No user or no comparison person is left; str() says at which step."""


def months_between(later: str, earlier: str) -> str:
    """SQL: whole calendar months from one first-of-month to another."""
    return f"date_diff('month', {earlier}, {later})"


def build(con: duckdb.DuckDBPyConnection, protocol: Protocol) -> Cohort:
    """The cohort of a protocol. `con` is read-only; temporary tables of the connection are made."""
    through = _last_complete_month(con)
    # Only at an eligible month can anybody enter, so the rest of the view is not kept.
    con.execute(
        "create or replace temp table eligible_months as select * from marts.fct_study_months where is_eligible"
    )
    _users(con, protocol, through)
    _drawn(con, protocol, through)
    flow = [*_flow(con, "users", "candidates"), *_flow(con, "comparison", "drawn")]
    for step in flow:
        if not step.people:
            raise NothingToStudy(f"no {step.arm} left at: {step.step}")
    _members(con, protocol)
    return _collect(con, protocol, flow, through)


def _last_complete_month(con: duckdb.DuckDBPyConnection) -> dt.date:
    """Last service month whose claims have run out, or the last of all where no month can be told to have."""
    row = con.execute("""
        select coalesce(max(service_month) filter (where run_out_state = 'complete'), max(service_month))
        from marts.fct_run_out_months
    """).fetchone()
    if row is None or row[0] is None:
        raise NothingToStudy("no month of claims in the warehouse")
    found: dt.date = row[0]
    return found


def _conditions(protocol: Protocol) -> list[tuple[str, str]]:
    """What an entry must meet at its index month, in order: (says, SQL over the entry's row)."""
    before = protocol.observed_months_before
    found = [
        (
            f"fee-for-service Parts A and B observed in the {before} months before and in the index month",
            f"span_first <= index_month - interval {before} month",
        ),
        ("eligible for CCM in the month before", "is_eligible"),
    ]
    if protocol.exclude_hospice:
        found.append(("no hospice election in the month before", "not coalesce(has_hospice_election, false)"))
    found.append(("seen by a practice or billed by one", "practice is not null"))
    found.append(("observed in the month after the index month", "last_followed > index_month"))
    return found


def _entries(
    con: duckdb.DuckDBPyConnection, table: str, source: str, practice: str, through: dt.date
) -> None:
    """Temporary `table`: the `source` rows (beneficiary_id, index_month, ...) with all that conditions ask about."""
    con.execute(f"""
        create or replace temp table {table} as
        select entries.*, spans.first_month as span_first, spans.ended_by,
               least(spans.last_month, date '{through}') as last_followed,
               months.is_eligible, months.has_hospice_election, months.condition_count, months.stay_days,
               {practice} as practice, {", ".join(f"months.{name}" for name in GROUPS)}
        from ({source}) as entries
        left join marts.fct_observed_spans as spans
          on entries.beneficiary_id = spans.beneficiary_id
          and entries.index_month between spans.first_month and spans.last_month
        left join eligible_months as months
          on entries.beneficiary_id = months.beneficiary_id
          and months.service_month = cast(entries.index_month - interval 1 month as date)
    """)


def _users(con: duckdb.DuckDBPyConnection, protocol: Protocol, through: dt.date) -> None:
    first = protocol.first_index_month or dt.date(1900, 1, 1)
    last = min(protocol.last_index_month or through, through)
    _entries(
        con,
        "candidates",
        f"""select beneficiary_id, first_paid_month as index_month, first_practice_tin as billing_practice,
                   first_paid_month between date '{first}' and date '{last}' as is_in_period
            from marts.fct_ccm_exposures""",
        "coalesce(billing_practice, months.practice_id)",
        through,
    )
    _rank(
        con,
        "candidates",
        [("first month of CCM within the study's period", "is_in_period"), *_conditions(protocol)],
    )


def _drawn(con: duckdb.DuckDBPyConnection, protocol: Protocol, through: dt.date) -> None:
    """Comparison people: each draws a month by a hash of the identifier, so that neither row order nor chance decides."""
    source = f"""
        with users as (
            select index_month, count(*) as people from candidates where passed = (select max(passed) from candidates)
            group by index_month
        ),
        shares as (
            select index_month,
                   (sum(people) over (order by index_month) - people) / sum(people) over () as low,
                   sum(people) over (order by index_month) / sum(people) over () as high
            from users
        ),
        tickets as (
            select distinct people.beneficiary_id, draw.number as draw,
                   (md5_number_lower(concat(people.beneficiary_id, '|{protocol.seed}|', draw.number)) % 1000000007) / 1000000007.0
                       as ticket
            from (select distinct beneficiary_id from marts.fct_observed_spans) as people
            cross join range({protocol.draws}) as draw(number)
        )
        select tickets.beneficiary_id, shares.index_month, min(tickets.ticket) as ticket,
               coalesce(bool_and(exposures.first_paid_month is null or exposures.first_paid_month > shares.index_month), true)
                   as is_unexposed
        from tickets
        inner join shares on tickets.ticket >= shares.low and tickets.ticket < shares.high
        left join marts.fct_ccm_exposures as exposures on tickets.beneficiary_id = exposures.beneficiary_id
        group by tickets.beneficiary_id, shares.index_month
    """
    _entries(con, "drawn", source, "months.practice_id", through)
    _rank(con, "drawn", [("no CCM up to the drawn month", "is_unexposed"), *_conditions(protocol)])


def _rank(con: duckdb.DuckDBPyConnection, table: str, conditions: list[tuple[str, str]]) -> None:
    """Add `passed`: how many conditions a row meets before the first that it does not; and a table of what they say."""
    cases = " ".join(f"when not coalesce({sql}, false) then {at}" for at, (_, sql) in enumerate(conditions))
    con.execute(f"""
        create or replace temp table {table} as
        select *, case {cases} else {len(conditions)} end as passed from {table}
    """)
    con.execute(f"create or replace temp table {table}_steps (number integer, says varchar)")
    con.executemany(
        f"insert into {table}_steps values (?, ?)",
        [(at + 1, says) for at, (says, _) in enumerate(conditions)],
    )


def _flow(con: duckdb.DuckDBPyConnection, arm: str, table: str) -> list[Step]:
    says = "people with a paid base bill of CCM" if arm == "users" else "people who drew an index month"
    steps = [(0, says), *con.execute(f"select number, says from {table}_steps order by number").fetchall()]
    rows = con.execute(f"select passed, beneficiary_id from {table}").pl()
    return [
        Step(arm, text, rows.filter(pl.col("passed") >= number)["beneficiary_id"].n_unique())
        for number, text in steps
    ]


def _members(con: duckdb.DuckDBPyConnection, protocol: Protocol) -> None:
    """Temporary `members`: users, and per index month and pool no more comparison people than the protocol asks for."""
    columns = f"beneficiary_id, index_month, last_followed, ended_by, condition_count, stay_days, practice, {', '.join(GROUPS)}"
    con.execute(f"""
        create or replace temp table members as
        with last_step as (select max(number) as number from candidates_steps),
        users as (
            select true as treated, {columns} from candidates, last_step where passed = last_step.number
        ),
        others as (
            select false as treated, {columns},
                   drawn.practice in (select practice_tin from marts.fct_ccm_adoptions) as is_adopting, ticket
            from drawn, last_step where passed = last_step.number
        ),
        limits as (select index_month, count(*) * {protocol.comparison_per_user} as most from users group by index_month),
        kept as (
            select others.* from others inner join limits using (index_month)
            qualify row_number() over (
                partition by index_month, is_adopting
                order by md5_number_lower(concat(beneficiary_id, '|{protocol.seed}|kept')), beneficiary_id
            ) <= limits.most
        ),
        both_arms as (
            select *, true as practice_adopts from users
            union all
            select * exclude (is_adopting, ticket), is_adopting as practice_adopts from kept
        )
        select row_number() over (order by treated desc, beneficiary_id, index_month) - 1 as row_number, both_arms.*
        from both_arms
    """)


def _collect(
    con: duckdb.DuckDBPyConnection, protocol: Protocol, flow: list[Step], through: dt.date
) -> Cohort:
    members = con.execute("select * from members order by row_number").pl()
    size, ahead = members.height, protocol.follow_up_months
    measured = [name for name in OUTCOMES if name != "total_less_ccm_usd"]
    rows = con.execute(f"""
        select members.row_number, {months_between("outcomes.service_month", "members.index_month")} as month,
               {", ".join(f"outcomes.{name}" for name in measured)}
        from members
        inner join marts.fct_outcome_months as outcomes
          on members.beneficiary_id = outcomes.beneficiary_id
          and outcomes.service_month between members.index_month - interval {BASELINE} month
              and least(members.last_followed, members.index_month + interval {ahead} month)
        where outcomes.service_month <> members.index_month
    """).pl()
    place, month = rows["row_number"].to_numpy(), rows["month"].to_numpy()
    early = month < 0
    before: dict[str, Floats] = {}
    after: dict[str, Floats] = {}
    for name in measured:
        values = rows[name].cast(pl.Float64).to_numpy()
        before[name] = np.zeros((size, BASELINE))
        after[name] = np.zeros((size, ahead))
        before[name][place[early], month[early] + BASELINE] = values[early]
        after[name][place[~early], month[~early] - 1] = values[~early]
    for side in (before, after):
        side["total_less_ccm_usd"] = side["total_usd"] - side["ccm_usd"]
    index = members["index_month"]
    followed = members.select(
        pl.min_horizontal(
            (pl.col("last_followed").dt.year() - pl.col("index_month").dt.year()) * 12
            + pl.col("last_followed").dt.month().cast(pl.Int32)
            - pl.col("index_month").dt.month().cast(pl.Int32),
            pl.lit(ahead),
        )
    ).to_series()
    ended = members.filter(followed < ahead)["ended_by"].value_counts()
    people = People(
        treated=members["treated"].to_numpy().astype(bool),
        practice=members["practice"].to_numpy().astype(str),
        index_month=(index.dt.year().cast(pl.Int64) * 12 + index.dt.month().cast(pl.Int64) - 1).to_numpy(),
        followed=followed.cast(pl.Int64).to_numpy(),
        before=before,
        after=after,
        groups={
            **{name: members[name].fill_null("unknown").to_numpy().astype(str) for name in GROUPS},
            "practice_adopts": np.where(members["practice_adopts"].to_numpy().astype(bool), "yes", "no"),
        },
        conditions=members["condition_count"].fill_null(0).cast(pl.Int64).to_numpy(),
        facts={"stay_days": members["stay_days"].fill_null(0).cast(pl.Float64).to_numpy()},
    )
    first, last = index.min(), index.max()
    if not isinstance(first, dt.date) or not isinstance(last, dt.date):
        raise NothingToStudy("nobody is left")
    return Cohort(
        people, flow, first, last, through,
        {str(row["ended_by"]): int(row["count"]) for row in ended.to_dicts()},
        members.select("beneficiary_id", "index_month"),
    )  # fmt: skip
