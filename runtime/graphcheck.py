"""What a graph may be before onnxruntime sees it: read from its bytes, without the onnx package.

A digest says that the bytes are those that were written, not that who wrote them meant well. Field numbers are those
of onnx.proto (ONNX 1.23). A field that is not listed here is refused, and so are a message that protobuf would merge
from two parts, data outside the file, functions, operators and domains that no conversion makes, tensors whose bytes
are not what their shape says, shapes that no memory holds, and trees whose nodes lead nowhere or in a circle.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from .errors import BundleError
from .treecheck import check_trees
from .wire import Malformed, Value, fields, varints

__all__ = ["DEPTH", "ELEMENTS", "check_graph"]

DEPTH = 8
"""Subgraphs within subgraphs."""

ELEMENTS = 2**31
"""Elements that a tensor, or a constant shape, may have."""

NODES = 200_000
"""Nodes that a graph and its subgraphs may have together."""

_PLAIN = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast
CastLike Ceil Celu Clip Compress Concat Constant ConstantOfShape Cos Cosh CumProd CumSum Det Div Einsum Elu Equal Erf
Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gemm Greater GreaterOrEqual HardSigmoid Hardmax
Identity If IsInf IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax Loop LpNormalization MatMul Max Mean Min Mod Mul Neg
NonZero Not OneHot Or PRelu Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Round Scan ScatterElements
ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze StringConcat
StringNormalizer StringSplit Sub Sum Tan Tanh TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique
Unsqueeze Where Xor
"""
_LEARNED = """
ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor Normalizer
OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
"""
_OPERATORS = {"": frozenset(_PLAIN.split()), "ai.onnx.ml": frozenset(_LEARNED.split())}
_OPSETS = {"": range(9, 27), "ai.onnx.ml": range(1, 7)}
_BODIES = {"Loop": {"body"}, "Scan": {"body"}, "If": {"then_branch", "else_branch"}}
_SHAPED = {"Expand": 1, "ConstantOfShape": 0}
"""Operators that make a tensor as large as an input says, and which input that is."""

_SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 8: 0, 9: 1, 11: 8, 12: 4, 13: 8}
"""Bytes of an element, by TensorProto.DataType; 8 is a string."""

_MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2}
_GRAPH = {1: 2, 2: 2, 5: 2, 10: 2, 11: 2, 12: 2, 13: 2, 16: 2}
_NODE = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2, 9: 2}
_ATTRIBUTE = {1: 2, 2: 5, 3: 0, 4: 2, 5: 2, 6: 2, 7: 5, 8: 0, 9: 2, 10: 2, 13: 2, 20: 0}
_TENSOR = {1: 0, 2: 0, 4: 5, 5: 0, 6: 2, 7: 0, 8: 2, 9: 2, 10: 1, 11: 0, 12: 2, 14: 0, 16: 2}
_TYPED = {4: 4, 10: 8}
"""Fields of a tensor that hold floats and doubles, and the bytes of each."""
_REPEATED = {
    id(_MODEL): {8, 14},
    id(_GRAPH): {1, 5, 11, 12, 13, 16},
    id(_NODE): {1, 2, 5, 9},
    id(_ATTRIBUTE): {7, 8, 9, 10},
    id(_TENSOR): {1, 4, 5, 6, 7, 10, 11, 16},
}


def check_graph(graph: bytes) -> None:
    """Raise BundleError where a graph is not one that may be built; builds and runs nothing."""
    try:
        _Check().model(memoryview(graph))
    except Malformed as error:
        raise BundleError(f"expected a graph that may be served, found {error}: convert the model again") from error
    except (UnicodeDecodeError, OverflowError) as error:
        raise BundleError("expected a graph that may be served, found names or numbers that cannot be") from error


