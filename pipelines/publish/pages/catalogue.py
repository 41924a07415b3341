"""The rule catalogue: what each rule tests, its source, its dates and its limits, from the YAML beside each rule's SQL."""

from __future__ import annotations

from typing import Any

from pipelines import rules
from pipelines.publish.sources import Sources


def view(sources: Sources) -> dict[str, Any]:
    built = {row["rule_id"] for row in sources.catalogue}
    return {"catalogue": [rule for rule in rules.catalogue() if rule.rule_id in built]}
