"""What this run tells otherwise than the publication before it: how many people and months, why, and the figures before and now."""

from __future__ import annotations

from typing import Any

from pipelines.publish.sources import Sources
from pipelines.publish.vocabulary import STATES

TABLES = (
    "rpt_restatement",
    "rpt_restatement_by_month",
    "rpt_restatement_by_reason",
    "rpt_restated_capture",
    "rpt_restated_findings",
    "rpt_restated_measures",
)


def view(sources: Sources) -> dict[str, Any]:
    if not sources.has(*(f"reports.{name}" for name in TABLES)):
        return {"summary": None, "reasons": [], "months": [], "figures": [], "findings": [], "measures": []}
    summary = sources.rows("select * from reports.rpt_restatement")
    figures = sources.rows(
        "select * from reports.rpt_restated_capture where not is_suppressed and (people_before <> people_after"
        " or gap_usd_before <> gap_usd_after or held_from is not null) order by service_month desc, state_order"
    )
    for row in figures:
        row["label"] = STATES.get(row["state"], (row["state"],))[0]
    return {
        "summary": summary[0] if summary else None,
        "reasons": sources.rows(
            "select * from reports.rpt_restatement_by_reason order by main_reason, effect"
        ),
        "months": sources.rows(
            "select * from reports.rpt_restatement_by_month order by service_month desc, effect"
        ),
        "figures": figures,
        "findings": sources.rows(
            "select * from reports.rpt_restated_findings where not is_suppressed and status = 'fail'"
            " and (held_from is not null or (subjects_before, amount_usd_before) is distinct from (subjects_after, amount_usd_after))"
            " order by rule_id"
        ),
        "measures": sources.rows(
            "select * from reports.rpt_restated_measures where not is_suppressed and group_kind = 'everybody'"
            " and rate_before is distinct from rate_after order by period desc, measure"
        ),
    }
