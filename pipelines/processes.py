"""Several processes for work that is Python and not the engine's: one thread of it at a time runs in each."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from pipelines.dbt_process import end_with_parent


def pool(processes: int) -> ProcessPoolExecutor:
    """Processes that end with this one, also by `kill -9`; each takes a second to start.

    Not forked: threads of the engine, and locks that they may hold, are not to be copied. What is given to them and comes back goes
    through pipes, never through files.
    """
    started = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, started, end_with_parent, (os.getpid(),))
