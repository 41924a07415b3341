"""How strong what was not measured would have to be, and what effect a panel of this size could show.

E-values: VanderWeele and Ding (2017), Annals of Internal Medicine 167:268-274; for differences of means by the approximation
RR = exp(0.91 d) of Chinn (2000) that they use.
"""

from __future__ import annotations

import numpy as np


def e_value(ratio: float) -> float:
    """Least association, as a risk ratio, that an unmeasured confounder would need with both treatment and outcome to explain
    a risk ratio away; 1 for no association, nan for what is no ratio."""
    if not np.isfinite(ratio) or ratio <= 0:
        return float("nan")
    above = ratio if ratio >= 1 else 1 / ratio
    return float(above + np.sqrt(above * (above - 1)))


def e_value_of_limit(lower: float, upper: float) -> float:
    """The same of the limit of an interval that is nearest to 1; 1 where the interval holds 1."""
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return float("nan")
    if lower <= 1 <= upper:
        return 1.0
    return e_value(lower if lower > 1 else upper)


def ratio_of_difference(difference: float, standard_deviation: float) -> float:
    """Risk ratio that a difference of means is worth, by the outcome's standard deviation."""
    return float(np.exp(0.91 * difference / standard_deviation)) if standard_deviation > 0 else float("nan")
