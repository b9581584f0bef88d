"""Whether an answer hangs on a rounding: the twin with its roundings a few times as large.

What a matrix product, an exponential or a logarithm rounds to is the processor's own, and scikit-learn's is another
than onnxruntime's. Where a step that compares stands behind one of those, a last bit may decide between answers that
are far apart, and neither is the right one. No lowering need say where that is: the graph is run again with each of
these operations, and what is worked out behind them, a few roundings off at random, and what then moves hangs on them
(D. S. Parker, Monte Carlo Arithmetic, 1997).
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from runtime.manifest import Output
from runtime.model import Model
from runtime.rows import Rows
from runtime.session import BLOCK, INPUT, text_inputs

from .asked import cut, sizes_of
from .lower.scope import Scope
from .parity import Comparison
from .reference import joined

__all__ = ["Shaken"]

SUMS = {"Einsum", "Gemm", "LpNormalization", "MatMul", "ReduceL2", "ReduceLogSumExp", "ReduceMean", "ReduceSumSquare"}
"""Operators that add products in an order of their own."""
CIRCULAR = {"Acos", "Asin", "Atan", "Cos", "Sin", "Tan"}
HYPERBOLIC = {"Acosh", "Asinh", "Atanh", "Cosh", "Sinh", "Tanh"}
EXPONENTIAL = {"Erf", "Exp", "Log", "LogSoftmax", "Pow", "Sigmoid", "Softmax", "Softplus"}
FUNCTIONS = CIRCULAR | HYPERBOLIC | EXPONENTIAL
"""Operators whose last bits are those of a library of functions."""
ARITHMETIC = {"Add", "Div", "Mul", "ReduceSum", "Sqrt", "Sub", "Sum"}
"""Operators with the same bits everywhere, but of other numbers other ones: behind a sum or a function their terms have
roundings, those made beforehand too, and these stay where the terms cancel."""
COMPARED = {"ArgMax", "ArgMin", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "TreeEnsemble"}
DECIDED = COMPARED | {"Ceil", "Floor", "IsInf", "IsNaN", "Round", "Shape", "Sign"}
"""Operators whose answers have no roundings: what is decided is exact again."""
LEARNED = {"LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor"}
"""Kernels that do both; what they answer is not shaken."""
NOISE = 8 * float(np.finfo(np.float64).eps)
"""How far each number may be off, of itself."""
TIMES = 16
"""How often the graph is run: a comparison that noise turns one way in four stays as it is once in a hundred."""


class Shaken:
    """A twin, to be asked how far its answers move; nothing is made before somebody asks.

    graph: the twin's.
    """

    def __init__(self, twin: Model, graph: bytes, scope: Scope) -> None:
        self._twin = twin
        self._graph = graph
        self._scope = scope

    @cached_property
    def rounds(self) -> bool:
        """Whether there is anything to shake: whether answers may have other bits on another processor."""
        nodes = () if self._scope.model is None else _nodes(self._scope.model.graph)
        return any(node.op_type in SUMS | FUNCTIONS | LEARNED for node in nodes)

    @cached_property
    def _model(self) -> Model:
        model = copy(self._twin)
        model.session = _Session(_shaken(self._graph), whole=self._scope.whole)  # type: ignore[assignment]
        return model

    def moved(
        self, output: Output, rows: Rows, sizes: Sequence[int], compared: Callable[[Any, Any], Comparison]
    ) -> NDArray[np.float64]:
        """How far a method's answers move at most, as ``compared`` measures it, [N]: infinitely where it is another
        label.

        sizes: how many rows come together.
        """
        most = np.zeros(len(rows))
        if self.rounds:
            still = _answers(self._twin, output, rows, sizes)
            for _ in range(TIMES):
                most = np.maximum(most, compared(still, _answers(self._model, output, rows, sizes)).excess)
        return most


def _answers(model: Model, output: Output, rows: Rows, sizes: Sequence[int]) -> Any:
    return joined([model.answers(output, batch) for batch in cut(rows, sizes)])


class _Session:
    """Answers rows as ``runtime.session.Session`` does, which lets no graph with noise in."""

    def __init__(self, graph: bytes, *, whole: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # As it stands: to optimise so many nodes would take longer than these few runs.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._whole = whole

    def run_rows(self, rows: Rows, outputs: Sequence[str]) -> list[NDArray[Any]]:
        runs = []
        for part in cut(rows, (len(rows),) if self._whole else sizes_of(len(rows), BLOCK)):
            given: dict[str, NDArray[Any]] = {INPUT: part.matrix}
            for rule, terms in enumerate(part.terms):
                places, counts = text_inputs(rule)
                given[places], given[counts] = terms.places, terms.values
            runs.append(self._session.run(list(outputs), given))
        return [np.concatenate(found) for found in zip(*runs, strict=True)]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Those of subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)


def _shaken(graph: bytes) -> bytes:
    """A graph with noise on what goes into sums, on what comes out of sums and functions, and on all that is worked out
    of these."""
    model = onnx.load_model_from_string(graph)
    _shake(model.graph, itertools.count(1), set())
    noisy: bytes = model.SerializeToString()
    return noisy


def _shake(graph: onnx.GraphProto, numbers: Iterator[int], rounded: set[str]) -> bool:
    """Put noise into a graph, in place; says whether there is any.

    rounded: the tensors that have roundings by now, those of the graph around it too.
    """
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        inside = any(_shake(a.g, numbers, set(rounded)) for a in node.attribute if a.HasField("g"))
        behind = inside or not rounded.isdisjoint(node.input)
        worked = behind and node.op_type in ARITHMETIC
        if worked or node.op_type in SUMS:
            for place in range(1 if node.op_type.startswith("Reduce") else len(node.input)):  # axes are no numbers
                given, number = node.input[place], next(numbers)
                if given:  # a bias may be left out
                    node.input[place] = f"{given}__into_{number}"
                    nodes += _noise(given, node.input[place], number)
        nodes.append(node)
        off = worked or node.op_type in SUMS | FUNCTIONS
        if off or (behind and node.op_type not in DECIDED):
            rounded.update(node.output)
        if off:
            own, name = f"{node.output[0]}__still", node.output[0]
            node.output[0] = own
            nodes += _noise(own, name, next(numbers))
    shaken = len(nodes) > len(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return shaken


def _noise(name: str, shaken: str, seed: int) -> list[onnx.NodeProto]:
    """A tensor's numbers a few roundings off; whole ones stay, for they are exact."""
    at = f"{shaken}__"
    number = onnx.TensorProto.DOUBLE
    one = helper.make_tensor(at + "one", number, [], [1.0])
    return [
        helper.make_node("Cast", [name], [at + "given"], to=number),
        helper.make_node("Constant", [], [at + "one"], value=one),
        helper.make_node("RandomUniformLike", [at + "given"], [at + "noise"], low=-NOISE, high=NOISE, seed=float(seed)),
        helper.make_node("Add", [at + "one", at + "noise"], [at + "factor"]),
        helper.make_node("Mul", [at + "given", at + "factor"], [at + "off"]),
        helper.make_node("Floor", [at + "given"], [at + "floor"]),
        helper.make_node("Equal", [at + "given", at + "floor"], [at + "whole"]),
        helper.make_node("Where", [at + "whole", at + "given", at + "off"], [at + "number"]),
        helper.make_node("CastLike", [at + "number", name], [shaken]),
    ]
