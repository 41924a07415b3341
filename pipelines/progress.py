"""One line a step while a run goes on: live on a terminal, plain elsewhere. Holds seconds a step and never data."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Prints each step as it ends and keeps its seconds (`seconds_by_step`, in the order of the run)."""

    quiet: bool = False
    seconds_by_step: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; a failed one is marked and its error passes on."""
        started = time.perf_counter()
        with self._live(name):
            try:
                yield
            except BaseException:
                self._say(f"{name}: failed after {time.perf_counter() - started:.1f} s")
                raise
        seconds = time.perf_counter() - started
        self.seconds_by_step[name] = round(self.seconds_by_step.get(name, 0.0) + seconds, 3)
        self._say(f"{name}: {seconds:.1f} s")

    @contextmanager
    def _live(self, name: str) -> Iterator[None]:
        if self.quiet or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(name):
            yield

    def _say(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)
