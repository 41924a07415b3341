"""The test of keys tells every key in two rows and no other, also where two different keys share the number that is looked for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.settings import DBT_PROJECT

TEXT = (DBT_PROJECT / "macros" / "repeated_keys.sql").read_text(encoding="utf-8")
# As macros/dialect.sql has it, and one under which most keys meet.
HASHES = {"the engine's": "hash({})", "one that tells little": "length(concat({}))"}
ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.sampled_from(["c", "dd"]))), max_size=12
)


def repeated(hashed: str) -> Any:
    module = jinja2.Environment().from_string(TEXT)  # noqa: S701 - SQL, not HTML
    return module.make_module({"row_hash": lambda columns: hashed.format(", ".join(columns))}).repeated_keys


@pytest.mark.parametrize("hashed", HASHES.values(), ids=HASHES)
@given(rows=ROWS)
def test_keys_in_more_than_one_row_are_told_with_their_rows(
    hashed: str, rows: list[tuple[str, str | None]]
) -> None:
    with duckdb.connect() as con:
        con.execute("create table stated (first varchar, second varchar)")
        if rows:
            con.executemany("insert into stated values (?, ?)", rows)
        found = con.execute(repeated(hashed)("stated", ["first", "second"])).fetchall()
    assert {(first, second): count for first, second, count in found} == {
        key: count for key, count in Counter(rows).items() if count > 1
    }
