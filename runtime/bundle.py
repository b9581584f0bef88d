"""A folder becomes a checked bundle, or an error before any session exists."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from .errors import BundleError, DigestError, ModelNotFoundError
from .manifest import NAME, VERSION, Manifest, read_manifest
from .proof import Proof, read_proof

__all__ = ["Bundle", "find", "models", "read_bundle", "read_sums", "sums", "versions"]

GRAPH, MANIFEST, PROOF, SUMS = "model.onnx", "manifest.json", "proof.json", "SHA256SUMS"
FILES = (GRAPH, MANIFEST, PROOF)

LARGEST = 2**31 - 1
"""Bytes that a file of a bundle may have: a graph beyond that is not one protobuf message."""

MOST_SUMS = 64 * 2**10
"""Bytes that SHA256SUMS may have: a few hundred names."""


class Bundle(NamedTuple):
    """A bundle whose every digest has been checked; ``graph`` is the very bytes that were hashed."""

    manifest: Manifest
    proof: Proof
    graph: bytes
    digest: str
    """The SHA-256 of SHA256SUMS: one digest for the whole bundle."""
    name: str = "default"
    """The model's: that of the folder that holds its versions, where that can be a name."""


def sums(files: dict[str, bytes]) -> bytes:
    """The text of SHA256SUMS, as ``sha256sum -c`` reads it."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def read_bundle(folder: Path) -> Bundle:
    """Read and check the bundle in a version folder.

    Raises BundleError or one of its kinds: DigestError for a missing or changed file, ProtocolError for a newer
    protocol. Nothing is executed and no session is built.
    """
    try:
        listed = _read(folder, SUMS)
        names = sorted({*FILES, *(line[66:].decode(errors="replace") for line in listed.splitlines())})
        if any("/" in name or name in ("", ".", "..", SUMS) for name in names):
            raise DigestError(f"expected plain file names in {folder / SUMS}, found others: convert the model again")
        files = {name: _read(folder, name) for name in names}
    except OSError as error:
        raise BundleError(f"expected to read a bundle in {folder}, found: {error.strerror}") from error
    if sums(files) != listed:
        changed = [name for name, text in files.items() if sums({name: text}) not in listed]
        raise DigestError(
            f"expected the bytes that {folder / SUMS} lists, found others in {', '.join(changed) or SUMS}: "
            "copy or convert the model again"
        )
    manifest = read_manifest(files[MANIFEST], str(folder / MANIFEST))
    if not VERSION.fullmatch(manifest.version):  # it becomes part of headers, paths and labels
        raise BundleError(
            f"expected a version that matches {VERSION.pattern} in {folder / MANIFEST}, found {manifest.version[:64]!r}"
        )
    proof = read_proof(files[PROOF], str(folder / PROOF))
    found = hashlib.sha256(files[GRAPH]).hexdigest()
    if proof.graph_sha256 != found:
        raise BundleError(
            f"expected a proof of {folder / GRAPH} ({found[:12]}), found one of another graph "
            f"({proof.graph_sha256[:12]}): convert the model again"
        )
    name = folder.absolute().parent.name
    digest = hashlib.sha256(listed).hexdigest()
    return Bundle(manifest, proof, files[GRAPH], digest, name if NAME.fullmatch(name) else "default")


def read_sums(folder: Path) -> bytes:
    """The SHA256SUMS of a version's folder, which speaks for all of its files.

    Raises DigestError where there is none, BundleError where it cannot be read.
    """
    try:
        return _read(folder, SUMS)
    except OSError as error:
        raise BundleError(f"expected to read a bundle in {folder}, found: {error.strerror}") from error


def _read(folder: Path, name: str) -> bytes:
    """A file's bytes; its kind and size are looked at first, for a pipe would never end and a sparse file is soon
    larger than memory."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            found, most = os.fstat(descriptor), MOST_SUMS if name == SUMS else LARGEST
            if not stat.S_ISREG(found.st_mode) or found.st_size > most:
                raise DigestError(f"expected {folder / name} to be a file of at most {most} bytes, found another")
            return file.read(most)
    except FileNotFoundError as error:
        raise DigestError(
            f"expected {name} in the bundle {folder}, found none: copy or convert the model again"
        ) from error


def find(where: str | Path) -> Path:
    """The version folder that a name stands for.

    where: a version folder; a model folder (its ``production`` alias, else its newest version); or
        ``folder@alias`` or ``folder@version``.
    Raises ModelNotFoundError where there is none.
    """
    path = Path(where)
    if "@" in path.name and not path.exists():
        folder, _, name = str(where).rpartition("@")
        if not VERSION.fullmatch(name) or not (Path(folder) / name / MANIFEST).is_file():
            raise ModelNotFoundError(
                f"expected an alias or a version {name!r} in {folder}, found {_names(Path(folder))}"
            )
        return (Path(folder) / name).resolve()
    if (path / SUMS).is_file() or (path / MANIFEST).is_file():
        return path.resolve()
    if (path / "production" / MANIFEST).is_file():
        return (path / "production").resolve()
    found = versions(path)
    if not found:
        raise ModelNotFoundError(f"expected a model or one of its versions in {path}, found {_names(path)}")
    return max(found, key=_age)


def versions(model: Path) -> list[Path]:
    """The version folders below a model folder, aliases left out."""
    if not model.is_dir():
        return []
    return sorted(
        folder
        for folder in model.iterdir()
        if VERSION.fullmatch(folder.name) and not folder.is_symlink() and (folder / MANIFEST).is_file()
    )


def models(root: Path) -> dict[str, Path]:
    """The folders of the models below a folder, by name."""
    if not root.is_dir():
        return {}
    return {
        folder.name: folder for folder in sorted(root.iterdir()) if NAME.fullmatch(folder.name) and versions(folder)
    }


def _age(folder: Path) -> tuple[str, str]:
    manifest = read_manifest(_read(folder, MANIFEST), str(folder / MANIFEST))
    return manifest.created, manifest.version


def _names(folder: Path) -> str:
    if not folder.is_dir():
        return "a file" if folder.exists() else "no such folder"
    names = [entry.name for entry in sorted(folder.iterdir()) if (entry / MANIFEST).is_file()]
    return ", ".join(names) or "no version"
