"""What every number on the pages means: text only."""

from __future__ import annotations

from typing import Any

from pipelines.publish.sources import Sources


def view(sources: Sources) -> dict[str, Any]:
    return {}
