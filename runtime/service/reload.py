"""Versions that change while the service answers: a folder is followed, a candidate tried, the whole plan swapped."""

import threading
from collections.abc import Callable

import msgspec

from ..errors import BundleError, DigestError, ModelNotFoundError, PipetwinError
from ..model import Model, load
from .catalog import Catalog
from .logs import failure, log
from .plan import MAIN, Pin, Plan, Survey, survey

__all__ = ["OUTCOMES", "Follower", "Report", "loaded", "start"]

OUTCOMES = ("loaded", "refused", "missing")
"""Every ``outcome`` of ``ml_model_reloads_total``: a version serves; a candidate was refused, once for each reason;
what served is gone from the folder, and serves on."""

Count = Callable[[str, str], None]
"""(model, outcome): counts a reload."""


class Report(msgspec.Struct, frozen=True):
    """What one look at the folder led to.

    versions: that serve now, by model.
    refused: why something did not change, by model or ``model@alias``.
    """

    changed: bool
    versions: dict[str, str]
    refused: dict[str, str]


class Follower:
    """Follows a folder of models by content digests, not by times or events, which a symlink's swap does not change.

    plan: what serves at the start.
    prove: tries a version away from what serves; raises BundleError or one of its kinds.
    name: what the only model is called.
    commit: makes a plan serve everywhere before it returns; raises PipetwinError, and then nothing has changed.

    One thread at a time looks; ``look`` may be called from any.
    """

    def __init__(
        self,
        where: str,
        plan: Plan,
        prove: Callable[[Pin], None],
        commit: Callable[[Plan], None],
        count: Count,
        name: str = "",
    ) -> None:
        self.plan = plan
        self._where = where
        self._name = name
        self._prove = prove
        self._commit = commit
        self._count = count
        self._told: dict[tuple[str, str], str] = {}
        self._bad: dict[str, str] = {}  # digest -> why it will never serve
        self._looking = threading.Lock()

    def load(self, name: str) -> Report:
        """Look at the folder for this model alone, as somebody who asks, and serve it, even where it was unloaded.

        Raises ModelNotFoundError where it does not serve and the folder has nothing of that name.
        """
        report = self.look(asked=True, only=name)
        if name not in report.versions and name not in report.refused and "the folder of models" not in report.refused:
            raise ModelNotFoundError("expected a model that the folder has, found none of that name")
        return report

    def unload(self, name: str) -> Report:
        """Stop serving a model, until it is loaded. Raises ModelNotFoundError where there is none of that name, and
        what ``commit`` raises."""
        with self._looking:
            if name not in self.plan.pins and name not in self.plan.unloaded:
                raise ModelNotFoundError("expected a model that is served, found none of that name")
            left = {other: pins for other, pins in self.plan.pins.items() if other != name}
            wanted = Plan(left, tuple(sorted({*self.plan.unloaded, name})))
            changed = wanted != self.plan
            if changed:
                self._commit(wanted)
                self._note(wanted)
            return self._report(changed, {})

    def look(self, *, asked: bool = False, only: str | None = None) -> Report:
        """Look at the folder once and serve what it says, as far as that can be served.

        asked: whether a person asked: then what is gone from the folder stops serving (unless nothing would be
            left), and a candidate that was refused is tried again.
        only: the one model to look for; it is served even where it was unloaded.
        """
        with self._looking:
            refused: dict[str, str] = {}
            try:
                found = survey(self._where, self._name)
            except (PipetwinError, OSError) as error:
                self._say(("", ""), "missing", _sentence(error, self._where), refused)
                return self._report(False, refused)
            if asked:
                self._bad.clear()
            wanted = self._wanted(found, refused, asked=asked, only=only)
            changed = wanted != self.plan
            if changed:
                try:
                    self._commit(wanted)
                except PipetwinError as error:
                    self._say(("", ""), "refused", _sentence(error, self._where), refused)
                    return self._report(False, refused)
                self._note(wanted)
            return self._report(changed, refused)

    def run(self, seconds: float, stopping: threading.Event) -> None:
        """Look every so many seconds until told to stop; survives whatever a look raises."""
        while not stopping.wait(seconds):
            try:
                self.look()
            except Exception as error:  # a thread that ends in silence would freeze the versions for good
                log.error("looking for new versions failed: %s", failure(error))

    def _wanted(self, found: Survey, refused: dict[str, str], *, asked: bool, only: str | None) -> Plan:
        """The plan that the folder asks for, with what serves in place of what cannot serve."""
        found = _limited(found, self.plan, only)
        drops = asked and only is None and bool(found.plan.pins)
        wanted: dict[str, dict[str, Pin]] = {}
        for name, alias, pin in found.plan.each():
            now = self.plan.pins.get(name, {}).get(alias)
            if now is not None and now.promoted and not pin.promoted and not asked:
                self._say((name, alias), "missing", "its alias is gone from the folder", refused)
                wanted.setdefault(name, {})[alias] = now  # never the newest version by mistake, while a link is made
            elif self._served(pin) or self._passes(found.plan, name, alias, refused):
                self._told.pop((name, alias), None)
                wanted.setdefault(name, {})[alias] = pin
            elif now is not None:
                wanted.setdefault(name, {})[alias] = now
        for (name, alias), error in found.faults.items():
            self._say((name, alias), "refused", _sentence(error, self._where), refused)
        for name, alias, now in self.plan.each():
            if alias in wanted.get(name, {}) or (drops and (name, alias) not in found.faults):
                continue
            if (name, alias) not in found.faults:
                self._say((name, alias), "missing", "it is gone from the folder", refused)
            wanted.setdefault(name, {})[alias] = now
        pins = {name: aliases for name, aliases in wanted.items() if MAIN in aliases}
        return Plan(pins, tuple(name for name in self.plan.unloaded if name not in pins))

    def _served(self, pin: Pin) -> bool:
        return any(pin.digest == other.digest for _, _, other in self.plan.each())

    def _passes(self, plan: Plan, name: str, alias: str, refused: dict[str, str]) -> bool:
        pin = plan.pins[name][alias]
        why = self._bad.get(pin.digest)
        if why is None:
            try:
                self._prove(pin)
            except PipetwinError as error:
                why = _sentence(error, pin.folder)
                # Bytes that are not all there yet are looked at again; those that are, and fail, cannot get better.
                unread = isinstance(error, DigestError | UnfinishedError) or isinstance(error.__cause__, OSError)
                if isinstance(error, BundleError) and not unread:
                    self._bad[pin.digest] = why
            else:
                return True
        if not _again(plan, name, alias):
            self._say((name, alias), "refused", f"version {pin.version}: {why}", refused)
        return False

    def _say(self, slot: tuple[str, str], outcome: str, why: str, refused: dict[str, str]) -> None:
        """Log and count, once for each reason."""
        name, alias = slot
        what = f"{name}@{alias}" if alias else name or "the folder of models"
        refused[what] = why
        if self._told.get(slot) != why:
            self._told[slot] = why
            log.warning("%s stays as it is, its candidate is %s: %s", what, outcome, why)
            self._count(name, outcome)

    def _note(self, plan: Plan) -> None:
        before, self.plan = self.plan, plan
        for name, alias, pin in plan.each():
            was = before.pins.get(name, {}).get(alias)
            if (was is None or was.digest != pin.digest) and not _again(plan, name, alias):
                log.info("%s%s serves version %s", name, f"@{alias}" if alias else "", pin.version)
                self._count(name, "loaded")
        for name in before.pins.keys() - plan.pins.keys():
            log.info("%s serves no more", name)

    def _report(self, changed: bool, refused: dict[str, str]) -> Report:
        return Report(changed, {name: found[MAIN].version for name, found in self.plan.pins.items()}, refused)


