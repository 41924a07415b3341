"""Impact: what evaluations found of care management's effect, where any was made; else how to make one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.publish.charts import study as charts
from pipelines.publish.formatting import sentence
from pipelines.publish.groups import full_name
from pipelines.publish.sources import Row, Sources

EVERYBODY = "everybody"
# The overall effect of a design, and the prefix of its effects by time around the start.
OVERALL = "att"
DRAWN = 16  # subgroups that a chart still tells apart
OUTCOMES = {
    "total_usd": "All spending of Parts A and B",
    "total_less_ccm_usd": "Spending without CCM itself",
    "ccm_usd": "Spending on CCM",
    "inpatient_usd": "Hospital spending",
    "outpatient_usd": "Outpatient spending",
    "snf_usd": "Spending on nursing facilities",
    "hha_usd": "Spending on home health",
    "hospice_usd": "Hospice spending",
    "professional_usd": "Professional spending",
    "dme_usd": "Spending on equipment",
    "acute_admissions": "Hospital admissions",
    "readmissions": "Readmissions within 30 days",
    "preventable_admissions": "Avoidable admissions",
    "emergency_visits": "Emergency visits",
    "observation_stays": "Observation stays",
    "primary_care_visits": "Primary-care visits",
    "skin_lesion_claims": "Skin lesions (cannot change)",
    "cataract_surgeries": "Cataract surgery (cannot change)",
    "appendicitis_admissions": "Appendicitis (cannot change)",
}
TERMS = {
    "att": "Effect",
    "att_adjusted": "Effect, baseline taken out by regression",
    "att_winsorised": "Effect, largest months cut",
    "att_all_months": "Effect, months after death or loss as zero",
    "att_baseline_12_to_7": "Effect, against months -12 to -7",
    "att_baseline_3_to_1": "Effect, against months -3 to -1",
    "att_imputation": "Effect, by imputation",
    "att_sun_abraham": "Effect, by Sun and Abraham",
    "att_two_way_fixed_effects": "Effect, by two-way fixed effects (known to fail)",
    "rate_ratio": "Effect as a ratio",
    "negative_control": "Effect on what CCM cannot change",
    "triple_difference": "Difference to the largest group",
    "minimal_detectable": "Smallest effect that could be found",
    "e_value": "Confounding that would explain it (E-value)",
    "pre_trend": "Test that groups moved alike before (F)",
}
TIMES = {"quarter": "Quarter", "event": "Quarter", "honest": "Effect if trends differ by a factor of"}
COVARIATES = {
    "total_usd": "Spending",
    "log_total_usd": "Spending (logarithm)",
    "acute_admissions": "Admissions",
    "emergency_visits": "Emergency visits",
    "primary_care_visits": "Primary-care visits",
    "recent_event": "Admission or emergency visit, months -3 to -1",
    "condition_count": "Chronic conditions",
    "stay_days": "Days in hospital or facility",
}
PRACTICES = "practice_itt"


def view(sources: Sources) -> dict[str, Any]:
    folders = sorted((sources.settings.out / "studies").glob("*/tables/impact_estimates.parquet"))
    return {"studies": [study(path) for path in folders if not path.parent.parent.name.endswith(".incoming")]}


def study(path: Path) -> Row:
    """One evaluation: its estimates by design and outcome with their charts, and the balance of its groups."""
    folder = path.parent.parent
    rows = [readable(row) for row in pl.read_parquet(path).to_dicts()]
    # what a design is, is told with its first outcome only
    told = {row["design"]: row for row in reversed(rows) if row["standing"]}
    rows = [
        {**row, **{name: told.get(row["design"], row)[name] for name in ("design_says", "standing")}}
        for row in rows
    ]
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["design"], row["outcome"]), []).append(row)
    answers = [
        row for row in rows if row["label"] == "Everybody" and row["term"] in (OVERALL, "negative_control")
    ]
    return {
        "name": folder.name,
        "answers": answers,
        "headline": headline(answers),
        "facts": facts(folder / "study.json"),
        "balance_chart": charts.balance(balance(path.with_name("balance.parquet"))),
        "parts": [
            {
                "design": design,
                "outcome": outcome,
                "design_says": mine[0]["design_says"],
                "outcome_says": OUTCOMES.get(outcome, sentence(outcome)),
                "rows": mine,
                "event_chart": charts.event_study(
                    [row for row in mine if row["when"] is not None and row["label"] == "Everybody"],
                    unit(outcome),
                ),
                "forest_chart": charts.forest(subgroups, unit(outcome)) if len(subgroups) > 1 else "",
            }
            for (design, outcome), mine in found.items()
            for subgroups in [[row for row in mine if row["term"] == OVERALL][:DRAWN]]
            # a design that gives one number for an outcome stands in the first table
            if len(mine) > 1
        ],
    }


def readable(row: Row) -> Row:
    """The row with a label for its group, the time it is about, and its diagnostics as values."""
    try:
        told = json.loads(row.get("diagnostics") or "{}")
    except ValueError:
        told = {}
    value = str(row.get("group_value") or EVERYBODY)
    kind = str(row.get("group_kind") or value)
    label = "Everybody" if EVERYBODY in (kind, value) else full_name(kind, value)
    when = next((told[unit] for unit in ("quarter", "month", "period") if told.get(unit) is not None), None)
    return {
        **row,
        "label": label,
        "when": when,
        "term_says": term(str(row["term"])),
        "outcome_says": OUTCOMES.get(row["outcome"], sentence(row["outcome"])),
        "design_says": design(str(row["design"]), told),
        "standing": told.get("standing"),
        "unit": unit(row["outcome"]),
    }


def unit(outcome: str) -> str:
    """What an effect on the outcome is counted in."""
    return "$ a person-month" if outcome.endswith("_usd") else "events a person-month"


def term(name: str) -> str:
    """A term in words: `quarter_-2` is "Quarter -2"."""
    start, _, rest = name.rpartition("_")
    return TERMS.get(name) or (f"{TIMES[start]} {rest}" if start in TIMES else sentence(name))


def design(name: str, told: Row) -> str:
    """A design in words, its letter first."""
    if name == PRACTICES:
        return "Practices by when they adopted, everybody eligible there"
    return f"{name}: {told['says']}" if told.get("says") else name


def headline(answers: list[Row]) -> str:
    """What the first design found for the first outcome, in one sentence; empty where it is hidden."""
    row = next((row for row in answers if row["term"] == OVERALL), None)
    if row is None or row["estimate"] is None or row["lower"] is None:
        return ""
    chance = (
        "chance could explain it" if row["lower"] <= 0 <= row["upper"] else "chance alone does not explain it"
    )

    def told(value: float) -> str:
        if not row["outcome"].endswith("_usd"):
            return f"{value:+.3f}"
        return f"{'-' if value < 0 else '+'}${abs(value):,.0f}"

    unit = row["unit"].removeprefix("$ ")
    return (
        f"{row['outcome_says']}: {told(row['estimate'])} {unit}"
        f" (95 % {told(row['lower'])} to {told(row['upper'])}); {chance}."
    )


def covariate(name: str, level: str | None) -> str:
    """A characteristic in words: its windows as months before the start, its level as a group."""
    if level:
        return full_name(name, level)
    if name in COVARIATES:
        return COVARIATES[name]
    for start in sorted(COVARIATES, key=len, reverse=True):
        if name.startswith(f"{start}_"):
            window = name.removeprefix(f"{start}_")
            first, _, last = window.removeprefix("month_").partition("_to_")
            return f"{COVARIATES[start]}, " + (f"months -{first} to -{last}" if last else f"month -{first}")
    return sentence(name)


def balance(path: Path) -> list[Row]:
    """A row a characteristic with its standardised difference before and after; hidden ones left out."""
    if not path.exists():
        return []
    return [
        {
            "covariate": covariate(row["covariate"], row["level"]),
            "before": row["smd_before"],
            "after": row["smd"],
        }
        for row in pl.read_parquet(path).to_dicts()
        if not row["is_suppressed"]
    ]


def facts(path: Path) -> Row:
    """What the evaluation says of itself: question and dates, where it wrote them."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
