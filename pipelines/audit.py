"""The OIG's two CCM audits, asked of the user's own data: what an auditor would see, as text or JSON.

The tests are rows of the policy seed `oig_audit_tests`, computed in the model `oig_audit`; nothing is decided here. A user's own
view: counts of few people stand as they are, so nothing of it is for publication.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import duckdb

from pipelines.built import open_built
from pipelines.settings import Settings

SCHEMA = "ccm-audit-oig/1"
NOTICE = "Internal view of one's own data; small counts are shown as they are. Not for publication."
LIMITS = (
    "Which of two payments stands (the one processed first), and that an overlap disallows the CCM line, are assumptions:"
    " the OIG's reports do not say. An answer of 0 is only as good as the claims delivered."
)
Row = dict[str, Any]


def oig(settings: Settings) -> Row:
    """The audits with their tests, totals and years. Raises NoWarehouse where none was built; what is in it says `told`."""
    with open_built(settings, "policy.oig_audits", "flags.oig_audit") as con:
        return told(con)


def told(con: duckdb.DuckDBPyConnection) -> Row:
    """The audits as they stand in an open warehouse.

    Dollars are numbers with cents, counts whole numbers; `share` is a part of the CCM dollars of the same period, 0 to 1,
    and null where there are none.
    """
    audits = con.execute(
        "select audit, title, audited_paid_usd, audited_claims_in_error, audited_error_usd, citation"
        " from policy.oig_audits order by audit"
    ).fetchall()
    result = con.execute(
        "select audit, period, test_id, bucket, title, rule_id, is_potential, status, needs, lines_named, claim_lines,"
        " people, person_months, cast(paid_usd as double) as paid_usd, cast(cost_share_usd as double) as cost_share_usd,"
        " ccm_lines, ccm_people, cast(ccm_paid_usd as double) as ccm_paid_usd, strftime(first_month, '%Y-%m') as first_month,"
        " strftime(last_month, '%Y-%m') as last_month, citation"
        " from flags.oig_audit order by audit, period desc, test_order"
    )
    names = [column[0] for column in result.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    whole = [row for row in rows if row["period"] == "all"]
    paid = {
        name: whole[0][name]
        for name in ("ccm_lines", "ccm_people", "ccm_paid_usd", "first_month", "last_month")
    }
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "limits": LIMITS,
        "paid": paid,
        "audits": [
            {
                "audit": number,
                "title": title,
                "citation": citation,
                "oig_found": {
                    "paid_usd": ccm,
                    "claims": claims,
                    "error_usd": error,
                    "share": round(error / ccm, 6),
                },
                "tests": [_test(row) for row in whole if row["audit"] == number],
                "years": [
                    {"year": int(row["period"]), "ccm_paid_usd": row["ccm_paid_usd"], **_test(row)}
                    for row in sorted(rows, key=lambda one: one["period"])
                    if row["audit"] == number and row["test_id"] == "total" and row["period"] != "all"
                ],
            }
            for number, title, ccm, claims, error, citation in audits
        ],
    }


def _test(row: Row) -> Row:
    kept = ("test_id", "bucket", "title", "rule_id", "is_potential", "status", "needs", "lines_named", "claim_lines",
            "people", "person_months", "paid_usd", "cost_share_usd")  # fmt: skip
    share = row["paid_usd"] / row["ccm_paid_usd"] if row["ccm_paid_usd"] else None
    return {**{name: row[name] for name in kept}, "share": share if share is None else round(share, 6)}


def as_json(found: Row) -> str:
    return json.dumps(found, indent=2)


def render(found: Row) -> str:
    """The audits as tables, one below the other."""
    return "\n".join(_lines(found))


def _lines(found: Row) -> Iterator[str]:
    paid = found["paid"]
    yield found["notice"]
    if not paid["ccm_lines"]:
        yield "No paid care-management line is in the data: no test can be assessed. Needed: paid claims with CCM codes."
        return
    yield (
        f"Paid CCM: {paid['ccm_lines']:,} lines of {paid['ccm_people']:,} people, ${paid['ccm_paid_usd']:,.2f} by Medicare,"
        f" {paid['first_month']} to {paid['last_month']}"
    )
    for audit in found["audits"]:
        yield ""
        yield f"{audit['audit']}  tests of the OIG's audit of {audit['title']}, on these data"
        yield f"  {'':<62}{'lines':>7}{'people':>8}{'months':>8}{'Medicare':>13}{'patient':>12}"
        for row in audit["tests"]:
            yield from _row(row)
        total = next(row for row in audit["tests"] if row["test_id"] == "total")
        reported = audit["oig_found"]
        yield (
            f"  In error: {total['share']:.2%} of CCM dollars (the OIG found {reported['share']:.2%}:"
            f" ${reported['error_usd']:,} of ${reported['paid_usd']:,})"
        )
        years = [f"{row['year']} {row['share']:.2%}" for row in audit["years"] if row["share"] is not None]
        yield f"  By year of service: {', '.join(years)}"
    yield ""
    yield from textwrap.wrap(found["limits"], 112)


def _row(row: Row) -> Iterator[str]:
    if row["test_id"] == "total":
        yield f"  {'-' * 110}"
    mark = "potential: " if row["is_potential"] and row["bucket"] != "total" else ""
    title = f"{mark}{row['title']}"
    if row["status"] == "cannot_assess":
        yield f"  {title:<62}cannot assess; needs: {row['needs']}"
        return
    if row["status"] == "not_applicable":
        yield f"  {title:<62}no paid CCM in the time of this test"
        return
    earlier = row["lines_named"] - row["claim_lines"]
    yield (
        f"  {title:<62}{row['claim_lines']:>7,}{row['people']:>8,}{row['person_months']:>8,}"
        f"{row['paid_usd']:>13,.2f}{row['cost_share_usd']:>12,.2f}"
        + (f"  (+{earlier} counted above)" if earlier and row["bucket"] != "total" else "")
    )
