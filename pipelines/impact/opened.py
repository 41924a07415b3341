"""One study opened for a notebook: its published tables and figures; nothing of persons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipelines.impact import figures, report, study
from pipelines.impact.cohort import NothingToStudy
from pipelines.impact.protocol import Protocol, read
from pipelines.impact.study import ESTIMATES
from pipelines.notebooks import show
from pipelines.settings import REPOSITORY, from_environment


class Studied:
    """A study's tables for reading (`tables`, by the names of the report), and its figures. `says` is the headline."""

    def __init__(self, protocol: Protocol, made: study.Study | None, why_not: str = "") -> None:
        self.protocol, self.made = protocol, made
        self.says = report.headline(made) if made else f"Nothing to study: {why_not}."
        self.warnings = report.warnings(made) if made else []
        self.estimand = report.estimand(made) if made else ""
        self._tables = report.tables_of(made) if made else {}
        self._figures = figures.of_study(made.tables, protocol.design, protocol.primary) if made else {}

    def table(self, name: str) -> show.Table:
        """A table of the report: flow, main, designs, subgroups, controls, sensitivity, practices, balance, validation, reporting."""
        nothing = show.Table(pl.DataFrame(schema=ESTIMATES), name.replace("_", " "))
        return self._tables.get(name, nothing)

    def figure(self, name: str) -> Any:
        """A figure of the report, or a sentence where it cannot be drawn."""
        return self._figures.get(name, "Nothing to draw: too few people.")

    def __repr__(self) -> str:
        return "\n".join([self.says, *self.warnings])


def studied(out: str, protocol: str) -> Studied:
    """The study of a protocol file (path, or path in the repository) on the run in `out`; made where it is not there yet."""
    path = Path(protocol)
    chosen = read(path if path.exists() else REPOSITORY / path)
    try:
        return Studied(chosen, study.read(from_environment(Path(out)), chosen))
    except NothingToStudy as problem:
        return Studied(chosen, None, str(problem))
