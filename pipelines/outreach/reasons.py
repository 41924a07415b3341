"""Why a person stands where they stand, in plain words: what raises the probability above that of somebody usual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.outreach.evidence import NEVER_SEEN, NUMBERS, Floats, matrix
from pipelines.outreach.learning import Learnt

LEAST = 0.02  # contributions to the log odds below this are not worth a word


def counted(number: pl.Expr, one: str, several: str) -> pl.Expr:
    """A number in words; empty where it is none."""
    whole = number.cast(pl.Int64)
    return (
        pl.when(whole == 1).then(pl.lit(one))
        .when(whole > 1).then(pl.format(several, whole) if "{}" in several else pl.lit(several))
        .otherwise(pl.lit(""))
    )  # fmt: skip


def told_of(feature: str, number: pl.Expr) -> pl.Expr:
    """A number that a model reads, in words; empty where it says nothing by itself."""
    words = counted(number, *(NUMBERS[feature]))
    if feature == "days_since_primary_care":
        return pl.when(number >= NEVER_SEEN).then(pl.lit("no primary-care visit in a year")).otherwise(words)
    return words


def sentence(parts: Sequence[pl.Expr]) -> pl.Expr:
    """The parts that say something, joined, with a capital; "Nothing stands out" where none does."""
    joined = pl.concat_list(parts).list.eval(pl.element().filter(pl.element() != "")).list.join("; ")
    return (
        pl.when(joined == "").then(pl.lit("Nothing stands out"))
        .otherwise(joined.str.slice(0, 1).str.to_uppercase() + joined.str.slice(1))
    )  # fmt: skip


def reasons(learnt: Learnt, people: pl.DataFrame, most: int) -> list[str]:
    """One line a person: the `most` features that raise the probability most, largest first.

    A feature's part is how far the log odds fall when the person's value is exchanged for the median of everybody listed. The same for
    every learner; parts of one person need not add up.
    """
    if not people.height:
        return []
    numbers = matrix(people, learnt.conditions)
    usual = np.median(numbers, axis=0)
    says = _words(numbers, usual, learnt.conditions)
    whole = _log_odds(learnt.of(numbers))
    parts = np.zeros_like(numbers)
    for place in range(numbers.shape[1]):
        differs = numbers[:, place] != usual[place]
        if differs.any():
            other = numbers[differs]
            other[:, place] = usual[place]
            parts[differs, place] = whole[differs] - _log_odds(learnt.of(other))
    parts[(says == "") | (parts < LEAST)] = 0.0
    order = np.argsort(-parts, axis=1, kind="stable")[:, :most]
    words = np.where(
        np.take_along_axis(parts, order, axis=1) > 0, np.take_along_axis(says, order, axis=1), ""
    )
    columns = pl.DataFrame({f"word_{place}": words[:, place].astype(str) for place in range(words.shape[1])})
    return columns.select(sentence([pl.col(name) for name in columns.columns])).to_series().to_list()


def _log_odds(probability: Floats) -> Floats:
    held = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(held / (1 - held)))


def _words(numbers: Floats, usual: Floats, conditions: list[str]) -> NDArray[Any]:
    """(n, features) what each value says; empty where it is as usual, or absent."""
    features = [*NUMBERS, *conditions]
    frame = pl.DataFrame({str(place): numbers[:, place] for place in range(len(features))})
    said = []
    for place, name in enumerate(features):
        value = pl.col(str(place))
        word = told_of(name, value) if name in NUMBERS else counted(value, name, "")
        said.append(pl.when(value != usual[place]).then(word).otherwise(pl.lit("")).alias(str(place)))
    return np.asarray(frame.select(said).to_numpy(), dtype=object)
