"""How the worklist is ranked: what is foretold, how well, and whether it is fair between groups. Suppressed counts only."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts.reliability import reliability
from pipelines.publish.groups import full_name, place
from pipelines.publish.sources import Sources

TARGETS = {"need": "Need", "start": "Start of CCM"}
LEARNERS = {"logistic": "Logistic regression", "boosting": "Boosted trees", "rule": "The rule"}
TENTHS = "tenth_of_score"
MEASURES = {
    "observed_over_expected": "Observed over foretold",
    "calibration_slope": "Calibration slope",
    "need_around_cut": "Need around the cut, to the others'",
    "missed_of_events": "People with an event below the cut",
    "asked_over_need": "Share of those asked, to share of need",
}
SHARES = ("missed_of_events",)


def view(sources: Sources) -> dict[str, Any]:
    fairness = sources.rows(
        "select * from reports.outreach_fairness order by group_kind, group_value, measure"
    )
    for row in fairness:
        row["label"] = full_name(row["group_kind"], row["group_value"])
    fairness.sort(key=place)
    tenths = sorted(
        (row for row in fairness if row["group_kind"] == TENTHS), key=lambda row: int(row["group_value"])
    )
    return {
        "basis": sources.rows("select * from reports.outreach_basis order by target"),
        "tests": sources.rows("select * from reports.outreach_tests order by target, part, learner"),
        "tenths": tenths,
        "chart": reliability(tenths),
        "groups": {
            measure: [row for row in fairness if row["measure"] == measure and row["group_kind"] != TENTHS]
            for measure in MEASURES
        },
        "failed": sum(row["status"] == "fail" for row in fairness),
        "names": MEASURES,
        "targets": TARGETS,
        "learners": LEARNERS,
        "shares": SHARES,
    }
