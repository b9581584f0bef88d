"""Aliases: swapped whole under a reader, with a history that leads back."""

import itertools
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from convert import WriteError
from convert.registry import aliases, check_alias, list_lines, list_versions, promote, rollback, show
from runtime import BundleError, DigestError, ModelNotFoundError
from runtime.bundle import find, read_bundle
from runtime.manifest import Feature
from tests.runtime import bundles


def made(model: Path, *names: str) -> None:
    """Versions, each a day after the one before."""
    for day, version in enumerate(names, 1):
        created = f"2026-11-{day:02}T00:00:00Z"
        bundles.regressor(model, bundles.numbers(["a", "b"]), version=version, created=created)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    made(tmp_path / "flights", "v1", "v2", "v3")
    return tmp_path / "flights"


def history(model: Path) -> list[list[str | None]]:
    entries = [json.loads(line) for line in (model / "aliases.jsonl").read_text().splitlines()]
    assert all(list(entry) == ["time", "alias", "from", "to", "action"] for entry in entries)
    return [[entry[key] for key in ("alias", "from", "to", "action")] for entry in entries]


def test_an_alias_is_a_relative_link(model: Path) -> None:
    """So that the model's folder can be moved."""
    assert promote(model, "v1") is None
    assert os.readlink(model / "production") == "v1"
    assert find(model) == (model / "v1").resolve()
    assert promote(model, "v3", "staging") is None
    assert promote(model, "v2") == "v1"
    assert aliases(model) == {"production": "v2", "staging": "v3"}
    assert history(model) == [
        ["production", None, "v1", "promote"],
        ["staging", None, "v3", "promote"],
        ["production", "v1", "v2", "promote"],
    ]
    assert sorted(os.listdir(model)) == ["aliases.jsonl", "production", "staging", "v1", "v2", "v3"]


def test_promoting_what_is_there_changes_nothing(model: Path) -> None:
    promote(model, "v1")
    assert promote(model, "v1") == "v1"
    assert len(history(model)) == 1


def test_rolling_back_twice_goes_further_back(model: Path) -> None:
    for version in ("v1", "v2", "v3"):
        promote(model, version)
    promote(model, "v1", "staging")
    assert rollback(model) == ("v3", "v2")
    assert rollback(model) == ("v2", "v1")
    assert said(model, "rollback") == (
        "expected an earlier version for the alias production of DIR, found none in its history: promote one"
    )
    assert aliases(model) == {"production": "v1", "staging": "v1"}
    assert history(model)[-2:] == [["production", "v3", "v2", "rollback"], ["production", "v2", "v1", "rollback"]]


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        ("1 2 < 3 <", "1"),
        ("1 2 1 <", "2"),
        ("1 2 1 < <", "1"),
        ("1 2 3 < < 3 <", "1"),
        ("1 2 3 < 1 <", "2"),
        ("1 1 2 2 <", "1"),
    ],
)
def test_a_history_is_walked_like_an_undo(steps: str, ends: str, model: Path) -> None:
    """What was promoted after a rollback hangs on where the rollback ended."""
    for step in steps.split():
        if step == "<":
            rollback(model)
        else:
            promote(model, f"v{step}")
    assert aliases(model) == {"production": f"v{ends}"}


def test_a_version_that_is_gone_is_passed_over(model: Path) -> None:
    for version in ("v1", "v2", "v3"):
        promote(model, version)
    shutil.rmtree(model / "v2")
    assert rollback(model) == ("v3", "v1")


def test_a_link_changed_by_hand_is_right(model: Path) -> None:
    """The history then leads back from where it points."""
    promote(model, "v1")
    (model / "production").unlink()
    (model / "production").symlink_to("v3")
    assert rollback(model) == ("v3", "v1")
    promote(model, "v2")
    (model / "production").unlink()
    (model / "production").symlink_to("v1")
    assert said(model, "rollback").endswith("found none in its history: promote one")


@pytest.mark.parametrize("cut", ['{"time": "2026', "\n", "[1]\n", "null\n", "\xff"])
def test_a_history_that_a_crash_cut_short_is_read(cut: str, model: Path) -> None:
    promote(model, "v1")
    promote(model, "v2")
    with open(model / "aliases.jsonl", "a", encoding="latin-1") as file:
        file.write(cut)
    promote(model, "v3")
    assert rollback(model) == ("v3", "v2")
    assert rollback(model) == ("v2", "v1")


