"""dbt as the child of a run: it ends when the run ends, even by kill -9, so that no orphan goes on writing a warehouse."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


def end_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere nothing is done."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() == 1:  # the parent was gone before it could be asked
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    from dbt.cli.main import cli

    sys.argv[0] = "dbt"
    cli()
