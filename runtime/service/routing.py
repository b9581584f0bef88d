"""Which paths there are: the dialects' tables of routes, filled in with the models that are served."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ..keys import Key
from ..model import Model
from .access import Gate, Guarded, Policies, seen_by
from .catalog import Catalog
from .endpoint import Endpoint, Errors, Joins, Operation, Served, unreachable
from .exchange import Shared
from .head import Headers
from .meters import Meter
from .plan import MAIN
from .problems import Refusal
from .shadow import Shadow
from .split import Divided

if TYPE_CHECKING:
    from .batching import Batcher

__all__ = ["ModelRoute", "Route", "Router", "ServiceRoute"]

Missing = Callable[[Catalog, str | None, str | None], Refusal]
"""(catalog, name, version or label) -> why nothing answers for them; None: the path says none."""


def missing(catalog: Catalog, name: str | None, version: str | None) -> Refusal:
    """Why nothing answers, without a path of any dialect."""
    if not catalog.models and not catalog.partial:
        return Refusal(503, "unavailable", "no model is loaded")
    if name is None:
        return Refusal(404, "not_found", "several models are served here and none is called default")
    try:
        model = catalog.find(name)
    except Refusal as refused:
        return refused
    return Refusal(404, "not_found", f"no such version of {name} is served here; the one that is: {model.version}")


class ServiceRoute(NamedTuple):
    """A path that speaks of no model, or of all of them.

    methods: by HTTP method, what makes its operation from the models that may be shown.
    policy: what it asks for; there is no default.
    """

    path: str
    methods: Mapping[str, Callable[[Catalog], Operation]]
    errors: Errors
    policy: Policies


class ModelRoute(NamedTuple):
    """A path that speaks of one model.

    path: with ``{name}``, and ``{version}`` or ``{label}`` (an alias) where they are said; without a name it speaks of
        the default model.
    methods: by HTTP method, what makes its operation, for the model and the name it is served under.
    policy: what it asks for; there is no default.
    """

    path: str
    methods: Mapping[str, Callable[[str, Model], Operation]]
    errors: Errors
    policy: Policies
    missing: Missing = missing


Route = ModelRoute | ServiceRoute


class Router:
    """Finds the endpoint of a path in one table; made anew whenever other models are served."""

    def __init__(
        self,
        routes: Sequence[Route],
        catalog: Catalog,
        meter: Callable[[str, Model], Meter],
        shared: Shared,
        gate: Gate | None = None,
        draining: Callable[[], bool] = lambda: False,
        shadow: Shadow | None = None,
        batcher: "Callable[[str, Model], Batcher | None] | None" = None,
    ) -> None:
        self._limited = cache(lambda model: model.within(shared.limits))
        self._meter = meter
        self._catalog = catalog
        self._shared = shared
        self._gate = gate
        self._draining = draining
        self._shadow = shadow
        self._batcher = cache(lambda name, model: batcher(name, self._limited(model))) if batcher else None
        self._patterns = [(route, _pattern(route.path)) for route in routes if isinstance(route, ModelRoute)]
        self.paths: dict[str, Any] = {}
        self._endpoints: dict[tuple[str, str, str], Endpoint] = {}
        for route in routes:
            if isinstance(route.policy, Mapping) and route.policy.keys() != route.methods.keys():
                raise TypeError(f"expected {route.path} to state a policy for each method, found others")
            if isinstance(route, ServiceRoute):
                self.paths[route.path] = self._guarded(route, None, partial(self._service, route))
                continue
            for path, name, model in _filled(route.path, catalog):
                answers = self._answering(route, path, name, model)
                self.paths[path] = self._guarded(route, name, partial(_same, answers))

    def _answering(self, route: ModelRoute, path: str, name: str, model: Model) -> Any:
        """What answers at a path that speaks of a model: its endpoint, or those among which its requests are
        divided."""
        plain = self._endpoint(route, path, MAIN, name, model)
        split, aliases = self._shared.split, self._catalog.aliases.get(name, {})
        if split is None or _SAYS_WHICH.search(route.path) or not aliases.keys() >= set(split.aliases):
            return plain
        arms = {alias: self._endpoint(route, path, alias, name, aliases[alias]) for alias in split.aliases}
        return Divided(split, name, plain, arms)

    def _endpoint(self, route: ModelRoute, path: str, alias: str, name: str, model: Model) -> Endpoint:
        made = {method: self._ready(make(name, self._limited(model))) for method, make in route.methods.items()}
        served = Served(name, model, self._meter(name, model), self._joins(route, name, model))
        endpoint = Endpoint(route.path, made, route.errors, self._shared, served)
        self._endpoints[path, name, alias] = endpoint
        shadow = self._shadow
        if shadow is not None and name == shadow.name and "POST" in made and made["POST"].predicts:
            candidate = self._catalog.aliases.get(name, {}).get(shadow.alias)
            if candidate is not None:
                endpoint.after = shadow.beside(route.methods["POST"], self._limited(model), self._limited(candidate))
        return endpoint

    def _joins(self, route: ModelRoute, name: str, model: Model) -> Joins | None:
        """What answers a route's requests together with others for the same model, if anything does."""
        batcher = self._batcher(name, model) if self._batcher is not None else None
        if batcher is None:
            return None
        made = {method: make(name, batcher.model) for method, make in route.methods.items()}
        return partial(batcher.joins, made)

    def succeed(self, before: "Router") -> None:
        """Take over the requests whose bodies still come in: once this router serves, no model that went answers. A
        path that names a version which serves no more is answered by the version it names, and one that stood for
        another model, which the request's key may not be for, by that model."""
        for (path, name, alias), endpoint in before._endpoints.items():
            endpoint.successor = self._endpoints.get((path, name, alias)) or self._endpoints.get((path, name, MAIN))

    def find(self, path: str) -> Any:
        """What answers at a path that has needless slashes, or whose model is not served; None for all others."""
        path = _SLASHES.sub("/", "/" + path.strip("/"))
        endpoint = self.paths.get(path)
        if endpoint is not None:
            return endpoint
        for route, pattern in self._patterns:
            if match := pattern.fullmatch(path):
                said = match.groupdict()
                return self._guarded(route, said.get("name"), partial(self._missing, route, said))
        return None

    def _guarded(self, route: Route, model: str | None, behind: Callable[[Key | None], Any]) -> Any:
        """A route's endpoint, behind the gate if there is one."""
        if self._gate is None:
            return behind(None)
        return Guarded(self._gate, route.path, route.policy, route.errors, self._shared, model, behind)

    def _service(self, route: ServiceRoute, key: Key | None) -> Endpoint:
        seen = seen_by(key, self._catalog)
        operations = {method: self._ready(make(seen)) for method, make in route.methods.items()}
        return Endpoint(route.path, operations, route.errors, self._shared)

    def _ready(self, operation: Operation) -> Operation:
        """An operation that says that clients may come, but for a process that is about to end."""
        if not operation.readiness:
            return operation

        def check(headers: Headers) -> None:
            if self._draining():
                raise Refusal(503, "unavailable", "this process is about to end")
            operation.check(headers)

        return operation._replace(check=check)

    def _missing(self, route: ModelRoute, said: Mapping[str, str], key: Key | None) -> Endpoint:
        """Refuses whatever comes, before it has read a body."""

        def refuse(headers: Headers) -> NoReturn:
            seen = seen_by(key, self._catalog)
            raise route.missing(seen, said.get("name"), said.get("version", said.get("label")))

        operations = dict.fromkeys(route.methods, Operation(unreachable, refuse))
        return Endpoint(route.path, operations, route.errors, self._shared)


def _same(endpoint: Any, key: Key | None) -> Any:
    return endpoint


_SLASHES = re.compile("//+")

_SAYS_WHICH = re.compile(r"\{(version|label)\}")
"""A path that says which version it wants gets that one."""


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", path))


def _filled(path: str, catalog: Catalog) -> Iterator[tuple[str, str, Model]]:
    """The paths that a route's path stands for, each with the model it speaks of."""
    if "{" not in path:
        if catalog.default is not None:
            yield path, catalog.default, catalog.models[catalog.default]
        return
    for name, model in catalog.models.items():
        if "{label}" in path:
            for label, aliased in catalog.aliases.get(name, {}).items():
                yield path.format(name=name, label=label), name, aliased
        else:
            yield path.format(name=name, version=model.version), name, model
