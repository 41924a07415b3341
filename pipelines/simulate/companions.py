"""Services of other programmes that planted errors bill beside CCM or in its place, by rule and month.

Codes come from the policy seeds, so that what clashes is what Medicare paid for in that month.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.simulate.policy import day_number, days, seed

# Rules whose error takes the place of the CCM bill; with the others it stands beside it.
IN_PLACE_OF_CCM = ("F09", "F39", "F40")
# Rules by which CCM falls; the dollars of the service that it clashes with are not at fault.
CCM_FALLS = ("F04", "F05", "F07", "F08")
# Before 2016 transitional care was dated on the thirtieth day, so its discharge cannot be told from the date.
TCM_DATED_BY_VISIT = day_number("2016-01-01")
# Rules that need nothing of the person but a clean billed month.
BESIDE_ANY_BILL = ("F07", "F08", "F09", "F32", "F41", "F42")


@dataclass(frozen=True)
class Companion:
    """A line to bill: claim and line number within the month's bill, code by month ('' where nothing is in force)."""

    claim: int
    line: int
    code: NDArray[np.str_]
    is_at_fault: bool = True
    on_last_day: bool = True


def companions(starts: NDArray[np.int64]) -> dict[str, list[Companion]]:
    """Lines by rule, for months that begin on the days `starts`."""
    oversight, capitation = _code(starts, "CPO"), _code(starts, "ESRD_MONTHLY", "90960")
    principal, planning = _code(starts, "PCM", lane="PCM_S"), _code(starts, "CCM_INIT")
    first_level, third_level = _level(starts, needs_qmb=False), _level(starts, needs_qmb=True)
    device, behavioural = _exclusive(starts, "remote_monitoring"), _exclusive(starts, "behavioural")
    community = _code(starts, "CHI")
    return {
        "F04": [Companion(1, 1, oversight, on_last_day=False)],
        "F05": [Companion(1, 1, capitation)],
        "F07": [Companion(1, 1, principal)],
        "F08": [Companion(1, 1, first_level)],
        "F09": [Companion(0, 1, first_level, is_at_fault=False), Companion(1, 1, first_level)],
        "F32": [Companion(1, 1, planning), Companion(2, 1, planning, on_last_day=False)],
        "F39": [
            Companion(0, 1, first_level, is_at_fault=False),
            Companion(0, 2, _care_month(starts, "first")),
            Companion(0, 3, _care_month(starts, "later"), is_at_fault=False),
        ],
        "F40": [Companion(0, 1, third_level)],
        "F41": [Companion(1, 1, device[0]), Companion(1, 2, device[1], is_at_fault=False)],
        "F42": [Companion(1, 1, behavioural[0]), Companion(1, 2, behavioural[1], is_at_fault=False)],
        "F45": [Companion(1, 1, community)],
        "F43": [Companion(1, 1, np.where(starts >= TCM_DATED_BY_VISIT, _code(starts, "TCM"), ""))],
    }


def in_force(lines: list[Companion]) -> NDArray[np.bool_]:
    """[month] whether every line of an error could have been paid."""
    return np.logical_and.reduce([companion.code != "" for companion in lines])


def _by_month(starts: NDArray[np.int64], rows: pl.DataFrame, column: str) -> NDArray[np.str_]:
    """[month] `column` of the first row in force, '' where none is."""
    found = np.full(len(starts), "", dtype="<U12")
    dated = rows.with_columns(days("effective_from"), days("effective_to"))
    for row in dated.iter_rows(named=True):
        here = (starts >= row["effective_from"]) & (starts <= row["effective_to"]) & (found == "")
        found[here] = row[column]
    return found


def _code(
    starts: NDArray[np.int64], family: str, code: str | None = None, lane: str | None = None
) -> NDArray[np.str_]:
    known = seed("care_management_codes").filter(
        (pl.col("family") == family) & (pl.col("code_role") != "addon") & (pl.col("is_payable") == "true")
    )
    if code is not None:
        known = known.filter(pl.col("hcpcs_code") == code)
    if lane is not None:
        known = known.filter(pl.col("lane") == lane)
    return _by_month(starts, known, "hcpcs_code")


def _level(starts: NDArray[np.int64], needs_qmb: bool) -> NDArray[np.str_]:
    """The level of advanced primary care management with the fewest or the most conditions on the person."""
    wanted = "true" if needs_qmb else "false"
    levels = seed("apcm_levels").filter(
        (pl.col("needs_qmb") == wanted) & (pl.col("needs_two_conditions") == wanted)
    )
    return _by_month(starts, levels, "hcpcs_code")


def _care_month(starts: NDArray[np.int64], kind: str) -> NDArray[np.str_]:
    """The add-on of advanced primary care for the first or a later month of collaborative care."""
    add_ons = seed("care_management_codes").filter(pl.col("family") == "APCM_BHI")["hcpcs_code"].to_list()
    months = seed("collaborative_care_months").filter(
        (pl.col("month_kind") == kind) & pl.col("hcpcs_code").is_in(add_ons)
    )
    return _by_month(starts, months, "hcpcs_code")


def general_code_alone(starts: NDArray[np.int64], code: NDArray[np.str_]) -> NDArray[np.bool_]:
    """[month] whether clinics are paid by their general code and not by the physicians' `code` of the month."""
    periods = seed("clinic_code_periods").with_columns(days("effective_from"), days("effective_to"))
    general, own = np.zeros(len(starts), dtype=bool), np.zeros(len(starts), dtype=bool)
    for row in periods.iter_rows(named=True):
        here = (starts >= row["effective_from"]) & (starts <= row["effective_to"])
        general |= here & (row["kind"] == "general")
        own |= here & (row["hcpcs_code"] == code)
    return general & ~own


def paying_model(starts: NDArray[np.int64]) -> NDArray[np.str_]:
    """[month] a payment model that for certain pays for CCM itself, '' where none is known."""
    models = seed("payment_model_overlays").filter(
        (pl.col("family") == "CCM")
        & (pl.col("effect") == "paid_by_model")
        & (pl.col("confidence") != "recalled")
    )
    return _by_month(starts, models, "model")


def _exclusive(starts: NDArray[np.int64], group: str) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """The lesser and the other code of the first pair that excludes each other."""
    pairs = seed("exclusive_codes").filter(pl.col("conflict_group") == group)
    return _by_month(starts, pairs, "hcpcs_code"), _by_month(starts, pairs, "other_hcpcs_code")
