"""Great Expectations 1.24 on DuckDB, through duckdb-engine.

Stock Great Expectations fetches a query's rows after giving the connection back to the pool, and DuckDB drops a pending result
then: every metric errors, and the error reads as a failed expectation. This dialect fetches at once. NullPool keeps the
database file free between queries: a pooled reader would lock out the next writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from duckdb_engine import Dialect
from sqlalchemy.dialects import postgresql, registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.pool import NullPool


class _BufferedContext(Dialect.execution_ctx_cls):  # type: ignore[valid-type,misc]
    def post_exec(self) -> None:
        super().post_exec()
        if self.cursor.description and not self.isinsert:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor, initial_buffer=self.cursor.fetchall()
            )


class BufferedDuckDialect(Dialect):
    """duckdb-engine's dialect with results read at once, and with limits (connect argument `limits`: setting -> value)."""

    supports_statement_cache = False
    execution_ctx_cls = _BufferedContext

    def connect(self, *arguments: Any, **named: Any) -> Any:
        limits = named.pop("limits", {})
        connection = super().connect(*arguments, **named)
        for name, value in limits.items():
            connection.execute(f"set {name} = '{value}'")
        return connection


registry.register("gxduck", __name__, "BufferedDuckDialect")
registry.register("gxduck.duckdb_engine", __name__, "BufferedDuckDialect")


def add_duckdb(context: Any, name: str, path: Path, limits: Mapping[str, str]) -> Any:
    """Add the DuckDB file at `path` to a Great Expectations context, read-only and with `limits` (DuckDB settings); returns the data
    source."""
    source = context.data_sources.add_sql(
        name,
        connection_string=f"gxduck:///{path}",
        create_temp_table=False,
        kwargs={"connect_args": {"read_only": True, "limits": dict(limits)}, "poolclass": NullPool},
    )
    # Regular expressions take the PostgreSQL branch; in DuckDB "~" matches the whole value, so patterns are anchored.
    source.get_execution_engine().dialect_module = SimpleNamespace(
        **{**vars(postgresql), "dialect": BufferedDuckDialect}
    )
    return source
