"""dbt as the child of a run: it ends when the run ends, even by kill -9, so that no orphan goes on writing a warehouse.

Where CCM_DBT_PARSED names the project as dbt parsed it before, it is read instead of parsing nine hundred files again. Runs on its
own in any environment that has dbt: nothing else of this package is imported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

PARSED = "CCM_DBT_PARSED"
# Process number of the run.
PARENT = "CCM_RUN_PROCESS"
# Where a run's files lie: in a project that was parsed for any run, what stands for these variables stands in their place.
PLACES = ("CCM_LANDING", "CCM_QUARANTINE", "CCM_LEDGER")
_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


def end_with_parent(parent: int | None = None) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere nothing is done.

    parent: who started it, so that one that was gone before it could be asked is noticed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def stands_for(place: str) -> str:
    return f"<{place}>"


def parsed_project(path: Path) -> Any:
    """dbt's manifest from the file that its parser leaves for partial parsing (`partial_parse.msgpack`), with the places of this run."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    readable: Any = Manifest  # its reader comes from a mixin without types
    manifest = readable.from_msgpack(path.read_bytes(), decoder=extended_mashumuro_decoder)
    for source in manifest.sources.values():
        location = source.config.get("external_location", "")
        for place in PLACES:
            location = location.replace(stands_for(place), os.environ.get(place, stands_for(place)))
        source.config["external_location"] = location
    manifest.build_flat_graph()  # what `graph` is in a template
    return manifest


def main(arguments: list[str]) -> int:
    """Run one dbt command; returns its exit status: 0 done, 1 a node failed, 2 dbt itself did."""
    from dbt.cli.main import dbtRunner

    parsed = os.environ.get(PARSED)
    outcome = dbtRunner(manifest=parsed_project(Path(parsed)) if parsed else None).invoke(arguments)
    if outcome.success:
        return 0
    return 1 if outcome.exception is None else 2


if __name__ == "__main__":
    end_with_parent(int(os.environ[PARENT]) if PARENT in os.environ else None)
    sys.argv[0] = "dbt"
    sys.exit(main(sys.argv[1:]))
