"""Disparities: rates by group with intervals, gaps over time, the funnel by group, and places as small multiples."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts import reach as charts
from pipelines.publish.formatting import points
from pipelines.publish.groups import full_name, group_name, kind_name, place
from pipelines.publish.sources import Row, Sources

# The measures with an interval, in the order of the way to care management; all are in the CSV.
MEASURES = {
    "uptake": "Uptake: paid for, of those eligible",
    "reached_eligible": "Eligible, of those enrolled",
    "reached_consented": "Consent on record, of those eligible",
    "reached_lasting": "Three paid months, of those paid for",
    "coverage": "Coverage: paid months, of eligible months",
    "persistence": "Paid months a person paid for",
}
PLACES = ("state",)
HELD = {"practice": "Practices", "county": "Counties"}
MOST = 60  # places in a table; all are in the CSV
BESIDE = {
    "disparity_gradients": "Gradients along deprivation",
    "disparity_parts": "What gaps in uptake are made of",
    "disparity_places": "Practices and counties against control limits",
}


def view(sources: Sources) -> dict[str, Any]:
    table = sources.rows(
        "select * from reports.disparity_measures order by measure, period desc, group_kind, group_value"
    )
    for row in table:
        row["full_label"] = full_name(row["group_kind"], row["group_value"])
        name = group_name(row["group_kind"], row["group_value"])
        row["label"] = name[:1].upper() + name[1:]
    table.sort(key=place)
    uptake = [row for row in table if row["measure"] == "uptake"]
    periods = sorted({row["period"] for row in uptake}, reverse=True)
    newest = periods[0] if periods else None
    kinds = list(
        dict.fromkeys(row["group_kind"] for row in uptake if row["group_kind"] not in ("everybody", *PLACES))
    )
    return {
        "years": periods,
        "newest": newest,
        "answers": answers([row for row in table if row["measure"] in MEASURES and row["period"] == newest]),
        "measures": {
            name: says for name, says in MEASURES.items() if any(row["measure"] == name for row in table)
        },
        "kinds": [(kind, kind_name(kind)) for kind in dict.fromkeys(row["group_kind"] for row in uptake)],
        "uptake_by_year": by_group(uptake),
        "rate_chart": charts.rates(
            [row for row in uptake if row["period"] == newest and row["group_kind"] not in PLACES], "Uptake"
        ),
        "gap_chart": charts.gaps(
            [row for row in uptake if row["period"] == newest and row["group_kind"] not in PLACES]
        ),
        "year_charts": [
            (
                kind_name(kind),
                charts.over_years([row for row in uptake if row["group_kind"] == kind], "Uptake"),
            )
            for kind in kinds
        ],
        "funnel_charts": [
            (
                kind_name(kind),
                charts.funnel(
                    [row for row in table if row["period"] == newest and row["group_kind"] == kind]
                ),
            )
            for kind in kinds
        ],
        "place_charts": [
            (
                kind_name(kind),
                charts.places([row for row in uptake if row["group_kind"] in (kind, "everybody")], "Uptake"),
            )
            for kind in PLACES
        ],
        "held": held(sources),
        "beside": {name: says for name, says in BESIDE.items() if sources.has(f"reports.{name}")},
        "standardised": any(row.get("standardised_rate") is not None for row in table),
    }


def held(sources: Sources) -> list[dict[str, Any]]:
    """Practices and counties of the newest year against control limits: rows to show, how many are hidden, charts."""
    if not sources.has("reports.disparity_places"):
        return []
    rows = sources.rows(
        "select * from reports.disparity_places where year = (select max(year) from reports.disparity_places)"
        " order by place_kind, within, denominator desc nulls last, place"
    )
    made = []
    for kind, name in HELD.items():
        mine = [row for row in rows if row["place_kind"] == kind]
        draw = charts.counties if kind == "county" else charts.funnel_plot
        shown = [row for row in mine if not row["is_suppressed"]]
        # What lies outside the limits first; in the order of their size, as no place is better than another within them.
        shown.sort(
            key=lambda row: (row["position"] not in ("above", "below"), -row["denominator"], row["place"])
        )
        made.append(
            {
                "kind": kind,
                "name": name,
                "shown": shown[:MOST],
                "left_out": max(len(shown) - MOST, 0),
                "hidden": len(mine) - len(shown),
                "of": len(mine),
                "chart": draw(mine, "Uptake"),
            }
        )
    return [one for one in made if one["of"]]


def answers(rows: list[Row]) -> list[Row]:
    """The rows in the order of the measures, everybody first, each with its answer."""
    order = list(MEASURES)
    rows = sorted(rows, key=lambda row: (order.index(row["measure"]), place(row)))
    compared = {(row["measure"], row["group_kind"]) for row in rows if row["gap"] is not None}
    return [answered(row, (row["measure"], row["group_kind"]) in compared) for row in rows]


def answered(row: Row, is_compared: bool) -> Row:
    """The row with a sentence that answers whether its gap to the reference group is real.

    `is_compared`: whether any group of the row's kind has a gap; then a shown rate without one is the reference group's.
    """
    if row["is_suppressed"]:
        says = "Hidden: few people."
    elif row["gap"] is None and row["group_kind"] == "everybody":
        says = ""
    elif row["gap"] is None:
        is_reference = is_compared and row["rate"] is not None
        says = (
            "The group that others are compared with." if is_reference else "Not compared: too few are shown."
        )
    elif row["gap_lower"] is None:
        says = f"{points(row['gap'])} points; no interval: months of one person resemble each other."
    else:
        says = (
            f"{points(row['gap'])} points (95 % {points(row['gap_lower'])} to {points(row['gap_upper'])}): "
        )
        if row["is_meaningful"]:
            says += "real, and large enough to matter."
        elif row["gap_lower"] > 0 or row["gap_upper"] < 0:
            says += "unlikely to be chance, but small."
        else:
            says += "chance could explain it."
        if row["is_meaningful"] and row.get("q_value") is not None and row["q_value"] > 0.05:
            says += " Less sure among so many comparisons (q above .05)."
    return {**row, "answer": says}


def by_group(uptake: list[Row]) -> dict[tuple[str, str], dict[Any, Row]]:
    """Uptake by year of each group, everybody first."""
    ordered = sorted(uptake, key=place)
    found: dict[tuple[str, str], dict[Any, Row]] = {}
    for row in ordered:
        found.setdefault((row["group_kind"], row["group_value"]), {})[row["period"]] = row
    return found
