"""A folder becomes a checked bundle, or an error that says which file and what to do."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from runtime import BundleError, CanaryError, DigestError, Model, ModelNotFoundError, ProtocolError, load
from runtime.bundle import find, models, read_bundle, sums, versions
from runtime.manifest import PROTOCOL
from runtime.proof import Proof

from . import bundles

FILES = ("model.onnx", "manifest.json", "proof.json", "SHA256SUMS")
INPUTS = bundles.numbers(("x", "y"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version's folder."""
    return bundles.classifier(tmp_path / "model", INPUTS)


def rewrite(folder: Path, name: str, **changes: Any) -> None:
    """Change the JSON of a file and sign it anew."""
    path = folder / name
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | changes))
    (folder / "SHA256SUMS").write_bytes(sums({name: (folder / name).read_bytes() for name in FILES[:3]}))


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_refused(folder: Path, name: str) -> None:
    text = (folder / name).read_bytes()
    for place in {0, len(text) // 2, len(text) - 1}:
        (folder / name).write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        with pytest.raises(
            DigestError, match=f"expected the bytes that .*SHA256SUMS lists|expected {name}|expected .* in the bundle"
        ):
            load(folder)
    (folder / name).write_bytes(text)
    load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(
        DigestError, match=f"expected {name} in the bundle .*, found none: copy or convert the model again"
    ):
        read_bundle(folder)


def test_a_changed_file_is_named(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(DigestError, match=r"found others in model.onnx: copy or convert the model again"):
        load(folder)


def test_a_newer_protocol_is_refused(folder: Path) -> None:
    rewrite(folder, "manifest.json", protocol=PROTOCOL + 1)
    with pytest.raises(
        ProtocolError, match=f"protocol {PROTOCOL} or older, found {PROTOCOL + 1} in .*: update pipetwin"
    ):
        load(folder)


@pytest.mark.parametrize("protocol", [0, -1])
def test_a_protocol_that_never_was_is_refused(folder: Path, protocol: int) -> None:
    rewrite(folder, "manifest.json", protocol=protocol)
    with pytest.raises(BundleError, match=f"expected a bundle of protocol 1 to {PROTOCOL}, found {protocol} in "):
        load(folder)


def test_a_newer_protocol_may_look_otherwise(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(msgspec.json.encode({"protocol": PROTOCOL + 1, "shape": "new"}))
    (folder / "SHA256SUMS").write_bytes(sums({name: (folder / name).read_bytes() for name in FILES[:3]}))
    with pytest.raises(ProtocolError):
        load(folder)


def test_a_proof_of_other_bytes_is_refused(folder: Path) -> None:
    rewrite(folder, "proof.json", graph_sha256=hashlib.sha256(b"another").hexdigest())
    with pytest.raises(BundleError, match=r"expected a proof of .*model.onnx .*, found one of another graph"):
        load(folder)


def test_wrong_canary_answers_are_refused(folder: Path) -> None:
    proof = msgspec.json.decode((folder / "proof.json").read_bytes(), type=Proof)
    proba = np.array(proof.canary.answers["predict_proba"])
    proba[1, 0] += 1e-9
    answers = proof.canary.answers | {"predict_proba": proba.tolist()}
    rewrite(folder, "proof.json", canary={"rows": proof.canary.rows, "answers": answers})
    with pytest.raises(CanaryError, match=r"expected predict_proba to answer 3 canary rows as proven at level ulp"):
        load(folder)


def test_canary_answers_within_the_bound_are_taken(folder: Path) -> None:
    proof = msgspec.json.decode((folder / "proof.json").read_bytes(), type=Proof)
    proba = np.nextafter(np.array(proof.canary.answers["predict_proba"]), 1)
    answers = proof.canary.answers | {"predict_proba": proba.tolist()}
    rewrite(folder, "proof.json", canary={"rows": proof.canary.rows, "answers": answers})
    load(folder)
    rewrite(folder, "proof.json", level="bit")
    with pytest.raises(CanaryError, match="level bit"):
        load(folder)


@pytest.mark.parametrize(
    ("rows", "answers"),
    [
        ([[1.0]], {"predict": [0]}),
        ([["a", 1.0]], {"predict": [0]}),
        ([[None, 1.0]], {"predict": [0]}),
        ([[1.0, 1.0]], {"predict_proba": [[0.5]]}),
        ([[1.0, 1.0]], {"transform": [[0.5]]}),
        ([], {"predict": []}),
        ([[1.0, 1.0]], {"predict": [7]}),
    ],
)
def test_canary_rows_of_another_shape_are_refused(folder: Path, rows: Any, answers: Any) -> None:
    rewrite(folder, "proof.json", canary={"rows": rows, "answers": answers})
    with pytest.raises(CanaryError):
        load(folder)


def test_a_canary_may_answer_what_is_not_a_number(tmp_path: Path) -> None:
    """NaN has a sign, which means nothing."""
    folder = bundles.transformer(tmp_path / "m", bundles.numbers(("x", "y"), missing=True, infinite=True))
    answers = {"transform": [["nan", "inf"], ["-inf", -0.0]]}
    rewrite(folder, "proof.json", level="bit", canary={"rows": [[None, 1e308], [-1e308, -0.0]], "answers": answers})
    load(folder)


@pytest.mark.parametrize("name", ["manifest.json", "proof.json"])
@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"protocol": "1"}', b"null"])
def test_what_is_no_manifest_or_proof_is_refused(folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text)
    (folder / "SHA256SUMS").write_bytes(sums({name: (folder / name).read_bytes() for name in FILES[:3]}))
    with pytest.raises(BundleError, match=f"expected a bundle's .* in .*{name}"):
        load(folder)


def test_a_field_of_the_future_is_refused(folder: Path) -> None:
    rewrite(folder, "manifest.json", something="new")
    with pytest.raises(BundleError, match="something"):
        load(folder)


@pytest.mark.parametrize("version", ["", "a b", "1\r\nx: y", "é", "../1", "v" * 64])
def test_a_version_has_a_grammar(folder: Path, version: str) -> None:
    rewrite(folder, "manifest.json", version=version)
    with pytest.raises(BundleError, match="expected a version that matches"):
        load(folder)


@pytest.mark.parametrize("budget", [0.0, -1.0])
def test_a_budget_that_nothing_can_keep_is_refused(folder: Path, budget: float) -> None:
    rewrite(folder, "manifest.json", budget_p95_us=budget)
    with pytest.raises(BundleError, match=rf"expected a budget of more than 0 µs in .*, found {budget:g}: convert"):
        load(folder)


def test_positions_must_be_all_there(folder: Path) -> None:
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    manifest["inputs"][1]["position"] = 2
    rewrite(folder, "manifest.json", inputs=manifest["inputs"])
    with pytest.raises(BundleError, match=r"positions 0 to 1, found \[0, 2\]"):
        load(folder)


def test_a_graph_that_is_none_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no graph")
    rewrite(folder, "proof.json", graph_sha256=hashlib.sha256(b"no graph").hexdigest())
    with pytest.raises(BundleError, match="expected a graph that may be served"):
        load(folder)


def test_a_manifest_of_another_graph_is_refused(folder: Path, tmp_path: Path) -> None:
    other = bundles.regressor(tmp_path / "other", bundles.numbers(("x", "y", "z")))
    shutil.copy(other / "model.onnx", folder)
    rewrite(folder, "proof.json", graph_sha256=hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest())
    with pytest.raises(BundleError, match="expected the graph to take 2 columns and to answer label, proba"):
        load(folder)


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", "..", "SHA256SUMS"])
def test_sums_name_plain_files(folder: Path, name: str) -> None:
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(DigestError, match="plain file names"):
        load(folder)


def test_further_files_are_checked_if_they_are_listed(folder: Path) -> None:
    (folder / "portable.onnx").write_bytes(b"x")
    read_bundle(folder)
    (folder / "SHA256SUMS").write_bytes(
        sums({path.name: path.read_bytes() for path in folder.iterdir() if path.name != "SHA256SUMS"})
    )
    read_bundle(folder)
    (folder / "portable.onnx").write_bytes(b"y")
    with pytest.raises(DigestError, match=r"portable\.onnx"):
        read_bundle(folder)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match=r"expected to read a bundle in .*, found: "):
        read_bundle(tmp_path / "file")


def test_the_production_alias_wins_over_the_newest(tmp_path: Path) -> None:
    old = bundles.classifier(tmp_path / "m", INPUTS, version="1", created="2026-01-01T00:00:00Z")
    new = bundles.classifier(tmp_path / "m", INPUTS, version="2", created="2026-02-01T00:00:00Z")
    assert find(tmp_path / "m") == new
    (tmp_path / "m" / "production").symlink_to("1")
    assert find(tmp_path / "m") == old
    assert load(tmp_path / "m").version == "1"
    assert versions(tmp_path / "m") == [old, new]


def test_newest_is_what_was_created_last(tmp_path: Path) -> None:
    last = bundles.classifier(tmp_path / "m", INPUTS, version="a", created="2026-03-01T00:00:00Z")
    bundles.classifier(tmp_path / "m", INPUTS, version="z", created="2026-02-01T00:00:00Z")
    assert find(tmp_path / "m") == last


def test_an_alias_is_a_link_or_a_copied_folder(tmp_path: Path) -> None:
    version = bundles.classifier(tmp_path / "m", INPUTS)
    (tmp_path / "m" / "staging").symlink_to(version.name)
    shutil.copytree(version, tmp_path / "m" / "canary")
    for alias in ("staging", "canary", version.name):
        model = load(f"{tmp_path}/m@{alias}")
        assert (model.version, model.name) == (version.name, "m")


@pytest.mark.parametrize("where", ["nothing", "m@nothing", "m@../m", "m@", "empty"])
def test_what_is_not_there_is_not_found(tmp_path: Path, where: str) -> None:
    bundles.classifier(tmp_path / "m", INPUTS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFoundError, match=r"expected .*, found "):
        load(f"{tmp_path}/{where}")


def test_a_model_has_its_folders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = bundles.classifier(tmp_path / "flights", INPUTS)
    assert load(tmp_path / "flights").name == "flights"
    monkeypatch.chdir(version)
    assert load(".").name == "flights"
    shutil.copytree(version, tmp_path / "Not A Name" / "1")
    assert load(tmp_path / "Not A Name" / "1").name == "default"


def test_a_bundles_file_is_no_bundle(folder: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"one of its versions in .*model.onnx, found a file"):
        load(folder / "model.onnx")


def test_models_are_the_folders_with_versions(root: Path) -> None:
    assert list(models(root)) == ["both", "cost", "costs", "flights", "twice"]
    assert models(root / "flights") == {}
    assert models(root / "nothing") == {}


def test_loading_writes_nothing(folder: Path) -> None:
    before = {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(folder)}
    load(folder).close()
    assert before == {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(folder)}


def test_a_closed_model_says_so(folder: Path) -> None:
    model = load(folder)
    model.close()
    with pytest.raises(RuntimeError, match="expected an open model"):
        model.predict([[1.0, 2.0]])


def test_a_bundle_in_memory_has_a_name(folder: Path) -> None:
    assert Model(read_bundle(folder)._replace(name="other")).name == "other"
