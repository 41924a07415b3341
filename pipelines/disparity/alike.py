"""Cells of which the same is known, taken together: what can be told of one of them can be told of each, and two of them may be exchanged.

What is known of a cell is how many people of each group are eligible in it, what one person paid for there adds to each statistic, and
what is shown of everybody in it. In a world that fits what is known, two such cells exchanged give another world that fits it. So:

- a number that is different in two of them cannot be told of either;
- for a question about one of them a world needs that cell and the sum of the others. The sum can be shared out among them evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Cells for the program: `cell` (b,) one that stands for the block, `times` (b,) how many the block holds.

    `spots` (k,): numbers to be asked about, as side x groups x blocks in a row (paid for, then not paid for); each is of a block that
    holds one cell. `values` (k,): the number there.
    """

    cell: Ints
    times: Ints
    spots: Ints
    values: Ints


def blocks_of(known: Sequence[Floats], eligible: Ints, paid: Ints, limit: int) -> Blocks:
    """Blocks of cells of which the same is `known` (arrays (n,), nan where nothing is).

    eligible, paid: (groups, n). Asked about is every number of 1 to `limit`, paid for or not, that exchanging cells does not protect:
    where more than `limit` are eligible the largest among cells alike is at most `limit`, elsewhere all are the same.
    """
    described = np.column_stack([*eligible, *(np.nan_to_num(one, nan=-1.0) for one in known)])
    kinds, kind = np.unique(described, axis=0, return_inverse=True)
    kind = kind.ravel()
    count = len(kinds)
    times = np.bincount(kind, minlength=count)
    order = np.argsort(kind, kind="stable")
    starts = np.concatenate([[0], np.cumsum(times)[:-1]])
    one_of = order[starts]
    # (2 x groups, n) numbers, and by kind of cell the largest and the least of them, and the largest that is asked about.
    numbers = np.concatenate([paid, eligible - paid])[:, order]
    largest = np.maximum.reduceat(numbers, starts, axis=1)
    least = np.minimum.reduceat(numbers, starts, axis=1)
    is_small = (numbers >= 1) & (numbers <= limit)
    room = np.concatenate([eligible, eligible])[:, one_of]
    asked = np.maximum.reduceat(is_small, starts, axis=1) & np.where(room > limit, largest <= limit, largest == least)  # fmt: skip
    side, of_kind = np.nonzero(asked)
    # A cell of its own for every question, as far as there are cells; then they share.
    singles = np.minimum(times, asked.sum(axis=0))
    rest = times - singles
    has_rest = np.flatnonzero(rest)
    cell = np.concatenate([np.repeat(one_of, singles), one_of[has_rest]])
    each = np.concatenate([np.ones(int(singles.sum()), dtype=np.int64), rest[has_rest]])
    first = np.concatenate([[0], np.cumsum(singles)[:-1]])
    turn = (np.cumsum(asked, axis=0) - 1)[side, of_kind] % np.maximum(singles[of_kind], 1)
    spots = side * len(cell) + first[of_kind] + turn
    return Blocks(cell, each, spots, largest[side, of_kind])
