"""A calibrated model of one outcome, learnt from earlier months, calibrated on later ones and tested on the latest, or why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.outreach.evidence import Evidence, Floats, Ints, condition_names, matrix

LATER = 2  # months with known outcome kept for calibration, and as many for the test
FOLDS = 5  # of practices, in the test on practices that were not learnt from


@dataclass(frozen=True)
class Target:
    """What is foretold: its name, what it is in words, the label of a row, and which rows it is asked of."""

    name: str
    says: str
    label: pl.Expr
    among: pl.Expr


NEED = Target(
    "need",
    "an avoidable hospital admission or emergency visit within half a year",
    pl.col("preventable_events") > 0,
    pl.lit(True),
)
START = Target(
    "start",
    "a first bill of CCM within half a year, at practices that bill it",
    pl.col("has_started"),
    pl.col("practice_bills"),
)

LEARNERS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=2_000)),
    "boosting": lambda: HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.05, max_leaf_nodes=8, l2_regularization=10.0, early_stopping=False, random_state=0
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Test:
    """How well probabilities met what came: of whom, and the figures."""

    learner: str
    part: str
    people: int
    events: int
    brier: float
    brier_of_rate: float
    auc: float
    observed_over_expected: float


@dataclass(frozen=True)
class Learnt:
    """A model and its tests. `tested`: the rows of the latest months with `foretold` and `came`."""

    target: Target
    learner: str
    conditions: list[str]
    model: Any
    tests: list[Test]
    tested: pl.DataFrame

    def foretell(self, people: pl.DataFrame) -> Floats:
        """(n,) probabilities of n people."""
        if not people.height:
            return np.zeros(0)
        return self.of(matrix(people, self.conditions))

    def of(self, numbers: Floats) -> Floats:
        """(n,) probabilities of rows of `matrix`."""
        return np.asarray(self.model.predict_proba(numbers)[:, 1], dtype=float)


@dataclass(frozen=True)
class NotLearnt:
    """Why there is no model, in one sentence."""

    target: Target
    says: str


def learn(evidence: Evidence, target: Target) -> Learnt | NotLearnt:
    """The better of LEARNERS for `target` on the calibration months, or why none.

    Months are split by time: the last two whose outcome is known test, the two before calibrate, all before are learnt from. The model
    that is returned is the one that was tested: it is not learnt again with the months that tested it.
    """
    rows = evidence.known.filter(target.among)
    months = rows["service_month"].unique().sort().to_list()
    if len(months) < 2 * LATER + 1:
        return NotLearnt(
            target,
            f"too few months are over to learn {target.says}: {len(months)} of the {2 * LATER + 1} needed",
        )
    parts = {
        "learnt": at_most(
            rows.filter(pl.col("service_month").is_in(months[: -2 * LATER])),
            int(evidence.limits["most_learnt_rows"]),
        ),
        "calibration": rows.filter(pl.col("service_month").is_in(months[-2 * LATER : -LATER])),
        "test": rows.filter(pl.col("service_month").is_in(months[-LATER:])),
    }
    came = {name: part.select(target.label.cast(pl.Int64)).to_series().to_numpy() for name, part in parts.items()}  # fmt: skip
    need = {"learnt": "least_events", "calibration": "least_later_events", "test": "least_later_events"}
    for name, limit in need.items():
        least = int(evidence.limits[limit])
        if came[name].sum() < least or (1 - came[name]).sum() < least:
            return NotLearnt(
                target,
                f"too little is known to learn {target.says}: fewer than {least} people with or without it in the months"
                f" for {'learning' if name == 'learnt' else name}",
            )
    conditions = condition_names(parts["learnt"])
    numbers = {name: matrix(part, conditions) for name, part in parts.items()}
    raw = {name: make().fit(numbers["learnt"], came["learnt"]) for name, make in LEARNERS.items()}
    losses = {
        name: log_loss(came["calibration"], model.predict_proba(numbers["calibration"])[:, 1])
        for name, model in raw.items()
    }
    best = min(losses, key=lambda name: losses[name])
    is_isotonic = came["calibration"].sum() >= evidence.limits["isotonic_events"]
    calibrated = {
        name: CalibratedClassifierCV(
            FrozenEstimator(model), method="isotonic" if is_isotonic else "sigmoid"
        ).fit(numbers["calibration"], came["calibration"])
        for name, model in raw.items()
    }
    tests = [
        tested(name, "later months", came["test"], model.predict_proba(numbers["test"])[:, 1])
        for name, model in calibrated.items()
    ]
    practices = parts["learnt"]["practice_id"].to_numpy()
    if len(set(practices.tolist())) >= FOLDS:
        apart = cross_val_predict(
            LEARNERS[best](), numbers["learnt"], came["learnt"], groups=practices,
            cv=GroupKFold(FOLDS), method="predict_proba",
        )[:, 1]  # fmt: skip
        tests.append(tested(best, "other practices", came["learnt"], apart))
    tests.append(_rule(parts["test"], came["test"]))
    found = Learnt(
        target, best, conditions, calibrated[best], tests,
        parts["test"].with_columns(
            foretold=pl.Series(calibrated[best].predict_proba(numbers["test"])[:, 1]),
            came=pl.Series(came["test"]),
        ),
    )  # fmt: skip
    return _if_better(found)


def at_most(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """`rows`, or `most` of them by lot, in their order and the same ones every time: a few dozen numbers are learnt from them, and
    a country's rows would take its time and memory to say the same."""
    if rows.height <= most:
        return rows
    return rows[np.sort(np.random.default_rng(0).choice(rows.height, most, replace=False))]


def _if_better(found: Learnt) -> Learnt | NotLearnt:
    """The model, unless the rule or the mere rate did as well in the latest months."""
    mine = next(test for test in found.tests if (test.learner, test.part) == (found.learner, "later months"))
    rule = next(test for test in found.tests if test.learner == "rule")
    if mine.auc <= rule.auc or mine.brier >= mine.brier_of_rate:
        return NotLearnt(
            found.target, f"the model of {found.target.says} did no better than the rule in the latest months"
        )
    return found


def tested(learner: str, part: str, came: Ints, foretold: Floats) -> Test:
    """Figures of n probabilities against what came (0 or 1)."""
    rate = float(came.mean())
    return Test(
        learner, part, len(came), int(came.sum()), float(brier_score_loss(came, foretold)), rate * (1 - rate),
        float(roc_auc_score(came, foretold)), float(came.sum() / foretold.sum()),
    )  # fmt: skip


def rule_order(people: pl.DataFrame) -> pl.Expr:
    """The rule's order as one number: conditions first, then stays and emergency visits in half a year."""
    return pl.col("condition_count") * 1_000 + pl.col("admissions_6") + pl.col("emergency_days_6")


def _rule(people: pl.DataFrame, came: Ints) -> Test:
    """The rule orders and foretells nothing: only its AUC can be told."""
    order = people.select(rule_order(people)).to_series().to_numpy()
    rate = float(came.mean())
    return Test("rule", "later months", len(came), int(came.sum()), float("nan"), rate * (1 - rate),
                float(roc_auc_score(came, order)), float("nan"))  # fmt: skip
