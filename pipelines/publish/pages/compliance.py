"""Compliance: every rule with its answers and the dollars of its failures."""

from __future__ import annotations

from typing import Any

from pipelines.publish.formatting import sentence
from pipelines.publish.sources import Row, Sources


def view(sources: Sources) -> dict[str, Any]:
    flags = sources.rows("select * from reports.rpt_flags_by_rule order by rule_id, status")
    return {
        "flags": flags,
        "rules": rules(sources.catalogue, flags),
        **{
            plural: [
                (name, sentence(name)) for name in dict.fromkeys(rule[column] for rule in sources.catalogue)
            ]
            for plural, column in (("severities", "severity"), ("certainties", "certainty"))
        },
        "findings_total": sources.rows("select * from reports.rpt_findings_total"),
    }


def rules(catalogue: list[Row], flags: list[Row]) -> list[Row]:
    """Every rule of the catalogue with its cell of each status; a status without subjects is absent."""
    found: dict[str, Row] = {rule["rule_id"]: {**rule, "cells": {}} for rule in catalogue}
    for row in flags:
        found[row["rule_id"]]["cells"][row["status"]] = row
    return [found[key] for key in sorted(found)]
