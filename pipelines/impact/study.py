"""One study from a protocol file: cohort, estimates, disclosure control, and the report folder.

`out/studies/NAME/`: `tables/*.parquet` and `.csv`, `figures/*.svg`, `report.html`, `protocol.yml` as read, `study.json` with versions.
Everything is written to a folder beside it and exchanged as a whole. The warehouse is opened read-only.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipelines.built import open_built
from pipelines.impact import analysis, cohort, practice_panel, protocol
from pipelines.impact.analysis import Analysis, BalanceRow, Row
from pipelines.impact.designs import DESIGNS, in_pool
from pipelines.impact.protocol import GROUPS, Protocol
from pipelines.impact.release import Counts, masked
from pipelines.settings import POLICY_SEEDS, REPOSITORY, Settings

LIMIT = "largest_small_cell"
TOOLS = ("duckdb", "polars", "numpy", "scipy", "diff-diff", "pyfixest", "scikit-learn")
VALIDATION = REPOSITORY / "benchmarks" / "results" / "impact_validation.json"
SEEDS = (
    "care_management_codes",
    "clinic_bundles",
    "condition_codes",
    "visit_codes",
    "facility_number_ranges",
    "discharge_meanings",
    "revenue_center_meanings",
    "acute_stay_limits",
    "planned_stay_codes",
    "preventable_admission_codes",
    "preventable_admission_groups",
    "negative_control_codes",
)
ESTIMATES = {
    "design": pl.String,
    "outcome": pl.String,
    "group_kind": pl.String,
    "group_value": pl.String,
    "term": pl.String,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p_value": pl.Float64,
    "q_value": pl.Float64,
    "n_treated": pl.Int64,
    "n_comparison": pl.Int64,
    "diagnostics": pl.String,
    "is_suppressed": pl.Boolean,
}


@dataclass(frozen=True)
class Study:
    """What a study says, fit to publish. `tables`: name -> frame; `facts`: what the report tells in words."""

    protocol: Protocol
    tables: dict[str, pl.DataFrame]
    facts: dict[str, Any]
    folder: Path | None = None


def run(settings: Settings, chosen: Protocol, text: str | None = None) -> Study:
    """Estimate and write the report. Raises NothingToStudy, NoWarehouse, or Leak (then nothing is written)."""
    from pipelines.impact.report import write

    made = compute(settings, chosen)
    folder = settings.out / "studies" / chosen.name
    fresh = folder.with_name(f"{chosen.name}.incoming")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "tables").mkdir(parents=True, mode=0o700)
    for name, frame in made.tables.items():
        frame.write_parquet(fresh / "tables" / f"{name}.parquet")
        frame.write_csv(fresh / "tables" / f"{name}.csv")
    if text is not None:
        (fresh / "protocol.yml").write_text(text, encoding="utf-8")
    (fresh / "study.json").write_text(json.dumps(made.facts, indent=1, default=str) + "\n", encoding="utf-8")
    write(made, fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    publish(settings)
    return Study(made.protocol, made.tables, made.facts, folder)


def publish(settings: Settings) -> Path:
    """`tables/impact_estimates.parquet`: the estimates of all studies under `out/studies`, with the name of each."""
    parts = [
        pl.read_parquet(path).with_columns(study=pl.lit(path.parent.parent.name))
        for path in sorted((settings.out / "studies").glob("*/tables/impact_estimates.parquet"))
        if not path.parent.parent.name.endswith(".incoming")
    ]
    settings.tables.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = settings.tables / "impact_estimates.parquet"
    fresh = target.with_suffix(".incoming")
    pl.concat(parts).select("study", *ESTIMATES).write_parquet(fresh)
    fresh.chmod(0o600)
    fresh.replace(target)
    return target


def read(settings: Settings, chosen: Protocol) -> Study:
    """The study as its folder holds it, or made now where there is none of this protocol on this warehouse."""
    folder = settings.out / "studies" / chosen.name
    record = folder / "study.json"
    if record.exists():
        facts = json.loads(record.read_text(encoding="utf-8"))
        if facts["protocol_hash"] == protocol_hash(chosen) and facts["warehouse"] == _warehouse(settings):
            tables = {
                path.stem: pl.read_parquet(path) for path in sorted((folder / "tables").glob("*.parquet"))
            }
            return Study(chosen, tables, facts, folder)
    return run(settings, chosen)


def compute(settings: Settings, chosen: Protocol) -> Study:
    """Everything but the files."""
    with open_built(settings, *cohort.READS) as con:
        members = cohort.build(con, chosen)
        limit = _limit(con)
        found = analysis.analyse(members.people, chosen)
        rows = list(found.rows)
        if chosen.practice_level:
            panel = practice_panel.build(con, chosen.primary, members.data_through)
            if not panel.empty:
                rows += analysis.practice_level(panel, chosen, practice_panel.people_by_arm(con, panel))
    balance = analysis.balance_rows(
        members.people, DESIGNS[chosen.design], found.weights[chosen.design].values, limit
    )
    tables = _published(members, rows, balance, chosen, limit)
    tables["validation"] = validation()
    tables["code_lists"] = code_lists()
    return Study(chosen, tables, _facts(settings, chosen, members, found))


def _limit(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute(
        "select max(limit_value) from policy.disclosure_limits where limit_name = ?", [LIMIT]
    ).fetchone()
    if row is None or row[0] is None:
        raise RuntimeError("no limit for small cells in the policy seeds")
    return int(row[0])


def _published(
    members: cohort.Cohort, rows: list[Row], balance: list[BalanceRow], chosen: Protocol, limit: int
) -> dict[str, pl.DataFrame]:
    """Flow, estimates and balance with small numbers, and what would give them away, as null."""
    people = members.people
    counts = Counts()
    pool = in_pool(people, DESIGNS[chosen.design].pool)
    arms = {"users": people.treated & pool, "comparison": ~people.treated & pool}
    for arm, inside in arms.items():
        steps = [step for step in members.flow if step.arm == arm]
        counts.add(("arm", arm), int(inside.sum()), tier=3)
        names = step_names(members, arm, int(inside.sum()))
        for name, step in zip(names, steps, strict=True):
            counts.add(name, step.people, tier=3 if name == ("arm", arm) else 2)
        for at in range(len(steps) - 1):
            counts.part(names[at], [names[at + 1]], rest=("lost", arm, at))
        if names[-1] != ("arm", arm) and steps[-1].people > int(inside.sum()):
            counts.part(names[-1], [("arm", arm)], rest=("beyond", arm))
        for kind in GROUPS:
            levels, sizes = np.unique(people.groups[kind][inside], return_counts=True)
            for level, size in zip(levels, sizes, strict=True):
                counts.add(("group", arm, kind, str(level)), int(size))
            counts.part(("arm", arm), [("group", arm, kind, str(level)) for level in levels])
    shown = counts.shown(limit)
    whole = {arm: int(inside.sum()) for arm, inside in arms.items()}
    return {
        "flow": _flow_frame(members, shown, whole),
        "impact_estimates": _estimates_frame(rows, people, chosen, shown, whole, limit),
        "balance": _balance_frame(balance, shown),
    }


def step_names(members: cohort.Cohort, arm: str, inside: int) -> list[tuple[str, ...]]:
    """Names of the counts of an arm's steps. Where everybody of the last step is in the analysis it is the arm itself, one count."""
    steps = [step for step in members.flow if step.arm == arm]
    names: list[tuple[str, ...]] = [("flow", arm, str(at)) for at in range(len(steps))]
    if steps[-1].people == inside:
        names[-1] = ("arm", arm)
    return names


