"""What the README says can be typed, what it links to is there, and the numbers in it are those of the code."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from starlette.applications import Starlette

from convert.cli import _converter, _registry
from runtime import Model, load
from runtime.__main__ import _parser
from runtime.service import app
from runtime.settings import VARIABLES, Settings

from .runtime import bundles
from .runtime.asgi import get, post

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "deploy" / "README.md"]
README = PAGES[0].read_text("utf-8")


def commands(page: str) -> list[list[str]]:
    """The words of each indented line, and of each span of code, that is a command of ours."""
    typed = re.findall(r"^    ((?:python -m|make|curl) .*)$", page, re.MULTILINE)
    typed += re.findall(r"`((?:python -m|make) [^`]*)`", page)
    lines = [shlex.split(line.partition(">>")[0], comments=True) for line in typed]
    return [[word for word in words if word != "--help"] for words in lines]


def understood(words: list[str]) -> bool:
    """Whether a command's own parser takes the words; SystemExit says that it does not."""
    match words:
        case ["python", "-m", "convert", ("list" | "show" | "promote" | "rollback"), *_]:
            _registry().parse_args(words[3:])
        case ["python", "-m", "convert", *rest]:
            _converter().parse_args(rest)
        case ["python", "-m", "runtime", "key", *_]:
            return True  # by its own tests
        case ["python", "-m", "runtime", *rest]:
            _parser().parse_args(rest)
        case ["make", *targets]:
            known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
            return known.issuperset(word for word in targets if "=" not in word)
        case ["python", "-m", module, *_]:
            return (ROOT / Path(*module.split("."))).with_suffix(".py").exists() or (ROOT / module).is_dir()
        case ["curl", "--json", *_]:
            return True
        case _:
            return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_understood(page: Path) -> None:
    found = commands(page.read_text("utf-8"))
    assert found
    assert [words for words in found if not understood(words)] == []


def test_a_command_that_is_not_there_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert not understood(["make", "coffee"])
    assert not understood(["python", "-m", "nothing"])
    assert not understood(["curl", "localhost:8000/predict", "-d", "{}"])  # says that it is a form
    for words in (["runtime", "models", "--no-such-flag"], ["convert", "p.joblib"]):
        with pytest.raises(SystemExit):
            understood(["python", "-m", *words])
    assert "--no-such-flag" in capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_flags_and_variables_are_there() -> None:
    said = set(re.findall(r"`(--[a-z0-9_-]+)", README))
    known = {option for parser in (_parser(), _converter()) for option in parser._option_string_actions}
    assert said - known <= {"--admin"}  # of `key`
    assert "--admin" in said
    names = set(re.findall(r"PIPETWIN_[A-Z_]+", "".join(page.read_text("utf-8") for page in PAGES)))
    assert names <= {*VARIABLES.values(), "PIPETWIN_"}


UNITS = {"MiB": 2**20, "KiB": 2**10, "s": 1, "": 1}


def test_the_limits_are_the_defaults() -> None:
    """Each row of the table: flags, and a number for each."""
    rows = re.findall(r"^\|[^|]+\| ((?:`--[a-z-]+`(?:, )?)+) \| ([^|]+) \|", README, re.MULTILINE)
    checked = {}
    for flags, numbers in rows:
        said = re.findall(r"([0-9][0-9,]*) ?(MiB|KiB|s)?(?:,|$)", numbers.strip().replace(", the processors", ","))
        for flag, (number, unit) in zip(re.findall(r"--([a-z-]+)", flags), said, strict=False):
            checked[flag] = int(number.replace(",", "")) * UNITS[unit]
    default = Settings()
    assert checked == {flag: getattr(default, flag.replace("-", "_")) for flag in checked}
    assert len(checked) == 9


def test_what_converts_is_what_the_page_of_estimators_counts() -> None:
    page = (ROOT / "convert" / "COVERAGE.md").read_text("utf-8")
    bit, ulp, refused = (int(number) for number in re.findall(r"^## (?:bit|ulp|refused): (\d+)$", page, re.MULTILINE))
    assert f"{bit + ulp} of the {bit + ulp + refused} estimators" in README


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A classifier of two numbers."""
    folder = tmp_path_factory.mktemp("models") / "flights"
    bundles.classifier(folder, bundles.numbers(("x", "y")))
    return load(folder)


def test_every_route_answers(model: Model) -> None:
    service = app(model)
    table = README[README.index("| route | answers |") : README.index("The same port speaks")]
    told = [
        (
            line.split("`")[1].split()[0],
            re.findall(r"`(?:GET |POST )?(/[^`]*)`", line.rpartition("|")[0].rpartition("|")[0]),
        )
        for line in table.splitlines()[2:]
        if line
    ]
    assert {method for method, _ in told} == {"GET", "POST"}
    for method, paths in told:
        assert paths
        for path in paths:
            place = path.format(name="flights", version=model.version)
            answer = get(service, place) if method == "GET" else post(service, place, {"x": 1.0, "y": 2.0})
            assert answer.status == 200, path


class Winsorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Cuts what lies far out, as the README's example."""

    def fit(self, X: Any, y: Any = None) -> "Winsorizer":
        self.low_, self.high_ = np.quantile(X, [0.05, 0.95], axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return np.clip(X, self.low_, self.high_)


def test_the_code_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks one after the other, the last first, for the pipeline has an estimator of its own."""
    monkeypatch.chdir(tmp_path)
    convert_it, embed, extend = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["a", "b"])
    told: dict[str, Any] = {
        "Winsorizer": Winsorizer,
        "sample": frame,
        "frame": frame,
        "body": b'{"a": 0.5, "b": 7}',
        "other_asgi_app": Starlette(),
    }
    exec(extend, told)
    told["pipeline"] = make_pipeline(StandardScaler(), Winsorizer(), LogisticRegression()).fit(frame, frame["a"] > 0)
    exec(convert_it, told)
    exec(embed, told)
    assert post(told["other_asgi_app"], "/score/predict", {"a": 0.5, "b": 7}).json()["prediction"] is True
    assert get(told["site"], "/health").status == 200
