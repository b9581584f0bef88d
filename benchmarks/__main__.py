"""``python -m benchmarks``: measure every bundle; ``--check`` holds it to its limits.

Exit codes: 0 measured, and within every limit; 1 over one, or a wrong answer; 2 the input is bad, in one sentence on
standard error; 3 could not decide. ``growth`` has the same, and so has ``compare``: 1 something is worse by more than
noise.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime import load

from . import report
from .compare import compare, comparison
from .documents import write_headlines, write_tables
from .errors import BadInputError
from .gate import NAMES, exit_code, read_budgets
from .page import write_page
from .results import read, write
from .run import run
from .subjects import Load, find_models, open_subjects

__all__ = ["main"]

BUDGETS = Path(__file__).with_name("budgets.toml")
RESULTS = Path("build/benchmarks.json")
GROWTH = Path("build/growth.json")
README = Path("README.md")
TABLES = Path("benchmarks/RESULTS.md")


def main(argv: Sequence[str], load: Load = load) -> int:
    """Run a command; returns the exit code.

    load: gives the model of a folder.
    """
    try:
        if argv[:1] == ["render"]:
            return _render(argv[1:])
        if argv[:1] == ["compare"]:
            return _compare(argv[1:])
        if argv[:1] == ["growth"]:
            return _growth(argv[1:])
        return _measure(_options(argv), load)
    except BadInputError as error:
        sys.stderr.write(f"python -m benchmarks: {error}\n")
        return 2


def _measure(options: argparse.Namespace, load: Load) -> int:
    if options.names:
        for path, names in NAMES.items():
            print(f"{path}: {', '.join(sorted(names))}")
        return 0
    folders = find_models(options.models)
    if unknown := sorted(set(options.model) - folders.keys()):
        raise BadInputError(f"expected one of the models {', '.join(folders)}, found {unknown[0]!r}")
    budgets = read_budgets(options.budgets, folders) if options.check else None
    wanted = {name: folder for name, folder in folders.items() if name in options.model or not options.model}
    subjects = open_subjects(wanted, options.trained, load, options.seed)
    found = run(subjects, budgets, load, options.seed, options.path, peers=options.peers)
    write(found, options.json)
    print(report.text(found))
    if not options.check:
        return 0
    print(report.verdicts(found.decisions))
    return exit_code(found.decisions)


def _render(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks render", description="Write results as texts, or as a page."
    )
    parser.add_argument(
        "results",
        type=Path,
        nargs="*",
        default=[RESULTS],
        help=f"of all but the first the peers are taken; default: {RESULTS}",
    )
    parser.add_argument("--readme", type=Path, metavar="FILE", help=f"the headlines, between its marks; as {README}")
    parser.add_argument("--tables", type=Path, metavar="FILE", help=f"every table; as {TABLES}")
    parser.add_argument("--html", type=Path, metavar="FILE", help="one page with charts, which needs nothing else")
    parser.epilog = f"Where nothing is named, {README} and {TABLES} are written."
    options = parser.parse_args(argv)
    results = [read(file) for file in options.results]
    if options.html:
        write_page(results, options.html)
    if not (options.readme or options.tables or options.html):
        options.readme, options.tables = README, TABLES
    if options.readme:
        write_headlines(results, options.readme)
    if options.tables:
        write_tables(results, options.tables)
    return 0


def _compare(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks compare", description="Say what moved between two runs by more than noise."
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args(argv)
    found = compare(read(options.old), read(options.new))
    print(comparison(found))
    return found.exit_code


def _growth(argv: Sequence[str]) -> int:
    from . import growth  # what makes models is needed here alone

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks growth",
        description="Measure what an answer costs as models and requests grow; 1 where it is worse than linear.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(growth.NAMES)}; default: all")
    parser.add_argument("--json", type=Path, default=GROWTH, metavar="FILE", help=f"results; default: {GROWTH}")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.names) - set(growth.NAMES)):
        raise BadInputError(f"expected some of {', '.join(growth.NAMES)}, found {unknown[0]!r}")
    found = growth.run(options.names, options.seed)
    write(found, options.json)
    print(report.text(found))
    print(report.verdicts(found.decisions))
    return exit_code(found.decisions)


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure every model beside scikit-learn, onnxruntime and a bare server.",
        epilog=f"python -m benchmarks render writes the last run's results into {README} and {TABLES}, with --html as "
        "a page, which takes those of growth too; python -m benchmarks growth measures what grows with a model's size; "
        "python -m benchmarks compare OLD NEW says what moved between two runs.",
        allow_abbrev=False,
    )
    parser.add_argument("models", type=Path, nargs="?", default=Path("build/models"), help="default: build/models")
    parser.add_argument("--check", action="store_true", help="hold every model to its limits")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"results; default: {RESULTS}")
    parser.add_argument("--budgets", type=Path, default=BUDGETS, metavar="FILE", help="the limits")
    parser.add_argument("--names", action="store_true", help="list what can have a limit, and end")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="only this one; can be repeated")
    parser.add_argument("--path", action="append", default=[], choices=NAMES, metavar="NAME", help="only this one")
    parser.add_argument(
        "--trained", type=Path, default=Path("build"), metavar="FOLDER", help="of NAME/pipeline.joblib; default: build"
    )
    parser.add_argument("--peers", action="store_true", help="beside others, those with an environment")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
