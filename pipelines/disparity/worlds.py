"""The worlds that fit what is known: unknown numbers, equations between them, and how large or small each can be in any such world.

One linear program (HiGHS) stands for all questions about the same equations. It is set up once and asked again with another objective,
from where the last answer left it, so that a question costs a few pivots.
"""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

TOLERANCE = 1e-6
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
UNBOUNDED = (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible)


class Worlds:
    """All x with `left @ x = right` and `x >= lower`: left (m, n) sparse, right (m,), lower (n,)."""

    def __init__(self, left: Any, right: Floats, lower: Floats) -> None:
        matrix = sparse.csc_matrix(left)
        program = highspy.HighsLp()
        program.num_row_, program.num_col_ = matrix.shape
        program.col_cost_ = np.zeros(matrix.shape[1])
        program.col_lower_ = np.asarray(lower, dtype=float)
        program.col_upper_ = np.full(matrix.shape[1], highspy.kHighsInf)
        program.row_lower_ = program.row_upper_ = np.asarray(right, dtype=float)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        program.a_matrix_.index_ = matrix.indices.astype(np.int32)
        program.a_matrix_.value_ = matrix.data.astype(float)
        self._rows, self._columns = matrix.shape
        self._solver = highspy.Highs()
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        # The last answer fits the equations still; it is no longer the best one. That is where the primal simplex starts.
        self._solver.setOptionValue("simplex_strategy", 4)
        self._solver.passModel(program)

    def can_reach(self, spots: Ints, wanted: Ints) -> NDArray[np.bool_]:
        """Which of `spots` (k,) are found to have their `wanted` (k,) value or more in some world; others may have it too.

        One program looks for a world with as many of them there as it finds; whoever is there in it is safe. Asked again of the
        rest, so that few are left to be asked one by one.
        """
        high = np.zeros(len(spots), bool)
        count = len(spots)
        if not count:
            return high
        need = np.asarray(wanted, dtype=float)
        # How far each is there: at most as far as it is wanted, and no farther than the number itself goes.
        reached = self._columns + np.arange(count, dtype=np.int32)
        none, no_values = np.zeros(count, dtype=np.int32), np.zeros(0)
        self._solver.addCols(
            count, -1.0 / need, np.zeros(count), need, 0, none, np.zeros(0, dtype=np.int32), no_values
        )
        pairs = np.column_stack([np.asarray(spots, dtype=np.int32), reached]).astype(np.int32).ravel()
        self._solver.addRows(
            count,
            np.zeros(count),
            np.full(count, highspy.kHighsInf),
            2 * count,
            2 * np.arange(count, dtype=np.int32),
            pairs,
            np.tile([1.0, -1.0], count),
        )
        try:
            while not high.all():
                # With another objective on this many numbers, presolve takes away more than the last answer helps.
                self._solver.clearSolver()
                values = np.asarray(self._solve().col_value)
                new = ~high & (values[spots] >= need - TOLERANCE)
                if not new.any():
                    break
                high |= new
                self._solver.changeColsCost(int(new.sum()), reached[new], np.zeros(int(new.sum())))
        finally:
            self._solver.deleteRows(count, self._rows + np.arange(count, dtype=np.int32))
            self._solver.deleteCols(count, reached)
        return high

    def largest(self, spot: int) -> tuple[float, Ints]:
        """The largest value of one number, infinite where nothing bounds it, and the equations that keep it there."""
        return self._extreme(spot, -1.0)

    def least(self, spot: int) -> float:
        """The least value of one number."""
        return self._extreme(spot, 1.0)[0]

    def _extreme(self, spot: int, sign: float) -> tuple[float, Ints]:
        self._solver.changeColCost(spot, sign)
        try:
            found = self._solve()
        except Unbounded:
            return -sign * np.inf, np.zeros(0, dtype=np.int64)
        finally:
            self._solver.changeColCost(spot, 0.0)
        binding = np.flatnonzero(np.abs(np.asarray(found.row_dual)[: self._rows]) > TOLERANCE)
        return float(found.col_value[spot]), binding

    def _solve(self) -> Any:
        status = self._run()
        if status not in (*UNBOUNDED, highspy.HighsModelStatus.kOptimal):
            # It lost its way from where the last answer left it: from the beginning.
            self._solver.clearSolver()
            status = self._run()
        # There is a world, as what is true is one: not solved for being unbounded or impossible is unbounded.
        if status in UNBOUNDED:
            raise Unbounded
        if status != highspy.HighsModelStatus.kOptimal:
            raise ValueError(f"the audit could not be solved: {self._solver.modelStatusToString(status)}")
        return self._solver.getSolution()

    def _run(self) -> Any:
        self._solver.run()
        return self._solver.getModelStatus()


class Unbounded(Exception):
    """Nothing bounds the number asked about."""
