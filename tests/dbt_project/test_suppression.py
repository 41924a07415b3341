"""Disclosure control closes what it claims to close: the macros are run on many small tables and attacked by brute force.

The attacker knows what is published, that a hidden number is never 0, and that parts add up; every completion of the table that
agrees with it is tried. A small limit keeps the enumeration complete.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import jinja2
import pytest

from pipelines.settings import DBT_PROJECT

LIMIT = 3


@pytest.fixture(scope="module")
def macros() -> Any:
    text = (DBT_PROJECT / "macros" / "suppression.sql").read_text(encoding="utf-8")
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 - SQL, not HTML
    return environment.from_string(text).make_module({"ref": lambda name: name})


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(
            "create table disclosure_limits as"
            f" select 'largest_small_cell' as limit_name, {LIMIT} as limit_value"
        )
        yield made


@dataclass
class Line:
    """One published line: cells by name, which of them are hidden, and whether the total is."""

    cells: dict[str, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    hides_total: bool = False


def suppress(
    con: duckdb.DuckDBPyConnection,
    macros: Any,
    tables: list[list[int]],
    people: list[list[int]] | None = None,
) -> list[Line]:
    """Each table is one line of cells a, b, c, ... in the published form."""
    people = people or tables
    con.execute("create or replace table cells (line integer, name varchar, n integer, people integer)")
    con.executemany(
        "insert into cells values (?, ?, ?, ?)",
        [
            (line, chr(97 + place), n, people[line][place])
            for line, table in enumerate(tables)
            for place, n in enumerate(table)
        ],
    )
    lines = [Line() for _ in tables]
    for line, name, n, is_hidden, hides_total in con.execute(
        "select line, name, n, is_suppressed, hides_total"
        f" from ({macros.suppress_lines('cells', ['line'], 'n', ['name'], people='people')})"
    ).fetchall():
        lines[line].cells[name] = n
        lines[line].hides_total |= hides_total
        if is_hidden:
            lines[line].hidden.add(name)
    return lines


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to write `total` as `parts` numbers of at least 1."""
    for cuts in itertools.combinations(range(1, total), parts - 1):
        bounds = (0, *cuts, total)
        yield tuple(bounds[place + 1] - bounds[place] for place in range(parts))


