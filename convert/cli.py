"""argv -> a conversion or a change of an alias -> an exit code.

0 done; 1 the twin answers otherwise, or misses its budget; 2 the input is bad or unsupported; 3 other work on the
machine hides whether the budget is kept; 130 interrupted.
"""

import argparse
import contextlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runtime import PipetwinError

from . import registry
from .errors import BudgetError, ParityError, UndecidedBudgetError, WriteError
from .progress import Progress, unseen
from .write import check_destination

__all__ = ["main"]

PROGRAM = "python -m convert"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the answer goes to stdout, an error to stderr as one sentence."""
    words = list(sys.argv[1:] if argv is None else argv)
    parse = _registry if words and words[0] in _COMMANDS else _converter
    options = parse().parse_args(words)
    try:
        options.run(options)
    except ParityError as error:
        _complain(f"{error}\n{error.worst}".rstrip())
        return 1
    except PipetwinError as error:
        _complain(str(error))
        return 1 if isinstance(error, BudgetError) else 3 if isinstance(error, UndecidedBudgetError) else 2
    except ModuleNotFoundError as error:
        if "pipetwin[convert]" not in str(error):
            raise
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        _complain("interrupted; a version that was not written whole is not there")
        return 130
    return 0


def _convert(options: argparse.Namespace) -> None:
    # What can be known to fail is looked at before minutes are spent.
    check_destination(options.out, options.version)
    if options.promote is not None:
        registry.check_alias(options.out, options.promote)

    from convert import convert  # first: it says what is not installed

    from .source import open_pipeline, read_sample

    with _watched() as (say, progress):
        pipeline = open_pipeline(options.pipeline, trust=options.trust, report=say)
        sample = read_sample(options.sample, options.target)
        say(f"sample: {len(sample):,} rows of {sample.shape[1]:,} columns from {options.sample}")
        proof = convert(
            pipeline,
            sample,
            options.out,
            version=options.version,
            promote=options.promote,
            tolerance=options.tolerance,
            enforce_range=options.enforce_range,
            portable=options.portable,
            return_std=options.return_std,
            budget_p95=options.budget_p95,
            report=say,
            progress=progress,
        )
    _print(str(proof))


def _promote(options: argparse.Namespace) -> None:
    before = registry.promote(options.model, options.version, options.alias)
    _print(f"{options.model / options.alias} -> {options.version} (before: {before or 'nothing'})")


def _rollback(options: argparse.Namespace) -> None:
    before, after = registry.rollback(options.model, options.alias)
    _print(f"{options.model / options.alias} -> {after} (before: {before})")


def _list(options: argparse.Namespace) -> None:
    _print("\n".join(registry.list_lines(options.model)))


def _show(options: argparse.Namespace) -> None:
    _print("\n".join(registry.show(options.model)))


_COMMANDS = {
    "promote": (_promote, "point an alias at a version"),
    "rollback": (_rollback, "point an alias at the version before; again, and it goes further back"),
    "list": (_list, "a model's versions, newest first, with their aliases and proofs"),
    "show": (_show, "what a version takes, answers and has been proven to"),
}


def _converter() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {PROGRAM} {name:<8} ...  {what}" for name, (_, what) in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Convert a trained scikit-learn pipeline to its ONNX twin, proven to give the same answers.",
        epilog=f"other commands (a pipeline of such a name is written ./list):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "pipeline", metavar="PIPELINE", type=Path, help="a joblib, pickle or skops file, or an MLflow model's folder"
    )
    parser.add_argument(
        "--sample",
        metavar="DATA",
        type=Path,
        required=True,
        help="rows it was trained on or some of them: .parquet, .csv, .feather, .json, .jsonl or .npy",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, required=True, help="the model's folder, say models/flights"
    )
    parser.add_argument("--target", metavar="COLUMN", help="a column of the sample to leave out")
    parser.add_argument("--version", metavar="V", help="the version's name (default: the time)")
    parser.add_argument("--promote", metavar="ALIAS", help="point this alias at the version once it is written")
    parser.add_argument(
        "--tolerance", metavar="T", type=_tolerance, help="a relative difference to allow where 1e-12 cannot be had"
    )
    parser.add_argument(
        "--trust",
        metavar="MODULE",
        action="append",
        default=[],
        help="let the pipeline's file run this module's code; may be given again",
    )
    parser.add_argument(
        "--enforce-range", action="store_true", help="let the service refuse numbers outside the sample's range"
    )
    parser.add_argument(
        "--portable",
        action="store_true",
        help="also write portable.onnx, for other ONNX runtimes: an input a feature, categories as strings",
    )
    parser.add_argument(
        "--return-std",
        action="store_true",
        help="also answer predict(X, return_std=True), for a Gaussian process or a Bayesian linear model",
    )
    parser.add_argument(
        "--budget-p95",
        metavar="TIME",
        type=_microseconds,
        help="what one row may take at P95 in process, say 2ms or 500us: measured, recorded, exit code 1 if missed",
    )
    parser.set_defaults(run=_convert)
    return parser


def _registry() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM)
    commands = parser.add_subparsers(required=True)
    for name, (run, what) in _COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("model", metavar="MODEL", type=Path, help="the model's folder, say models/flights")
        if name == "promote":
            command.add_argument("version", metavar="VERSION", help="the version's name")
        if name in ("promote", "rollback"):
            command.add_argument("--alias", default="production", help="the alias (default: production)")
        command.set_defaults(run=run)
    return parser


def _microseconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|µs|ms|s)", text.strip())
    value = float(match[1]) * {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}[match[2]] if match else 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a time such as 2ms, 500us or 0.1s, found {text!r}")
    return value


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, found {text!r}")
    return value


@contextlib.contextmanager
def _watched() -> Iterator[tuple[Callable[[str], None], Progress]]:
    """Prints a line a stage to stdout; on a terminal stderr shows meanwhile what goes on, how far it is and how long it
    has taken."""
    if not sys.stderr.isatty():
        yield _print, unseen
        return
    from rich.console import Console

    from .gauge import Gauge

    stdout = sys.stdout  # rich would lead it to stderr meanwhile
    with Gauge(Console(stderr=True)) as gauge:

        def say(line: str) -> None:
            with gauge.aside(line):
                stdout.write(f"{line}\n")
                stdout.flush()

        yield say, gauge.moved


def _print(text: str) -> None:
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:  # a full disk, or a reader that has gone, as head does
        with open(os.devnull, "w") as nowhere:  # else Python writes what is pending once more, at its end
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise WriteError(f"expected to write to standard output, found: {error.strerror}") from error


def _complain(text: str) -> None:
    sys.stderr.write(f"{PROGRAM}: {text}\n")
