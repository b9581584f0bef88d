"""The dialects that prediction clients already speak, each a table of routes over the same models."""

from ..routing import Route
from . import kserve, mlflow, oip, tfserving, vertex

__all__ = ["routes"]


def routes(where: vertex.Vertex | None) -> tuple[Route, ...]:
    """The routes of every dialect but the native one; where: the paths that Vertex AI asks at, if it does."""
    return (
        *oip.ROUTES,
        *mlflow.ROUTES,
        *kserve.ROUTES,
        *tfserving.ROUTES,
        *(vertex.routes(where) if where is not None else ()),
    )