def random_tables(how_many: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    return [
        [draw.choice([0, 0, 1, 1, 2, 3, 4, 5, 7, 9]) for _ in range(draw.randint(1, 5))]
        for _ in range(how_many)
    ]


def test_no_small_cell_of_a_line_follows_from_the_rest(con: duckdb.DuckDBPyConnection, macros: Any) -> None:
    attacked = 0
    for line in suppress(con, macros, random_tables(400, 7)):
        small = {name for name, n in line.cells.items() if 1 <= n <= LIMIT}
        assert small <= line.hidden
        if not small or line.hides_total:
            continue
        hidden = sorted(line.hidden)
        rest = sum(line.cells[name] for name in hidden)
        possible = list(compositions(rest, len(hidden)))
        for name in small:
            values = {completion[hidden.index(name)] for completion in possible}
            attacked += 1
            assert len(values) > 1, line
            assert max(values) > LIMIT, line
    assert attacked > 300


def test_a_total_goes_only_when_no_other_cell_can(con: duckdb.DuckDBPyConnection, macros: Any) -> None:
    for line in suppress(con, macros, random_tables(400, 8)):
        visible = [n for name, n in line.cells.items() if name not in line.hidden and n > 0]
        if line.hides_total:
            assert visible == []
            assert sum(line.cells.values()) - (len(line.hidden) - 1) <= LIMIT


def test_nothing_is_hidden_without_need(con: duckdb.DuckDBPyConnection, macros: Any) -> None:
    plain, zeros, pair, three = suppress(con, macros, [[4, 9, 20], [0, 0, 9], [2, 5, 9, 30], [2, 3, 3, 30]])
    assert plain.hidden == set()
    assert zeros.hidden == set()
    assert pair.hidden == {"a", "b"}  # the small cell and the smallest other
    assert three.hidden == {"a", "b", "c"}  # they protect each other


def test_primary_suppression_alone_would_leak(con: duckdb.DuckDBPyConnection, macros: Any) -> None:
    """The attack works: without the partner the single small cell is the total less the rest."""
    (line,) = suppress(con, macros, [[2, 5, 9]])
    primary = {name for name, n in line.cells.items() if 1 <= n <= LIMIT}
    assert list(compositions(sum(line.cells[name] for name in primary), len(primary))) == [(2,)]
    assert line.hidden > primary


def test_many_rows_of_few_people_are_hidden(con: duckdb.DuckDBPyConnection, macros: Any) -> None:
    (line,) = suppress(con, macros, [[12, 40, 50]], people=[[2, 30, 40]])
    assert line.hidden == {"a", "b"}


@dataclass
class Chain:
    """A month: states with the last step that counts their people, its chain of steps, and a wider chain's numbers."""

    states: list[tuple[int, int]]  # (last step, people)
    hidden: list[bool]
    people: list[int]
    ranks: list[int]
    wider: list[int | None]


def random_chains(con: duckdb.DuckDBPyConnection, macros: Any, how_many: int, seed: int) -> list[Chain]:
    """Six steps; step 2 lies inside the first states, steps 3 to 6 are sums of states."""
    draw = random.Random(seed)
    last_steps = [2, 2, 3, 4, 6, 6]
    tables = [[draw.choice([0, 1, 2, 3, 4, 6, 15]) for _ in last_steps] for _ in range(how_many)]
    chains = []
    for table, line in zip(tables, suppress(con, macros, tables), strict=True):
        states = list(zip(last_steps, table, strict=True))
        people = [sum(n for last, n in states if last >= step) for step in range(1, 7)]
        people[1] = draw.randint(people[2], people[0])
        people[5] = draw.randint(0, people[4])
        top = people[0] + draw.choice([0, 1, 2, 10])
        wider: list[int | None] = [
            None if draw.random() < 0.4 else max(top - draw.randint(0, 3), people[0])
        ] * 6
        chains.append(
            Chain(
                states,
                [name in line.hidden for name in sorted(line.cells)],
                people,
                [draw.randint(1, 3) for _ in people],
                wider,
            )
        )
    return chains


def shown(con: duckdb.DuckDBPyConnection, macros: Any, chains: list[Chain]) -> list[list[bool]]:
    con.execute(
        "create or replace table steps (chain integer, step integer, step_rank integer, people integer,"
        " hidden_before integer, hidden_sum_before integer, hidden_cells integer, hidden_sum integer,"
        " wider_people integer, is_barred boolean)"
    )
    for number, chain in enumerate(chains):
        hidden = [state for state, is_hidden in zip(chain.states, chain.hidden, strict=True) if is_hidden]
        for step in range(1, 7):
            before = [n for last, n in hidden if last < step]
            con.execute(
                "insert into steps values (?, ?, ?, ?, ?, ?, ?, ?, ?, false)",
                [
                    *(number, step, chain.ranks[step - 1], chain.people[step - 1]),
                    *(len(before), sum(before), len(hidden), sum(n for _, n in hidden)),
                    chain.wider[step - 1],
                ],
            )
    found = [[False] * 6 for _ in chains]
    earlier = None
    for rank in (1, 2, 3):
        con.execute(f"create or replace table ranked_{rank} as {macros.show_chain('steps', rank, earlier)}")
        earlier = f"ranked_{rank}"
    for number, step, is_shown in con.execute(f"from {earlier}").fetchall():
        found[number][step - 1] = is_shown
    return found


@pytest.fixture
def months(con: duckdb.DuckDBPyConnection, macros: Any) -> list[tuple[Chain, list[bool]]]:
    chains = random_chains(con, macros, 250, 11)
    return list(zip(chains, shown(con, macros, chains), strict=True))


def test_two_shown_steps_never_differ_by_a_small_number(months: list[tuple[Chain, list[bool]]]) -> None:
    pairs = 0
    for chain, is_shown in months:
        visible = [n for n, shows in zip(chain.people, is_shown, strict=True) if shows]
        assert all(n == 0 or n > LIMIT for n in visible)
        for earlier, later in itertools.combinations(visible, 2):
            pairs += 1
            assert earlier == later or earlier - later > LIMIT, (chain, is_shown)
    assert pairs > 300


def test_a_shown_step_never_lies_just_below_the_wider_chain(months: list[tuple[Chain, list[bool]]]) -> None:
    for chain, is_shown in months:
        for n, shows, wider in zip(chain.people, is_shown, chain.wider, strict=True):
            assert not shows or wider is None or wider == n or wider - n > LIMIT


def test_a_shown_step_gives_no_hidden_state_of_the_month_away(months: list[tuple[Chain, list[bool]]]) -> None:
    """Shown steps cut the line of states into parts with known sums; each part is attacked as a line of its own."""
    attacked = 0
    for chain, is_shown in months:
        # step 2 lies inside a state and step 6 inside another: neither is a sum of states
        cuts = [1, *(step for step in (3, 4, 5) if is_shown[step - 1]), 7]
        for first, following in itertools.pairwise(cuts):
            hidden = [
                n
                for (last, n), is_hidden in zip(chain.states, chain.hidden, strict=True)
                if is_hidden and first <= last < following
            ]
            if not hidden or (first, following) == (1, 7):
                continue
            for place, n in enumerate(hidden):
                if n <= LIMIT:
                    values = {completion[place] for completion in compositions(sum(hidden), len(hidden))}
                    attacked += 1
                    assert len(values) > 1 and max(values) > LIMIT, (chain, is_shown)
    assert attacked > 50


def test_the_more_important_of_two_close_steps_is_shown(con: duckdb.DuckDBPyConnection, macros: Any) -> None:
    chain = Chain([(6, 50)], [False], [50, 40, 22, 21, 20, 0], [1, 3, 2, 2, 1, 2], [None] * 6)
    assert shown(con, macros, [chain]) == [[True, True, False, False, True, True]]
