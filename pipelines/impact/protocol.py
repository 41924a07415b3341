"""The protocol of a study: one short YAML file, checked key by key before anything is read.

`ProtocolError` names the file, the key and what was expected; docs/impact.md describes every key.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from pipelines.impact.designs import DESIGNS

MONEY = (
    "total_usd",
    "total_less_ccm_usd",
    "inpatient_usd",
    "outpatient_usd",
    "snf_usd",
    "hha_usd",
    "hospice_usd",
    "professional_usd",
    "dme_usd",
    "ccm_usd",
)
COUNTS = (
    "acute_admissions",
    "readmissions",
    "preventable_admissions",
    "preventable_acute",
    "preventable_chronic",
    "preventable_diabetes",
    "emergency_visits",
    "observation_stays",
    "primary_care_visits",
)
CONTROLS = ("skin_lesion_claims", "cataract_surgeries", "appendicitis_admissions")
OUTCOMES = (*MONEY, *COUNTS, *CONTROLS)
GROUPS = ("dual_status", "race_ethnicity", "sex", "age_band", "entitlement", "state")
POOLS = ("never_adopting", "adopting", "any")


class ProtocolError(ValueError):
    """The protocol cannot be read or says what it cannot; str() is one line: file, key, what was expected."""


@dataclass(frozen=True)
class Protocol:
    """A study. Months are first days; `code` of a design is a key of `designs.DESIGNS`."""

    name: str
    question: str
    first_index_month: dt.date | None = None
    last_index_month: dt.date | None = None
    observed_months_before: int = 12
    exclude_hospice: bool = True
    comparison_per_user: int = 25
    draws: int = 1
    follow_up_months: int = 12
    design: str = "H"
    also: tuple[str, ...] = ("G", "W", "F", "C2", "B")
    practice_level: bool = True
    outcomes: tuple[str, ...] = ("total_usd", "acute_admissions", "emergency_visits")
    negative_controls: tuple[str, ...] = CONTROLS
    subgroups: tuple[str, ...] = ("dual_status",)
    winsor: float | None = 0.99
    seed: int = 1

    @property
    def primary(self) -> str:
        """The outcome that the headline speaks of."""
        return self.outcomes[0]


# section -> key -> field of Protocol
KEYS: dict[str, dict[str, str]] = {
    "population": {
        "first_index_month": "first_index_month",
        "last_index_month": "last_index_month",
        "observed_months_before": "observed_months_before",
        "exclude_hospice": "exclude_hospice",
    },
    "comparison": {"per_user": "comparison_per_user", "draws": "draws"},
    "windows": {"follow_up_months": "follow_up_months"},
    "design": {"primary": "design", "also": "also", "practice_level": "practice_level"},
    "outcomes": {"main": "outcomes", "negative_controls": "negative_controls"},
    "sensitivity": {"winsor": "winsor"},
}
TOP = {"study": "name", "question": "question", "subgroups": "subgroups", "seed": "seed"}


def read(path: Path) -> Protocol:
    """The protocol in a file. Raises ProtocolError."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ProtocolError(f"{path}: cannot be read as a text file") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ProtocolError(f"{path}{where}: not a YAML file") from None
    return parse(raw, str(path))


def parse(raw: object, file: str) -> Protocol:
    """The protocol that a YAML document says; `file` names it in messages."""
    if not isinstance(raw, Mapping):
        raise ProtocolError(f"{file}: expected keys and values, such as `study: NAME`")
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if key in TOP:
            found[TOP[key]] = _value(file, str(key), TOP[key], value)
        elif key in KEYS:
            if not isinstance(value, Mapping):
                raise ProtocolError(f"{file}: {key}: expected the keys {', '.join(KEYS[key])}")
            for inner, item in value.items():
                if inner not in KEYS[key]:
                    raise ProtocolError(f"{file}: {key}.{inner}: no such key{_near(inner, KEYS[key])}")
                found[KEYS[key][inner]] = _value(file, f"{key}.{inner}", KEYS[key][inner], item)
        else:
            raise ProtocolError(f"{file}: {key}: no such key{_near(key, [*TOP, *KEYS])}")
    for key in ("study", "question"):
        if TOP[key] not in found:
            raise ProtocolError(f"{file}: {key}: missing; expected {_expected(TOP[key])}")
    made = Protocol(**found)
    if made.first_index_month and made.last_index_month and made.first_index_month > made.last_index_month:
        raise ProtocolError(
            f"{file}: population.last_index_month: expected a month not before first_index_month"
        )
    return made


