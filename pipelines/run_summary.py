"""The last lines of a run on the terminal: what it found and where that is, or why it stopped."""

from __future__ import annotations

from typing import Any

from pipelines import engine
from pipelines.settings import Settings


def summary(settings: Settings, record: dict[str, Any]) -> list[str]:
    """The last lines on the terminal: what the run found, and where it is."""
    with engine.connect(settings, settings.warehouse, read_only=True) as con:

        def one(query: str) -> Any:
            row = con.execute(query).fetchone()
            return row[0] if row and row[0] is not None else 0

        month = f"date '{record['through']}-01'"
        states = f"from marts.capture_months where has_coverage_row and service_month = {month}"
        findings = con.execute(
            "select severity, count(*), sum(amount_usd) from flags.findings where review_state <> 'closed'"
            " group by severity order by severity"
        ).fetchall()
        lines = [
            "",
            f"Through {record['through']}, as of {record['as_of']}, policy {record['policy_version']}",
            f"  people with coverage in {record['through']}: {one(f'select count(*) {states}'):,}",
            "  eligible and served by nobody:      "
            f"{one(f'''select count(*) {states} and state = 'eligible_not_served' '''):,}",
            f"  billed:                             {one(f'select count(*) {states} and billed_usd > 0'):,}",
            "  supported but not billed, all months: "
            f"${one('select sum(gap_usd) from marts.capture_months where gap_usd > 0'):,.2f}",
            "    of it ready to be billed, no rule objects: "
            f"${one('''select sum(gap_usd) from reports.billing_proposals where proposal = 'ready' '''):,.2f}",
            *(
                f"  findings, {severity}: {count:,} (${amount or 0:,.2f} paid)"
                for severity, count, amount in findings
            ),
            f"  rows quarantined: {one('select count(*) from core.core_quarantined_rows'):,}"
            f" ({one('select count(resolved_date) from core.core_quarantined_rows'):,} of them since corrected)",
            "",
            f"  pages       {settings.reports / 'index.html'}",
            f"  worklists   {settings.worklists}/",
            f"  tables      {settings.tables}/",
            f"  warehouse   {settings.warehouse}",
            f"  quarantine  {settings.quarantine}/",
            f"  record      {settings.run_record}",
        ]
    return lines


def stopped(record: dict[str, Any]) -> list[str]:
    """What is said of a run that stopped: what is published, the fault and what to do where it is known, and what failed."""
    what = "what it made is published" if record["published"] else "nothing was published"
    fault = record["fault"]
    return [
        f"The run stopped; {what}." + (f" {fault['says'][:1].upper()}{fault['says'][1:]}." if fault else ""),
        *(f"  failed: {name}" for name in record["failed"]),
        *(f"  {line}" for line in not_met(record)),
    ]


def not_met(record: dict[str, Any]) -> list[str]:
    """The blocking expectations that stopped a run, a line each: names and counts."""
    return [
        f"not met: {one['check']}: {one['says']} ({one['unexpected']:,} found)"
        for one in record.get("breaches", [])
        if one["effect"] == "block"
    ]
