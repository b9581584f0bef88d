"""A model as a web service: ``app(models)`` is an ASGI application, ``routes(models)`` a router for a Litestar app."""

try:
    from .front import app, routes
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in ("litestar", "prometheus_client"):
        raise
    raise ModuleNotFoundError(
        f"expected the serve extra, found no {error.name}: pip install 'pipetwin[serve]'", name=error.name
    ) from error

__all__ = ["app", "routes"]
