"""Tables that are safe to open in a spreadsheet."""

from __future__ import annotations

import polars as pl

# A cell that starts with one of these is run as a formula by spreadsheets; an apostrophe makes it text.
# Full-width forms are read as their plain ones, and leading blanks are skipped.
FORMULA_START = r"^\s*[=+\-@\t\r\n＝＋－＠]|^[\t\r\n]"


def harmless(table: pl.DataFrame) -> pl.DataFrame:
    """The table with lists joined to text, and an apostrophe before every text that a spreadsheet would run."""
    lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List)]
    table = table.with_columns(pl.col(name).list.join("; ") for name in lists)
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    return table.with_columns(
        pl.when(pl.col(name).str.contains(FORMULA_START))
        .then(pl.concat_str(pl.lit("'"), pl.col(name)))
        .otherwise(pl.col(name))
        .alias(name)
        for name in texts
    )
