"""The warehouse that the last run left, opened to read what it decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipelines import engine
from pipelines.settings import Settings

# What the engine says where pages of a file are not what they were: opening it reads only the first.
DAMAGED = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)


class NoWarehouse(Exception):
    """There is nothing complete to read; str() is one line that says what to do."""


@contextmanager
def open_built(settings: Settings, *tables: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only, while the block lasts.

    Raises NoWarehouse where there is none, a run is writing it, it lacks one of `tables`, or a query in the block asks for
    a table or column that it has not: then another version of the project built it.
    """
    if not settings.warehouse.exists():
        raise NoWarehouse(f"{settings.out} holds no warehouse: run `ccm run` first")
    try:
        con = engine.connect(settings, settings.warehouse, read_only=True)
    except duckdb.Error as problem:
        if "lock" in str(problem):
            raise NoWarehouse(
                f"{settings.warehouse} cannot be read now: another process holds it; try again later"
            ) from None
        raise NoWarehouse(damaged(settings)) from None
    try:
        for name in tables:
            con.execute(f"describe {name}")
        yield con
    except (duckdb.CatalogException, duckdb.BinderException):
        raise NoWarehouse(
            f"{settings.warehouse} is not complete, or of another version: run `ccm run`"
        ) from None
    except DAMAGED:
        raise NoWarehouse(damaged(settings)) from None
    finally:
        con.close()


def damaged(settings: Settings) -> str:
    """One line that says so and what to do."""
    return f"{settings.warehouse} is damaged: `ccm run --landed` builds it again from landing"
