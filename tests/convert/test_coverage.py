"""Every estimator of scikit-learn converts, or is refused for the reason that convert/COVERAGE.md gives.

``python -m tests.convert.test_coverage`` writes that page anew.
"""

import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from sklearn.utils.discovery import all_estimators

from convert import ConvertError
from convert.lower import METHODS
from tests.convert.estimators import fitted
from tests.convert.lower.twins import twin_of

PAGE = Path(__file__).parents[2] / "convert" / "COVERAGE.md"
# Listed only once something has imported sklearn.experimental.
EXPERIMENTAL = {"HalvingGridSearchCV", "HalvingRandomSearchCV"}
LISTED: dict[str, type] = {name: cls for name, cls in all_estimators() if name not in EXPERIMENTAL}
ASKING = {"FrozenEstimator"}
"""Those that offer the methods of the estimator inside, and so none as a class."""
ESTIMATORS = {
    name: cls for name, cls in LISTED.items() if name in ASKING or any(hasattr(cls, method) for method in METHODS)
}
HEAD = """# What converts

Every estimator of scikit-learn {version} with an inference method for new rows, at its defaults, as the tests find it
(`tests/convert/test_coverage.py`; the tests beside it vary the parameters). *bit*: identical bits on every probe, by
operations that have the same on every processor; *ulp*: within 1e-12, as where matrices are multiplied or a logarithm
is taken; where an answer is a sum of terms that cancel, of a thousandth of those. *together*: scikit-learn's answer to
a row depends on the rows beside it, and so does the twin's: batches are compared with batches, and a request's rows are
answered in one run, with no other's.
"""


def outcome(name: str, cls: type) -> tuple[str, str]:
    """(level, "") of an estimator that converts, else ("refused", reason)."""
    estimator, sample = fitted(name, cls)
    try:
        twin = twin_of(estimator, sample)
    except ConvertError as error:
        return "refused", str(error).removeprefix("pipeline: ").replace("|", "\\|").replace("\n", " ")
    return twin.proof.level, "through skl2onnx" if twin.scope.fallbacks else "together" if twin.manifest.whole else ""


def page(outcomes: dict[str, tuple[str, str]]) -> str:
    """The text of COVERAGE.md."""
    import sklearn

    levels = defaultdict(list)
    for name, (level, how) in outcomes.items():
        levels[level].append((name, how))
    lines = [HEAD.format(version=sklearn.__version__.rpartition(".")[0])]
    for level in ("bit", "ulp"):
        names = ", ".join(f"{name} ({how})" if how else name for name, how in levels[level])
        lines += [f"## {level}: {len(levels[level])}\n", f"{names}\n"]
    lines += [f"## refused: {len(levels['refused'])}\n", "| estimator | why |", "|---|---|"]
    lines += [f"| {name} | {reason} |" for name, reason in levels["refused"]]
    none = [name for name in LISTED if name not in ESTIMATORS]
    lines += ["", f"## no answer for new rows: {len(none)}\n", ", ".join(none), ""]
    return "\n".join(lines)


@cache
def written() -> dict[str, str]:
    """The section in which COVERAGE.md names each estimator."""
    found: dict[str, str] = {}
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:].partition(":")[0]
        elif section == "refused" and line.startswith("| "):
            found[line.split("|")[1].strip()] = section
        elif section in ("bit", "ulp") and line:
            found |= {name.partition(" (")[0]: section for name in line.split(", ")}
    return found


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_converts_if_the_page_says_so(name: str) -> None:
    """And one that is refused has its reason there. Whether a matrix product is right to the last bit depends on the
    processor's BLAS, so the level is held by the tests of each family, not by this one."""
    level, _ = outcome(name, ESTIMATORS[name])
    said = written().get(name)
    assert said is not None
    assert (level == "refused") == (said == "refused"), f"{name} is {level}: run python -m tests.convert.test_coverage"


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    results = {}
    for number, (name, cls) in enumerate(ESTIMATORS.items()):
        sys.stderr.write(f"\r{number + 1} of {len(ESTIMATORS)}: {name:40}")
        results[name] = outcome(name, cls)
    PAGE.write_text(page(results))
