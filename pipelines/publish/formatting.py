"""How values are written on pages: thousands separators, dollars, percent, and a mark for what is hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from markupsafe import Markup

HIDDEN = Markup(
    '<span class="hidden" title="A small number, or one that would give a small number away">hidden</span>'
)


def number(value: Any) -> Any:
    """A count with thousands separators; a hidden one as a mark, never as 0."""
    return HIDDEN if value is None else f"{value:,}"


def dollars(value: Decimal | None) -> Any:
    """US dollars and cents; a negative amount with its sign before the dollar sign."""
    if value is None:
        return HIDDEN
    return f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}"


def percent(value: float | None) -> Any:
    """A share of 0 to 1 in percent with one decimal."""
    return HIDDEN if value is None else f"{100 * value:.1f}%"


def figure(row: Mapping[str, Any] | None, column: str, held: str = "held_from") -> Any:
    """A count or dollars of a row of a report table, with the day where it stands as published before; without a row nobody, 0."""
    value: Any = row[column] if row else 0
    written = dollars(value) if "_usd" in column else number(value)
    return written + as_of(row[held]) if row and value is not None else written


def as_of(day: date | None) -> Markup:
    """The mark beside a figure of an earlier publication: the day as of which it was published; nothing without one."""
    if day is None:
        return Markup("")
    return Markup('<span class="held"> as of {}</span>').format(f"{day:%d %b %Y}".lstrip("0"))


def points(value: float | None) -> Any:
    """A difference of shares in percentage points with its sign; empty where there is none to state."""
    return "" if value is None else f"{100 * value:+.1f}"


def signed(value: Any) -> Any:
    """A change of a count with its sign; a hidden one as a mark."""
    return HIDDEN if value is None else f"{value:+,}"


def signed_dollars(value: Decimal | None) -> Any:
    """A change of dollars with its sign; a hidden one as a mark."""
    if value is None:
        return HIDDEN
    return f"+{dollars(value)}" if value > 0 else dollars(value)


def as_precise(value: float | None, lower: float | None, upper: float | None) -> Any:
    """An estimate or a bound to the digits that its interval bears: three of the interval's width; without one, three of its own."""
    if value is None:
        return HIDDEN
    width = upper - lower if lower is not None and upper is not None else abs(value)
    if not math.isfinite(width) or not width:
        return f"{value:,.3g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(width)))}f}"


def sentence(name: str) -> str:
    """`not_institutionalised_all_month` as words, with a capital."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


FILTERS = {
    made.__name__: made
    for made in (
        number,
        dollars,
        figure,
        as_of,
        percent,
        points,
        signed,
        signed_dollars,
        as_precise,
        sentence,
    )
}
