"""The simulator: people in chunks, each made from its own random streams and written before the next."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate import groups, render_world, truth, write_cclf, write_fhir, write_rif
from pipelines.simulate.chunk import make_chunk
from pipelines.simulate.deliveries import MonthlyFolders, month_ends, sent_every_january
from pipelines.simulate.parameters import calendar, digest, load, with_options
from pipelines.simulate.truth_schemas import SCHEMAS
from pipelines.simulate.world import build_world
from pipelines.simulate.writing import OneFolder, TableFile, contract_schemas

# What writes the extracts of a format, from the contract tables of one delivery.
WRITERS = {"cclf": write_cclf.rewrite, "fhir": write_fhir.rewrite, "rif": write_rif.rewrite}
FORMATS = ["practice", *WRITERS]
FILES = ["parquet", "csv"]
DELIVERIES = ["single", "monthly"]


def simulate(
    people: int,
    months: int,
    seed: int,
    out: Path,
    *,
    format: str = "practice",
    parameters: Path | None = None,
    twin: bool = False,
    files: str = "parquet",
    last_month: date | None = None,
    error_scale: float | None = None,
    error_rate: float | None = None,
    deliveries: str = "single",
) -> dict[str, Any]:
    """Write a synthetic Medicare population of `people` persons over `months` months into `out`.

    `out/extracts/` gets one file a contract table (`files`: parquet or csv), `out/truth/` what was planted
    and `truth.json`; these folders are replaced. The same arguments and parameter file give the same bytes.
    `twin` makes the same draws without the effect of CCM. `deliveries` "monthly" writes one folder a month of what was
    known then. `last_month` (any day of it) ends the window elsewhere than
    the parameter file says; `error_scale` multiplies its error rates, `error_rate` sets them so that about this share
    of CCM dollars is paid in error as OIG audits it. Returns the content of `truth.json`.
    ValueError: an argument or parameter that cannot be used.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r} cannot be simulated; formats: {', '.join(FORMATS)}")
    if files not in FILES:
        raise ValueError(f"files {files!r} cannot be written; kinds: {', '.join(FILES)}")
    if deliveries not in DELIVERIES:
        raise ValueError(f"deliveries {deliveries!r} are unknown; kinds: {', '.join(DELIVERIES)}")
    if format != "practice" and files != "parquet":
        raise ValueError(f"format {format!r} is made from parquet files")
    if people < 1 or people > 50_000_000:
        raise ValueError("people must be between 1 and 50,000,000")
    if months < 1:
        raise ValueError("months must be at least 1")
    if seed < 0:
        raise ValueError("seed must not be negative")
    settings = with_options(load(parameters), last_month, error_scale, error_rate)
    covered = calendar(settings, months)
    world = build_world(settings, people, seed, covered)
    extracts, truths = (Path(out) / name for name in ("extracts", "truth"))
    for folder in (extracts, truths):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    counts: Counter[str] = Counter()
    funnel: Counter[tuple[str, str]] = Counter()
    effects: Counter[tuple[str, str]] = Counter()
    schemas, monthly = contract_schemas(), deliveries == "monthly"
    tables: OneFolder | MonthlyFolders
    if monthly:
        tables = MonthlyFolders(extracts, schemas, files, month_ends(covered))
    else:
        tables = OneFolder(extracts, schemas, files, covered.extract_day)
    known = {name: TableFile(truths / f"{name}.parquet", schema) for name, schema in SCHEMAS.items()}
    try:
        for name, frame in truth.pattern_truth(world).items():
            known[name].write(frame)
        for name, frame in render_world.world_tables(settings, world).items():
            tables.write(name, sent_every_january(frame, covered) if monthly else frame)
        size = int(settings["window"]["chunk_people"])
        for chunk, first in enumerate(range(0, people, size)):
            made = make_chunk(
                settings, covered, world, seed, chunk, first, min(size, people - first), twin, monthly
            )
            for name, frame in made.tables.items():
                tables.write(name, frame)
            for name, frame in made.facts.items():
                known[name].write(frame)
            counts.update(_counted(made.facts))
            funnel.update(made.funnel)
            effects.update(made.effects)
    finally:
        tables.close()
        for file in known.values():
            file.close()
    if format in WRITERS:
        for sent in tables.described:
            WRITERS[format](Path(out) / sent["folder"], received=date.fromisoformat(sent["received"]))
    record = {
        "people": people,
        "months": months,
        "seed": seed,
        "format": format,
        "twin": twin,
        "parameters_sha256": digest(settings),
        "first_claim_month": str(np.datetime64(int(covered.starts[0]), "D"))[:7],
        "first_window_month": str(np.datetime64(int(covered.starts[covered.history]), "D"))[:7],
        "last_window_month": str(np.datetime64(int(covered.starts[-2]), "D"))[:7],
        "extract_date": str(np.datetime64(covered.extract_day, "D")),
        "planted_effect": settings["ccm"]["effect"],
        "funnel_by_group": groups.by_group(funnel),
        "effect_by_group": groups.by_group(effects),
        "planted_odds_ratios": settings["ccm"]["odds_ratios"],
        "planted_stop_ratios": settings["ccm"]["one_month_only_ratios"],
        "rows": tables.rows,
        "deliveries": tables.described,
        "truth_rows": {name: file.rows for name, file in known.items()},
        "planted_errors": {k[6:]: v for k, v in sorted(counts.items()) if k.startswith("error ")},
        "planted_faults": {k[6:]: v for k, v in sorted(counts.items()) if k.startswith("fault ")},
    }
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    (truths / "truth.json").write_text(text, encoding="utf-8")
    return record


def _counted(facts: dict[str, pl.DataFrame]) -> Counter[str]:
    rules = Counter(f"error {rule}" for rule in facts["planted_errors"]["rule_id"])
    pairs = facts["planted_faults"].select(pl.concat_str("table_name", "fault", separator="."))
    return rules + Counter(f"fault {pair}" for pair in pairs.to_series())
