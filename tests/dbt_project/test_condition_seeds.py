"""The condition seeds against what is published about the definitions: sizes, rules and known traps."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict

import pytest

from pipelines.settings import POLICY_SEEDS

# Include codes of each condition in the 02/2022 and the 08/2026 revision of the 30 conditions.
PUBLISHED_SIZES = {
    "Acute Myocardial Infarction": (26, 27),
    "Alzheimer's Disease": (4, 4),
    "Anemia": (127, 143),
    "Asthma": (18, 18),
    "Atrial Fibrillation and Flutter": (10, 10),
    "Benign Prostatic Hyperplasia": (4, 4),
    "Cancer, Breast": (72, 83),
    "Cancer, Colorectal": (21, 21),
    "Cancer, Endometrial": (8, 8),
    "Cancer, Lung": (21, 21),
    "Cancer, Prostate": (3, 3),
    "Cancer, Urologic (Kidney, Renal Pelvis, and Ureter)": (18, 18),
    "Cataract": (101, 101),
    "Chronic Kidney Disease": (164, 186),
    "Chronic Obstructive Pulmonary Disease": (17, 19),
    "Depression, Bipolar, or Other Depressive Mood Disorders": (50, 50),
    "Diabetes": (440, 468),
    "Glaucoma": (251, 255),
    "Heart Failure and Non-Ischemic Heart Disease": (34, 34),
    "Hip/Pelvic Fracture": (427, 433),
    "Hyperlipidemia": (10, 13),
    "Hypertension": (20, 21),
    "Hypothyroidism": (14, 14),
    "Ischemic Heart Disease": (51, 65),
    "Non-Alzheimer's Dementia": (15, 84),
    "Osteoporosis With or Without Pathological Fracture": (51, 57),
    "Parkinson's Disease and Secondary Parkinsonism": (8, 13),
    "Pneumonia, All-cause": (91, 93),
    "Rheumatoid Arthritis/Osteoarthritis": (630, 632),
    "Stroke/Transient Ischemic Attack": (150, 150),
}
INDICATOR = "CCIR-2023-1"
REVISIONS = ("CCW30-2022-02", "CCW30-2026-08")
OLDER = "CCW27-2022-02"
NOT_COUNTED = {"Hip/Pelvic Fracture", "Pneumonia, All-cause", "Acute Myocardial Infarction", "Cataract"}


def _rows(seed: str) -> list[dict[str, str]]:
    with (POLICY_SEEDS / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def codes() -> list[dict[str, str]]:
    return _rows("condition_codes")


@pytest.mark.parametrize(("place", "definition"), enumerate(REVISIONS))
def test_each_condition_has_as_many_codes_as_published(
    codes: list[dict[str, str]], place: int, definition: str
) -> None:
    sizes = Counter(
        row["condition"] for row in codes if row["definition"] == definition and row["role"] == "include"
    )
    assert dict(sizes) == {condition: counts[place] for condition, counts in PUBLISHED_SIZES.items()}


def test_some_codes_meet_more_than_one_condition(codes: list[dict[str, str]]) -> None:
    conditions = defaultdict(set)
    for row in codes:
        if row["definition"] == "CCW30-2026-08" and row["role"] == "include":
            conditions[row["diagnosis_code"]].add(row["condition"])
    assert (len(conditions), sum(len(met) > 1 for met in conditions.values())) == (3006, 40)


def test_stroke_has_the_published_exclusions_and_not_those_of_the_older_definition(
    codes: list[dict[str, str]],
) -> None:
    excluded = {
        definition: {
            row["diagnosis_code"]
            for row in codes
            if row["definition"] == definition
            and row["condition"] == "Stroke/Transient Ischemic Attack"
            and row["role"] == "exclude"
            and row["icd_version"] == "10"
        }
        for definition in (REVISIONS[0], OLDER)
    }
    assert len(excluded[REVISIONS[0]]) == 112
    assert not any(code.startswith("S02") for code in excluded[REVISIONS[0]])
    assert any(code.startswith("S02") for code in excluded[OLDER])


def test_codes_that_are_headers_today_stay_since_earlier_claims_carry_them(
    codes: list[dict[str, str]],
) -> None:
    listed = {row["diagnosis_code"] for row in codes if row["definition"] == REVISIONS[0]}
    assert {"E08321", "N183", "F0151"} <= listed


@pytest.mark.parametrize(
    ("condition", "listed", "not_listed"),
    [
        # What the published table lost: trailing zeros, and the leading one of three kidney codes.
        ("Alzheimer's Disease", {"3310"}, {"331"}),
        (
            "Alzheimer's Disease and Related Disorders or Senile Dementia",
            {"2900", "29010", "29420", "797"},
            {"290"},
        ),
        ("Acquired Hypothyroidism", {"2440", "2449"}, {"244"}),
        ("Diabetes", {"25000", "25001", "25010", "3572"}, {"250", "2501"}),
        ("Heart Failure", {"4280", "42820"}, {"428", "4282"}),
        ("Prostate Cancer", {"185", "2334"}, {"1850"}),
        ("Chronic Kidney Disease", {"01600", "01606", "0954", "5851"}, {"16", "160", "1601", "954", "9540"}),
    ],
)
def test_codes_of_icd_9_carry_all_their_digits(
    codes: list[dict[str, str]], condition: str, listed: set[str], not_listed: set[str]
) -> None:
    found = {
        row["diagnosis_code"]
        for row in codes
        if row["definition"] == OLDER and row["condition"] == condition and row["icd_version"] == "9"
    }
    assert listed <= found
    assert not found & not_listed


def test_a_code_is_upper_case_without_dot_in_a_known_role(codes: list[dict[str, str]]) -> None:
    assert {row["role"] for row in codes} == {"include", "exclude", "exclude_principal"}
    assert all(
        row["diagnosis_code"].isalnum() and row["diagnosis_code"] == row["diagnosis_code"].upper()
        for row in codes
    )


def test_every_condition_with_codes_has_a_rule_and_every_rule_has_codes(codes: list[dict[str, str]]) -> None:
    defined = {(row["definition"], row["condition"]) for row in _rows("condition_definitions")}
    listed = {(row["definition"], row["condition"]) for row in codes if row["role"] == "include"}
    indicated = {(row["definition"], row["condition"]) for row in _rows("chronic_indicator_codes")}
    assert {definition for definition, _ in indicated} == {INDICATOR}
    assert defined == listed | indicated
    assert Counter(definition for definition, _ in listed) == {OLDER: 27, REVISIONS[0]: 30, REVISIONS[1]: 30}


def test_rules_say_the_same_before_and_after_the_revision() -> None:
    rules = {
        (row["definition"], row["condition"]): (
            row["lookback_months"],
            row["one_claim_classes"],
            row["two_claim_classes"],
            row["diagnosis_positions"],
        )
        for row in _rows("condition_definitions")
    }
    for condition in PUBLISHED_SIZES:
        assert rules[REVISIONS[0], condition] == rules[REVISIONS[1], condition]
        assert rules[REVISIONS[0], condition][3] == "any"
    assert {rules[OLDER, condition][0] for condition in ("Alzheimer's Disease", "Diabetes", "Anemia")} == {
        "36",
        "24",
        "12",
    }


def test_what_counts_towards_two_conditions_is_what_is_said_to_count() -> None:
    sets = defaultdict(set)
    for row in _rows("condition_counting_sets"):
        sets[row["counting_set"], row["definition"]].add(row["condition"])
    for revision in REVISIONS:
        assert sets["ccw30_all", revision] == set(PUBLISHED_SIZES)
        assert sets["ccm_default", revision] == set(PUBLISHED_SIZES) - NOT_COUNTED
    assert len(sets["ccw27_all", OLDER]) == 27
    in_force = [
        (row["effective_from"], row["definition"], row["counting_set"])
        for row in _rows("condition_set_in_force")
    ]
    assert in_force == [
        ("1900-01-01", OLDER, "ccw27_all"),
        ("2017-01-01", REVISIONS[0], "ccm_default"),
    ]
    assert {(row["counting_set"], row["definition"]) for row in _rows("condition_counting_sets")} >= {
        (counting_set, definition) for _, definition, counting_set in in_force
    }
