"""One row in the Open Inference Protocol, written as its clients write it: the hot path of ``oip``.

Such a request has one input a column, in the order and of the datatypes that the metadata says, or one matrix. It is
decoded by a type made for the model, so that shapes, datatypes, kinds and ranges are checked where the JSON is read;
its values go into the bound row, and the answer is joined from parts that were made beforehand. Whatever does not fit
goes the other way, ``oip.infer``, which takes all that the protocol allows and knows every error: what is answered here
is answered there by the same bytes.

Processor time of a request for 30 numbers and a logistic regression, µs, sockets left out, this way and the other (the
graph takes 8 of them), all four outputs: one input a column 40 and 182, one matrix 25 and 97; one output of one input a
column 34 and 181. Behind the JSON this way takes 47; the other was not measured, for it went to a thread. The flights
model's rows behind the JSON, of which four in five miss something: 105, and 271 when those went the other way.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...model import Answer, Model
from ..deadline import check_timeout
from ..endpoint import JSON, Asked, Reply
from .bodies import encode
from .oip_binary import LENGTH, enveloped, split, written
from .oip_forms import Form, Wanted, forms
from .oip_metadata import Part

__all__ = ["OneRow"]

_MOST = 64
"""Plans that are kept; a client that asks in ever new ways pays for making them."""

_Write = Callable[[NDArray[Any], list[bytes]], bytes]
"""An output as JSON: (its tensor, where its bytes are to go if they are to stand behind the JSON)."""

_Outputs = tuple[tuple[str, bool], ...]
"""The names of outputs, each with whether its elements are to stand behind the JSON."""


class _Plan(NamedTuple):
    """How outputs are answered: the methods to ask for, and each output's tensor and what writes it."""

    methods: frozenset[str]
    writes: list[tuple[str, _Write]]


class OneRow:
    """Answers requests of one row.

    known: the model's outputs, by name.
    """

    def __init__(self, name: str, model: Model, known: Mapping[str, Part]) -> None:
        self._model = model
        self._known = known
        self._everything = [Wanted(part) for part in known]
        self._head = encode({"model_name": name, "model_version": model.version})[:-1]
        self._forms: tuple[list[Form], list[Form]] | None = None  # of JSON alone, and of elements behind it
        self._plans: dict[_Outputs, _Plan | None] = {}

    def __call__(self, asked: Asked) -> Reply | None:
        """The answer; None for a request that is not of this kind. Raises InputError and Refusal."""
        headers, text = asked.headers, asked.body
        if LENGTH in headers or headers.get(b"content-type", JSON) != JSON:
            text, _ = split(headers, asked.body)
        if len(asked.body) > self._model.limits.text:  # else no string in it can be too long
            return None
        found = self._read(text, asked.body)
        if found is None:
            return None
        request, values = found
        parameters = request.parameters
        plan = self._plan(request.outputs or self._everything, parameters.get("binary_data_output") is True)
        if plan is None:
            return None
        if "timeout" in parameters:
            check_timeout(parameters["timeout"], asked.came, asked.until)
        arrays, labels = self._model.one(values, plan.methods)
        tensors: list[bytes] = []
        outputs = b",".join([write(arrays[tensor], tensors) for tensor, write in plan.writes])
        said = b"" if request.id is None else b',"id":' + encode(request.id)
        body = b'%b%b,"outputs":[%b]}' % (self._head, said, outputs)
        if not tensors:
            return Reply(Answer(body, labels, 1))
        whole, media_type, more = enveloped(headers, body, tensors)
        return Reply(Answer(whole, labels, 1), media_type, more)

    def _read(self, text: bytes, body: bytes) -> tuple[Any, Sequence[Any]] | None:
        """The request and its row's values."""
        if self._forms is None:  # made for the first who asks: most paths of a model are never asked at
            self._forms = forms(self._model, binary=False), forms(self._model, binary=True)
        ways = self._forms[len(text) < len(body)]
        for way in ways:
            try:
                request = way.decoder.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the other way says what is wrong
                continue
            values = way.values(request.inputs, body, len(text))
            if values is not None:
                if way is not ways[0] and not way.last:
                    ways.remove(way)  # a model's clients mostly write alike
                    ways.insert(0, way)
                return request, values
        return None

    def _plan(self, wanted: Sequence[Wanted], binary: bool) -> _Plan | None:
        key = tuple([(one.name, one.parameters.get("binary_data", binary) is True) for one in wanted])
        if key not in self._plans:
            if len(self._plans) >= _MOST:
                self._plans.clear()
            self._plans[key] = self._made(key)
        return self._plans[key]

    def _made(self, wanted: _Outputs) -> _Plan | None:
        """None where one of the outputs is none of the model's, or is made of several tensors or labels a row."""
        parts = [self._known.get(name) for name, _ in wanted]
        writes: list[tuple[str, _Write]] = []
        for part, (_, binary) in zip(parts, wanted, strict=True):
            if part is None or len(part.output.tensors) != 1 or (part.output.labels and part.output.shape):
                return None
            write = _labels(self._model, part, binary) if part.output.labels else _numbers(part, binary)
            writes.append((part.output.tensors[0], write))
        return _Plan(frozenset(part.output.method for part in parts if part is not None), writes)


def _labels(model: Model, part: Part, binary: bool) -> _Write:
    """Writes a row's label; each there is is written beforehand."""
    (table,) = model.manifest.classes
    values = [part.values(np.array([label], part.output.dtype)) for label in table]
    if not binary:
        texts = [_described(part, data=value.tolist() if isinstance(value, np.ndarray) else value) for value in values]

        def text(array: NDArray[Any], tensors: list[bytes]) -> bytes:
            place: int = array.item(0)
            return texts[place]

        return text
    octets = [written(part.datatype, value) for value in values]
    heads = [_described(part, parameters={"binary_data_size": len(label)}) for label in octets]

    def write(array: NDArray[Any], tensors: list[bytes]) -> bytes:
        place: int = array.item(0)
        tensors.append(octets[place])
        return heads[place]

    return write


def _numbers(part: Part, binary: bool) -> _Write:
    """Writes a row's numbers."""
    dtype = np.dtype(part.output.dtype)
    if not binary:
        head, end = _described(part, data=0)[: -len(b"0}")], b"}"
        return lambda array, tensors: b"".join((head, encode(array.astype(dtype, copy=False).ravel().tolist()), end))
    described = _described(part, parameters={"binary_data_size": dtype.itemsize * math.prod(part.output.shape)})

    def write(array: NDArray[Any], tensors: list[bytes]) -> bytes:
        tensors.append(written(part.datatype, array.astype(dtype, copy=False)))
        return described

    return write


def _described(part: Part, **more: Any) -> bytes:
    return encode({"name": part.name, "shape": [1, *part.output.shape], "datatype": part.datatype, **more})
