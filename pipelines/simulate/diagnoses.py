"""Diagnosis slots of claims: which conditions each claim lists, in which order, by which code."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.book import CARRIER, HHA, HOSPICE, INPATIENT, NONE, SETTINGS, SNF
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.policy import day_number
from pipelines.simulate.streams import stream
from pipelines.simulate.world import Ints

BLOCK = 50_000  # claims looked at together: bounds memory at BLOCK x conditions numbers
MOST = 12


def build_diagnoses(
    parameters: dict[str, Any],
    calendar: Calendar,
    people: People,
    claims: pl.DataFrame,
    seed: int,
    chunk: int,
) -> pl.DataFrame:
    """One row a slot, in no order: key, line (0 = header), role, position, code.

    A claim's own draws come from a stream of its key, so that other claims do not change them.
    """
    c = parameters["conditions"]
    codes = [item["codes"] for item in c["list"]]
    first_code = np.concatenate([[0], np.cumsum([len(x) for x in codes])]).astype(np.int64)
    count = int(first_code[-1])
    stay_codes, others = list(c["stay_codes"]), list(c["other_codes"])
    words = [code for group in codes for code in group] + stay_codes + others
    spelt, era_starts, icd10_from = spellings(c, words)
    listed = parameters["visits"]["coded_at"]
    chance = np.array([listed[name] for name in SETTINGS], dtype=np.float32)
    used = claims.filter(pl.col("setting") != NONE)
    key, person = used["key"].to_numpy(), used["person"].to_numpy()
    setting, forced = used["setting"].to_numpy(), used["forced"].to_numpy()
    principal, month = used["principal"].to_numpy(), calendar.month_of(used["from"].to_numpy())
    month = np.clip(month, 0, calendar.total - 1)
    salt = np.uint64(stream(seed, "diagnosis salt", chunk).integers(1, 2**62))
    parts = []
    for start in range(0, len(used), BLOCK):
        block = slice(start, start + BLOCK)
        who = person[block]
        luck = hashed(key[block], salt, len(codes))
        likely = np.where(people.coded[who], chance[setting[block], None], np.float32(0))
        likely = np.where(people.false_positive[who], np.float32(0.08), likely)
        likely = np.where(forced[block, None] & people.coded[who], np.float32(2), likely)
        begun = people.onset[who] <= month[block, None]
        claim, condition = np.nonzero((luck < likely) & begun)
        rank = hashed(key[block], salt + np.uint64(1), len(codes))[claim, condition]
        # A person keeps one code of a condition; one listing in six uses the next of its codes.
        length = np.array([len(x) for x in codes])[condition]
        choice = (people.code_choice[who][claim, condition] + (rank * 1024 % 1 < 1 / 6)) % length
        parts.append((claim + start, first_code[condition] + choice, rank))
    owner, word, rank = (np.concatenate(x) for x in zip(*parts, strict=True))
    has_own = principal != NONE
    owner = np.concatenate([owner, np.flatnonzero(has_own)])
    word = np.concatenate([word, count + principal[has_own]])
    rank = np.concatenate([rank, np.full(int(has_own.sum()), -1.0, dtype=np.float32)])
    owner, word, rank = _fill(owner, word, rank, key, setting, salt, count + len(stay_codes), len(others))
    order = np.lexsort((rank, owner))
    owner, word = owner[order], word[order]
    start_of = np.searchsorted(owner, np.arange(len(used)))
    position = np.arange(len(owner)) - start_of[owner] + 1
    fits = position <= MOST
    dated = coding_day(used)
    era = np.searchsorted(era_starts, dated[owner[fits]], side="right")
    slots = pl.DataFrame(
        {
            "key": key[owner[fits]],
            "line": np.zeros(int(fits.sum()), dtype=np.int64),
            "position": position[fits],
            "code": pl.Series(spelt.reshape(-1).tolist()).gather(era * len(words) + word[fits]),
            "icd_version": np.where(dated[owner[fits]] >= icd10_from, 10, 9),
        }
    ).with_columns(role=pl.when(pl.col("position") == 1).then(pl.lit("principal")).otherwise(pl.lit("other")))
    carrier = used.filter(pl.col("type") == CARRIER).select("key")
    pointed = (
        slots.filter(pl.col("position") == 1)
        .join(carrier, on="key", how="semi")
        .with_columns(line=pl.lit(1, dtype=pl.Int64), role=pl.lit("line"))
    )
    return pl.concat([slots, pointed])


def spellings(conditions: dict[str, Any], words: list[str]) -> tuple[np.ndarray, Ints, int]:
    """What is written for each ICD-10 code of `words` in each span of days: array [span, word], the days on which
    a new span begins, and the day ICD-10 begins. ValueError names a code without an ICD-9 equivalent.
    """
    renamed = {code: (day_number(day), before) for code, (day, before) in conditions["renamed"].items()}
    icd10_from = day_number(conditions["icd10_from"])
    missing = sorted(set(words) - set(conditions["icd9"]))
    if missing:
        raise ValueError(f"simulation parameters: conditions.icd9 lacks {', '.join(missing)}")
    changes = np.array(sorted({icd10_from, *(day for day, _ in renamed.values())}), dtype=np.int64)
    rows = [[conditions["icd9"][word] for word in words]]
    for day in changes.tolist():
        if day < icd10_from:
            rows.append(rows[0])
            continue
        rows.append(
            [renamed[word][1] if word in renamed and day < renamed[word][0] else word for word in words]
        )
    return np.array(rows), changes, icd10_from


def coding_day(claims: pl.DataFrame) -> Ints:
    """The day whose code set a claim uses: the end of a stay, the first day of anything else."""
    stays = claims["type"].is_in([INPATIENT, SNF, HHA, HOSPICE]).to_numpy()
    return np.where(stays, claims["through"].to_numpy(), claims["from"].to_numpy())


def _fill(
    owner: Ints,
    word: Ints,
    rank: np.ndarray,
    key: Ints,
    setting: Ints,
    salt: np.uint64,
    first: int,
    choices: int,
) -> tuple[Ints, Ints, np.ndarray]:
    """Every claim lists something: a code of no condition where nothing else is, beside others for some."""
    u = hashed(key, salt + np.uint64(2), 2)
    empty = np.ones(len(key), dtype=bool)
    empty[owner] = False
    also = np.flatnonzero(empty | (u[:, 0] < 0.25))
    filler = first + np.floor(u[also, 1] * choices).astype(np.int64)
    return (
        np.concatenate([owner, also]),
        np.concatenate([word, np.minimum(filler, first + choices - 1)]),
        np.concatenate([rank, np.full(len(also), 2.0, dtype=np.float32)]),
    )


def hashed(key: Ints, salt: np.uint64, columns: int) -> np.ndarray:
    """[n, columns] uniform numbers in [0, 1) that depend on key, salt and column only (splitmix64)."""
    with np.errstate(over="ignore"):
        step = np.uint64(0x9E3779B97F4A7C15)
        x = key.astype(np.uint64)[:, None] * np.uint64(0xD1342543DE82EF95) + salt
        x = x + (np.arange(1, columns + 1, dtype=np.uint64) * step)[None, :]
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return ((x >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).astype(np.float32)
