"""A bundle's files become a version folder: whole, or not at all."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from runtime.bundle import SUMS, sums
from runtime.manifest import NAME, VERSION

from .errors import WriteError

__all__ = ["check_destination", "write_bundle"]

RESERVED = ("production", "aliases.jsonl")
"""Names in a model's folder that are no version's: the alias that is served by default, and the aliases' history."""


def check_destination(out: Path, version: str | None = None) -> None:
    """Raises WriteError where a version cannot be written below a model's folder; touches nothing.

    version: None looks at the folder alone.
    """
    folder = Path(os.path.abspath(out))
    if not NAME.fullmatch(folder.name):
        raise WriteError(
            f"expected a model's name of small letters, digits, '.', '_' and '-', at most 63 of them, found "
            f"{folder.name!r}: rename the folder {out}"
        )
    above = next(parent for parent in (out, *out.parents) if os.path.exists(parent))
    if not above.is_dir():
        raise WriteError(f"expected to write below the folder {out}, found that {above} is a file: choose another")
    if not os.access(above, os.W_OK | os.X_OK):
        raise WriteError(f"expected to write below {out}, found that {above} may not be written to")
    if version is None:
        return
    if not VERSION.fullmatch(version) or version in RESERVED:
        raise WriteError(
            f"expected a version of small letters, digits, '.', '_', '-', 'T' and 'Z', at most 63 of them, found "
            f"{version!r}: name it otherwise"
        )
    if os.path.lexists(folder / version):
        raise _exists(out / version)


def write_bundle(out: Path, version: str, files: dict[str, bytes]) -> Path:
    """Write a bundle, with its SHA256SUMS, as the folder ``out/version``, which is returned.

    The folder appears by a rename, after its bytes have reached the disk: no reader sees half of it, and of two
    writers one wins. Raises WriteError, and leaves nothing behind, where it exists or cannot be written.
    """
    check_destination(out, version)
    target = out / version
    try:
        with _folders(out), _beside(target) as temporary:
            for name, text in {**files, SUMS: sums(files)}.items():
                with open(temporary / name, "xb") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
            _sync(temporary)
            # A folder takes the place of an empty folder only; the loser of a race gets an error here.
            os.rename(temporary, target)
            with contextlib.suppress(OSError):  # it is there; a power cut might still undo it
                _sync(out)
    except OSError as error:
        if os.path.lexists(target):
            raise _exists(target) from error
        raise WriteError(f"expected to write {target}, found: {error.strerror}") from error
    return target


def _exists(target: Path) -> WriteError:
    return WriteError(f"expected a new version, found that {target} exists: a version is never changed, name another")


@contextlib.contextmanager
def _folders(out: Path) -> Iterator[None]:
    """The folder and those above it; the new ones are removed again where nothing came to lie in them."""
    new = [folder for folder in (out, *out.parents) if not os.path.exists(folder)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A hidden folder beside the target, gone afterwards unless it was renamed."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir()  # not tempfile's: that one is private to its maker, and a server is somebody else
        yield temporary
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
