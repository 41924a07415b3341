"""Seconds, bytes and peak memory of `ccm simulate` at several sizes.

`python -m benchmarks.simulate 10000 100000` measures those sizes and writes `benchmarks/results/simulate.json` (one
entry a size; sizes measured before stay) and `benchmarks/results/simulate.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from benchmarks.run import RESULTS, measure

SEED, MONTHS = 7, 36
RECORD = RESULTS / "simulate.json"


def bench(people: int, months: int, scratch: Path) -> dict[str, Any]:
    """One run of the command in a process of its own, Parquet, one delivery."""
    out = scratch / f"{people}x{months}"
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "simulate",
        "--people",
        str(people),
        "--months",
        str(months),
    ]
    load = os.getloadavg()[0]
    measured = measure([*command, "--seed", str(SEED), "--out", str(out)], dict(os.environ))
    truth = json.loads((out / "truth" / "truth.json").read_text(encoding="utf-8"))
    size = {
        folder: sum(path.stat().st_size for path in (out / folder).rglob("*") if path.is_file())
        for folder in ("extracts", "truth")
    }
    shutil.rmtree(out)
    return {
        "people": people,
        "months": months,
        "seed": SEED,
        "seconds": round(measured.wall_seconds, 1),
        "cpu_seconds": round(measured.cpu_seconds, 1),
        "peak_bytes": measured.peak_bytes,
        "extracts_bytes": size["extracts"],
        "truth_bytes": size["truth"],
        "claims": truth["rows"]["claims"],
        "claim_lines": truth["rows"]["claim_lines"],
        "claim_diagnoses": truth["rows"]["claim_diagnoses"],
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
    }


def as_markdown(entries: list[dict[str, Any]]) -> str:
    """The table of all sizes measured so far."""
    lines = [
        "# `ccm simulate`",
        "",
        "Whole process, Parquet, one delivery; CPU seconds are of all cores together. A load well above the number of",
        "cores means that other work ran at the same time, so wall seconds are then an upper bound.",
        "",
        "| people x months | claims | diagnoses | seconds | CPU seconds | peak memory | extracts | cores | load |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for e in entries:
        lines.append(
            f"| {e['people']:,} x {e['months']} | {e['claims'] / 1e6:.2f} M | {e['claim_diagnoses'] / 1e6:.1f} M "
            f"| {e['seconds']:.0f} | {e['cpu_seconds']:.0f} | {e['peak_bytes'] / 2**30:.2f} GiB "
            f"| {e['extracts_bytes'] / 1e6:,.0f} MB | {e['cores']} | {e['load_before']} to {e['load_after']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=int, nargs="+", help="sizes to measure")
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("--scratch", type=Path, help="folder for what is simulated (default: temporary)")
    chosen = parser.parse_args()
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else []
    entries = {(entry["people"], entry["months"]): entry for entry in known}
    for people in chosen.people:
        with tempfile.TemporaryDirectory(dir=chosen.scratch) as scratch:
            entries[people, chosen.months] = bench(people, chosen.months, Path(scratch))
        ordered = [entries[key] for key in sorted(entries)]
        RESULTS.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
        (RESULTS / "simulate.md").write_text(as_markdown(ordered), encoding="utf-8")
        print(as_markdown(ordered).splitlines()[-1])


if __name__ == "__main__":
    main()
