"""What roundings move is told from what is wrong, and is shown to be: by a last bit, and by more than that."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from convert import ParityError
from convert.graph import build_graph
from convert.parity import ULP, compare_numbers
from convert.prove import HANGING, prove
from convert.shaken import Shaken
from convert.signature import sign
from runtime.proof import Proof

from .lower.twins import levels, model_of, twin_of

RNG = np.random.default_rng(11)
ON = np.array([1.0, 0.3, 2.0])
"""A row whose projection is the very number that it is compared with."""
TARGET = RNG.normal(size=400)


def jumping(part: float) -> tuple[Any, Any]:
    """A product before a comparison, and rows of which so many lie on it."""
    rows = RNG.normal(size=(400, 3))
    rows[RNG.random(400) < part] = ON
    project = GaussianRandomProjection(1, random_state=0).fit(rows)
    jump = Binarizer(threshold=float(project.transform(ON[np.newaxis])[0, 0]))
    return make_pipeline(project, jump, Ridge(0.1)).fit(rows, TARGET), rows


def proven(pipeline: Any, rows: Any, factor: float, tolerance: float | None = None) -> Proof:
    """The proof of a twin one of whose products has another weight."""
    twin, signature = twin_of(pipeline, rows, tolerance=1e-3), sign(pipeline, rows)
    _, scope, _, _ = build_graph(pipeline, signature)
    model = onnx.load_from_string(twin.graph)
    (constant,) = [
        attribute.t
        for node in model.graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and list(attribute.t.dims) == [3, 1]
    ]
    values = numpy_helper.to_array(constant) * factor
    constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    return prove(pipeline, signature, twin.manifest, model.SerializeToString(), scope, tolerance, lambda line: None)


def test_equal_bits_by_chance_are_not_level_bit() -> None:
    """Another processor multiplies otherwise, and would refuse canary rows that it must answer with equal bits."""
    rows = RNG.normal(size=(50, 1))
    twin = twin_of(GaussianRandomProjection(1, random_state=0).fit(rows), rows)
    assert (levels(twin), twin.proof.level) == ({"transform": "bit"}, "ulp")


@pytest.mark.parametrize("ulps", [-1, 1])
def test_rows_that_a_last_bit_moves_to_another_answer_are_ties(ulps: int) -> None:
    """And the others are held to the bound as ever."""
    pipeline, rows = jumping(HANGING / 2)
    proof = proven(pipeline, rows, 1 + ulps * np.finfo(np.float64).eps)
    assert (proof.level, proof.outputs["predict"].ties > 0) == ("ulp", pipeline[1].threshold * ulps > 0)
    assert proof.outputs["predict"].max_abs < 1e-12


def rooted(part: float) -> tuple[Any, Any]:
    """The root of what is left of a product without its value for one row, and rows of which so many are that row: it
    is left with the root of a rounding."""
    rows = RNG.normal(size=(400, 3))
    rows[RNG.random(400) < part] = ON
    project = GaussianRandomProjection(1, random_state=0).fit(rows)
    without = StandardScaler(with_std=False).fit(project.transform(ON[np.newaxis]))
    size, root = FunctionTransformer(np.abs), FunctionTransformer(np.sqrt)
    return Pipeline([("project", project), ("without", without), ("size", size), ("root", root)]), rows


def test_a_few_rows_that_differ_by_what_roundings_come_to_are_ties() -> None:
    proof = proven(*rooted(HANGING / 2), 1 + np.finfo(np.float64).eps)
    answers = proof.outputs["transform"]
    assert proof.level == "ulp"
    assert 0 < answers.ties < answers.rows / 10


def test_many_rows_that_differ_by_what_roundings_come_to_are_refused() -> None:
    pipeline, rows = rooted(HANGING * 2)
    with pytest.raises(ParityError, match="no more than roundings on their way come to") as caught:
        proven(pipeline, rows, 1 + np.finfo(np.float64).eps)
    assert caught.value.rounding
    assert "transform differs by" in caught.value.worst


def test_a_stated_tolerance_is_of_all_rows() -> None:
    """None of them needs an excuse."""
    proof = proven(*rooted(HANGING * 2), 1 + np.finfo(np.float64).eps, tolerance=1e-3)
    assert (proof.level, proof.outputs["transform"].ties) == ("tolerance", 0)


def test_a_few_rows_that_differ_by_more_are_refused() -> None:
    with pytest.raises(ParityError, match="differ by up to") as caught:
        proven(*rooted(HANGING / 2), 1 + 1e-9)
    assert not caught.value.rounding


def test_a_pipeline_whose_canary_rows_all_differ_by_roundings_is_refused() -> None:
    """Though few of the sample do: between its outliers lie the angles that have no digits left."""
    rows = RNG.normal(size=(400, 3))
    rows[:2] *= 1e9
    wave = make_pipeline(GaussianRandomProjection(1, random_state=0), FunctionTransformer(np.sin)).fit(rows)
    with pytest.raises(ParityError, match=r"found that roundings move the answers to all \d+ further") as caught:
        proven(wave, rows, 1 + 2 * np.finfo(np.float64).eps)
    assert caught.value.rounding


@pytest.mark.parametrize("size", [1.0, 2.0**100])
def test_whole_numbers_are_exact_as_far_as_float64_counts_them(size: float) -> None:
    """Squares of distances to a centre, which cancel: of small whole numbers nothing is rounded, of large ones it is,
    though these are whole as well."""
    rows = np.array([[1000, 1000], [1001, 1002], [1002, 1004]]) * size
    twin = twin_of(KMeans(1, n_init=1).fit(rows), rows)
    (output,) = [output for output in twin.manifest.outputs if output.method == "transform"]
    model = model_of(twin)
    moved = Shaken(model, twin.graph, twin.scope).moved(
        output, model.tensors.of(rows), (len(rows),), lambda still, shaken: compare_numbers(still, shaken, size)
    )
    assert (moved > ULP).tolist() == [size > 1] * len(rows)


def test_what_more_than_roundings_moves_is_refused() -> None:
    pipeline, rows = jumping(HANGING / 2)
    with pytest.raises(ParityError, match="differ by up to") as caught:
        proven(pipeline, rows, 1 + np.sign(pipeline[1].threshold) * 1e-9)
    assert not caught.value.rounding


def test_a_pipeline_that_answers_by_chance_is_refused() -> None:
    pipeline, rows = jumping(HANGING * 2)
    with pytest.raises(ParityError, match=r"hang on a rounding, found that those to \d+ of 400 rows") as caught:
        proven(pipeline, rows, 1 + np.sign(pipeline[1].threshold) * np.finfo(np.float64).eps)
    assert caught.value.rounding
