"""What one service serves, counts and logs; the only thing of it that may change while it runs."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ..model import Model
from .access import Gate
from .catalog import Catalog
from .exchange import Shared
from .joinable import inline, joined_bytes
from .metrics import Metrics
from .routing import Route, Router
from .shadow import Shadow

if TYPE_CHECKING:
    from .batching import Batcher

__all__ = ["Serving"]


class Serving:
    """The models that are served now, and what answers for them.

    ``serve`` exchanges everything that depends on the models by plain assignments on the event loop's thread, so that
    a request is answered by one model: the one that serves when its body is there.

    routes: of every dialect that is spoken.
    gate: the keys that are let in; none: everybody is.
    private_metrics: whether metrics are left to the admin address.
    shadow: compares with a candidate what was answered.
    draining: whether readiness fails, for this process is about to end.
    expose: Accept header -> metrics and their media type; where there are several processes, those of all.
    """

    def __init__(
        self,
        catalog: Catalog,
        shared: Shared,
        routes: Sequence[Route],
        gate: Gate | None = None,
        *,
        private_metrics: bool = False,
        shadow: Shadow | None = None,
    ) -> None:
        self.shared = shared
        self.catalog = Catalog({})
        self.draining = False
        self.expose = self._expose
        self.metrics = Metrics(lambda: self.catalog, lambda model: inline(model, shared.batch_rows))
        self.gate = gate
        self.private_metrics = private_metrics
        self.shadow = shadow
        if shadow is not None:
            self.metrics.registry.register(shadow.registry)
        self.routes = routes
        self.router = self._router(self.catalog)
        self.serve(catalog)

    async def _expose(self, accept: str) -> tuple[bytes, str]:
        return self.metrics.expose(accept)

    def serve(self, catalog: Catalog) -> None:
        """Serve these models from now on."""
        router = self._router(catalog)
        router.succeed(self.router)
        self.metrics.swapped(self.catalog, catalog)
        self.catalog = catalog
        self.router = router
        self.paths = router.paths

    def _router(self, catalog: Catalog) -> Router:
        return Router(
            self.routes,
            catalog,
            cache(self.metrics.meter),
            self.shared,
            self.gate,
            lambda: self.draining,
            self.shadow,
            self._batcher if self.shared.batch_rows else None,
        )

    def _batcher(self, name: str, model: Model) -> "Batcher | None":
        """What answers a model's requests together; None where they are answered as well by themselves."""
        from .batching import Batcher  # greenlet is needed where batches are asked for, and nowhere else

        if joined_bytes(model) < 0:
            return None
        return Batcher(model, self.shared.pool, self.shared.batch_rows, self.metrics.batch(name))
