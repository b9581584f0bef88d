"""One training from its arguments to its files; a ``train.py`` only says on what, and with which pipeline."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import joblib
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline

from . import output, scores, tracking
from .errors import TrainingError
from .progress import step

__all__ = ["Options", "Task", "Trained", "draw", "main", "split", "train"]

TEST_SHARE = 0.2
FOLDS = 5
CROSS_VALIDATED_ROWS = 60_000
"""Five more forests on every row would take minutes and say the same."""
SAMPLE_ROWS = 210_000
"""A proof is made on the sample's rows; the largest wants 200,000."""
FEWEST_ROWS = 100
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Task:
    """What is to be learnt.

    load: gives the rows, inputs and target, and a remark on what was left out (or nothing).
    build: the unfitted pipeline of a seed; what it may do in parallel it is told from outside, never by itself.
    """

    name: str
    target: str
    kind: Literal["classifier", "regressor"]
    load: Callable[[], tuple[pd.DataFrame, str]]
    build: Callable[[int], Pipeline]


@dataclass(frozen=True)
class Options:
    """What the command line says. out, sample, test: the files to write. rows: at most as many are used."""

    out: Path
    sample: Path
    test: Path
    seed: int
    rows: int | None
    mlflow: str | None


@dataclass(frozen=True)
class Trained:
    """fitted: the pipeline. cross_validated: a score for each fold. rows, test: inputs and target, trained on and held
    out."""

    fitted: Pipeline
    cross_validated: tuple[float, ...]
    rows: pd.DataFrame
    test: pd.DataFrame


def main(task: Task, argv: Sequence[str] | None = None) -> int:
    """Trains and writes; 0, or 2 after one sentence on stderr."""
    options = _options(task, argv)
    try:
        _run(task, options)
    except TrainingError as error:
        print(f"{task.name}: {error}", file=sys.stderr)
        return 2
    return 0


def draw(rows: pd.DataFrame, count: int, seed: int, by: str | None = None) -> pd.DataFrame:
    """As many of the rows in random order, or all as they are if there are no more.

    by: the column whose values keep their shares, each to within one row.
    """
    if count >= len(rows):
        return rows
    shuffled = rows.sample(frac=1, random_state=seed)
    if by is None:
        return shuffled.head(count)
    # A row's place within its class, from 0 to 1: the lowest of these take as much of every class.
    grouped = shuffled.groupby(by)[by]
    place = (grouped.cumcount() + 0.5) / grouped.transform("size")
    return shuffled.iloc[place.to_numpy().argsort(kind="stable")[:count]]


