"""Services in process, and what they logged."""

from pathlib import Path

import pytest

from runtime import Model, load
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


@pytest.fixture
def model(folder: Path) -> Model:
    """A fresh model of the file's own ``folder``."""
    return load(folder)


@pytest.fixture
def service(model: Model) -> Front:
    """A service of it."""
    return app({"default": model})
