"""Which versions should serve: what a folder of models says now, as content digests."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..bundle import MANIFEST, SUMS, find, read_sums
from ..bundle import models as below
from ..errors import BundleError, ModelNotFoundError, PipetwinError, SettingsError
from ..manifest import NAME, VERSION, read_manifest
from ..settings import Settings

__all__ = ["MAIN", "Pin", "Plan", "Survey", "check_aliases", "survey"]

MAIN = ""
"""In place of an alias: the version that a model's own name stands for."""


class Pin(msgspec.Struct, frozen=True):
    """One version: where it lies, links resolved, and what must be found there.

    digest: the SHA-256 of its SHA256SUMS.
    promoted: whether an alias led here; else it was the newest or the only one.
    """

    folder: str
    digest: str
    promoted: bool = False

    @property
    def version(self) -> str:
        """The folder's name, which is the version's unless it was copied under another."""
        return Path(self.folder).name


class Plan(msgspec.Struct, frozen=True):
    """The version of each (model, alias); MAIN is the alias of the model's own name.

    unloaded: names that are not served until somebody loads them, whatever the folder has.
    """

    pins: dict[str, dict[str, Pin]]
    unloaded: tuple[str, ...] = ()

    def each(self) -> Iterator[tuple[str, str, Pin]]:
        """(model, alias, pin), in order."""
        for name, aliases in sorted(self.pins.items()):
            for alias, pin in sorted(aliases.items()):
                yield name, alias, pin


class Survey(msgspec.Struct, frozen=True):
    """What the folder says.

    faults: (model, alias) -> why no version can be named for it now.
    """

    plan: Plan
    faults: dict[tuple[str, str], PipetwinError]


def survey(where: str, name: str = "") -> Survey:
    """``_survey``, with the only model called ``name``, if that is given.

    Raises ModelNotFoundError where nothing at all is found, or where there is not one model to call so.
    """
    found = _survey(where)
    names = found.plan.pins.keys() | {model for model, _ in found.faults}
    if not name or name in names:
        return found
    if len(names) > 1:
        raise ModelNotFoundError(f"expected one model to call {name!r}, found {len(names)}: {', '.join(sorted(names))}")
    return Survey(
        Plan(dict.fromkeys([name] if found.plan.pins else [], next(iter(found.plan.pins.values()), {}))),
        {(name, alias): error for (_, alias), error in found.faults.items()},
    )


def _survey(where: str) -> Survey:
    """The versions that a folder of models, one model's folder (or ``folder@alias``) or one version's folder names.

    Each alias is resolved once. Only small files are read: what lies in a version is checked when it is loaded.
    A version's folder given by itself has no aliases. Raises ModelNotFoundError where nothing at all is found.
    """
    pins: dict[str, dict[str, Pin]] = {}
    faults: dict[tuple[str, str], PipetwinError] = {}

    def note(name: str, alias: str, place: Path | str, *, promoted: bool) -> None:
        try:
            pins.setdefault(name, {})[alias] = _pin(place, promoted=promoted)
        except PipetwinError as error:
            faults[name, alias] = error

    leads = Path(where).name.rpartition("@")[2] if "@" in Path(where).name else "production"
    folders = below(Path(where))
    if not folders:
        folder = find(where)
        name = folder.absolute().parent.name
        name = name if NAME.fullmatch(name) else "default"
        note(name, MAIN, folder, promoted="@" in Path(where).name or folder != Path(where).resolve())
        if (Path(where) / SUMS).is_file():
            return Survey(Plan(pins), faults)
        folders = {name: folder.parent}
    for name, folder in folders.items():
        if name not in pins:
            note(name, MAIN, folder, promoted=(folder / "production" / MANIFEST).is_file())
        for alias, place in _aliases(folder):
            if alias == leads and name in pins and pins[name][MAIN].promoted:
                pins[name][alias] = pins[name][MAIN]  # resolved once: the link may lead elsewhere by now
            else:
                note(name, alias, place, promoted=True)
    return Survey(Plan({name: found for name, found in pins.items() if MAIN in found}), faults)


def check_aliases(plan: Plan, settings: Settings) -> None:
    """Raise SettingsError where a split or a shadow asks for aliases that do not serve."""
    wanted = {alias for alias, _ in settings.split}
    if wanted and not any(wanted <= aliases.keys() for aliases in plan.pins.values()):
        raise SettingsError(
            f"expected a model with the aliases {', '.join(sorted(wanted))}, as --split says, found none: promote "
            "versions to them"
        )
    if settings.shadow is not None:
        name, alias = settings.shadow
        if alias not in plan.pins.get(name, {}):
            raise SettingsError(
                f"expected {name}@{alias} to serve, as --shadow says, found no such model or alias: promote a version"
            )


def _pin(place: Path | str, *, promoted: bool) -> Pin:
    folder = find(place)
    return Pin(str(folder), hashlib.sha256(read_sums(folder)).hexdigest(), promoted)


def _aliases(folder: Path) -> Iterator[tuple[str, Path]]:
    """A model's aliases: symlinks, and folders that were copied in place of one (object stores lose symlinks)."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ModelNotFoundError(f"expected to list {folder}, found: {error.strerror}") from error
    for place in entries:
        if NAME.fullmatch(place.name) and (place / MANIFEST).is_file() and (place.is_symlink() or _copied(place)):
            yield place.name, place


def _copied(folder: Path) -> bool:
    try:
        version = read_manifest((folder / MANIFEST).read_bytes(), str(folder)).version
    except (OSError, BundleError):
        return False
    return version != folder.name and VERSION.fullmatch(version) is not None
