"""What one service serves, counts and logs; the only thing of it that may change while it runs."""

from .catalog import Catalog
from .exchange import Shared
from .metrics import Metrics
from .native import Missing, Predict, paths

__all__ = ["Serving"]


class Serving:
    """The models that are served now, and what answers for them.

    ``serve`` exchanges everything that depends on the models by plain assignments on the event loop's thread, so that
    a request, which looks its endpoint up once, is answered by one model.
    """

    def __init__(self, catalog: Catalog, shared: Shared) -> None:
        self.shared = shared
        self.metrics = Metrics(lambda: self.catalog)
        self.serve(catalog)

    def serve(self, catalog: Catalog) -> None:
        """Serve these models from now on."""
        meters = {name: self.metrics.meter(name, model) for name, model in catalog.models.items()}
        self.catalog = catalog
        self.paths: dict[str, Predict] = paths(catalog, meters, self.shared)

    def endpoint(self, route: str, name: str | None = None, version: str | None = None) -> Predict | Missing:
        """What answers at one of ``native.ROUTES`` with those parameters."""
        found = self.paths.get(route.format(name=name, version=version))
        return found or Missing(route, self.catalog.missing(name, version), self.shared)