class _Check:
    """One graph's check; what it has counted so far."""

    def __init__(self) -> None:
        self._nodes = 0

    def model(self, message: memoryview) -> None:
        """A ModelProto."""
        graph, domains = None, set()
        for number, _, value in _read(message, _MODEL, "a model"):
            match number:
                case 1 if not 3 <= _number(value) <= 14:
                    raise Malformed(f"the IR version {value}")
                case 7:
                    graph = _bytes(value)
                case 8:
                    domain = _opset(_bytes(value))
                    if domain in domains:
                        raise Malformed(f"the domain {domain!r} twice")
                    domains.add(domain)
        if graph is None:
            raise Malformed("no graph")
        self.graph(graph, 0)

    def graph(self, message: memoryview, depth: int) -> None:
        """A GraphProto, at some depth."""
        if depth > DEPTH:
            raise Malformed(f"subgraphs more than {DEPTH} deep")
        nodes: list[memoryview] = []
        constants: dict[str, memoryview] = {}
        for number, _, value in _read(message, _GRAPH, "a graph"):
            match number:
                case 1:
                    nodes.append(_bytes(value))
                case 5:
                    constants[_tensor(_bytes(value))] = _bytes(value)
                case 11 | 12 | 13:
                    _value_info(_bytes(value))
        self._nodes += len(nodes)
        if self._nodes > NODES:
            raise Malformed(f"more than {NODES} nodes")
        for node in nodes:
            self.node(node, constants, depth)

    def node(self, message: memoryview, constants: dict[str, memoryview], depth: int) -> None:
        """A NodeProto; a Constant's tensor joins the constants."""
        inputs, outputs, attributes = [], [], []
        kind = domain = ""
        for number, _, value in _read(message, _NODE, "a node"):
            match number:
                case 1:
                    inputs.append(_text(value))
                case 2:
                    outputs.append(_text(value))
                case 4:
                    kind = _text(value)
                case 5:
                    attributes.append(_bytes(value))
                case 7:
                    domain = _text(value)
        if kind not in _OPERATORS.get(domain, ()):
            raise Malformed(f"the operator {kind[:64]!r} of the domain {domain[:64]!r}")
        found: dict[str, dict[int, list[tuple[int, Value]]]] = {}
        for attribute in attributes:
            name, values = self.attribute(attribute, kind, depth)
            if name in found:
                raise Malformed(f"the attribute {name[:64]!r} twice")
            found[name] = values
        if kind == "Constant" and "value" in found and outputs and 5 in found["value"]:
            constants[outputs[0]] = _bytes(found["value"][5][0][1])
        if kind in _SHAPED and len(inputs) > _SHAPED[kind]:
            _shape(constants.get(inputs[_SHAPED[kind]]))
        if kind.startswith("TreeEnsemble"):
            check_trees(kind, found)

    def attribute(self, message: memoryview, kind: str, depth: int) -> tuple[str, dict[int, list[tuple[int, Value]]]]:
        """An AttributeProto of a node of that kind: its name, and its values by field."""
        name = ""
        values: dict[int, list[tuple[int, Value]]] = {}
        for number, wire, value in _read(message, _ATTRIBUTE, "an attribute"):
            if number == 1:
                name = _text(value)
            else:
                values.setdefault(number, []).append((wire, value))
        for number in (5, 10):
            for _, value in values.get(number, ()):
                _tensor(_bytes(value))
        for _, value in values.get(6, ()):
            if name not in _BODIES.get(kind, ()):
                raise Malformed(f"a subgraph {name[:64]!r} in the operator {kind}")
            self.graph(_bytes(value), depth + 1)
        return name, values


def _read(message: memoryview, known: Mapping[int, int], what: str) -> Iterator[tuple[int, int, Value]]:
    """The fields of a message that has these: number -> wire type (0 and 1 and 5 may be packed, where repeated)."""
    repeated, seen = _REPEATED.get(id(known), set()), set()
    for number, kind, value in fields(message):
        if number not in known:
            raise Malformed(f"field {number} in {what}")
        if number not in repeated:
            if number in seen or kind == -1:
                raise Malformed(f"field {number} twice in {what}")
            seen.add(number)
        expected = known[number]
        if kind != expected and not (number in repeated and (kind == 2 or (kind == -1 and expected == 0))):
            raise Malformed(f"field {number} of another kind in {what}")
        yield number, kind, value


