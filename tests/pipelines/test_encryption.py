"""An output folder that is encrypted at rest: nothing of it can be read on the disk, and nothing is written past it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipelines import encryption
from pipelines.cli import main
from pipelines.encryption import CannotUnlock, lock, unlock
from pipelines.settings import EncryptionKey, Settings
from tests.faults.bare_run import run, shown, write_delivery

KEY = EncryptionKey("a key of its own")
needs_gocryptfs = pytest.mark.skipif(
    shutil.which("gocryptfs") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK),
    reason="gocryptfs is not installed here, or this user may not mount",
)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = Settings(out=tmp_path / "out", memory_limit="200MB", threads=1)
    yield made
    lock(made)


def on_the_disk(settings: Settings) -> list[Path]:
    return [path for path in settings.encrypted.rglob("*") if path.is_file()]


@needs_gocryptfs
def test_a_run_leaves_nothing_readable_on_the_disk_and_all_of_it_behind_the_key(
    settings: Settings, tmp_path: Path
) -> None:
    delivery = write_delivery(tmp_path / "delivery", {"CANARYCLAIM": 120})
    assert unlock(settings, KEY) and not unlock(settings, KEY)
    run(settings, delivery, date(2025, 3, 1))
    day, claims = shown(settings) or (None, {})
    assert claims == {"CANARYCLAIM": 120}
    held = on_the_disk(settings)
    assert len(held) > 15
    for path in held:
        assert (
            b"CANARY" not in path.read_bytes() and "parquet" not in path.name and "warehouse" not in path.name
        )
    assert lock(settings)
    assert not any(settings.out.iterdir())
    with pytest.raises(CannotUnlock, match="right one"):
        unlock(settings, EncryptionKey("another key"))
    assert unlock(settings, KEY)
    assert shown(settings) == (day, claims)


@needs_gocryptfs
def test_while_it_is_locked_no_command_writes_in_its_place(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("one line\n")
    key.chmod(0o600)
    monkeypatch.setenv("CCM_ENCRYPTION_KEY_FILE", str(key))
    out = ["--out", str(settings.out)]
    assert main(["unlock", *out]) == 0
    assert main(["lock", *out]) == 0
    assert main(["run", "--landed", *out]) == 2
    assert "ccm unlock" in capsys.readouterr().err
    assert not any(settings.out.iterdir())


def test_what_keeps_a_folder_from_being_unlocked_is_one_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption.shutil, "which", lambda name: None)
    with pytest.raises(CannotUnlock, match="not installed"):
        unlock(settings, KEY)
    monkeypatch.setattr(encryption.shutil, "which", lambda name: "/nowhere/gocryptfs")
    for key, says in (
        (EncryptionKey(), "no key"),
        (EncryptionKey(file=tmp_path / "absent"), "cannot be read"),
        (EncryptionKey(file=written(tmp_path / "two", "a\nb", 0o600)), "one line"),
        (EncryptionKey(file=written(tmp_path / "open", "a", 0o644)), "chmod 600"),
    ):
        with pytest.raises(CannotUnlock, match=says):
            unlock(settings, key)
    settings.out.mkdir()
    (settings.out / "run.json").write_text("{}")
    with pytest.raises(CannotUnlock, match="not encrypted"):
        unlock(settings, KEY)
    assert not settings.encrypted.exists()


def written(path: Path, text: str, mode: int) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_is_not_part_of_what_settings_show() -> None:
    assert KEY.value not in repr(KEY)