def split(task: Task, rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to train on and rows to hold out; for a classifier, each with the same share of every class."""
    classes = rows[task.target] if task.kind == "classifier" else None
    trained, held_out = train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=classes)
    return trained, held_out


def train(task: Task, rows: pd.DataFrame, seed: int) -> Trained:
    """Splits, cross-validates and fits; the same rows and seed give the same pipeline on any number of cores."""
    trained, test = split(task, rows, seed)
    classifier = task.kind == "classifier"
    part = draw(trained, CROSS_VALIDATED_ROWS, seed, task.target if classifier else None)
    folds = (StratifiedKFold if classifier else KFold)(FOLDS, shuffle=True, random_state=seed)
    X, y = _sides(task, trained)
    # Given from outside, parallelism leaves no n_jobs in the pipeline: it is served one row at a time.
    with joblib.parallel_config(backend="threading", n_jobs=-1):
        with step(f"cross-validating on {len(part):,} rows, {FOLDS} folds"):
            cross_validated = cross_val_score(
                task.build(seed),
                *_sides(task, part),
                cv=folds,
                scoring="roc_auc" if classifier else "r2",
                n_jobs=1,  # fold after fold, each fit in parallel: fewer rows in memory
                error_score="raise",
            )
        with step(f"fitting on {len(X):,} rows"):
            fitted = task.build(seed).fit(X, y)
    return Trained(fitted, tuple(map(float, cross_validated)), trained, test)


def _run(task: Task, options: Options) -> None:
    # What can go wrong before a long training goes wrong before it.
    output.check_writable(options.out, options.sample, options.test)
    if options.mlflow is not None:
        with step(f"opening the experiment at {options.mlflow}"):
            tracking.open_experiment(options.mlflow, task.name)
    with step("reading and checking the data"):
        every, remark = task.load()
    stratum = task.target if task.kind == "classifier" else None
    rows = every if options.rows is None else draw(every, options.rows, options.seed, stratum)
    trained = train(task, rows, options.seed)
    with step(f"testing on {len(trained.test):,} rows"):
        score = scores.of_classifier if task.kind == "classifier" else scores.of_regressor
        tested = score(trained.fitted, *_sides(task, trained.test))
    with step("writing"):
        output.write_pipeline(trained.fitted, options.out)
        sample = draw(trained.rows.drop(columns=task.target), SAMPLE_ROWS, options.seed)
        output.write_rows(sample, options.sample)
        output.write_rows(trained.test, options.test)
    print("\n".join(_report(task, options, remark, len(every), len(sample), trained, tested)))
    if options.mlflow is not None:
        with step(f"tracking at {options.mlflow}"):
            parameters = {
                "seed": options.seed,
                "rows": len(rows),
                "features": sample.shape[1],
                **trained.fitted[-1].get_params(deep=False),
            }
            metrics = {s.key: s.value for s in tested}
            metrics["cross_validated"] = _mean(trained.cross_validated)
            tracking.track(trained.fitted, parameters, metrics)


def _report(
    task: Task,
    options: Options,
    remark: str,
    available: int,
    sampled: int,
    trained: Trained,
    tested: Sequence[scores.Score],
) -> list[str]:
    used, held = len(trained.rows), len(trained.test)
    measure = "ROC AUC" if task.kind == "classifier" else "R2"
    folds = trained.cross_validated
    drawn = "stratified" if task.kind == "classifier" else "random"
    on = min(used, CROSS_VALIDATED_ROWS)
    subset = "all rows trained on" if on == used else f"a {drawn} {on:,} of the rows trained on"
    size = options.out.stat().st_size
    return [
        f"{task.name}: {used + held:,} of {available:,} rows, {trained.rows.shape[1] - 1} inputs, seed {options.seed}",
        *([f"  left out         {remark}"] if remark else []),
        f"  trained on       {used:,} rows",
        f"  cross-validated  {measure} {_mean(folds):.4f} (folds from {min(folds):.4f} to {max(folds):.4f}; "
        f"{len(folds)} folds on {subset})",
        f"  tested on        {held:,} rows held out",
        *(f"    {s.name:<20} {s.value:.4f}{f'  ({s.beside})' if s.beside else ''}" for s in tested),
        f"  pipeline         {options.out} ({f'{size / 1e6:.1f} MB' if size >= 1e6 else f'{size / 1e3:.1f} kB'})",
        f"  sample           {options.sample} ({sampled:,} rows, inputs only)",
        f"  test             {options.test} ({held:,} rows, inputs and {task.target!r})",
    ]


def _sides(task: Task, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    return rows.drop(columns=task.target), rows[task.target]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _options(task: Task, argv: Sequence[str] | None) -> Options:
    folder = Path("build") / task.name
    parser = argparse.ArgumentParser(
        prog=f"python -m models.{task.name}.train", description=f"Train the {task.name} pipeline on real data."
    )
    for name, file, what in (
        ("--out", "pipeline.joblib", "the trained pipeline"),
        ("--sample", "sample.parquet", "rows that it was trained on, inputs only"),
        ("--test", "test.parquet", "the rows held out, inputs and target"),
    ):
        default = folder / file
        parser.add_argument(name, type=Path, default=default, metavar="FILE", help=f"{what} (default: {default})")
    parser.add_argument("--seed", type=_whole(0, LARGEST_SEED), default=0, metavar="N", help="default: 0")
    rows_help = "use at most this many rows, drawn by the seed (default: all)"
    parser.add_argument("--rows", type=_whole(FEWEST_ROWS), default=None, metavar="N", help=rows_help)
    parser.add_argument(
        "--mlflow", default=None, metavar="URI", help="track the run with MLflow, as sqlite:///build/runs.db"
    )
    given = parser.parse_args(argv)
    return Options(given.out, given.sample, given.test, given.seed, given.rows, given.mlflow)


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        limits = f"a whole number from {least}" + (f" to {most}" if most is not None else "")
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected {limits}, found {text!r}") from None
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"expected {limits}, found {number}")
        return number

    return parse
