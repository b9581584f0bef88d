"""MLflow's scoring protocol, JSON: source mlflow/pyfunc/scoring_server/__init__.py.

``/invocations`` itself is in ``invocations``, for SageMaker calls there too. Further columns are ignored and columns
are found by name, as MLflow does by a model's signature.
"""

from typing import Any

from ...errors import InputError
from ...model import Model
from ...rows import Rows
from ..access import Policy
from ..catalog import Catalog
from ..endpoint import JSON, Failed, Operation
from ..problems import Refusal
from ..routing import Route, ServiceRoute
from . import tables
from .bodies import encode
from .pages import text, version

__all__ = ["ROUTES", "errors", "matrix"]

KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def matrix(model: Model, body: dict[str, Any]) -> Rows:
    """The rows of a body that has exactly one of KEYS, and ``params`` only if they are empty: the pipeline's methods
    have none. Raises InputError."""
    keys = [key for key in KEYS if key in body]
    if len(keys) != 1 or body.keys() - {*KEYS, "params"}:
        raise InputError("$", f"expected an object with exactly one of {', '.join(KEYS)}, found another")
    if body.get("params"):
        raise InputError("$.params", "expected no params, for this model takes none, found some")
    (key,) = keys
    content = body[key]
    try:
        return _FORMS[key](model, content)
    except InputError as error:
        path = f"$.{key}{error.path[1:]}"
        raise InputError(path, error.message, fault=error.fault) from error


def _split(model: Model, content: Any) -> Rows:
    if content.__class__ is not dict or content.keys() - {"columns", "index", "data"} or "data" not in content:
        raise InputError("$", "expected an object of columns, index and data, found another")
    names, values = content.get("columns"), content["data"]
    if names is not None and (names.__class__ is not list or set(map(type, names)) - {str}):
        raise InputError("$.columns", "expected an array of names, found another")
    if values.__class__ is not list:
        raise InputError("$.data", "expected an array of rows, found another")
    return tables.rows(model, names, values, extra=True)


def _records(model: Model, content: Any) -> Rows:
    if content.__class__ is not list:
        raise InputError("$", "expected an array of objects, found another")
    return tables.records(model, content, extra=True)


def _instances(model: Model, content: Any) -> Rows:
    return tables.instances(model, content, extra=True)


def _inputs(model: Model, content: Any) -> Rows:
    if content.__class__ is dict:
        return tables.columns(model, content, extra=True)
    return tables.instances(model, content, extra=True)


_FORMS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}

_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    422: "INVALID_PARAMETER_VALUE",
    503: "TEMPORARILY_UNAVAILABLE",
}


def errors(refused: Refusal, request_id: bytes) -> Failed:
    """``{"error_code", "message"}``; an unsupported media type is plain text, as MLflow's."""
    if refused.status == 415:
        return Failed(415, b"text/plain; charset=utf-8", refused.detail.encode())
    status = 400 if refused.status == 422 else refused.status
    code = _CODES.get(refused.status, "BAD_REQUEST" if refused.status < 500 else "INTERNAL_ERROR")
    return Failed(status, JSON, encode({"error_code": code, "message": refused.detail}))


def _version(catalog: Catalog) -> Operation:
    """Bare text; of this server, for MLflow is not here."""
    return text(version().encode(), b"text/plain; charset=utf-8")


ROUTES: tuple[Route, ...] = (ServiceRoute("/version", {"GET": _version}, errors, Policy.READ),)
