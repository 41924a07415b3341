"""The worklist: candidates of the warehouse ranked by the need foretold, or by the rule where too little is known to foretell it.

Writes reports.worklist, and beside it what the ranking rests on: outreach_basis (which, and why), outreach_tests (how well models did)
and outreach_fairness (the report by group, with small counts hidden).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import duckdb
import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from expectations.declared import blocks
from expectations.run import Outcome
from pipelines import engine
from pipelines.outreach import fairness, release
from pipelines.outreach.choosing import Chosen, by_capacity, choose
from pipelines.outreach.evidence import GROUPS, Evidence, Floats, read
from pipelines.outreach.learning import NEED, START, Learnt, NotLearnt, Test, learn
from pipelines.outreach.reasons import counted, reasons, sentence, told_of
from pipelines.settings import Settings

BY_NEED, BY_RULE = "need", "rule"
MOVED = "asked now so that every group is asked in step with its need"
RULE = "By rule: more chronic conditions first, then recent stays and emergency visits, then the later visit"
CHECKS = ("outreach_calibration", "outreach_fairness")


@dataclass(frozen=True)
class Ranked:
    """What was written: `tables` by name; `outcomes` of the checks, as counts; `told`: numbers that the audit could tell."""

    tables: dict[str, pl.DataFrame]
    outcomes: list[Outcome]
    ranked_by: str
    told: int


def publish(settings: Settings) -> Ranked:
    """Rank the candidates of the warehouse and write the tables into its schema `reports`."""
    # One thread: sums in one order give the same numbers in every run, and the models are small.
    with engine.connect(settings, settings.warehouse) as con, threadpool_limits(1):
        made = build(con)
        for name, frame in made.tables.items():
            con.register("frame", frame.to_arrow())
            con.execute(f"create or replace table reports.{name} as select * from frame")
            con.unregister("frame")
    return made


def build(con: duckdb.DuckDBPyConnection) -> Ranked:
    """The tables and outcomes, from a warehouse that is only read."""
    evidence = read(con)
    candidates = con.sql(
        "select * from reports_internal.int_worklist_candidates order by practice_id, rule_rank"
    ).pl()
    need, start = learn(evidence, NEED), learn(evidence, START)
    facts = evidence.listed.drop(
        "practice_id", "practitioner_npi", "service_month", "conditions", "condition_count"
    )
    people = candidates.join(facts, on="beneficiary_id", how="left", maintain_order="left", validate="1:1")
    score = np.round(need.foretell(people), 6) if isinstance(need, Learnt) else None
    order = pl.Series("order", -score if score is not None else np.zeros(people.height))
    placed = people.with_columns(order).with_columns(
        place=pl.struct("order", "rule_rank").rank("ordinal").over("practice_id")
    )
    tolerance = evidence.limits["floor_tolerance"]
    chosen, findings = _chosen(evidence, placed, need, score, tolerance)
    lines = (
        reasons(need, people, int(evidence.limits["reasons"]))
        if isinstance(need, Learnt)
        else rule_reasons(people)
    )
    worklist = listed(
        placed, chosen, score, lines, start.foretell(people) if isinstance(start, Learnt) else None
    )
    published, given_away = release.shown(
        findings, evidence.largest_small_cell, _eligible(con, evidence, need), _of_year(con, evidence)
    )
    tables = {
        "worklist": worklist,
        "outreach_basis": basis(need, start),
        "outreach_tests": tests(
            [one for model in (need, start) if isinstance(model, Learnt) for one in _of(model)]
        ),
        "outreach_fairness": published if not given_away else published.clear(),
    }
    return Ranked(
        tables, outcomes(findings), BY_NEED if score is not None else BY_RULE, given_away
    )  # fmt: skip


def _chosen(
    evidence: Evidence,
    people: pl.DataFrame,
    need: Learnt | NotLearnt,
    score: Floats | None,
    tolerance: float,
) -> tuple[Chosen, list[fairness.Finding]]:
    """Whom to ask now, and the fairness report; without a model nobody's need is known, so no floor and no report."""
    if not isinstance(need, Learnt) or score is None:
        return Chosen(by_capacity(people, evidence.capacity), np.zeros(people.height, dtype=bool), []), []
    chosen = choose(people, score, evidence.capacity, GROUPS, tolerance)
    share = float(chosen.asked.mean()) if people.height else 0.0
    return chosen, [
        *fairness.of_test(need.tested, share, evidence.limits),
        *fairness.of_tenths(need.tested),
        *fairness.of_list(people, score, chosen, tolerance),
    ]


def rule_reasons(people: pl.DataFrame) -> list[str]:
    """One line a person where the rule ranks."""
    parts = [
        told_of("condition_count", pl.col("condition_count")),
        counted(
            pl.col("recent_stays"),
            "one hospital or nursing-facility stay in 6 months",
            "{} hospital or nursing-facility stays in 6 months",
        ),
        told_of("emergency_days_6", pl.col("recent_emergency_visits")),
    ]
    return people.select(sentence(parts)).to_series().to_list()