def _opset(message: memoryview) -> str:
    """An OperatorSetIdProto: its domain."""
    domain, version = "", 0
    for number, _, value in _read(message, {1: 2, 2: 0}, "an opset"):
        if number == 1:
            domain = _text(value)
        else:
            version = _number(value)
    if version not in _OPSETS.get(domain, ()):
        raise Malformed(f"the opset {version} of the domain {domain[:64]!r}")
    return domain


def _tensor(message: memoryview) -> str:
    """A TensorProto: its name."""
    dims: list[int] = []
    kind, name, sizes = 0, "", {}
    for number, wire, value in _read(message, _TENSOR, "a tensor"):
        match number:
            case 1:
                dims += varints(value, wire).tolist()
            case 2:
                kind = _number(value)
            case 8:
                name = _text(value)
            case 9:
                sizes[9] = len(_bytes(value))
            case 4 | 10:
                length = len(_bytes(value))
                if length % _TYPED[number]:
                    raise Malformed("a tensor's numbers that are cut off")
                sizes[number] = sizes.get(number, 0) + length // _TYPED[number]
            case 6:
                sizes[number] = sizes.get(number, 0) + 1
            case 5 | 7 | 11:
                sizes[number] = sizes.get(number, 0) + len(varints(value, wire))
            case 14 if value != 0:
                raise Malformed("a tensor whose data lies outside the file")
    if kind not in _SIZES or len(dims) > 16 or any(not 0 <= size <= ELEMENTS for size in dims):
        raise Malformed(f"a tensor of type {kind} and shape {dims[:16]}")
    count = math.prod(dims)
    if len(sizes) > 1 or (9 in sizes and kind == 8):
        raise Malformed("a tensor that holds its data in two ways")
    if sum(sizes.values()) != (count * _SIZES[kind] if 9 in sizes else count):
        raise Malformed(f"a tensor of shape {dims[:16]} that holds other data")
    return name


def _shape(constant: memoryview | None) -> None:
    """A constant that is to be a shape."""
    if constant is None:
        return
    raw, listed = b"", []
    for number, wire, value in fields(constant):
        if number == 9:
            raw = bytes(_bytes(value))
        if number == 7:
            listed += varints(value, wire).tolist()
    shape = np.frombuffer(raw, "<i8").tolist() if raw and not len(raw) % 8 else listed
    if any(size < 0 for size in shape) or math.prod(shape) > ELEMENTS:
        raise Malformed(f"a constant shape {shape[:16]} that no memory holds")


def _value_info(message: memoryview) -> None:
    """A ValueInfoProto: a plain tensor's, of a shape that can be."""
    for number, _, value in _read(message, {1: 2, 2: 2, 3: 2}, "a value"):
        if number != 2:
            continue
        for kind, _, tensor in _read(_bytes(value), {1: 2, 6: 2}, "a type"):
            if kind != 1:
                continue
            for part, _, shape in _read(_bytes(tensor), {1: 0, 2: 2}, "a tensor's type"):
                if part == 2:
                    _dimensions(_bytes(shape))


def _dimensions(message: memoryview) -> None:
    total = 1
    for number, _, dimension in fields(message):
        if number != 1:
            raise Malformed(f"field {number} in a shape")
        for part, _, value in _read(_bytes(dimension), {1: 0, 2: 2, 3: 2}, "a dimension"):
            total *= _number(value) if part == 1 else 1
    if total > ELEMENTS:
        raise Malformed("a value of a shape that no memory holds")


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise Malformed("a number in place of a message")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise Malformed("a message in place of a number")
    return value


def _text(value: Value) -> str:
    return str(_bytes(value), "utf-8")
