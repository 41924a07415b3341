"""Models are written once for DuckDB and Spark: what the two write differently stands in the macros that say so.

The rows themselves are compared by hand (`benchmarks/parity.py`).
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from pipelines.settings import DBT_PROJECT

# The only files that may hold one engine's own words.
DISPATCHED = {"dialect.sql", "spark_seeds.sql", "landed_files.sql"}
# Functions that mean the same on both, as far as they were run on both.
PORTABLE = {
    *(
        "abs",
        "array_contains",
        "bit_count",
        "bool_and",
        "bool_or",
        "cast",
        "coalesce",
        "concat",
        "concat_ws",
        "count",
        "decimal",
    ),
    *(
        "exp",
        "extract",
        "first_value",
        "floor",
        "greatest",
        "lag",
        "lead",
        "least",
        "ln",
        "lpad",
        "make_date",
        "max",
        "max_by",
    ),
    *(
        "md5",
        "min",
        "min_by",
        "mod",
        "month",
        "nullif",
        "position",
        "power",
        "round",
        "row_number",
        "substr",
        "sum",
        "trim",
        "try_cast",
    ),
}
# Words of the templates, which no engine reads.
TEMPLATE = {
    "append",
    "config",
    "env_var",
    "indent",
    "join",
    "local_md5",
    "ref",
    "replace",
    "return",
    "sort",
    "source",
    "var",
}
ONE_ENGINE_ONLY = re.compile(
    r"::|//(?!/)|\basof\s+join\b|\banti\s+join\b|\bpositional\s+join\b|\bexclude\s*\(|\bunion\s+all\s+by\s+name\b|\bilike\b"
    r"|\bstruct_pack\b|\blateral\s+view\b|\bvarchar\b|\bstring\b",
    re.I,
)
CALL = re.compile(r"(?<![.\w])([a-z_][a-z0-9_]*)\(")


def without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", " ", re.sub(r"\{#.*?#\}", " ", sql, flags=re.S))


def calls(sql: str) -> set[str]:
    # "line(s)" in a text is no call
    return set(CALL.findall(without_comments(sql).replace("(s)", "s")))


@pytest.fixture(scope="module")
def shared_sql() -> dict[str, str]:
    paths = [*DBT_PROJECT.glob("models/**/*.sql"), *DBT_PROJECT.glob("macros/**/*.sql")]
    shared = {path.name: path.read_text(encoding="utf-8") for path in paths if path.name not in DISPATCHED}
    assert len(shared) > 150
    return shared


@pytest.fixture(scope="module")
def macros() -> set[str]:
    found = re.findall(
        r"\{%-?\s*macro\s+(\w+)", "\n".join(path.read_text() for path in DBT_PROJECT.glob("macros/**/*.sql"))
    )
    assert len(found) > 40
    return set(found)


def loops(sql: str) -> set[str]:
    """Names that a template gives itself: macro parameters that are called, and variables set in it."""
    return set(re.findall(r"\{%-?\s*(?:set|for)\s+(\w+)", sql)) | {
        name.strip() for line in re.findall(r"\{%-?\s*macro\s+\w+\((.*?)\)", sql) for name in line.split(",")
    }


def test_models_call_functions_of_both_engines_only(shared_sql: dict[str, str], macros: set[str]) -> None:
    found = defaultdict(set)
    for name, sql in shared_sql.items():
        for function in calls(sql) - PORTABLE - TEMPLATE - macros - loops(sql):
            found[function].add(name)
    assert dict(found) == {}, "try it on both engines (docs/scale.md), or give it a macro in dialect.sql"


def test_models_hold_no_words_of_one_engine(shared_sql: dict[str, str]) -> None:
    found = {
        name: sorted(
            {match.group() for match in ONE_ENGINE_ONLY.finditer(without_text(without_comments(sql)))}
        )
        for name, sql in shared_sql.items()
    }
    assert {name: words for name, words in found.items() if words} == {}


def without_text(sql: str) -> str:
    """SQL without what stands between quotation marks."""
    return re.sub(r"'[^'\n]*'", "''", sql)


def test_every_expression_that_differs_has_both_sides() -> None:
    sql = (DBT_PROJECT / "macros" / "dialect.sql").read_text(encoding="utf-8")
    names = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", sql))
    assert len(names) > 5
    for name in names:
        assert f"macro default__{name}(" in sql
        assert f"macro spark__{name}(" in sql


@pytest.mark.parametrize(
    ("sql", "function"),
    [("select list_sort(x)", "list_sort"), ("select strftime (x), date_diff('day', a, b)", "date_diff")],
)
def test_a_function_of_duckdb_alone_is_found(sql: str, function: str) -> None:
    assert function in calls(sql) - PORTABLE - TEMPLATE


@pytest.mark.parametrize(
    "sql", ["select x::integer", "select * exclude (a) from t", "from a asof join b", "cast(x as varchar)"]
)
def test_words_of_one_engine_are_found(sql: str) -> None:
    assert ONE_ENGINE_ONLY.search(sql)
