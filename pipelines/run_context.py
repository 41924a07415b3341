"""What one run knows: what it was asked for, and what its steps learn and find on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines import faults
from pipelines.lineage import Lineage, lineage
from pipelines.progress import Progress
from pipelines.settings import Settings
from pipelines.window import RunWindow, window


@dataclass
class RunContext:
    """What one run was asked for and what it learnt on the way; shared by its assets within one process."""

    settings: Settings
    extracts: Path | None = None
    format: str = "auto"
    received: date | None = None
    as_of: date | None = None
    through: date | None = None
    progress: Progress = field(default_factory=lambda: Progress(quiet=True))
    outcomes: list[Any] = field(default_factory=list)
    batch: Any = None
    unreadable: Exception | None = None
    published: bool = False
    fault: faults.Fault | None = None
    # Kind of error and place in the code, of steps that stopped by one.
    broken_at: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; what stops it goes on without its own text, which may quote a row and would be kept by Dagster."""
        try:
            with self.progress.step(name):
                yield
        except Exception as problem:
            if type(problem) is dg.Failure:  # the project's own; dagster-dbt derives one that quotes dbt
                raise
            self.fault = self.fault or faults.of_error(problem)
            where = faults.where(problem)
            self.broken_at.append(f"{name}: {where}")
            raise dg.Failure(description=where) from None

    def window(self) -> RunWindow:
        return window(self.settings, self.as_of, self.through)

    def lineage(self) -> Lineage:
        return lineage(self.settings, self.window())
