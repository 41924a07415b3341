"""Staggered adoption by practices: Callaway-Sant'Anna, imputation and Sun-Abraham by diff-diff; two-way fixed effects by pyfixest.

Two-way fixed effects is here to be seen failing where effects grow with exposure: it compares late adopters with early ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.impact.effects import ALPHA, Estimate


@contextmanager
def _quiet() -> Iterator[None]:
    """The libraries warn of small cohorts and of what they will rename; neither is a finding of a study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class ByEventTime:
    """Effect at each period since adoption; negative periods are before it."""

    period: int
    estimate: float
    std_error: float
    lower: float
    upper: float


def callaway_santanna(
    panel: pd.DataFrame,
    *,
    control_group: str = "never_treated",
    weights: str | None = None,
    cluster: str | None = None,
) -> tuple[Estimate, list[ByEventTime]]:
    """Effect over all adopters and periods after adoption, and by event time, without covariates.

    panel: unit, time, first (0: never), outcome; further columns for weights (constant in a unit) and clusters.
    """
    from diff_diff import CallawaySantAnna

    with _quiet():
        fitted = CallawaySantAnna(control_group=control_group, estimation_method="reg", cluster=cluster).fit(
            panel, "outcome", "unit", "time", "first", survey_design=_weights(weights, cluster)
        )
        study = fitted.aggregate("event_study")
    return _estimate(fitted, panel), by_event_time(study)


def imputation(panel: pd.DataFrame, *, weights: str | None = None, cluster: str | None = None) -> Estimate:
    """Borusyak, Jaravel and Spiess: the untreated outcome imputed from unit and period effects of untreated observations."""
    from diff_diff import ImputationDiD

    with _quiet():
        fitted = ImputationDiD(cluster=cluster).fit(
            panel, "outcome", "unit", "time", "first", survey_design=_weights(weights, cluster)
        )
    return _estimate(fitted, panel)


def sun_abraham(panel: pd.DataFrame, *, weights: str | None = None, cluster: str | None = None) -> Estimate:
    """Sun and Abraham: effects by cohort and period since adoption, weighted by cohort."""
    from diff_diff import SunAbraham

    with _quiet():
        fitted = SunAbraham(cluster=cluster).fit(
            panel, "outcome", "unit", "time", "first", survey_design=_weights(weights, cluster)
        )
    return _estimate(fitted, panel)


def two_way_fixed_effects(
    panel: pd.DataFrame, *, weights: str | None = None, cluster: str = "unit"
) -> Estimate:
    """One coefficient of having adopted, with unit and period effects."""
    import pyfixest

    on = (panel["first"] > 0) & (panel["time"] >= panel["first"])
    with _quiet():
        fitted = pyfixest.feols(
            "outcome ~ adopted | unit + time",
            data=panel.assign(adopted=on.astype(float)),
            vcov={"CRV1": cluster},
            weights=weights,
        )
    low, high = fitted.confint().loc["adopted"].to_numpy(float)
    adopters = _adopters(panel)
    return Estimate(
        float(fitted.coef()["adopted"]),
        float(fitted.se()["adopted"]),
        float(low),
        float(high),
        float(fitted.pvalue()["adopted"]),
        adopters,
        panel["unit"].nunique() - adopters,
        panel[cluster].nunique(),
    )


def by_event_time(study: Any) -> list[ByEventTime]:
    frame = study.to_dataframe()
    names = {name.lower(): name for name in frame.columns}
    period = names.get("event_time", frame.columns[0])
    effect = names.get("att", names.get("effect", ""))
    low, high = names.get("conf_int_lower", ""), names.get("conf_int_upper", "")
    return [
        ByEventTime(int(row[period]), float(row[effect]), float(row["se"]), float(row[low]), float(row[high]))
        for row in frame.to_dict("records")
        if np.isfinite(row["se"])
    ]


def _weights(weights: str | None, cluster: str | None) -> Any:
    from diff_diff import SurveyDesign

    return SurveyDesign(weights=weights, psu=cluster) if weights else None


def _adopters(panel: pd.DataFrame) -> int:
    return int(panel.loc[panel["first"] > 0, "unit"].nunique())


def _estimate(fitted: Any, panel: pd.DataFrame) -> Estimate:
    low, high = (float(one) for one in fitted.conf_int)
    adopters = _adopters(panel)
    return Estimate(
        float(fitted.att),
        float(fitted.se),
        low,
        high,
        float(fitted.p_value),
        adopters,
        int(panel["unit"].nunique()) - adopters,
        int(panel["unit"].nunique()),
        f"{int(100 * (1 - ALPHA))} % interval of the library",
    )
