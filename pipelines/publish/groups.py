"""What kinds of groups, and groups, are called on pages, and the order they stand in."""

from __future__ import annotations

from typing import Any

from pipelines.publish.formatting import sentence

EVERYBODY = "everybody"
KINDS = {
    "everybody": "Everybody",
    "race_ethnicity": "Race and ethnicity",
    "dual_status": "Medicaid",
    "low_income_subsidy": "Low-income subsidy",
    "sex": "Sex",
    "age_band": "Age",
    "entitlement": "First entitled by",
    "practice_type": "Practice",
    "shortage": "Shortage of primary care",
}
NAMES = {
    ("race_ethnicity", "white"): "White",
    ("race_ethnicity", "black"): "Black",
    ("race_ethnicity", "hispanic"): "Hispanic",
    ("race_ethnicity", "asian_pacific_islander"): "Asian or Pacific Islander",
    ("race_ethnicity", "american_indian_alaska_native"): "American Indian or Alaska Native",
    ("dual_status", "not_dual"): "none",
    ("entitlement", "kidney_disease"): "kidney failure",
    ("practice_type", "no_practice"): "none",
}
FIRST = ("not_dual", "under_65")
LAST = ("other", "unknown", "no_practice")


def kind_name(kind: str) -> str:
    return KINDS.get(kind, sentence(kind))


def group_name(kind: str, value: str) -> str:
    """The group by itself, as it stands after its kind or in a chart of one kind."""
    if kind == "state":
        return value
    return NAMES.get((kind, value), value.replace("_", " "))


def full_name(kind: str, value: str) -> str:
    """`Medicaid: full`; everybody by itself."""
    return KINDS[EVERYBODY] if kind == EVERYBODY else f"{kind_name(kind)}: {group_name(kind, value)}"


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    """Sort key of a row with `group_kind` and `group_value`: everybody, kinds as above, unknown groups last."""
    kinds = list(KINDS)
    kind, value = row["group_kind"], row["group_value"]
    return (
        kinds.index(kind) if kind in kinds else len(kinds),
        kind,
        value not in FIRST,
        value in LAST,
        value,
    )
