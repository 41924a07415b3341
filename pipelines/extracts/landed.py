"""The manifests of what is landed."""

from __future__ import annotations

import json
from typing import Any

from pipelines.settings import Settings


def manifests(settings: Settings) -> list[dict[str, Any]]:
    """Every batch's manifest, in the order of the batches' names."""
    return [json.loads(path.read_text()) for path in sorted(settings.landing.glob("batch-*/manifest.json"))]
