"""The parameter file: defaults laid under a user's own values, and the calendar that follows from them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipelines.simulate.policy import Ladder, ladder

DEFAULTS = Path(__file__).with_name("parameters.yml")
# Keys under these are names the user chooses, so unknown ones are not typing mistakes.
OPEN_KEYS = {
    "race",
    "race_read_as_white",
    "dual_codes",
    "stay_codes",
    "deductible",
    "services",
    "annual_uptake",
    "renamed",
    "icd9",
}


def load(path: Path | None) -> dict[str, Any]:
    """Default parameters with the file at `path` laid over them; ValueError names an unknown or wrong key."""
    defaults: dict[str, Any] = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    if path is None:
        return defaults
    try:
        own = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"simulation parameters {path.name}: cannot be read as YAML") from error
    return _overlay(defaults, own, path.name)


def _overlay(base: dict[str, Any], own: Any, where: str) -> dict[str, Any]:
    if not isinstance(own, dict):
        raise ValueError(f"simulation parameters {where}: expected a mapping")
    merged = dict(base)
    for key, value in own.items():
        open_ended = where.rpartition(".")[2] in OPEN_KEYS
        if key not in base and not open_ended:
            raise ValueError(f"simulation parameters {where}: no parameter is called {key!r}")
        if isinstance(base.get(key), dict) and key not in OPEN_KEYS:
            merged[key] = _overlay(base[key], value, f"{where}.{key}")
        else:
            merged[key] = value
    return merged


def with_options(
    parameters: dict[str, Any],
    last_month: date | None = None,
    error_scale: float | None = None,
    error_rate: float | None = None,
) -> dict[str, Any]:
    """`parameters` with what a call asks for on top; ValueError where that makes no sense."""
    changed = {name: dict(section) for name, section in parameters.items() if isinstance(section, dict)}
    settings = parameters | changed
    if last_month is not None:
        settings["window"]["last_month"] = f"{last_month:%Y-%m}"
    if error_scale is not None and error_rate is not None:
        raise ValueError("errors are asked for by scale or by rate, not by both")
    if error_rate is not None:
        if not 0 <= error_rate <= 0.5:
            raise ValueError("the error rate is a share of CCM dollars between 0 and 0.5")
        error_scale = error_rate / float(settings["errors"]["dollar_share"])
        settings["errors"]["minimum_each"] = 0
    if error_scale is not None:
        if error_scale < 0:
            raise ValueError("the error scale must not be negative")
        settings["errors"]["scale"] = error_scale
    return settings


def digest(parameters: dict[str, Any]) -> str:
    """Checksum of all parameter values, for the truth record."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Calendar:
    """Simulated months, history first. Days are whole days since 1970-01-01; month indexes start at 0.

    `starts` holds `total + 1` first days: month t covers starts[t] to starts[t + 1] - 1. `ladder` is what Medicare
    pays for in each month.
    """

    starts: NDArray[np.int64]
    history: int
    window: int
    extract_day: int
    ladder: Ladder

    @property
    def total(self) -> int:
        return self.history + self.window

    @property
    def opens(self) -> int:
        """First month of the window in which Medicare pays for CCM; `total` where it pays in none."""
        payable = np.flatnonzero(self.ladder.payable.any(axis=0))
        payable = payable[payable >= self.history]
        return int(payable[0]) if len(payable) else self.total

    def last_day(self, month: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.starts[month + 1] - 1

    def days_in(self, month: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.starts[month + 1] - self.starts[month]

    def month_of(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.starts, day, side="right") - 1

    def months_after(self, origin: object, month: NDArray[np.int64]) -> NDArray[np.int64]:
        """Months from the month `origin` (YYYY-MM) to each month index."""
        first = np.datetime64(int(self.starts[0]), "D").astype("datetime64[M]")
        return month + int((first - np.datetime64(str(origin), "M")).astype(np.int64))

    def year_of(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        return day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def calendar(parameters: dict[str, Any], months: int) -> Calendar:
    """Calendar of `months` window months ending at the parameter file's last month."""
    window = parameters["window"]
    end = np.datetime64(str(window["last_month"]), "M")
    history, run_out = int(window["history_months"]), int(window["run_out_months"])
    if history < 12:
        raise ValueError("simulation parameters: window.history_months must be at least 12")
    first = end - (months + history - 1)
    described = np.datetime64(str(window["first_month_described"]), "M")
    if first < described:
        raise ValueError(
            f"the simulated months would begin in {first}, but amounts are described from {described}; "
            "ask for fewer months or describe earlier amounts in the parameter file"
        )
    described = np.datetime64(str(window["last_month_described"]), "M")
    if end > described:
        raise ValueError(f"the simulated months would end in {end}, but policy is described to {described}")
    starts = (first + np.arange(months + history + 1)).astype("datetime64[D]").astype(np.int64)
    extract = int((end + 1 + run_out).astype("datetime64[D]").astype(np.int64)) - 1
    return Calendar(starts, history, months, extract, ladder(starts[:-1]))
