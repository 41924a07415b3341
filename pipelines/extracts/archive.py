"""Zip archives of a delivery, unpacked with care: no path leaves the folder, nothing grows without bound."""

from __future__ import annotations

import contextlib
import errno
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from pipelines.extracts import file_names
from pipelines.extracts.delivery import UnreadableExtract

DAMAGED = "the archive is truncated or damaged"
CHUNK = 1 << 22
MOST_FILES = 10_000
# Fixed-width records of spaces shrink to a fiftieth; what shrinks further is no extract.
MOST_GROWTH = 250
# Below this size growth says nothing.
SMALL = 64 << 20
# Free space that is left alone.
RESERVE = 1 << 30


def archives(delivery: Path) -> list[Path]:
    """The zip archives that `delivery` (a folder or an archive) consists of or holds."""
    if delivery.is_file():
        return [delivery] if delivery.suffix.lower() == ".zip" else []
    if not delivery.is_dir():
        return []
    return sorted(path for path in delivery.iterdir() if path.is_file() and path.suffix.lower() == ".zip")


@contextlib.contextmanager
def unpacked(
    delivery: Path, found: Sequence[Path], into: Path, also: Mapping[str, Path] | None = None
) -> Iterator[Path]:
    """A folder with the files of the archives `found` and those beside them; it goes when the block ends.

    `also`: further files by the name that they get there.

    The folder `into` is made. Folders inside an archive are left out: its files stand side by side. Raises
    `UnreadableExtract` for an archive that is damaged, encrypted, too large or not what it claims, that names
    a path outside itself, and for two files of one name.
    """
    into.mkdir(mode=0o700)
    try:
        if delivery.is_dir():
            for path in sorted(delivery.iterdir()):
                if path.is_file() and path not in found:
                    (into / path.name).symlink_to(path.resolve())
        for name, path in (also or {}).items():
            (into / name).unlink(missing_ok=True)
            (into / name).symlink_to(path.resolve())
        # an archive may be named after a patient as a file in it may
        called = file_names.called(delivery if delivery.is_dir() else delivery.parent, found)
        for archive in found:
            try:
                _unpack(archive, called[archive], into)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError):
                raise UnreadableExtract(called[archive], DAMAGED, expected="a complete zip archive") from None
            except OSError as fault:
                # A place in the archive that cannot be; any other fault is of the disk.
                if fault.errno != errno.EINVAL:
                    raise
                raise UnreadableExtract(called[archive], DAMAGED, expected="a complete zip archive") from None
        yield into
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _unpack(archive: Path, called: str, into: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        members = [member for member in content.infolist() if not member.is_dir()]
        members = [member for member in members if not member.filename.startswith("__MACOSX/")]
        if len(members) > MOST_FILES:
            raise UnreadableExtract(
                called, "too many files", expected=f"up to {MOST_FILES}", actual=str(len(members))
            )
        room = shutil.disk_usage(into).free - RESERVE
        size = sum(member.file_size for member in members)
        if size > room:
            raise UnreadableExtract(
                called,
                "unpacks to more than fits on the disk",
                expected=f"up to {max(room, 0):,} bytes",
                actual=f"{size:,} bytes",
            )
        if size > SMALL and size > MOST_GROWTH * archive.stat().st_size:
            raise UnreadableExtract(
                called,
                "unpacks to far more than an archive of extracts would",
                expected=f"up to {MOST_GROWTH} times its size",
                actual=f"{size // max(archive.stat().st_size, 1)} times",
            )
        for member in members:
            _write(content, member, called, into)


def _write(content: zipfile.ZipFile, member: zipfile.ZipInfo, called: str, into: Path) -> None:
    """One member, checked by name and cut off where it grows beyond what it states."""
    path = PurePosixPath(member.filename)
    windows = PureWindowsPath(member.filename)
    if path.is_absolute() or windows.drive or windows.root or ".." in {*path.parts, *windows.parts}:
        raise UnreadableExtract(called, "names a file outside the archive", expected="relative names")
    kind = (member.external_attr >> 28) & 0xF  # of the Unix mode: 0 not stated, 8 a regular file
    if kind not in (0, 8):
        raise UnreadableExtract(called, "holds a link or a device", expected="regular files")
    if member.flag_bits & 0x1:
        raise UnreadableExtract(called, "is encrypted", expected="an archive without a password")
    target = into / windows.name
    if target.exists() or target.is_symlink():
        raise UnreadableExtract(
            called, "holds a file name that the delivery has twice", expected="one file a name"
        )
    written = 0
    with content.open(member) as source, target.open("xb") as sink:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > member.file_size:
                raise UnreadableExtract(called, "holds a file that is larger than it states")
            sink.write(chunk)
