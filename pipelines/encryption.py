"""An output folder that is encrypted at rest: everything in it, by gocryptfs, with a key from the environment or a file.

`<out>.encrypted` beside the folder holds what lies on the disk: names and contents encrypted and authenticated (AES-GCM). While
unlocked, `<out>` shows it in the clear to its owner; while locked, `<out>` is an empty folder and no command writes there.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pipelines.settings import EncryptionKey, Settings

PROGRAM = "gocryptfs"
CONFIG = "gocryptfs.conf"


class CannotUnlock(Exception):
    """The folder cannot be unlocked or locked; str() is one clear line."""


def unlock(settings: Settings, key: EncryptionKey) -> bool:
    """Show the folder in the clear, and make it where there is none; False where it was unlocked already.

    Raises CannotUnlock where the program or the key is missing, the key is wrong, or the folder holds files that were never encrypted.
    """
    if settings.out.is_mount():
        return False
    program = shutil.which(PROGRAM)
    if program is None:
        raise CannotUnlock(f"{PROGRAM} is not installed (Debian: apt install {PROGRAM})")
    secret = _secret(key)
    if settings.out.is_dir() and any(settings.out.iterdir()):
        raise CannotUnlock(
            f"{settings.out} holds files that are not encrypted: move them away, unlock, and move them back"
        )
    place = settings.encrypted
    is_new = not (place / CONFIG).exists()
    for folder in (place, settings.out):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if is_new:
        _call([program, "-init", "-q", str(place)], secret, f"{place} cannot be made")
    _call(
        [program, "-q", str(place), str(settings.out)],
        secret,
        f"{settings.out} cannot be unlocked: is the key the right one, and may this user mount (/dev/fuse)?",
    )
    return True


def lock(settings: Settings) -> bool:
    """Hide the folder again; False where it was not unlocked. Raises CannotUnlock while a process uses it."""
    if not settings.out.is_mount():
        return False
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        raise CannotUnlock("fusermount is not installed")
    _call([program, "-u", str(settings.out)], "", f"{settings.out} is in use: end what reads or writes it")
    return True


def _secret(key: EncryptionKey) -> str:
    if key.value:
        return key.value
    if key.file is None:
        raise CannotUnlock("no key: set CCM_ENCRYPTION_KEY_FILE or CCM_ENCRYPTION_KEY")
    try:
        held = key.file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise CannotUnlock(f"the key file {key.file} cannot be read") from None
    if not held or "\n" in held:
        raise CannotUnlock(f"the key file {key.file} must hold one line")
    if Path(key.file).stat().st_mode & 0o077:
        raise CannotUnlock(f"the key file {key.file} can be read by others: chmod 600")
    return held


def _call(command: list[str], secret: str, says: str) -> None:
    # By its standard input: arguments and the environment of a process can be read by others.
    done = subprocess.run(command, input=f"{secret}\n", text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotUnlock(says)
