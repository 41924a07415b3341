"""Notebooks executed on one run's tables, all in one kernel, and their pages."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.settings import REPOSITORY, Settings

FOLDER = REPOSITORY / "notebooks"
SECONDS = 600  # the longest that one cell may take


class NotebookFailed(Exception):
    """A cell raised; str() names notebook, cell and kind of error, never its message, which could quote data."""


class UnknownNotebook(Exception):
    """There is no notebook of that name; str() lists those that there are."""


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def run(
    settings: Settings, chosen: Sequence[str] = (), arguments: Mapping[str, Any] | None = None
) -> list[Path]:
    """Execute the chosen notebooks (default: all) on the run in `settings.out`; writes `reports/notebooks/NAME.html`.

    `arguments` replace values of the cell tagged `parameters`. A page is written when its notebook ran through. Raises
    UnknownNotebook, NotebookFailed, and NoWarehouse where the folder holds no run.
    """
    from pipelines.built import open_built
    from pipelines.notebooks.export import write

    with open_built(settings):
        pass
    wrong = sorted(set(chosen) - set(names()))
    if wrong:
        raise UnknownNotebook(f"no notebook named {', '.join(wrong)}; there are {', '.join(names())}")
    folder = settings.reports / "notebooks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    values = {**(arguments or {}), "out": str(settings.out)}
    made = []
    for name, notebook in zip(chosen or names(), executed(settings, chosen or names(), values), strict=True):
        made.append(write(notebook, name, folder))
    return made


def executed(settings: Settings, chosen: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
    """The notebooks with outputs, as nbformat nodes; one kernel runs them one after the other, each from an empty namespace."""
    return asyncio.run(_executed(settings, chosen, values))


async def _executed(settings: Settings, chosen: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    manager = kernel(settings, AsyncKernelManager)
    await manager.start_kernel(env=environment(settings), cwd=str(REPOSITORY))
    done = []
    try:
        for name in chosen:
            notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
            cells = [nbformat.v4.new_code_cell("%reset -f"), *parametrised(name, notebook, values)]
            client = NotebookClient(
                nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata),
                km=manager,
                timeout=SECONDS,
                store_widget_state=False,
            )
            try:
                await client.async_execute()
            except CellExecutionError as problem:
                place = next(
                    (spot for spot, cell in enumerate(cells) if cell.cell_type == "code" and failed(cell)), 0
                )
                raise NotebookFailed(f"{name}, cell {place}: {problem.ename}") from None
            done.append(nbformat.v4.new_notebook(cells=client.nb.cells[1:], metadata=notebook.metadata))
    finally:
        await manager.shutdown_kernel(now=True)
    return done


def kernel(settings: Settings, manager_class: Any) -> Any:
    """A manager of this Python's kernel: no kernel need be registered on the machine."""
    from jupyter_client.kernelspec import KernelSpec

    settings.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    manager = manager_class(connection_file=str(settings.temporary / f"kernel-{os.getpid()}.json"))
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
    )
    return manager


def environment(settings: Settings) -> dict[str, str]:
    """What the kernel process sees: this one's environment, with its own state inside the output folder."""
    home = settings.temporary / "ipython"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        **os.environ,
        "IPYTHONDIR": str(home),
        "JUPYTER_RUNTIME_DIR": str(home),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "CCM_MEMORY_LIMIT": settings.memory_limit,
        "CCM_THREADS": str(settings.threads),
    }


def parametrised(name: str, notebook: Any, values: Mapping[str, Any]) -> list[Any]:
    """The notebook's cells, with the arguments set right after the cell tagged `parameters`, for the names that it has."""
    import nbformat

    place = next(
        (spot for spot, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])),
        None,
    )
    if place is None:
        raise NotebookFailed(f"{name}: no cell is tagged parameters")
    has = {
        line.split("=")[0].split(":")[0].strip()
        for line in notebook.cells[place].source.splitlines()
        if "=" in line
    }
    lines = [f"{key} = {value!r}" for key, value in values.items() if key in has]
    injected = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    return [*notebook.cells[: place + 1], injected, *notebook.cells[place + 1 :]]


def failed(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))
