"""What dbt leaves behind, without what its engine's errors quote: node names, statuses and counts stay, texts go.

dbt writes its files in place: one that was killed, or had no room, leaves a part of them.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines import faults

RESULTS = "run_results.json"
MANIFEST = "manifest.json"
KIND = re.compile(r"\b[A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)* Error\b")


def results(target: Path) -> list[dict[str, Any]]:
    """dbt's results in its target folder, one a node; none where it has left no file, or a part of one."""
    with suppress(OSError, ValueError):
        found: list[dict[str, Any]] = json.loads((target / RESULTS).read_text())["results"]
        return found
    return []


def is_whole(target: Path) -> bool:
    """Whether dbt's manifest in its target folder is there to its end."""
    try:
        return isinstance(json.loads((target / MANIFEST).read_text()), dict)
    except (OSError, ValueError):
        return False


def strip(target: Path, log: Path) -> faults.Fault | None:
    """Take the texts of errors out of `run_results.json` in dbt's target folder and remove `log`; returns the known fault that they
    bear the marks of.

    A text is reduced to the kinds of error that it names (`Runtime Error, Conversion Error`).
    """
    texts = [log.read_text(errors="replace")[-20_000:]] if log.exists() else []
    log.unlink(missing_ok=True)
    path = target / RESULTS
    try:
        held = json.loads(path.read_text())
    except (OSError, ValueError):
        # what is left of a part cannot be taken apart, and may quote a row
        path.unlink(missing_ok=True)
        return faults.diagnose(texts)
    for node in held["results"]:
        if node["status"] in {"error", "fail", "runtime error"}:
            text = str(node.get("message") or "")
            texts.append(text)
            node["message"] = ", ".join(dict.fromkeys(KIND.findall(text)))
    path.write_text(json.dumps(held))
    return faults.diagnose(texts)
