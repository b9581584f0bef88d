"""API keys: made, kept as hashes, read; and every way that a file of them can be wrong."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import SettingsError
from runtime.__main__ import main
from runtime.keys import LARGEST, Key, key_line, new_key, read_key_file, read_keys, whose
from runtime.manifest import NAME

NAMES = st.from_regex(NAME, fullmatch=True)


def test_a_new_key_is_new_and_long() -> None:
    found = {new_key() for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch(r"ptw_[A-Za-z0-9_-]{43}", key) for key in found)


@given(st.lists(st.tuples(NAMES, st.lists(NAMES | st.just("*"), min_size=1), st.booleans()), min_size=1, max_size=5))
def test_lines_read_back(said: list[tuple[str, list[str], bool]]) -> None:
    said = list({name: (name, models, admin) for name, models, admin in said}.values())
    made = [(new_key(), *one) for one in said]
    text = "# ours\n\n" + "\n".join(key_line(name, key, models, admin=admin) for key, name, models, admin in made)
    keys = read_keys(text, "here")
    digests = [hashlib.sha256(key.encode()).digest() for key, *_ in made]
    assert keys == tuple(
        Key(name, digest, frozenset(models), admin)
        for digest, (_, name, models, admin) in zip(digests, made, strict=True)
    )
    assert read_keys(text.replace("\n", ";"), "here") == read_keys(text.replace("\n", "\r\n"), "here") == keys
    for (key, *_), found in zip(made, keys, strict=True):
        assert whose(keys, key.encode()) is found
        assert key not in text
    assert whose(keys, new_key().encode()) is None


def test_a_key_sees_its_models() -> None:
    assert Key("a", b"", frozenset({"m"})).sees("m")
    assert not Key("a", b"", frozenset({"m"})).sees("n")
    assert Key("a", b"", frozenset({"*"})).sees("n")


@pytest.mark.parametrize("sent", ["k-0", "k-2", "k-4", "k-none", ""])
def test_it_takes_as_long_whichever_key_is_sent(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key is compared, in constant time, whether one before it was found or not."""
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    keys = read_keys(";".join(key_line(f"n{number}", f"k-{number}") for number in range(5)), "here")
    monkeypatch.setattr("hmac.compare_digest", compare)
    assert (whose(keys, sent.encode()) is None) == (sent in ("k-none", ""))
    assert compared == [(key.digest, hashlib.sha256(sent.encode()).digest()) for key in keys]


GOOD = key_line("ci", "secret", ["m"])


@pytest.mark.parametrize(
    "text",
    [
        "ptw_a-key-itself",
        "ci ptw_a-key-itself models=*",
        GOOD.replace("sha256:", "md5:"),
        GOOD[:-8],
        GOOD.replace("models=m", "models="),
        GOOD.replace("models=m", "models=m,,n"),
        GOOD.replace("models=m", "models=../m"),
        GOOD + " root",
        GOOD.replace("ci", "C I"),
        GOOD.upper(),
    ],
)
def test_a_line_that_is_wrong_is_numbered_and_not_quoted(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_keys(f"# first\n{text}\n", "the file")
    assert str(caught.value) == (
        "expected line 2 of the file to be NAME sha256:64-DIGITS models=NAMES and perhaps admin, found another; "
        "`python -m runtime key NAME` prints one"
    )


@pytest.mark.parametrize("other", [key_line("ci", "other"), key_line("other", "secret")])
def test_a_name_or_a_key_given_twice(other: str) -> None:
    with pytest.raises(SettingsError, match="expected each key of here once and names that differ, found line 2 again"):
        read_keys(f"{GOOD}\n{other}", "here")


@pytest.mark.parametrize("text", ["", "\n# nobody\n", ";;"])
def test_no_key_at_all(text: str) -> None:
    with pytest.raises(SettingsError, match="expected keys in here, found none"):
        read_keys(text, "here")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with pytest.raises(SettingsError, match=r"expected a file of keys at .*, found: No such file"):
        read_key_file(str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="to be text in UTF-8, found another encoding"):
        read_key_file(str(file))
    file.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(SettingsError, match=f"expected a file of keys of at most {LARGEST} bytes, found a larger one"):
        read_key_file(str(file))
    file.write_text(GOOD)
    assert read_key_file(str(file)) == GOOD
    os.chmod(file, 0o666)
    with pytest.raises(SettingsError, match="to be writable by its owner alone, found that everybody may add keys"):
        read_key_file(str(file))


@pytest.mark.parametrize(
    ("words", "models", "admin"), [([], ["*"], False), (["--models", "a,b", "--admin"], ["a", "b"], True)]
)
def test_the_command(words: list[str], models: list[str], admin: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "ci", *words], {}) == 0
    out, err = capsys.readouterr()
    match = re.fullmatch(r"the key, shown this once: (\S+)\n", err)
    assert match is not None
    assert out == key_line("ci", match[1], models, admin=admin) + "\n"


@pytest.mark.parametrize("words", [["C I"], ["ci", "--models", "../x"], ["ci", "--models", ""]])
def test_the_command_with_names_that_cannot_be(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", *words], {}) == 2
    assert "expected a name that matches" in capsys.readouterr().err


def test_making_a_key_needs_no_server() -> None:
    code = "import sys; from runtime.__main__ import main; main(['key', 'ci'], {}); print('litestar' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
