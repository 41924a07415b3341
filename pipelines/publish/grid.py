"""Long tables as a page carries them: columns as JSON, packed by gzip, shown a screenful at a time by the page's own script.

A hundred thousand rows stay a few megabytes, and the page is painted before they are unpacked.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl
from markupsafe import Markup

# Beyond this many rows a page would no longer open at once; the first ones are shown and the page says so.
MOST_ROWS = 300_000


@dataclass(frozen=True)
class Column:
    """One column: `kind` is text, number, dollars, percent, month, date or list; `words` replaces codes; `link` leads from its
    value (`{}` in it) to another page; `place` is row (a column) or detail (under the row); `lines` sets a list one a line."""

    key: str
    label: str
    kind: str = "text"
    words: Mapping[str, str] = field(default_factory=dict)
    link: str = ""
    place: str = "row"
    lines: bool = False


@dataclass(frozen=True)
class Filter:
    """A way to narrow the rows: choice (of the values there are), is (the whole text), or contains."""

    key: str
    label: str
    kind: str = "choice"
    first: str = ""


@dataclass(frozen=True)
class Grid:
    """A table with its filters; `name` is its identifier on the page."""

    name: str
    caption: str
    columns: Sequence[Column]
    filters: Sequence[Filter]
    rows: pl.DataFrame
    size: int = 25
    empty: str = "No row matches."
    asks_first: bool = False

    @property
    def left_out(self) -> int:
        return max(0, self.rows.height - MOST_ROWS)

    @property
    def shape(self) -> Markup:
        """Columns and filters as JSON that is safe inside a script element."""
        text = json.dumps(
            {
                "name": self.name,
                "columns": [asdict(column) for column in self.columns],
                "filters": [asdict(one) for one in self.filters],
                "size": self.size,
                "empty": self.empty,
                "asks_first": self.asks_first,
            }
        )
        return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON without a way to end the element

    @property
    def packed(self) -> str:
        """The rows: base64 of gzip of `{column: [values]}`; money as numbers, dates as ISO text, months as YYYY-MM."""
        shown = self.rows.head(MOST_ROWS)
        values = {column.key: plain(shown[column.key], column.kind) for column in self.columns}
        # No time in the header, so that equal rows give equal pages.
        return base64.b64encode(gzip.compress(json.dumps(values).encode(), 6, mtime=0)).decode()


def plain(series: pl.Series, kind: str) -> list[Any]:
    if kind == "month":
        series = series.dt.strftime("%Y-%m")
    elif series.dtype in (pl.Date, pl.Datetime):
        series = series.dt.strftime("%Y-%m-%d")
    elif series.dtype.is_decimal():
        series = series.cast(pl.Float64)
    return series.to_list()
