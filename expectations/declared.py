"""What `checks.yml` declares: whether a check warns or blocks, and its limits."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

PLACE = Path(__file__).with_name("checks.yml")


@cache
def declared() -> dict[str, Any]:
    """The file as it stands."""
    found: dict[str, Any] = yaml.safe_load(PLACE.read_text(encoding="utf-8"))
    return found


def blocks(check: str) -> bool:
    """Whether a check that is not met stops the run; raises KeyError for one that is not declared."""
    effect = declared()["effects"][check]
    if effect not in {"block", "warn"}:
        raise ValueError(f"{PLACE.name}: {check} is neither block nor warn")
    return bool(effect == "block")
