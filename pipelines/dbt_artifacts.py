"""What dbt leaves behind, without what its engine's errors quote: node names, statuses and counts stay, texts go."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipelines import faults

RESULTS = "run_results.json"
KIND = re.compile(r"\b[A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)* Error\b")


def strip(target: Path, log: Path) -> faults.Fault | None:
    """Take the texts of errors out of `run_results.json` in dbt's target folder and remove `log`; returns the known fault that they
    bear the marks of.

    A text is reduced to the kinds of error that it names (`Runtime Error, Conversion Error`).
    """
    texts = [log.read_text(errors="replace")[-20_000:]] if log.exists() else []
    log.unlink(missing_ok=True)
    results = target / RESULTS
    if results.exists():
        held = json.loads(results.read_text())
        for node in held["results"]:
            if node["status"] in {"error", "fail", "runtime error"}:
                text = str(node.get("message") or "")
                texts.append(text)
                node["message"] = ", ".join(dict.fromkeys(KIND.findall(text)))
        results.write_text(json.dumps(held))
    return faults.diagnose(texts)
