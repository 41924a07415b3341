"""The suppression of tables released together, and the audit, which must find what leaks."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from pipelines.disparity import disclosure
from pipelines.disparity.disclosure import Release, audit, suppress
from pipelines.disparity.worlds import Worlds

LIMIT = 10


def table(cells: list[list[int]], *, limit: int = LIMIT) -> Release:
    """A table of rows and columns with its margins: cells, then row totals, column totals, the grand total."""
    inner = np.array(cells)
    rows, columns = inner.shape
    values = np.concatenate([inner.ravel(), inner.sum(1), inner.sum(0), [inner.sum()]])
    n, at = len(values), rows * columns
    equations = []
    for row in range(rows):
        line = np.zeros(n)
        line[row * columns : (row + 1) * columns], line[at + row] = 1, -1
        equations.append(line)
    for column in range(columns):
        line = np.zeros(n)
        line[column:at:columns], line[at + rows + column] = 1, -1
        equations.append(line)
    total = np.zeros(n)
    total[at : at + rows], total[-1] = 1, -1
    equations.append(total)
    return Release(
        names=list(range(n)),
        values=values,
        is_table=np.ones(n, bool),
        is_protected=(values >= 1) & (values <= limit),
        cost=values + np.where(np.arange(n) >= at, 1e9, 0.0),
        equations=sparse.csr_matrix(np.array(equations)),
        limit=limit,
        frozen=np.zeros(n, bool),
        known=np.zeros(n, bool),
    )


EXAMPLE = [[120, 14, 7], [80, 31, 25], [200, 90, 60]]


def test_the_example_hides_the_block_around_its_small_cell() -> None:
    release = table(EXAMPLE)
    shown = suppress(release)
    assert release.values[~shown].tolist() == [14, 7, 31, 25]
    assert audit(release, shown).given_away.tolist() == []


def test_numbers_hang_together_by_equations_and_are_not_paired_for_it() -> None:
    """Two tables side by side, the numbers of one of them many: what takes pairs of those takes 5,000 x 5,000."""
    few, many = table(EXAMPLE), 5_000
    total = sparse.csr_matrix(np.array([[1.0] * many + [-1.0]]))
    known = np.zeros(len(few.values) + many + 1, bool)
    known[:2] = known[len(few.values)] = True
    both = replace(
        few,
        names=list(range(len(known))),
        values=np.array([*few.values, *[1] * many, many]),
        equations=sparse.block_diag([few.equations, total], format="csr"),
    )
    tracemalloc.start()
    parts = disclosure.components(both, known)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(len(places), rows.tolist()) for places, rows in parts] == [
        (len(few.values) - 2, list(range(few.equations.shape[0]))),
        (many, [few.equations.shape[0]]),
    ]
    assert not known[np.concatenate([places for places, _ in parts])].any()
    assert peak < 8 * many * 100


def test_the_bounds_of_the_example_are_the_published_ones() -> None:
    """With hidden numbers at least 0, as there; the audit itself takes them to be at least 1."""
    release = table(EXAMPLE)
    shown = suppress(release)
    hidden = np.flatnonzero(~shown)
    left = release.equations[:, hidden].tocsc()
    right = -(release.equations @ np.where(shown, release.values, 0))
    worlds = Worlds(left, right, np.zeros(len(hidden)))
    bounds = [(round(worlds.least(spot)), round(worlds.largest(spot)[0])) for spot in range(len(hidden))]
    assert bounds == [(0, 21), (0, 21), (24, 45), (11, 32)]


def test_the_audit_finds_a_small_number_that_is_shown() -> None:
    release = table(EXAMPLE)
    assert audit(release, np.ones(len(release.values), bool)).given_away.tolist() == [2]


def test_the_audit_finds_a_number_that_follows_from_one_line() -> None:
    release = table(EXAMPLE)
    assert audit(release, ~release.is_protected).given_away.tolist() == [2]


def test_the_audit_finds_a_number_that_is_bounded_within_the_limit() -> None:
    """Two hidden in each line, but the lines add up to so little that all of them must be small."""
    release = table([[3, 4, 90], [5, 2, 90], [90, 90, 90]])
    shown = ~release.is_protected
    assert audit(release, shown).given_away.tolist() == [0, 1, 3, 4]
    assert audit(release, suppress(release)).given_away.tolist() == []


def test_the_audit_finds_a_small_difference_of_two_shown_numbers() -> None:
    release = Release(
        names=["billed", "paid", "denied"],
        values=np.array([40, 36, 4]),
        is_table=np.array([True, True, False]),
        is_protected=np.array([False, False, True]),
        cost=np.array([1.0, 2.0, 0.0]),
        equations=sparse.csr_matrix([[1, -1, -1]]),
        limit=LIMIT,
        frozen=np.zeros(3, bool),
        known=np.zeros(3, bool),
    )
    assert audit(release, release.is_table).given_away.tolist() == [2]
    shown = suppress(release)
    assert shown.tolist() == [False, True, False]
    assert audit(release, shown).given_away.tolist() == []


def test_a_total_and_its_parts_that_leak_across_tables_are_found() -> None:
    """Two tables of the same 100 people, by sex and by age: one hides 6 women, the other shows what makes them known."""
    values = np.array([100, 94, 6, 60, 40])
    equations = sparse.csr_matrix([[1, -1, -1, 0, 0], [1, 0, 0, -1, -1]])
    flags = np.zeros(5, bool)
    release = Release(
        list("tmfab"), values, ~flags, values == 6, values * 1.0, equations, LIMIT, flags, flags
    )
    hidden_total = np.array([False, True, False, True, True])
    assert audit(release, hidden_total).given_away.tolist() == [2]
    assert audit(release, np.array([False, True, False, False, True])).given_away.tolist() == []


def test_what_an_earlier_release_shows_protects_nothing() -> None:
    release = table(EXAMPLE)
    earlier = np.zeros(len(release.values), bool)
    earlier[1] = True  # the 14, which this release would hide, was shown before
    again = Release(**{**vars(release), "known": earlier})
    assert audit(again, suppress(release)).given_away.tolist() == [2]
    shown = suppress(again)
    assert audit(again, shown).given_away.tolist() == []
    assert not shown[[0, 2]].any()


def test_what_an_earlier_release_hid_stays_hidden() -> None:
    release = table([[120, 14, 70], [80, 31, 25], [200, 90, 60]])
    frozen = np.zeros(len(release.values), bool)
    frozen[4] = True
    assert suppress(release).all()
    assert not suppress(Release(**{**vars(release), "frozen": frozen}))[4]


def test_equations_that_do_not_hold_are_refused() -> None:
    release = table(EXAMPLE)
    with pytest.raises(ValueError, match="do not hold"):
        Release(**{**vars(release), "values": release.values + np.eye(len(release.values), dtype=int)[0]})


def worlds(release: Release, shown: np.ndarray, inner: int, most: int) -> np.ndarray:
    """Every table (a row each) with hidden cells of 1 to `most` that fits what is shown: the attack by hand."""
    hidden = np.flatnonzero(~shown[:inner] & (release.values[:inner] > 0))
    guesses = np.indices((most,) * len(hidden)).reshape(len(hidden), most ** len(hidden)).T + 1
    cells = np.tile(release.values[:inner], (len(guesses), 1))
    cells[:, hidden] = guesses
    cubes = cells.reshape(len(cells), 2, inner // 2)
    margins = [cubes.sum(2), cubes.sum(1), cubes.sum((1, 2))[:, None]]
    tables = np.concatenate([cells, *margins], axis=1)
    return np.asarray(tables[np.all(tables[:, shown] == release.values[shown], axis=1)])


def test_no_small_number_of_a_random_table_can_be_told_by_trying_every_world() -> None:
    """The attack enumerates whole numbers and knows nothing of linear programs; the limit is 2 to keep it short."""
    draw, attacked, leaky = np.random.default_rng(1), 0, 0
    for _ in range(80):
        release = table(draw.choice([0, 1, 1, 2, 3, 4, 6], size=(2, 3)).tolist(), limit=2)
        plain = release.is_table & ~release.is_protected
        leaky += len(audit(release, plain).given_away) > 0
        shown = suppress(release)
        if len(audit(release, shown).given_away) or np.sum(~shown[:6]) > 5:
            continue
        possible = worlds(release, shown | (release.values == 0), 6, 9)
        for place in np.flatnonzero(release.is_protected):
            attacked += 1
            values = set(possible[:, place].tolist())
            assert len(values) > 1 and max(values) > release.limit, (release.values, shown)
    assert attacked > 20
    assert leaky > 20


def test_random_tables_are_safe_after_suppression_and_not_before() -> None:
    """As the reference run: primary suppression alone discloses nearly always, with the audit never."""
    draw, before, tables, cells = np.random.default_rng(1), 0, 0, 0
    for _ in range(60):
        release = table(draw.negative_binomial(0.6, 0.02, size=(5, 5)).tolist())
        if not release.is_protected.any():
            continue
        tables += 1
        cells += int(release.is_protected.sum())
        before += bool(len(audit(release, ~release.is_protected).given_away))
        assert audit(release, suppress(release)).given_away.tolist() == []
    assert tables > 50
    assert before > 0.8 * tables
    assert cells > 200


def test_one_program_finds_whom_single_programs_find() -> None:
    release = table([[3, 4, 90], [5, 2, 90], [90, 90, 90]])
    shown = suppress(release)
    known = disclosure.determined(release, shown)
    for places, rows in disclosure.components(release, known):
        left = release.equations[rows][:, places].tocsc()
        right = -(release.equations[rows] @ np.where(known, release.values, 0))
        spots = np.arange(len(places))
        worlds = Worlds(left, right, np.ones(len(places)))
        singly = [worlds.largest(int(spot))[0] >= LIMIT + 1 for spot in spots]
        assert worlds.can_reach(spots, spots * 0 + LIMIT + 1).tolist() == singly


def test_worlds_answer_as_another_program_does_whatever_was_asked_before() -> None:
    """One program asked again and again, against scipy's, set up anew for every question."""
    draw, asked = np.random.default_rng(3), 0
    for _ in range(60):
        left = sparse.csr_matrix(draw.choice([-1.0, 0.0, 0.0, 1.0], size=(4, 7)))
        right = left @ draw.integers(1, 30, size=7).astype(float)
        lower = draw.choice([0.0, 1.0], size=7)
        worlds = Worlds(left, right, lower)
        spots = np.arange(7)
        for spot in draw.permutation(7):
            worlds.can_reach(spots[:3], np.full(3, 11))
            assert worlds.largest(int(spot))[0] == pytest.approx(extreme(left, right, lower, spot, -1))
            assert worlds.least(int(spot)) == pytest.approx(extreme(left, right, lower, spot, 1))
        found = worlds.can_reach(spots, np.full(7, 11))
        most = np.array([extreme(left, right, lower, spot, -1) for spot in spots])
        # It may miss one that single questions find, and never finds one that they do not.
        assert (most[found] >= 11 - 1e-6).all()
        asked += int(found.sum())
    assert asked > 50


def test_the_solver_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    Worlds(sparse.csr_matrix([[1.0, 1.0]]), np.array([5.0]), np.zeros(2)).largest(0)
    assert capfd.readouterr() == ("", "")


def extreme(left: Any, right: Any, lower: Any, spot: int, sign: int) -> float:
    """Least (sign 1) or largest (-1) value of one number, by scipy."""
    limits = np.column_stack([lower, np.full(len(lower), np.inf)])
    result = linprog(
        sign * (np.arange(len(lower)) == spot).astype(float), A_eq=left, b_eq=right, bounds=limits
    )
    return -sign * np.inf if result.status == 3 else float(sign * result.fun)


def test_hiding_more_never_tells_a_number_that_was_safe() -> None:
    """What lets `suppress` ask again only about numbers that could still be told."""
    draw, found = np.random.default_rng(7), 0
    for _ in range(40):
        release = table(draw.choice([0, 2, 5, 14, 30, 80], size=(3, 4)).tolist())
        shown = release.is_table & ~release.is_protected
        before = set(audit(release, shown).given_away.tolist())
        after = set(audit(release, shown & (draw.random(len(shown)) < 0.7)).given_away.tolist())
        assert after <= before
        found += len(before - after)
    assert found > 20
