"""``POST /invocations`` and ``GET /ping``, which MLflow's clients and SageMaker share.

JSON that is an object is MLflow's, told by its keys; an array of rows is SageMaker's. CSV with a header is either's
and is read by its column names; CSV without one is SageMaker's. MLflow's are answered with ``{"predictions": ...}``,
SageMaker's with the bare predictions; CSV is answered with CSV where Accept asks for it.
"""

import re
from typing import Any

from ...model import Answer, Model
from ..access import Policy
from ..catalog import Catalog
from ..endpoint import Asked, Operation, Reply
from ..head import Headers
from ..problems import Refusal
from ..routing import ModelRoute, Route, ServiceRoute
from . import mlflow, oip, sagemaker, tables
from .bodies import decode, encode
from .csv_table import read_csv
from .oip_binary import framing
from .pages import page

__all__ = ["ROUTES"]

_KIND = re.compile(rb"\s*(application/json|text/csv)\s*((?:;[^;]*)*)", re.IGNORECASE).fullmatch
_PARAMETER = re.compile(rb'\s*(charset|header)\s*=\s*"?([A-Za-z0-9-]+)"?\s*', re.IGNORECASE).fullmatch


def invoke(name: str, model: Model) -> Operation:
    """POST /invocations."""
    triton = oip.infer(name, model).answer

    def answer(asked: Asked) -> Reply:
        headers = asked.headers
        if framing(headers)[1] is not None:
            return triton(asked)
        kind, header = _media_type(headers)
        as_csv = sagemaker.wants_csv(headers.get(b"accept", b""))
        bare = False
        if kind == sagemaker.CSV:
            names, rows = read_csv(model, asked.body, header)
            bare = names is None
            matrix = tables.rows(model, names, rows, extra=True)
        else:
            content: Any = decode(asked.body)
            bare = content.__class__ is list
            matrix = tables.instances(model, content) if bare else mlflow.matrix(model, _object(content))
        predictions, response = tables.scored(model, matrix)
        if bare or as_csv:
            body, media_type = sagemaker.answered(predictions, as_csv=as_csv)
            return Reply(Answer(body, response.labels, response.rows), media_type)
        return Reply(Answer(encode({"predictions": predictions}), response.labels, response.rows))

    return Operation(answer, _check)


def _object(content: Any) -> dict[str, Any]:
    if content.__class__ is not dict:
        raise Refusal(400, "malformed", "expected an object or an array of rows, found another")
    found: dict[str, Any] = content
    return found


def _check(headers: Headers) -> None:
    if framing(headers)[1] is None:
        _media_type(headers)


def _media_type(headers: Headers) -> tuple[bytes, bool | None]:
    """(media type, whether it says that there is a header line; None: it says nothing). Raises Refusal 415."""
    match = _KIND(headers.get(b"content-type", b"application/json"))
    header: bool | None = None
    good = match is not None
    for part in match[2].split(b";")[1:] if match is not None else ():
        parameter = _PARAMETER(part)
        said = (parameter[1].lower(), parameter[2].lower()) if parameter is not None else (b"", b"")
        if said[0] == b"header" and said[1] in (b"present", b"absent"):
            header = said[1] == b"present"
        elif said not in ((b"charset", b"utf-8"), (b"charset", b"utf8")):
            good = False
    if match is None or not good:
        raise Refusal(415, "media_type", "expected the content type application/json or text/csv in UTF-8")
    return match[1].lower(), header


def _ping(catalog: Catalog) -> Operation:
    """200 where a model is served; whoever pings looks at the status."""
    if not catalog.models:
        return page({"status": "unavailable", "reason": "no model is loaded"}, 503)
    return page({"status": "healthy"}, readiness=True)


ROUTES: tuple[Route, ...] = (
    ServiceRoute("/ping", {"GET": _ping}, mlflow.errors, Policy.OPEN),
    ModelRoute("/invocations", {"POST": invoke}, mlflow.errors, Policy.MODEL),
)
