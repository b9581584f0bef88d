"""The gate itself: where its keys come from, and that every route states a policy."""

import logging
import os
from pathlib import Path

import pytest

from runtime import Model, SettingsError
from runtime.keys import key_line
from runtime.service import app, front, native
from runtime.service.access import Policy, gate_of, policy_of
from runtime.service.catalog import catalog
from runtime.service.exchange import Shared
from runtime.service.routing import ModelRoute
from runtime.service.serving import Serving


def test_a_route_without_a_policy_does_not_start(every: dict[str, Model], monkeypatch: pytest.MonkeyPatch) -> None:
    from litestar import get as route

    @route("/secret")
    async def secret() -> None:
        return None

    monkeypatch.setattr(front, "GROUPS", (*front.GROUPS, lambda serving: [secret]))
    with pytest.raises(TypeError, match=r"expected every route to state a policy, found \['/secret'\] without one"):
        app(every)


def test_a_route_of_a_dialect_without_a_policy_cannot_be_made(every: dict[str, Model]) -> None:
    with pytest.raises(TypeError, match="policy"):
        ModelRoute("/x", {"GET": native.predict}, native.problems)  # type: ignore[call-arg]
    both = {"GET": native.predict, "POST": native.predict}
    half = ModelRoute("/x", both, native.problems, {"GET": Policy.OPEN})
    with pytest.raises(TypeError, match="expected /x to state a policy for each method, found others"):
        Serving(catalog(every), Shared(1, None), [half])


def test_a_method_that_a_route_has_not_is_not_open() -> None:
    both = {"GET": Policy.OPEN, "POST": Policy.MODEL}
    assert policy_of(both, "GET") is Policy.OPEN
    assert policy_of(both, "BREW") is Policy.MODEL
    assert policy_of({"GET": Policy.OPEN}, "BREW") is Policy.OPEN
    assert policy_of(Policy.READ, "BREW") is Policy.READ


def test_a_file_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "keys"
    file.write_text(key_line("a", "k-a"))
    gate = gate_of(str(file), "")
    assert gate is not None
    with caplog.at_level(logging.INFO, "pipetwin"):
        gate.refresh()
        assert caplog.messages == []
        new = tmp_path / "new"
        new.write_text(key_line("a", "k-a") + "\n" + key_line("b", "k-b", admin=True))
        new.replace(file)
        gate.refresh()
        assert [key.name for key in gate.keys] == ["a", "b"]
        assert gate.administered
        file.write_text("k-c")  # broken, and a key at that
        gate.refresh()
        gate.refresh()
        os.unlink(file)
        gate.refresh()
        assert [key.name for key in gate.keys] == ["a", "b"]
        file.write_text(key_line("b", "k-b"))
        gate.refresh()
        assert [key.name for key in gate.keys] == ["b"]
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "2 keys are let in",
        "the keys stay as they are",
        "the keys stay as they are",
        "1 keys are let in",
    ]
    assert "k-c" not in caplog.text
    assert str(tmp_path) not in caplog.text


def test_where_keys_come_from(tmp_path: Path) -> None:
    assert gate_of("", "") is None
    lines = "\n".join(key_line(name, f"k-{name}") for name in ("a", "b"))
    said = gate_of("", lines)
    assert said is not None
    assert len(said.keys) == 2
    said.refresh()
    with pytest.raises(SettingsError, match="expected keys from a file or from PIPETWIN_API_KEYS, found both"):
        gate_of(str(tmp_path / "keys"), lines)
    with pytest.raises(SettingsError, match="expected line 1 of PIPETWIN_API_KEYS to be"):
        gate_of("", "k-all")