def _flow_frame(members: cohort.Cohort, shown: dict[Any, bool], whole: dict[str, int]) -> pl.DataFrame:
    rows = []
    for arm, inside in whole.items():
        steps = [step for step in members.flow if step.arm == arm]
        for at, (name, step) in enumerate(zip(step_names(members, arm, inside), steps, strict=True)):
            rows.append((arm, at, step.step, step.people if shown[name] else None, not shown[name]))
    return pl.DataFrame(
        rows, orient="row",
        schema={"arm": pl.String, "step_order": pl.Int64, "step": pl.String, "people": pl.Int64, "is_suppressed": pl.Boolean},
    )  # fmt: skip


def _estimates_frame(
    rows: list[Row], people: Any, chosen: Protocol, shown: dict[Any, bool], whole: dict[str, int], limit: int
) -> pl.DataFrame:
    made = []
    for row in rows:
        is_group = row.group_kind != "everybody"
        keys = [
            (("group", arm, row.group_kind, row.group_value) if is_group else ("arm", arm))
            for arm in ("users", "comparison")
        ]
        n = [row.found.n_treated, row.found.n_comparison]
        if row.design != "practice_itt":
            bases = [
                int((people.groups[row.group_kind][arm] == row.group_value).sum()) if is_group else int(arm.sum())
                for arm in (people.treated & in_pool(people, DESIGNS[row.design].pool), ~people.treated & in_pool(people, DESIGNS[row.design].pool))
            ]  # fmt: skip
            n = [masked(count, base, limit) for count, base in zip(n, bases, strict=True)]
        hidden = any(1 <= count <= limit for count in n)
        if is_group or row.design == chosen.design:
            hidden |= any(not shown.get(key, True) for key in keys)
        hidden |= n[0] == 0 or (n[1] == 0 and row.design != "A")
        found = row.found
        numbers: list[float | None] = [
            None if hidden or not np.isfinite(value) else float(value)
            for value in (found.estimate, found.std_error, found.lower, found.upper, found.p_value)
        ]
        q = None if hidden or row.q_value is None or not np.isfinite(row.q_value) else row.q_value
        made.append(
            (
                row.design, row.outcome, row.group_kind, row.group_value, row.term, *numbers, q,
                *((None, None) if hidden else n), "{}" if hidden else row.diagnostics(), hidden,
            )
        )  # fmt: skip
    return pl.DataFrame(made, orient="row", schema=ESTIMATES)


