"""Tables and figures of a notebook, as HTML and SVG that need nothing but the file they stand in.

Hidden numbers come in as null with `is_suppressed` and are shown as a mark; figures leave them out or hatch them. Nothing here
suppresses: that is done before a table can be read.
"""

from __future__ import annotations

import datetime as dt
import html
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import altair as alt
import polars as pl

HIDDEN = '<abbr class="hidden" title="1 to 10 people, or hidden to protect such a number">hidden</abbr>'
# Differ in lightness too, so that they hold in grey and for colour-blind readers.
INK, BLUE, ORANGE, GREY = "#1c2733", "#0b5c8a", "#c8672b", "#8296a6"
PALETTE = [BLUE, ORANGE, GREY, "#4b8f6b", "#7a4f8f", "#b59b2c", "#3a3f47"]
MARK = "is_suppressed"


def prepare() -> None:
    """Figures as SVG inside the page: no script, no font, no request."""
    alt.renderers.enable("svg")
    alt.data_transformers.disable_max_rows()


class Table:
    """Rows to show. `columns`: column -> heading, in order; `shares`: columns in percent; `digits`: decimals of other floats."""

    def __init__(
        self,
        rows: pl.DataFrame,
        caption: str,
        columns: Mapping[str, str] | None = None,
        *,
        shares: Sequence[str] = (),
        digits: int = 2,
        most: int = 200,
    ) -> None:
        self.columns = dict(
            columns or {name: name.replace("_", " ") for name in rows.columns if name != MARK}
        )
        self.rows, self.caption, self.shares, self.digits, self.most = rows, caption, shares, digits, most

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in self.columns.values())
        body = "".join(
            f"<tr>{''.join(self.cell(row, name) for name in self.columns)}</tr>"
            for row in self.rows.head(self.most).to_dicts()
        )
        rest = self.rows.height - self.most
        foot = f"<p>{rest:,} more rows in the published table.</p>" if rest > 0 else ""
        if not self.rows.height:
            foot = "<p>Nothing to show: the run has no such rows.</p>"
        return (
            f"<div class=wide><table><caption>{html.escape(self.caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>{foot}"
        )

    def __repr__(self) -> str:
        return f"{self.caption}: {self.rows.height} rows"

    def cell(self, row: Mapping[str, Any], name: str) -> str:
        value = row[name]
        if value is None:
            # A null beside a mark is a hidden number; elsewhere there is nothing to say.
            is_number = self.rows.schema[name].is_numeric()
            return f"<td class=n>{HIDDEN if row.get(MARK) and is_number else ''}</td>"
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return f"<td{' class=n' if is_number else ''}>{html.escape(self.text(name, value))}</td>"

    def text(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int):
            return str(value) if name in ("period", "year", "service_year") else f"{value:,}"
        if isinstance(value, Decimal | float):
            if math.isnan(value):
                return ""
            return f"{100 * value:.1f} %" if name in self.shares else f"{value:,.{self.digits}f}"
        if isinstance(value, list):
            return ", ".join(str(one) for one in value)
        if isinstance(value, dt.date) and name.endswith("month"):
            return f"{value:%Y-%m}"
        return str(value)


def records(rows: pl.DataFrame) -> alt.Data:
    """Rows as plot data; decimals become floats and dates text, which altair can write. Hidden rows stay out of it."""
    if MARK in rows.columns:
        rows = rows.filter(~pl.col(MARK))
    rows = rows.with_columns(
        pl.col(name).cast(pl.Float64) if kind.is_decimal() else pl.col(name).cast(pl.String)
        for name, kind in rows.schema.items()
        if kind.is_decimal() or kind.is_temporal()
    )
    return alt.Data(values=rows.to_dicts())


def figure(chart: Any, title: str, *, width: int = 560, height: int | None = None) -> Any:
    """`chart` with the project's looks; `title` says what is to be seen."""
    if isinstance(chart, alt.Chart | alt.LayerChart):
        chart = chart.properties(width=width, **({"height": height} if height else {}))
    # The renderer takes text to be narrower than it is, and would cut labels at the edges.
    room = {"left": 30, "right": 45, "top": 5, "bottom": 5}
    return (
        chart.properties(title=alt.TitleParams(title, anchor="start", color=INK, fontSize=13), padding=room)
        .configure_view(stroke=None)
        .configure_axis(labelColor=INK, titleColor=INK, gridColor="#e3e8ec", labelFontSize=11, labelLimit=260)
        .configure_range(category=PALETTE)
    )