def listed(
    people: pl.DataFrame, chosen: Chosen, score: Floats | None, lines: list[str], start: Floats | None
) -> pl.DataFrame:
    """Rows of reports.worklist in the order of practice and rank."""
    marked = people.with_columns(
        is_asked_now=pl.Series(chosen.asked, dtype=pl.Boolean),
        is_moved_up=pl.Series(chosen.moved, dtype=pl.Boolean),
        score=pl.Series(score if score is not None else [None] * people.height, dtype=pl.Float64),
        likely_to_start=pl.Series(np.round(start, 6) if start is not None else [None] * people.height, dtype=pl.Float64),
        ranked_by=pl.lit(BY_NEED if score is not None else BY_RULE),
        line=pl.Series(lines, dtype=pl.String),
    )  # fmt: skip
    return marked.with_columns(
        rank=pl.struct(~pl.col("is_asked_now"), "place").rank("ordinal").over("practice_id").cast(pl.Int32),
        reason=pl.when("is_moved_up").then(pl.col("line") + f"; {MOVED}").otherwise("line"),
    ).select(
        "practice_id", "rank", "beneficiary_id", "practitioner_npi", "service_month", "is_asked_now", "score",
        "likely_to_start", "reason", "reasons", "conditions", "condition_count", "recent_stays",
        "recent_emergency_visits", "last_visit_date", "missing_to_start", "expected_monthly_usd", "is_moved_up", "ranked_by",
    ).sort("practice_id", "rank")  # fmt: skip


def _of(model: Learnt) -> list[dict[str, object]]:
    def row(test: Test) -> dict[str, object]:
        return {"target": model.target.name, "is_used": test.learner == model.learner, **asdict(test)}

    return [row(test) for test in model.tests]


def tests(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows of reports.outreach_tests; counts stay out of it, the fairness report shows what may be shown."""
    schema = {"target": pl.String, "learner": pl.String, "part": pl.String, "is_used": pl.Boolean, "auc": pl.Float64,
              "brier": pl.Float64, "brier_of_rate": pl.Float64, "observed_over_expected": pl.Float64}  # fmt: skip
    return pl.DataFrame([{name: row[name] for name in schema} for row in rows], schema=schema).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )


def basis(*models: Learnt | NotLearnt) -> pl.DataFrame:
    """Rows of reports.outreach_basis: what is foretold, by what, or why not."""
    rows = [
        (model.target.name, model.learner, f"Foretold: {model.target.says}.")
        if isinstance(model, Learnt)
        else (
            model.target.name,
            None,
            f"Not foretold: {model.says}." + (f" {RULE}." if model.target is NEED else ""),
        )
        for model in models
    ]
    return pl.DataFrame(
        rows, orient="row", schema={"target": pl.String, "learner": pl.String, "says": pl.String}
    )


def outcomes(findings: list[fairness.Finding]) -> list[Outcome]:
    """Calibration of everybody and fairness between groups as outcomes of a run's checks: counts only."""
    made = []
    for suite in CHECKS:
        is_whole = suite == "outreach_calibration"
        mine = [
            one
            for one in findings
            if (one.group_kind == fairness.EVERYBODY) == is_whole and one.required_low is not None
        ]
        for measure in dict.fromkeys(one.measure for one in mine):
            asked = [one for one in mine if one.measure == measure]
            failed = sum(one.status == "fail" for one in asked)
            made.append(
                Outcome(suite, "outreach_fairness", "value", measure, f"{measure.replace('_', ' ')} within its bounds",
                        failed == 0, blocks(suite), len(asked), failed)
            )  # fmt: skip
    return made


def _eligible(
    con: duckdb.DuckDBPyConnection, evidence: Evidence, need: Learnt | NotLearnt
) -> dict[str, int | None]:
    """Measure -> eligible people of its months as the page of capture shows them; None where it hides one of them."""
    if not isinstance(need, Learnt):
        return {}
    months = {
        "observed_over_expected": need.tested["service_month"].unique().sort().to_list(),
        "asked_over_need": evidence.listed["service_month"].unique().to_list(),
    }
    found: dict[str, int | None] = {}
    for measure, of in months.items():
        rows = con.execute(
            "select case when held_from is null then people end from reports.rpt_capture_by_month where state = 'eligible_not_served' and service_month in"
            " (select unnest($months))",
            {"months": of},
        ).fetchall()
        counts = [row[0] for row in rows]
        found[measure] = None if None in counts or len(counts) < len(of) else int(sum(counts))
    return found


def _of_year(con: duckdb.DuckDBPyConnection, evidence: Evidence) -> dict[tuple[str, str], int]:
    """(kind, group) -> people eligible in the year of the worklist's month, where the measures show that."""
    rows = con.execute(
        "select group_kind, group_value, value from reports.shown_measure_counts where count = 'eligible_people'"
        " and value is not null and year in (select year(unnest($months)))",
        {"months": evidence.listed["service_month"].unique().to_list()},
    ).fetchall()
    return {(kind, group): people for kind, group, people in rows}
