"""What roundings move is told from what is wrong, and is shown to be: by a last bit, and by more than that."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.random_projection import GaussianRandomProjection

from convert import ParityError
from convert.graph import build_graph
from convert.prove import HANGING, prove
from convert.signature import sign
from runtime.proof import Proof

from .lower.twins import levels, twin_of

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


def proven(pipeline: Any, rows: Any, factor: float) -> Proof:
    """The proof of a twin one of whose products has another weight."""
    twin, signature = twin_of(pipeline, rows), sign(pipeline, rows)
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
    return prove(pipeline, signature, twin.manifest, model.SerializeToString(), scope, None, lambda line: None)


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
