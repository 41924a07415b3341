"""Names for things that may not be named outside person-level outputs: keyed hashes, the same in every run of one output folder."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

from pipelines.settings import Settings, pseudonym_key


def pseudonym(settings: Settings, kind: str, value: str) -> str:
    """16 hexadecimal digits that stand for `value` of this kind; without the key nobody can try values against them."""
    return hmac.new(_key(settings), f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()[:16]


def _key(settings: Settings) -> bytes:
    """The key of the settings, else the output folder's own, made once and kept with what cannot be made again."""
    given = pseudonym_key()
    if given:
        return given.encode()
    path = settings.ledger / "pseudonym.key"
    if not path.exists():
        settings.ledger.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            os.link(fresh, path)  # never over a key that another process made meanwhile
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
