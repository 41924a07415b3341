"""What may be published of a restatement: counts with small ones hidden, and figures that both publications show.

A count of 1 to the limit is hidden. Months and reasons are counted under the same effects, so an effect's total can be had from
either table: where one of them could tell a hidden count through it, the smallest other count of that effect is hidden as well, and
where there is none, everything about the effect is. Figures before and now are each compared as they stand on the pages, and never differ by
1 to the limit of people.
"""

from __future__ import annotations

from datetime import date

import duckdb

# One way of counting a table each: name -> the column beside the effect, and the count's name.
COUNTED = {
    "rpt_restatement_by_reason": ("main_reason", "person_months"),
    "rpt_restatement_by_month": ("service_month", "people"),
}

_CELLS = """
    create or replace temp table {table}_cells as
    with cells as (
        select {column}, effect, count(*) as counted from reports.restated_months group by all
    ),

    marked as (
        select
            *,
            counted <= $limit as is_small,
            count(*) filter (where counted <= $limit) over line as hidden_cells,
            coalesce(sum(counted) filter (where counted <= $limit) over line, 0) as hidden_sum,
            count(*) filter (where counted > $limit) over line as others,
            row_number() over (partition by effect, counted > $limit order by counted, {column}) as place
        from cells
        window line as (partition by effect)
    ),

    judged as (
        select
            *,
            hidden_cells > 0 and hidden_sum - (hidden_cells - 1) <= $limit as needs_partner
        from marked
    )

    select
        {column}, effect, counted,
        is_small or (needs_partner and not is_small and place = 1) as is_suppressed,
        needs_partner and others = 0 as hides_effect
    from judged
"""


def publish(
    con: duckdb.DuckDBPyConnection, *, compared_with: tuple[date, date] | None, limit: int, new_deliveries: int,
    policy_changed: bool, models_changed: bool,
) -> None:  # fmt: skip
    """Write the four tables of the restatement page from `reports.restated_months`.

    `compared_with`: `as_of` and last month of the publication before, None where there is none to compare with; then `con` has it
    attached as `before`. `limit`: the largest count that may not be shown.
    """
    for table, (column, _) in COUNTED.items():
        con.execute(_CELLS.format(table=table, column=column), {"limit": limit})
    con.execute(
        "create or replace temp table hidden_effects as "
        + " union ".join(f"select effect from {table}_cells where hides_effect" for table in COUNTED)
    )
    for table, (column, count) in COUNTED.items():
        con.execute(
            f"create or replace table reports.{table} as"
            f" select {column}, effect, case when not hidden then counted end as {count}, hidden as is_suppressed"
            f" from (select *, is_suppressed or effect in (from hidden_effects) as hidden from {table}_cells)"
            " order by all"
        )
    as_of, through = compared_with or (None, None)
    con.execute(
        """
        create or replace table reports.rpt_restatement as
        with counted as (
            select count(*) as person_months, count(distinct beneficiary_id) as people,
                (select count(*) from hidden_effects) as hidden_effects
            from reports.restated_months
        ),

        judged as (
            select *,
                hidden_effects = 0 and (person_months = 0 or person_months > $limit) as shows_months,
                people = 0 or people > $limit as shows_people
            from counted
        )

        select
            $is_compared::boolean as is_compared, $as_of::date as published_as_of, $through::date as published_through,
            $new_deliveries::bigint as new_deliveries, $policy::boolean as is_policy_changed, $models::boolean as is_model_changed,
            case when shows_months then person_months end as person_months,
            case when shows_months and shows_people and (people = person_months or person_months - people > $limit)
                then people end as people
        from judged""",
        {
            "limit": limit, "is_compared": compared_with is not None, "as_of": as_of, "through": through,
            "new_deliveries": new_deliveries, "policy": policy_changed, "models": models_changed,
        },
    )  # fmt: skip
    _figures(con, limit=limit, is_compared=compared_with is not None)


def _figures(con: duckdb.DuckDBPyConnection, *, limit: int, is_compared: bool) -> None:
    """Published figures before and now: people and gap by month and state, findings by rule, measures of reach.

    What stands on the pages now is compared with what stood there before. A figure that this run holds back stands there as it was
    published (`held_from`); a change by 1 to `limit`, which only publications without memory of each other can show, is hidden.
    """
    earlier = "before.reports" if is_compared else "reports"
    only = "" if is_compared else "where false"
    con.execute(f"""
        create or replace table reports.rpt_restated_capture as
        with compared as (
            select
                service_month, now.state_order, state, now.held_from, now.gap_usd, earlier.gap_usd as gap_usd_before,
                now.people, earlier.people as people_before,
                now.is_suppressed or earlier.is_suppressed as is_hidden,
                coalesce(abs(now.people - earlier.people) between 1 and {limit}, false) as changed_little
            from reports.rpt_capture_by_month as now
            inner join {earlier}.rpt_capture_by_month as earlier using (service_month, state)
            {only}
        )

        select
            service_month, state_order, state, people_before, case when not changed_little then people end as people_after,
            gap_usd_before, case when not changed_little then gap_usd end as gap_usd_after,
            is_hidden or changed_little as is_suppressed, held_from
        from compared
        order by service_month, state_order""")
    con.execute(f"""
        create or replace table reports.rpt_restated_findings as
        with compared as (
            select
                rule_id, now.title, status, now.held_from, now.amount_usd, earlier.amount_usd as amount_usd_before,
                now.subjects, earlier.subjects as subjects_before,
                now.is_suppressed or earlier.is_suppressed as is_hidden,
                coalesce(abs(now.subjects - earlier.subjects) between 1 and {limit}, false) as changed_little
            from reports.rpt_flags_by_rule as now
            inner join {earlier}.rpt_flags_by_rule as earlier using (rule_id, status)
            {only}
        )

        select
            rule_id, title, status, subjects_before, case when not changed_little then subjects end as subjects_after,
            amount_usd_before, case when not changed_little then amount_usd end as amount_usd_after,
            is_hidden or changed_little as is_suppressed, held_from
        from compared
        order by rule_id, status""")
    con.execute(f"""
        create or replace table reports.rpt_restated_measures as
        with compared as (
            select
                measure, period, group_kind, group_value, now.rate, earlier.rate as rate_before,
                now.denominator, earlier.denominator as denominator_before,
                now.is_suppressed or earlier.is_suppressed as is_hidden,
                coalesce(
                    abs(now.denominator - earlier.denominator) between 1 and {limit}
                    or abs(now.numerator - earlier.numerator) between 1 and {limit},
                    false
                ) as changed_little
            from reports.disparity_measures as now
            inner join {earlier}.disparity_measures as earlier using (measure, period, group_kind, group_value)
            {only}
        )

        select
            measure, period, group_kind, group_value, denominator_before,
            case when not changed_little then denominator end as denominator_after, rate_before,
            case when not changed_little then rate end as rate_after, is_hidden or changed_little as is_suppressed
        from compared
        order by measure, period, group_kind, group_value""")