def _balance_frame(rows: list[BalanceRow], shown: dict[Any, bool]) -> pl.DataFrame:
    made = []
    for row in rows:
        hidden = row.few
        if row.kind in GROUPS:
            hidden |= not all(
                shown.get(("group", arm, row.kind, row.level), True) for arm in ("users", "comparison")
            )
        numbers = [
            row.after.treated_mean, row.before.comparison_mean, row.after.comparison_mean, row.before.smd, row.after.smd,
            row.before.variance_ratio, row.after.variance_ratio, row.after.treated_p95, row.before.comparison_p95,
            row.after.comparison_p95,
        ]  # fmt: skip
        values = [None if hidden or not np.isfinite(one) else float(one) for one in numbers]
        made.append((row.covariate, row.level, *values, hidden))
    names = [
        "treated_mean", "comparison_mean_before", "comparison_mean", "smd_before", "smd", "variance_ratio_before",
        "variance_ratio", "treated_p95", "comparison_p95_before", "comparison_p95",
    ]  # fmt: skip
    schema: dict[str, Any] = {"covariate": pl.String, "level": pl.String}
    return pl.DataFrame(
        made, orient="row", schema={**schema, **dict.fromkeys(names, pl.Float64), "is_suppressed": pl.Boolean}
    )


def validation() -> pl.DataFrame:
    """What each design does where the truth is known, as stored by benchmarks/impact_validation.py; empty outside a checkout."""
    schema = {
        "what": pl.String,
        "seeds": pl.Int64,
        "null_bias": pl.Float64,
        "bias_mc_se": pl.Float64,
        "coverage": pl.Float64,
    }
    if not VALIDATION.exists():
        return pl.DataFrame(schema=schema)
    rows = json.loads(VALIDATION.read_text(encoding="utf-8"))["designs"]
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def code_lists() -> pl.DataFrame:
    """Every code list behind exposure, eligibility and outcomes, with its checksum."""
    return pl.DataFrame(
        [
            {
                "code_list": name,
                "sha256": hashlib.sha256((POLICY_SEEDS / f"{name}.csv").read_bytes()).hexdigest()[:16],
            }
            for name in SEEDS
        ]
    )


def protocol_hash(chosen: Protocol) -> str:
    return hashlib.sha256(repr(chosen).encode()).hexdigest()[:16]


def _warehouse(settings: Settings) -> str:
    """What tells one build from another: the run record's checksum, or the file's size and time."""
    if settings.run_record.exists():
        return hashlib.sha256(settings.run_record.read_bytes()).hexdigest()[:16]
    stat = settings.warehouse.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _facts(settings: Settings, chosen: Protocol, members: cohort.Cohort, found: Analysis) -> dict[str, Any]:
    record = json.loads(settings.run_record.read_text()) if settings.run_record.exists() else {}
    statistic, p = found.study.pre_trend()
    return {
        "study": chosen.name,
        "question": chosen.question,
        "protocol": dict(vars(chosen)),
        "protocol_hash": protocol_hash(chosen),
        "warehouse": _warehouse(settings),
        "as_of": record.get("as_of"),
        "policy_version": record.get("policy_version"),
        "index_months": [members.first_month.isoformat()[:7], members.last_month.isoformat()[:7]],
        "data_through": members.data_through.isoformat()[:7],
        "pre_trend": {"statistic": _finite(statistic), "p_value": _finite(p)},
        "versions": {"python": platform.python_version(), **{tool: version(tool) for tool in TOOLS}},
    }


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def load(path: Path) -> tuple[Protocol, str]:
    """A protocol and the text that it was read from."""
    return protocol.read(path), path.read_text(encoding="utf-8")