def _limited(found: Survey, plan: Plan, only: str | None) -> Survey:
    """Without the models that were unloaded; or with one model as the folder has it, the others as they serve."""
    if only is None:
        hidden = set(plan.unloaded)
        pins = {name: aliases for name, aliases in found.plan.pins.items() if name not in hidden}
        return Survey(Plan(pins), {slot: fault for slot, fault in found.faults.items() if slot[0] not in hidden})
    pins = {name: aliases for name, aliases in plan.pins.items() if name != only}
    if only in found.plan.pins:
        pins[only] = found.plan.pins[only]
    return Survey(Plan(pins), {slot: fault for slot, fault in found.faults.items() if slot[0] == only})


def _again(plan: Plan, name: str, alias: str) -> bool:
    """Whether an alias names what the model's own name stands for: it is told once."""
    return alias != MAIN and plan.pins[name][alias].digest == plan.pins[name][MAIN].digest


class UnfinishedError(BundleError):
    """A candidate could not be tried to the end (its time ran out, say): it is tried again."""


def start(where: str, name: str = "") -> tuple[Plan, Catalog]:
    """What a folder says, loaded. If one model cannot be served, none is; an alias that cannot is left out, with a
    line in the log. Raises ModelNotFoundError, or BundleError or one of its kinds."""
    found = survey(where, name)
    for (_, alias), error in found.faults.items():
        if alias == MAIN:
            raise error
    kept = {name: {MAIN: aliases[MAIN]} for name, aliases in found.plan.pins.items()}
    held: dict[str, Model] = {}
    for name, alias, pin in found.plan.each():  # MAIN comes first
        try:
            held.setdefault(pin.digest, held.get(pin.digest) or _load(pin))
        except BundleError as error:
            if alias == MAIN:
                raise
            log.warning("%s@%s does not serve: %s", name, alias, _sentence(error, pin.folder))
        else:
            kept[name][alias] = pin
    plan = Plan(kept)
    return plan, _catalog(plan, held)


def loaded(plan: Plan, serving: Catalog) -> Catalog:
    """The models of a plan, those that serve already taken over as they are.

    Raises BundleError or one of its kinds where a version is not, or no longer, what the plan says.
    """
    held = {model.digest: model for model in serving.each()}
    for _, _, pin in plan.each():
        if pin.digest not in held:
            held[pin.digest] = _load(pin)
    return _catalog(plan, held)


def _load(pin: Pin) -> Model:
    model = load(pin.folder)
    if model.digest != pin.digest:
        raise DigestError(f"expected the version in {pin.folder} to stay as it was, found that it has changed")
    return model


def _catalog(plan: Plan, held: dict[str, Model]) -> Catalog:
    return Catalog(
        {name: held[pins[MAIN].digest] for name, pins in plan.pins.items()},
        {
            name: {alias: held[pin.digest] for alias, pin in pins.items() if alias != MAIN}
            for name, pins in plan.pins.items()
        },
        unloaded=plan.unloaded,
    )


def _sentence(error: BaseException, folder: str) -> str:
    """What went wrong, without the place's path, for logs are read by more people than have the folder."""
    if isinstance(error, PipetwinError):
        return str(error).replace(folder, folder.rstrip("/").rpartition("/")[2])
    return failure(error)