def test_a_change_that_never_came_about_is_no_step(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is written first; where the link cannot be swapped then, it stays, and nothing is left beside it."""
    promote(model, "v1")
    promote(model, "v2")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
        assert said(model, "promote", "v3") == (
            "expected to write DIR/aliases.jsonl and an alias beside it, found: Read-only file system"
        )
    assert sorted(os.listdir(model)) == ["aliases.jsonl", "production", "v1", "v2", "v3"]
    assert rollback(model) == ("v2", "v1")


def links(model: Path) -> dict[str, str]:
    return {path.name: os.readlink(path) for path in model.iterdir() if path.is_symlink()} if model.is_dir() else {}


def said(model: Path, action: str, version: str = "v2", alias: str = "production") -> str:
    """The sentence of a change that is refused; the aliases stay as they were."""
    before = links(model)
    change = (lambda: promote(model, version, alias)) if action == "promote" else (lambda: rollback(model, alias))
    with pytest.raises((WriteError, BundleError, ModelNotFoundError)) as caught:
        change()
    assert links(model) == before
    return str(caught.value).replace(str(model), "DIR")


@pytest.mark.parametrize(
    "alias", ["", "Prod", "a/b", "..", "v1", "v7", "7", "20261122", "1.2.3", "aliases.jsonl", "a\n"]
)
def test_an_alias_has_a_grammar(alias: str, model: Path) -> None:
    """And does not look like a version."""
    assert said(model, "promote", alias=alias) == (
        "expected an alias of small letters, digits, '.', '_' and '-' that does not look like a version, found "
        f"{alias!r}: name it otherwise, say production or staging"
    )
    assert not (model / "aliases.jsonl").exists()


def test_a_folder_in_an_alias_place_is_left_alone(model: Path) -> None:
    """Object stores lose symlinks; such a copy serves, but it is nobody's to overwrite."""
    shutil.copytree(model / "v1", model / "production")
    for action in ("promote", "rollback"):
        assert said(model, action) == (
            "expected the alias DIR/production to be a symlink, found a folder, as copying through an object store "
            "leaves it: remove it, then promote again"
        )
    assert find(model) == model / "production"
    assert aliases(model) == {"production": "v1"}
    assert [(one.version, one.aliases) for one in list_versions(model)] == [
        ("v3", ()),
        ("v2", ()),
        ("v1", ("production",)),
    ]
    assert said(model, "promote", "production", "staging") == (
        "expected the version production in DIR/production, found a copy of v1"
    )


def test_a_file_in_an_alias_place_is_left_alone(model: Path) -> None:
    (model / "production").touch()
    assert said(model, "promote") == (
        "expected the alias DIR/production to be a symlink, found a file: remove it, then promote again"
    )


@pytest.mark.parametrize("version", ["v9", "production", "../flights/v1", ""])
def test_only_a_version_is_promoted(version: str, model: Path) -> None:
    promote(model, "v1")
    assert said(model, "promote", version, "staging") == (f"expected a version {version!r} in DIR, found v1, v2, v3")


def test_there_is_no_model(tmp_path: Path) -> None:
    assert said(tmp_path / "none", "promote") == "expected a version 'v2' in DIR, found no version"
    assert said(tmp_path / "none", "rollback") == (
        "expected the history of DIR's aliases, found none: promote a version first"
    )
    with pytest.raises(ModelNotFoundError, match=r"^expected a model with versions in .*none, found none$"):
        list_versions(tmp_path / "none")


def test_a_damaged_version_is_not_promoted(model: Path) -> None:
    """Nor rolled back to: the one that serves stays."""
    promote(model, "v2")
    promote(model, "v3")
    graph = model / "v2" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    for action in ("promote", "rollback"):
        assert said(model, action, "v2") == (
            "expected the bytes that DIR/v2/SHA256SUMS lists, found others in model.onnx: copy or convert the model "
            "again"
        )
    with pytest.raises(DigestError):
        rollback(model)


def test_a_reader_always_finds_a_version(model: Path) -> None:
    """While an alias is swapped 300 times, whoever opens it finds a whole bundle, one or the other."""
    promote(model, "v1")
    done = Event()

    def read() -> set[str]:
        seen = set()
        while not done.is_set():
            seen.add(read_bundle(find(model)).manifest.version)
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for swap in range(300):
                promote(model, ("v2", "v1")[swap % 2])
        finally:
            done.set()
    assert set().union(*(reader.result() for reader in readers)) == {"v1", "v2"}
    assert len(history(model)) == 301


def test_changes_at_once_make_one_history(model: Path) -> None:
    """Each starts where the one before ended, and the alias is where the last one ended."""
    promote(model, "v1")

    def change(number: int) -> None:
        promote(model, ("v1", "v2", "v3")[number % 3])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(120)))
    entries = history(model)
    assert all(one[2] == after[1] for one, after in itertools.pairwise(entries))
    assert os.readlink(model / "production") == entries[-1][2]


