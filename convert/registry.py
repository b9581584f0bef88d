"""A model's versions and the aliases that point at them.

An alias is a relative symlink, swapped by a rename, so that whoever opens it finds one version or the other. Every
change is noted in ``aliases.jsonl`` beside it, before it is made: ``{"time", "alias", "from", "to", "action"}``.
"""

import contextlib
import datetime
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

from runtime import BundleError, ModelNotFoundError
from runtime.bundle import MANIFEST, find, read_bundle, versions
from runtime.dates import said
from runtime.manifest import NAME

from .errors import WriteError

__all__ = ["Listed", "aliases", "check_alias", "list_lines", "list_versions", "promote", "rollback", "show"]

HISTORY = "aliases.jsonl"
LIKE_VERSION = re.compile(r"v?[0-9].*")


class Listed(NamedTuple):
    """A version in a list.

    aliases: those that point at it.
    size: of all its files, bytes.
    state: its proof in a few words, or what is wrong with it.
    """

    version: str
    aliases: tuple[str, ...]
    created: str
    size: int
    state: str


def promote(model: Path, version: str, alias: str = "production") -> str | None:
    """Point an alias at a version, whose digests are checked first.

    Returns the version that the alias pointed at before, or None.
    Raises ModelNotFoundError where there is no such version, BundleError where it is damaged, WriteError where the
    alias cannot be written; then the alias stays as it was.
    """
    check_alias(model, alias)
    _intact(model, version)
    with _history(model) as history:
        before = _target(model, alias)
        if before != version:
            _point(model, alias, before, version, "promote", history)
    return before


def rollback(model: Path, alias: str = "production") -> tuple[str, str]:
    """Point an alias at the version that it pointed at before the present one; again, and it goes further back.

    A version whose folder is gone by now is passed over. Returns the versions it pointed and points at.
    Raises WriteError where there is nothing to go back to, BundleError where that version is damaged.
    """
    check_alias(model, alias)
    if not (model / HISTORY).is_file():
        raise WriteError(f"expected the history of {model}'s aliases, found none: promote a version first")
    with _history(model) as history:
        before = _target(model, alias)
        past = _past(history, alias, before)
        there = {folder.name for folder in versions(model)}
        after = next((version for version in reversed(past) if version in there and version != before), None)
        if before is None or after is None:
            raise WriteError(
                f"expected an earlier version for the alias {alias} of {model}, found none in its history: promote one"
            )
        _intact(model, after)
        _point(model, alias, before, after, "rollback", history)
    return before, after


def check_alias(model: Path, alias: str) -> None:
    """Raises WriteError where an alias cannot have that name, or something else lies in its place."""
    if not NAME.fullmatch(alias) or alias == HISTORY or LIKE_VERSION.fullmatch(alias):
        raise WriteError(
            f"expected an alias of small letters, digits, '.', '_' and '-' that does not look like a version, found "
            f"{alias!r}: name it otherwise, say production or staging"
        )
    place = model / alias
    if place.is_dir() and not place.is_symlink():
        raise WriteError(
            f"expected the alias {place} to be a symlink, found a folder, as copying through an object store leaves "
            "it: remove it, then promote again"
        )
    if os.path.lexists(place) and not place.is_symlink():
        raise WriteError(f"expected the alias {place} to be a symlink, found a file: remove it, then promote again")


def aliases(model: Path) -> dict[str, str]:
    """The version that each alias points at; a folder copied as an alias counts as one."""
    found: dict[str, str] = {}
    for place in sorted(model.iterdir()) if model.is_dir() else ():
        if place.is_symlink() and NAME.fullmatch(place.name):
            found[place.name] = Path(os.readlink(place)).name
        elif place.is_dir() and NAME.fullmatch(place.name) and (place / MANIFEST).is_file():
            with contextlib.suppress(BundleError):
                version = read_bundle(place).manifest.version
                if version != place.name:
                    found[place.name] = version
    return found


def list_versions(model: Path) -> list[Listed]:
    """The versions of a model, the newest first; a damaged one too, with what is wrong. Raises ModelNotFoundError."""
    pointing = aliases(model)
    found = [_listed(folder, pointing) for folder in versions(model) if folder.name not in pointing]
    if not found:
        raise ModelNotFoundError(f"expected a model with versions in {model}, found none")
    return sorted(found, key=lambda listed: (listed.created, listed.version), reverse=True)


def list_lines(model: Path) -> list[str]:
    """``list_versions`` as a table of text, and below it the aliases that point at nothing."""
    listed = list_versions(model)
    rows = [("version", "created", "size", "proof", "aliases")]
    rows += [(one.version, one.created or "?", f"{one.size:,}", one.state, ", ".join(one.aliases)) for one in listed]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    there = {one.version for one in listed}
    lost = [
        f"{alias} -> {version}: no such version" for alias, version in aliases(model).items() if version not in there
    ]
    return lines + lost


