"""SageMaker's containers: what ``/invocations`` takes beyond MLflow's forms, and in which form it answers.

Source: AWS "Use your own inference code", and sagemaker-scikit-learn-container serving.py: a bare JSON array of rows,
or CSV without a header, answered with a bare array or with CSV, as Accept asks.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

from ..endpoint import JSON
from ..problems import Refusal
from .bodies import encode

__all__ = ["CSV", "answered", "wants_csv"]

CSV = b"text/csv"


def wants_csv(accept: bytes) -> bool:
    """Whether an Accept header asks for CSV; of several media types the first that is known counts.

    Raises Refusal 406 for media types that are neither JSON nor CSV.
    """
    kinds = [part.partition(b";")[0].strip().lower() for part in accept.split(b",")]
    for kind in kinds:
        if kind in (b"", b"*/*", b"application/*", JSON):
            return False
        if kind in (CSV, b"text/*"):
            return True
    raise Refusal(406, "media_type", "expected to be asked for application/json or text/csv, found another")


def answered(predictions: list[Any], *, as_csv: bool) -> tuple[bytes, bytes]:
    """(body, media type) of bare predictions."""
    if not as_csv:
        return encode(predictions), JSON
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cells, predictions))
    return text.getvalue().encode(), CSV + b"; charset=utf-8"


def _cells(prediction: Any) -> Iterable[Any]:
    return prediction if isinstance(prediction, list) else [prediction]
