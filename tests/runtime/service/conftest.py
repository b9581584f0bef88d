"""Services in process, and what they logged."""

import pytest

from runtime import Model
from runtime.service import app
from runtime.service.front import Front
from runtime.service.logs import Line


@pytest.fixture
def lines() -> list[Line]:
    """What the services of this test logged of requests."""
    return []


@pytest.fixture
def flights_app(flights: Model, lines: list[Line]) -> Front:
    """A service of one model."""
    return app(flights, access=lines.append)


@pytest.fixture
def every_app(every: dict[str, Model], lines: list[Line]) -> Front:
    """A service of five models, none of which is the default."""
    return app(every, access=lines.append)
