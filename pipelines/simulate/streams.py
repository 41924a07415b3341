"""Random numbers: one independent stream for every (seed, stream name, chunk).

A stream never depends on what another stream drew or on the order of chunks, so a chunk can be made alone,
chunks can be made in any order, and a change in one part of the simulator leaves other parts' draws alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORLD = 2**31  # chunk number of what is made once (practices), far above any real chunk


def stream(seed: int, name: str, chunk: int) -> np.random.Generator:
    """Generator for the stream `name` of `chunk`."""
    return np.random.Generator(np.random.PCG64DXSM([seed, zlib.crc32(name.encode()), chunk]))


def choose(weights: Sequence[float] | NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index drawn by relative weight for each uniform number in [0, 1)."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.minimum(
        np.searchsorted(cumulative / cumulative[-1], uniform, side="right"), len(cumulative) - 1
    ).astype(np.int64)


def choose_band(
    bands: Sequence[Sequence[float]], uniform: NDArray[np.float64], within: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Whole number from bands of [share, fewest, most], both ends included."""
    table = np.asarray(bands, dtype=np.float64)
    band = choose(table[:, 0], uniform)
    low, high = table[band, 1], table[band, 2]
    return (low + np.floor(within * (high - low + 1))).astype(np.int64)


def draw_member(
    weights: NDArray[np.float64],
    groups: NDArray[np.int64],
    group: NDArray[np.int64],
    uniform: NDArray[np.float64],
) -> NDArray[np.int64]:
    """A member of each wanted `group`, drawn by weight; -1 where the group has no member of positive weight.

    `weights` and `groups` describe the members; `group` and `uniform` have one entry a draw.
    """
    count = int(max(groups.max(initial=-1), group.max(initial=-1))) + 1
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(count + 1))
    edges = np.concatenate([[0.0], np.cumsum(weights[order])])
    low, high = edges[starts[group]], edges[starts[group + 1]]
    at = np.searchsorted(edges, low + uniform * (high - low), side="right") - 1
    at = np.clip(at, 0, len(order) - 1)
    return np.where(high > low, order[at], -1)