def _near(word: object, known: Any) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; expected one of {', '.join(known)}"


def _expected(name: str) -> str:
    return EXPECTED[name][0]


def _month(value: object) -> dt.date | None:
    match = re.fullmatch(r"(\d{4})-(\d{2})", str(value))
    try:
        return dt.date(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        return None


def _whole(low: int, high: int) -> Any:
    def check(value: object) -> int | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if low <= value <= high else None

    return check


def _words(known: tuple[str, ...], *, least: int = 0) -> Any:
    def check(value: object) -> tuple[str, ...] | None:
        fine = isinstance(value, list) and len(value) >= least and all(one in known for one in value)
        return tuple(dict.fromkeys(value)) if fine and isinstance(value, list) else None

    return check


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _list_of(known: tuple[str, ...], least: int = 0) -> str:
    return f"a list of {'at least one' if least else 'any'} of {', '.join(known)}"


# field -> what is expected, and a check that gives the value or None
EXPECTED: dict[str, tuple[str, Any]] = {
    "name": (
        "a short name of small letters, digits and hyphens",
        lambda v: v if isinstance(v, str) and re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", v) else None,
    ),
    "question": ("a sentence", lambda v: v.strip() if isinstance(v, str) and v.strip() else None),
    "first_index_month": ("a month like 2023-01", _month),
    "last_index_month": ("a month like 2024-12", _month),
    "observed_months_before": ("a whole number of months from 12 to 36", _whole(12, 36)),
    "exclude_hospice": ("true or false", _flag),
    "comparison_per_user": ("a whole number from 1 to 1000", _whole(1, 1000)),
    "draws": ("a whole number from 1 to 12", _whole(1, 12)),
    "follow_up_months": ("3, 6, 9, 12, 18 or 24", lambda v: v if v in (3, 6, 9, 12, 18, 24) and not isinstance(v, bool) else None),
    "design": (
        f"one of {', '.join(name for name, one in DESIGNS.items() if one.standing != 'fails')}"
        " (the others fail where the truth is known and can only be shown beside it)",
        lambda v: v if v in DESIGNS and DESIGNS[v].standing != "fails" else None,
    ),
    "also": (_list_of(tuple(DESIGNS)), _words(tuple(DESIGNS))),
    "practice_level": ("true or false", _flag),
    "outcomes": (_list_of(OUTCOMES, 1), _words(OUTCOMES, least=1)),
    "negative_controls": (_list_of(CONTROLS), _words(CONTROLS)),
    "subgroups": (_list_of(GROUPS), _words(GROUPS)),
    "winsor": (
        "a share above 0.5 and below 1, or null for none",
        lambda v: v if v is None or (isinstance(v, float) and 0.5 < v < 1) else False,
    ),
    "seed": ("a whole number", _whole(0, 2**31)),
}  # fmt: skip


def _value(file: str, key: str, name: str, value: object) -> Any:
    expected, check = EXPECTED[name]
    found = check(value)
    if name == "winsor" and found is not False:
        return found
    if found is None or (name == "winsor" and found is False):
        raise ProtocolError(f"{file}: {key}: expected {expected}, not {value!r}")
    return found


assert {field.name for field in fields(Protocol)} == set(EXPECTED)  # noqa: S101
