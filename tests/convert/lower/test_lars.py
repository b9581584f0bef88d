"""Sparse codes by least angle regression: atoms that come in one after the other, and go out again."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import spox
import spox.opset.ai.onnx.v21 as op
from numpy.typing import NDArray
from sklearn.decomposition import DictionaryLearning, MiniBatchDictionaryLearning, SparseCoder
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoLars, lars_path_gram
from spox import Var

from convert import ParityError
from convert.lower.active import Atoms
from convert.lower.lars import least_angles

from .twins import levels, model_of, twin_of

RNG = np.random.default_rng(23)
X = RNG.normal(size=(30, 6))
ATOMS = RNG.normal(size=(8, 6))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)
EXACT = ("bit", "ulp")

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")


def of_lars(atoms: Any, count: int | None = None, **options: Any) -> SparseCoder:
    return SparseCoder(atoms, transform_algorithm="lars", transform_n_nonzero_coefs=count, **options)


def of_lasso(atoms: Any, penalty: float | None = None, **options: Any) -> SparseCoder:
    return SparseCoder(atoms, transform_algorithm="lasso_lars", transform_alpha=penalty, **options)


@pytest.mark.parametrize("atoms", [ATOMS, 3 * ATOMS[:4], ATOMS[:1]], ids=["more than features", "longer", "one"])
@pytest.mark.parametrize(
    "make",
    [
        of_lars,
        lambda atoms: of_lars(atoms, 3, split_sign=True),
        of_lasso,
        lambda atoms: of_lasso(atoms, 0.05, split_sign=True),
        lambda atoms: of_lasso(atoms, 0.3, positive_code=True),
        lambda atoms: of_lasso(atoms, 0.1, transform_max_iter=3),
        lambda atoms: of_lasso(atoms, 0.1, transform_max_iter=0),
        lambda atoms: of_lasso(atoms, 0.0),
    ],
    ids=["lars", "three", "lasso", "split", "positive", "few steps", "no step", "no penalty"],
)
def test_codes(make: Any, atoms: Any) -> None:
    assert levels(twin_of(make(atoms).fit(X), X))["transform"] in EXACT


@pytest.mark.parametrize("algorithm", ["lars", "lasso_lars"])
@pytest.mark.parametrize("make", [DictionaryLearning, MiniBatchDictionaryLearning])
def test_learnt_dictionaries(make: Any, algorithm: str) -> None:
    model = make(7, alpha=0.2, random_state=0, max_iter=5, transform_algorithm=algorithm).fit(X)
    assert levels(twin_of(model, X))["transform"] in EXACT


@pytest.mark.parametrize("algorithm", ["omp", "lars"])
def test_dictionaries_of_float32(algorithm: str) -> None:
    """Their products are float32s, and so are weights by least angle regression."""
    model = SparseCoder(ATOMS.astype(np.float32), transform_algorithm=algorithm).fit(X)
    assert levels(twin_of(model, X))["transform"] in EXACT


@pytest.mark.parametrize("make", [of_lars, lambda atoms: of_lars(atoms, 6), of_lasso, lambda a: of_lasso(a, 0.01)])
def test_rows_of_every_kind(make: Any) -> None:
    """Nothing, an atom, two of them, very large and very small, one feature alone."""
    alone = np.zeros(6)
    alone[2] = 3.0
    rows = np.array([0 * X[0], ATOMS[0], -3 * ATOMS[1], 1e12 * X[0], 1e150 * X[1], 1e-9 * X[2], ATOMS[0] + X[3], alone])
    model = make(ATOMS).fit(X)
    codes, wanted = model_of(twin_of(model, X)).transform(rows), model.transform(rows)
    largest = np.abs(wanted).max(axis=1, keepdims=True)
    assert (np.abs(codes - wanted) <= 1e-11 * largest).all()
    assert not codes[0].any()


def test_atoms_go_out_again() -> None:
    """The rows of this test are worth something only if that happens in some of them."""
    model = of_lasso(ATOMS, 0.01).fit(X)
    paths = LassoLars(0.01 / 6, fit_intercept=False, precompute=ATOMS @ ATOMS.T, fit_path=False)
    steps = np.array(paths.fit(ATOMS.T, X.T).n_iter_)
    assert (steps > (model.transform(X) != 0).sum(axis=1) + 1).sum() > 3
    codes = model_of(twin_of(model, X)).transform(X)
    np.testing.assert_array_equal(codes == 0, model.transform(X) == 0)


def test_signs_that_turn_hold_the_next_atom_back() -> None:
    """Without a penalty no atom goes out; its sign turns, and the next step takes none in."""
    model = of_lars(ATOMS[:6], 6).fit(X)
    gram = ATOMS[:6] @ ATOMS[:6].T
    paths = [lars_path_gram(ATOMS[:6] @ row, n_samples=6, Gram=gram)[2] for row in X]
    turned = [bool((np.ptp(np.sign(weights), axis=1) > 1).any()) for weights in paths]
    assert sum(turned) > 3
    assert levels(twin_of(model, X))["transform"] in EXACT


@pytest.mark.parametrize("make", [lambda atoms: of_lars(atoms, 4), lambda atoms: of_lasso(atoms, 0.0)])
def test_an_atom_that_is_left_out_changes_places_with_another(make: Any) -> None:
    """As in scikit-learn, which then leaves out the third direction, though it would explain the row wholly."""
    along = np.eye(3)
    model = make(along[[0, 2, 0, 1]]).fit(along)
    row = np.array([[3.0, 2.0, 1.0]])
    (code,) = model.transform(row)
    assert code[1] == 0
    np.testing.assert_allclose(_codes(model, row), [code], rtol=1e-14)


def test_many_atoms_are_followed_block_by_block() -> None:
    atoms = RNG.normal(size=(130, 9))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    rows = RNG.normal(size=(150, 9))  # more than a block of 124
    model = of_lasso(atoms, 0.8)
    np.testing.assert_allclose(_codes(model, rows), model.fit(rows).transform(rows), rtol=1e-9, atol=1e-12)


def test_codes_that_are_noise_are_ties() -> None:
    """Beyond as many atoms as features scikit-learn goes on with what roundings leave, to weights of 1e13."""
    random = np.random.default_rng(0)
    atoms = random.normal(size=(10, 4))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    rows = random.normal(size=(40, 4))
    model = of_lars(atoms, 10).fit(rows)
    assert np.abs(model.transform(random.normal(size=(2000, 4)))).max() > 1e9
    assert twin_of(model, rows).proof.outputs["transform"].ties > 0


def test_a_path_with_another_penalty_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def strayed(rows: Var, atoms: Any, gram: Any, *, penalty: float, **options: Any) -> tuple[Var, Var]:
        return least_angles(rows, atoms, gram, penalty=penalty * (1 + 1e-9), **options)

    monkeypatch.setattr("convert.lower.coding.least_angles", strayed)
    with pytest.raises(ParityError):
        twin_of(of_lasso(ATOMS[:4], 0.3).fit(X), X)


def test_an_inverse_keeps_its_digits_where_one_of_two_that_are_alike_goes() -> None:
    """Nearly all of an inverse of 1e10 cancels when it shrinks to one of 1."""
    vectors = np.array([ATOMS[0], ATOMS[1], ATOMS[0] + 1e-5 * ATOMS[2]])
    gram = vectors @ vectors.T
    atoms = Atoms(gram, 3)
    row = spox.argument(spox.Tensor(np.float64, (None, 3)))
    active = atoms.start(row)
    for _ in range(3):
        active, left_out = atoms.joined(active, active.count, op.equal(active.count, active.count))
    fewer, more = atoms.without(active, op.mul(active.count, op.const(np.int64(0))))
    wanted = [fewer.order, active.inverse, fewer.inverse, more, left_out]
    order, before, after, gone, out = _run(row, np.zeros((1, 3)), wanted)
    assert order.tolist() == [[1, 2, 0]]
    assert np.abs(before).max() > 1e9
    assert gone.item() >= np.abs(before).sum(axis=2).max() - np.abs(after).sum(axis=2).max()
    assert not out.any()
    np.testing.assert_allclose(after[0, :2, :2], np.linalg.inv(gram[1:, 1:]), rtol=1e-9)
    assert not after[0, 2].any()


def _codes(model: SparseCoder, rows: NDArray[np.float64]) -> Any:
    """What the graph answers, unproven: without probes, of which many would be far from these rows."""
    given = spox.argument(spox.Tensor(np.float64, (None, rows.shape[1])))
    lasso = model.transform_algorithm == "lasso_lars"
    penalty, most = model.transform_alpha if lasso else None, model.transform_n_nonzero_coefs
    atoms = model.dictionary
    weights, _ = least_angles(given, atoms, atoms @ atoms.T, penalty=penalty, most=1000 if lasso else most)
    return _run(given, rows, [weights])[0]


def _run(given: Var, rows: NDArray[np.float64], wanted: list[Var]) -> list[Any]:
    graph = spox.build({"x": given}, {f"y{place}": part for place, part in enumerate(wanted)})
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": rows}))
