"""What a study must report: items of STROBE and RECORD, and where a notebook answers them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.notebooks.show import Table

ITEMS = Path(__file__).with_name("reporting_items.csv")


@dataclass(frozen=True)
class Item:
    """One item: its number in the guideline, and what it asks in our own words."""

    item: str
    guideline: str
    asks: str


class UnansweredItems(Exception):
    """A study leaves an item of the guideline out."""


def items() -> list[Item]:
    with ITEMS.open(encoding="utf-8", newline="") as file:
        return [Item(**row) for row in csv.DictReader(file)]


def reported(answers: Mapping[str, str]) -> Table:
    """The items with a study's answers, item -> answer; "not applicable: why" is an answer. Raises UnansweredItems."""
    wanted = items()
    missing = [one.item for one in wanted if not answers.get(one.item, "").strip()]
    unknown = sorted(set(answers) - {one.item for one in wanted})
    if missing or unknown:
        raise UnansweredItems(
            f"without an answer: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    rows = pl.DataFrame(
        [
            {"item": one.item, "guideline": one.guideline, "asks": one.asks, "answer": answers[one.item]}
            for one in wanted
        ]
    )
    return Table(
        rows,
        "What STROBE and RECORD ask of an observational study of routinely collected data",
        {"item": "Item", "guideline": "Guideline", "asks": "Asks for", "answer": "Answer"},
    )
