"""What is measured: a bundle, rows for it, and the answers that must come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime import Model, PipetwinError
from runtime.bundle import find

from .errors import BadInputError, WrongAnswerError

__all__ = ["LARGE", "ROWS", "Load", "Subject", "drawn", "find_models", "open_subjects"]

ROWS = 256
"""Distinct rows for what takes one at a time: more than a branch predictor learns, few enough to check each."""

LARGE = 10_000

Load = Callable[[Path], Model]


@dataclass(frozen=True)
class Subject:
    """A bundle with what is needed to measure it and to know a right answer from a wrong one.

    folder: the version's.
    frame: LARGE rows as the pipeline takes them: a DataFrame, or a list of dicts where there is no sample.
    rows: the first ROWS of them as JSON has them.
    pipeline: scikit-learn's; None where there is none, and ``absent`` says why.
    expected: by method (``predict``, ``predict_proba``, ``transform``), the right answers to ``frame``.
    """

    name: str
    folder: Path
    model: Model
    frame: Any
    rows: list[dict[str, Any]]
    pipeline: Any
    absent: str
    expected: dict[str, Any]

    @property
    def graph(self) -> bytes:
        """The graph's bytes."""
        return (self.folder / "model.onnx").read_bytes()

    @property
    def bodies(self) -> list[bytes]:
        """Each row as the body of a request."""
        return [msgspec.json.encode(row) for row in self.rows]

    @property
    def megabytes(self) -> float:
        """The size of the bundle, every file of it."""
        return sum(file.stat().st_size for file in self.folder.iterdir()) / 1e6

    def first(self, count: int) -> Any:
        """The first rows, as the pipeline takes them."""
        return self.frame[:count] if isinstance(self.frame, list) else self.frame.iloc[:count]

    def one(self, index: int) -> Any:
        """One row, as the pipeline takes it."""
        return self.frame[index : index + 1] if isinstance(self.frame, list) else self.frame.iloc[[index]]

    def check(self, method: str, found: Any, start: int = 0, near: float | None = None) -> None:
        """Raise WrongAnswerError where an answer of a method to the rows from ``start`` on is not the right one.

        near: the relative difference that a number may have; the proof's by default.
        """
        wanted = np.asarray(self.expected[method])[start : start + len(found)]
        if not self._equal(np.asarray(found), wanted, near):
            raise WrongAnswerError(f"expected the answers of {self.name}'s {method}, found others")

    def check_json(self, index: int, answer: bytes, near: float | None = None) -> None:
        """Raise WrongAnswerError where the answer to a row's body is not the right one; near as in ``check``."""
        try:
            found = msgspec.json.decode(answer)
            predict = "predict" in self.expected
            value = found["prediction" if predict else "output"]
            self.check("predict" if predict else "transform", [value], index, near)
            if "probability" in found and isinstance(found["probability"], float):
                wanted = np.asarray(self.expected["predict_proba"])[index].max()
                if not self._equal(np.asarray(found["probability"]), wanted, near):
                    raise WrongAnswerError(f"expected {self.name}'s probability of the prediction, found another")
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise WrongAnswerError(
                f"expected {self.name}'s answer in JSON, found {answer[:80].decode(errors='replace')!r}"
            ) from error

    def _equal(self, found: NDArray[Any], wanted: NDArray[Any], near: float | None) -> bool:
        if found.shape != wanted.shape:
            return False
        if wanted.dtype.kind != "f":
            return bool((found == wanted).all())
        if near is None:
            near = 0.0 if self.model.proof.level == "bit" else max(self.model.proof.tolerance, 1e-12)
        scale = np.abs(wanted).max(initial=0.0) * 1e-3
        return bool((np.abs(found - wanted) <= near * np.maximum(np.abs(wanted), scale)).all())


def find_models(models: Path) -> dict[str, Path]:
    """The folder of each model below a folder, or of the one whose folder it is, by name; raises BadInputError where
    there is none."""
    if not models.is_dir():
        raise BadInputError(f"expected a folder of models, found none at {models}: make them with make models")
    folders = {folder.name: folder for folder in sorted(models.iterdir()) if _is_model(folder)}
    if not folders and _is_model(models):
        folders = {models.resolve().name: models}
    if not folders:
        raise BadInputError(f"expected models below {models}, found none: make them with make models")
    return folders


def open_subjects(folders: Mapping[str, Path], trained: Path, load: Load, seed: int) -> list[Subject]:
    """Models by name, with rows drawn from the sample beside the pipeline of each, ``trained/NAME``.

    load: gives the model of a folder.
    Raises BadInputError where one does not load.
    """
    return [_open(name, folder, trained / name, load, seed) for name, folder in folders.items()]


def drawn(count: int, seed: int) -> NDArray[np.intp]:
    """Which of so many rows are measured, [LARGE]: each as often as any other, in an order drawn anew each time round.

    Rows that come in the same order again teach a processor the way through small trees: 10,000 of the 353 of diabetes
    took scikit-learn 5.4 ms so, and 14.8 in another order each time; ours 8.2 and 8.9 (processor time, interleaved).
    """
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(count) for _ in range(-(-LARGE // count))])[:LARGE]


def _is_model(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*/manifest.json"))


def _open(name: str, folder: Path, trained: Path, load: Load, seed: int) -> Subject:
    try:
        version = find(folder)
        model = load(version)
    except PipetwinError as error:
        raise BadInputError(f"expected the model {name} to load, found: {error}") from error
    names = [feature.name for feature in model.manifest.inputs]
    pickle, sample = trained / "pipeline.joblib", trained / "sample.parquet"
    if not (pickle.is_file() and sample.is_file()):
        missing = ", ".join(str(file) for file in (pickle, sample) if not file.is_file())
        return Subject(name, version, model, *_canary(model), None, f"there is no {missing}", dict(_expected(model)))
    import joblib
    import pandas as pd

    pipeline = joblib.load(pickle)
    every = pd.read_parquet(sample)[names]
    frame = every.iloc[drawn(len(every), seed)].reset_index(drop=True)
    few = frame.head(ROWS)
    plain = few.astype(object)
    rows: list[dict[str, Any]] = plain.where(few.notna(), None).to_dict("records")
    methods = [
        m for m in ("predict", "predict_proba", "transform") if model.manifest.output(m) and hasattr(pipeline, m)
    ]
    expected = {method: getattr(pipeline, method)(frame) for method in methods}
    return Subject(name, version, model, frame, rows, pipeline, "", expected)


def _canary(model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    names = [feature.name for feature in model.manifest.inputs if feature.position is not None]
    rows = [dict(zip(names, row, strict=True)) for row in model.proof.canary.rows]
    if not rows:
        raise BadInputError(f"expected canary rows in the proof of {model.name}, found none: convert it again")
    frame = [rows[index % len(rows)] for index in range(LARGE)]
    return frame, frame[:ROWS]


def _expected(model: Model) -> list[tuple[str, Any]]:
    answers = model.proof.canary.answers
    count = len(model.proof.canary.rows)
    outputs = {output.method: output for output in model.manifest.outputs if output.method in answers}
    return [
        (
            method,
            np.asarray(
                [answers[method][index % count] for index in range(LARGE)],
                None if outputs[method].labels else np.float64,  # a proof writes what is not finite as a string
            ),
        )
        for method in ("predict", "predict_proba", "transform")
        if method in outputs
    ]
