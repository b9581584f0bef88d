"""API keys: made here, kept as hashes, read from a file or a variable.

A file has a line a key; what follows ``#`` is a comment::

    NAME sha256:64-DIGITS models=flights,cost admin

``models`` are the names that the key may predict with and read about, ``*`` for all; ``admin`` is there or not.
A key is 256 random bits, so that one round of SHA-256 hides it: there is nothing shorter to guess than the key itself.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .errors import SettingsError
from .manifest import NAME

__all__ = ["EVERY", "Key", "key_line", "new_key", "read_key_file", "read_keys", "whose"]

EVERY = "*"
"""In place of models' names: all of them, those too that come later."""

LARGEST = 2**20
"""Bytes of a file of keys."""

_START = "ptw_"  # so that scanners for secrets know one when they see it
_LINE = re.compile(
    rf"(?P<name>{NAME.pattern})\s+sha256:(?P<digest>[0-9a-f]{{64}})\s+models=(?P<models>\S+)(?P<admin>\s+admin)?"
)


class Key(msgspec.Struct, frozen=True):
    """A key that is let in, without the key.

    name: for those who rotate keys. digest: its SHA-256. models: names, or EVERY alone.
    """

    name: str
    digest: bytes
    models: frozenset[str]
    admin: bool = False

    def sees(self, model: str) -> bool:
        """Whether it is for the model of this name."""
        return model in self.models or EVERY in self.models


def new_key() -> str:
    """A key that nobody has."""
    return _START + secrets.token_urlsafe(32)


def key_line(name: str, key: str, models: Sequence[str] = (EVERY,), *, admin: bool = False) -> str:
    """The line of a key in a file of keys. Raises SettingsError for a key's or a model's name that cannot be one."""
    for given in (name, *(model for model in models if model != EVERY)):
        if not NAME.fullmatch(given):
            raise SettingsError(f"expected a name that matches {NAME.pattern}, found {given[:64]!r}")
    return f"{name} sha256:{_digest(key.encode()).hex()} models={','.join(models)}{' admin' if admin else ''}"


def read_keys(text: str, where: str) -> tuple[Key, ...]:
    """The keys of a file's text; ``;`` ends a line too, for variables.

    where: what the text is, for errors, which never quote it: somebody may have put a key there.
    Raises SettingsError, also where there is none: nobody could be let in.
    """
    keys: list[Key] = []
    for number, line in enumerate(re.split(r"\r\n|[\n;]", text), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        match = _LINE.fullmatch(said)
        models = match["models"].split(",") if match else []
        if match is None or not all(model == EVERY or NAME.fullmatch(model) for model in models):
            raise SettingsError(
                f"expected line {number} of {where} to be NAME sha256:64-DIGITS models=NAMES and perhaps admin, "
                "found another; `python -m runtime key NAME` prints one"
            )
        key = Key(match["name"], bytes.fromhex(match["digest"]), frozenset(models), match["admin"] is not None)
        if any(key.name == other.name or key.digest == other.digest for other in keys):
            raise SettingsError(f"expected each key of {where} once and names that differ, found line {number} again")
        keys.append(key)
    if not keys:
        raise SettingsError(f"expected keys in {where}, found none: `python -m runtime key NAME` prints one")
    return tuple(keys)


def read_key_file(file: str) -> str:
    """The text of a file of keys. Raises SettingsError where it cannot be read, or where everybody may write it."""
    try:
        with Path(file).open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"expected a file of keys at {file}, found: {error.strerror}") from error
    if mode & stat.S_IWOTH:
        raise SettingsError(f"expected {file} to be writable by its owner alone, found that everybody may add keys")
    if len(text) > LARGEST:
        raise SettingsError(f"expected a file of keys of at most {LARGEST} bytes, found a larger one in {file}")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"expected {file} to be text in UTF-8, found another encoding") from error


def whose(keys: Sequence[Key], sent: bytes) -> Key | None:
    """The key that was sent, if it is one of these; takes as long whichever it is, and where it is none."""
    digest = _digest(sent)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
