"""A synthetic Medicare population with known truth: see `docs/simulation.md`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def simulate(people: int, months: int, seed: int, out: Path, **options: Any) -> dict[str, Any]:
    """See `pipelines.simulate.run.simulate`; imported late so that the command line starts quickly."""
    from pipelines.simulate.run import simulate as run

    return run(people, months, seed, out, **options)


__all__ = ["simulate"]
