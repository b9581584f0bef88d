"""The models that are served: their names, and which of them a path speaks of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..manifest import NAME
from ..model import Model
from .problems import Refusal

__all__ = ["Catalog", "Models", "catalog"]

Models = Model | Mapping[str, Model] | Iterable[Model]
"""What can be served: one model, several, or several by the names they are to have."""

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models that are served, by name. It never changes: to serve others, take another catalog.

    aliases: of a name, the models that are served under its aliases too.
    partial: whether others are served that are not shown here.
    unloaded: names that are there and not served.
    """

    models: Mapping[str, Model]
    aliases: Mapping[str, Mapping[str, Model]] = field(default_factory=dict)
    partial: bool = False
    unloaded: tuple[str, ...] = ()

    @property
    def default(self) -> str | None:
        """The name that ``/predict`` speaks of: ``default``, else that of the only model."""
        if "default" in self.models:
            return "default"
        return next(iter(self.models)) if len(self.models) == 1 and not self.partial else None

    @property
    def versions(self) -> dict[str, str]:
        """The version that serves, by name."""
        return {name: model.version for name, model in self.models.items()}

    def each(self) -> Iterator[Model]:
        """Every model once, those of aliases too."""
        found = [*self.models.values(), *(model for some in self.aliases.values() for model in some.values())]
        yield from {id(model): model for model in found}.values()

    def of(self, name: str) -> list[Model]:
        """Every model of a name once: the one that serves, and those of its aliases."""
        found = [self.models[name], *self.aliases.get(name, {}).values()]
        return list({id(model): model for model in found}.values())

    def only(self, shown: Callable[[str], bool]) -> "Catalog":
        """What is shown to somebody who may not know of every name."""
        models = {name: model for name, model in self.models.items() if shown(name)}
        aliases = {name: found for name, found in self.aliases.items() if shown(name)}
        unloaded = tuple(filter(shown, self.unloaded))
        return Catalog(models, aliases, self.partial or len(models) < len(self.models), unloaded)

    def find(self, name: str) -> Model:
        """The model of that name; raises Refusal 404."""
        if name not in self.models:
            raise Refusal(404, "not_found", f"no model of that name is served here; those that are: {self._list('{}')}")
        return self.models[name]

    def missing(self, name: str | None, version: str | None) -> Refusal:
        """Why nothing predicts for that name and version (None: the path says none)."""
        if not self.models and not self.partial:
            return Refusal(503, "unavailable", "no model is loaded")
        if name is not None and version is not None and name in self.models:
            there = f"/models/{name}/versions/{self.models[name].version}/predict"
            return Refusal(404, "not_found", f"no such version of {name} is served here; use {there}")
        what = "several models are served here and none is called default" if name is None else "no such model here"
        return Refusal(404, "not_found", f"{what}; use {self._list('/models/{}/predict')}")

    def _list(self, form: str) -> str:
        names = [form.format(name) for name in sorted(self.models)[:_LISTED]]
        more = len(self.models) - len(names)
        return (", ".join(names) or "none") + (f" and {more} more" if more else "")


def catalog(models: "Models | Catalog") -> Catalog:
    """A catalog of models; one that is a catalog already stays as it is.

    Raises ValueError for a name that cannot be a name, and for one name given twice.
    """
    if isinstance(models, Catalog):
        return models
    if isinstance(models, Model):
        models = [models]
    pairs = list(models.items()) if isinstance(models, Mapping) else [(model.name, model) for model in models]
    named = dict(pairs)
    for name in named:
        if not NAME.fullmatch(name):
            raise ValueError(f"expected a model's name to match {NAME.pattern}, found {name!r}")
    if len(named) < len(pairs):
        raise ValueError("expected models of different names, found one name twice: give them names in a dict")
    return Catalog(named)