def show(where: str | Path) -> list[str]:
    """What a bundle takes, answers and has been proven to, as text; where: as ``runtime.load`` takes it.

    Raises ModelNotFoundError or BundleError.
    """
    folder = find(where)
    bundle = read_bundle(folder)
    manifest = bundle.manifest
    lines = [
        f"{manifest.version}, created {manifest.created}, in {folder}",
        f"{manifest.kind}: {manifest.estimator}",
        f"graph of {len(bundle.graph):,} bytes, bundle digest {bundle.digest}",
        *(f"{heading} {_pairs(made)}" for heading, made in _origins(manifest.trained_with, manifest.converted_with)),
        "inputs:",
    ]
    for feature in manifest.inputs:
        known = "dates" if feature.kind == "date" else "categories"
        more = [f"{len(feature.categories):,} {known}"] if feature.categories else []
        more += ["may be missing"] if feature.missing else []
        written = partial(said, feature) if feature.kind == "date" else "{:g}".format
        more += ["from {} to {} in the sample".format(*map(written, feature.seen))] if feature.seen else []
        more += ["refused outside {} to {}".format(*map(written, feature.range))] if feature.range else []
        lines.append("  " + ", ".join([f"{feature.name}: {feature.kind}", *more]))
    lines.append("outputs:")
    lines += [f"  {output.method}: {output.dtype}{list(output.shape) or ''}" for output in manifest.outputs]
    lines += [f"  classes: {', '.join(map(str, table))}" for table in manifest.classes]
    lines += ["rows of a request are answered together: an answer depends on the rows beside it"] * manifest.whole
    return [*lines, "proof:", *(f"  {line}" for line in str(bundle.proof).splitlines())]


def _origins(trained: dict[str, str], converted: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    return [(heading, made) for heading, made in (("trained with", trained), ("converted with", converted)) if made]


def _pairs(made: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(made.items()))


def _listed(folder: Path, pointing: dict[str, str]) -> Listed:
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    named = tuple(alias for alias, version in pointing.items() if version == folder.name)
    try:
        bundle = read_bundle(folder)
    except BundleError as error:
        return Listed(folder.name, named, "", size, f"damaged: {error}")
    proven = f"level {bundle.proof.level} on {bundle.proof.rows:,} rows"
    return Listed(folder.name, named, bundle.manifest.created, size, proven)


def _intact(model: Path, version: str) -> None:
    there = [folder.name for folder in versions(model)]
    if version not in there:
        raise ModelNotFoundError(f"expected a version {version!r} in {model}, found {', '.join(there) or 'no version'}")
    found = read_bundle(model / version).manifest.version
    if found != version:
        raise ModelNotFoundError(f"expected the version {version} in {model / version}, found a copy of {found}")


def _target(model: Path, alias: str) -> str | None:
    """The version that an alias points at."""
    try:
        return Path(os.readlink(model / alias)).name
    except FileNotFoundError:
        return None


def _past(history: TextIO, alias: str, now: str | None) -> list[str]:
    """The versions before the present one, the oldest first.

    Where the history ends in a change that never came about, or the alias was changed by hand, the alias is right.
    """
    history.seek(0)
    stack: list[str] = []
    for line in history:
        try:
            entry = json.loads(line)
            name, action, before, after = (entry[key] for key in ("alias", "action", "from", "to"))
        except (ValueError, TypeError, KeyError):
            continue  # a line that a full disk or a crash cut short
        if name != alias:
            continue
        if action == "rollback" and after in stack:
            stack = _up_to(stack, after)
            continue
        if before is not None and before not in stack[-1:]:
            stack.append(before)
        stack.append(after)
    return _up_to(stack, now)[:-1] if now in stack else stack


def _up_to(stack: list[str], version: str | None) -> list[str]:
    """A stack cut after the last place of a version that is in it."""
    return stack[: len(stack) - stack[::-1].index(version)]  # type: ignore[arg-type]


@contextlib.contextmanager
def _history(model: Path) -> Iterator[TextIO]:
    """The history, locked: one change at a time."""
    try:
        with open(model / HISTORY, "a+", encoding="utf-8", errors="replace") as history:
            fcntl.flock(history, fcntl.LOCK_EX)
            yield history
    except OSError as error:
        raise WriteError(
            f"expected to write {model / HISTORY} and an alias beside it, found: {error.strerror}"
        ) from error


def _point(model: Path, alias: str, before: str | None, after: str, action: str, history: TextIO) -> None:
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    entry = {"time": time, "alias": alias, "from": before, "to": after, "action": action}
    history.seek(0)
    cut = history.read()[-1:] not in ("", "\n")  # a crash left half a line
    history.write("\n" * cut + json.dumps(entry) + "\n")
    history.flush()
    os.fsync(history.fileno())
    temporary = model / f".{alias}.{secrets.token_hex(4)}"
    try:
        os.symlink(after, temporary)
        os.replace(temporary, model / alias)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    descriptor = os.open(model, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
