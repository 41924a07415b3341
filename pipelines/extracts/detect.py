"""Which formats there are, and which one a folder is in."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from pipelines.extracts.delivery import UnreadableExtract

# One name a reader: the only such list. Each is a module of this package with NAME, LOOKS_FOR (one line),
# recognises(folder), sources(folder) (the files that it reads) and read(con, folder); and called(folder) where names of files may
# be names of people.
_READERS = ("practice", "rif", "cclf", "fhir", "synpuf", "synthea", "tuva")
FORMATS = tuple(name for name in _READERS if importlib.util.find_spec(f"pipelines.extracts.{name}"))


def reader(name: str) -> ModuleType:
    """The module that reads format `name`; raises `UnreadableExtract` where there is none."""
    if name not in FORMATS:
        raise UnreadableExtract("--format", f"there is no format {name!r}", expected=", ".join(FORMATS))
    return importlib.import_module(f"pipelines.extracts.{name}")


def choose(folder: Path, name: str = "auto") -> ModuleType:
    """The reader for `folder`: the one called `name`, or with `auto` the only one that recognises it.

    Raises `UnreadableExtract` where no format fits, and where more than one does: what the files of a mixture
    mean together cannot be told from the files.
    """
    if not folder.is_dir():
        raise UnreadableExtract(str(folder), "there is no such folder", expected="a folder of extract files")
    if name != "auto":
        return reader(name)
    modules = [reader(candidate) for candidate in FORMATS]
    reasons = {module: why for module in modules if (why := module.recognises(folder)) is not None}
    if len(reasons) == 1:
        return next(iter(reasons))
    if reasons:
        found = "; ".join(f"{module.NAME} ({why})" for module, why in reasons.items())
        raise UnreadableExtract(
            "the delivery",
            "more than one format fits",
            expected="one format in a folder: give each its own, or say --format to read one and leave the rest",
            actual=found,
        )
    looked_for = "; ".join(
        f"{module.NAME}: {getattr(module, 'LOOKS_FOR', 'its own file names')}" for module in modules
    )
    present = sum(1 for path in folder.iterdir() if path.is_file())
    raise UnreadableExtract(
        "the delivery", "no known format fits", expected=looked_for, actual=f"{present} files, none of these"
    )


def sources(module: ModuleType, folder: Path) -> list[Path]:
    """The files of `folder` that `module` reads, in a fixed order (all visible ones if it does not say)."""
    if hasattr(module, "sources"):
        return sorted(module.sources(folder))
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def called(module: ModuleType, folder: Path) -> dict[Path, str]:
    """What each file that `module` reads is called in all that is told of it."""
    if hasattr(module, "called"):
        return dict(module.called(folder))
    return {path: str(path.relative_to(folder)) for path in sources(module, folder)}


def reason(module: ModuleType, folder: Path) -> str:
    """In words, what shows that `folder` is in the format of `module`."""
    return module.recognises(folder) or "as asked: nothing in it shows this format"