def test_versions_are_listed_newest_first(model: Path) -> None:
    promote(model, "v1")
    promote(model, "v1", "staging")
    (model / "v2" / "proof.json").unlink()
    (model / "old").symlink_to("v0")
    sizes = [sum(path.stat().st_size for path in (model / f"v{n}").iterdir()) for n in (3, 1, 2)]
    damaged = f"damaged: expected proof.json in the bundle {model / 'v2'}, found none: copy or convert the model again"
    assert [tuple(one) for one in list_versions(model)] == [
        ("v3", (), "2026-11-03T00:00:00Z", sizes[0], "level ulp on 3 rows"),
        ("v1", ("production", "staging"), "2026-11-01T00:00:00Z", sizes[1], "level ulp on 3 rows"),
        ("v2", (), "", sizes[2], damaged),
    ]
    lines = [line.split() for line in list_lines(model)]
    assert lines[0] == ["version", "created", "size", "proof", "aliases"]
    assert lines[2] == [
        "v1",
        "2026-11-01T00:00:00Z",
        f"{sizes[1]:,}",
        *["level", "ulp", "on", "3", "rows", "production,", "staging"],
    ]
    assert lines[3][:4] == ["v2", "?", f"{sizes[2]:,}", "damaged:"]
    assert lines[4:] == [["old", "->", "v0:", "no", "such", "version"]]


def test_a_version_is_shown(tmp_path: Path) -> None:
    """By its folder, by an alias, or the one that is served."""
    model = tmp_path / "flights"
    carrier = Feature("carrier", "category", 1, missing=True, categories=("AA", "UA"))
    inputs = (*bundles.numbers(["delay"], range=(0.0, 5.0)), carrier)
    made_with = {"scikit-learn": "1.9.1", "numpy": "2.4.6"}
    bundles.classifier(model, inputs, ("late", "on time"), version="v1", trained_with=made_with)
    promote(model, "v1", "staging")
    bundle = read_bundle(model / "v1")
    expected = [
        f"v1, created 2026-11-22T11:03:05Z, in {model.resolve() / 'v1'}",
        "classifier: Test",
        f"graph of {len(bundle.graph):,} bytes, bundle digest {bundle.digest}",
        "trained with numpy 2.4.6, scikit-learn 1.9.1",
        "inputs:",
        "  delay: number, from -10 to 10 in the sample, refused outside 0 to 5",
        "  carrier: category, 2 categories, may be missing",
        "outputs:",
        "  predict: <U7",
        "  predict_proba: float64[2]",
        "  classes: late, on time",
        "proof:",
        *(f"  {line}" for line in str(bundle.proof).splitlines()),
    ]
    places: Sequence[Path | str] = (model, str(model), model / "v1", model / "staging", f"{model}@staging")
    for where in places:
        assert show(where) == expected


def test_a_version_whose_rows_stay_together_is_shown_as_such() -> None:
    topics = Path(__file__).parents[1] / "formats" / "3" / "topics"
    assert "rows of a request are answered together: an answer depends on the rows beside it" in show(topics)


def test_an_alias_can_be_checked_beforehand(tmp_path: Path) -> None:
    """Before a conversion of minutes, where there may be no model yet."""
    check_alias(tmp_path / "none", "production")
    with pytest.raises(WriteError, match="found 'v2'"):
        check_alias(tmp_path / "none", "v2")
