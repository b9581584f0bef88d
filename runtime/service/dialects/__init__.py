"""The dialects that prediction clients already speak, each a table of routes over the same models."""

from ..routing import Route
from . import invocations, kserve, mlflow, oip, tfserving, vertex

__all__ = ["routes"]


def routes(where: vertex.Vertex | None) -> tuple[Route, ...]:
    """The routes of every dialect but the native one; where: the paths that Vertex AI asks at, if it does."""
    return (
        *oip.ROUTES,
        *mlflow.ROUTES,
        *invocations.ROUTES,
        *tfserving.ROUTES,
        *kserve.ROUTES,  # after TF Serving's, whose page of a model it adds to
        *(vertex.routes(where) if where is not None else ()),
    )
