"""One service of every dialect, whose default model is flights, and its address at Vertex AI."""

import pytest

from runtime import Model
from runtime.service import app
from runtime.service.dialects.vertex import Vertex
from runtime.service.front import Front
from runtime.service.logs import Line

VERTEX = "/v1/endpoints/12/deployedModels/34:predict"


@pytest.fixture
def lines() -> list[Line]:
    """What the service of this test logged of requests."""
    return []


@pytest.fixture
def service(every: dict[str, Model], lines: list[Line]) -> Front:
    """Five models, and flights once more as the default."""
    return app({"default": every["flights"], **every}, access=lines.append, vertex=Vertex(VERTEX, VERTEX))


@pytest.fixture
def numeric(every: dict[str, Model]) -> Front:
    """The default is cost: columns x and y, numbers that may be missing."""
    return app({"default": every["cost"]}, vertex=Vertex("/score", "/healthy"))


@pytest.fixture
def empty() -> Front:
    """No model at all."""
    return app([], vertex=Vertex(VERTEX, VERTEX))
