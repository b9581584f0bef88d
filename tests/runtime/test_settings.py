"""Settings come from the environment and from flags, and an error names which and the value."""

import pytest

from runtime import SettingsError
from runtime.settings import VARIABLES, Settings, read_settings


def test_nothing_said() -> None:
    assert read_settings({}, {}) == Settings(
        models="", host="127.0.0.1", port=8000, body_limit=16 * 2**20, access_log=True
    )


def test_flags_win() -> None:
    environment = {"PIPETWIN_PORT": "9000", "PIPETWIN_HOST": "0.0.0.0", "PIPETWIN_MODELS": "a", "OTHER": "x"}
    found = read_settings(environment, {"port": "9001", "access_log": "false"})
    assert found == Settings(models="a", host="0.0.0.0", port=9001, access_log=False)


def test_a_flag_spares_a_bad_variable() -> None:
    assert read_settings({"PIPETWIN_PORT": "x"}, {"port": "1"}).port == 1


def test_there_are_few() -> None:
    assert len(VARIABLES) == len(Settings.__struct_fields__) <= 32


def test_shares_of_aliases() -> None:
    found = read_settings({}, {"split": "production=95, staging=5", "split_header": "X-User", "shadow": "m@staging"})
    assert found.split == (("production", 95), ("staging", 5))
    assert (found.split_header, found.shadow) == ("x-user", ("m", "staging"))


def test_they_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("PIPETWIN_PORT", "x", "an integer from 0 to 65535"),
        ("PIPETWIN_PORT", "", "an integer from 0 to 65535"),
        ("PIPETWIN_PORT", "65536", "an integer from 0 to 65535"),
        ("PIPETWIN_PORT", "-1", "an integer from 0 to 65535"),
        ("PIPETWIN_PORT", "1.5", "an integer from 0 to 65535"),
        ("PIPETWIN_HOST", "", "a host's name or address"),
        ("PIPETWIN_MODEL_NAME", "A/b", "a name that matches [a-z0-9][a-z0-9._-]{0,62}"),
        ("PIPETWIN_PREDICT_ROUTE", "score", "a path"),
        ("PIPETWIN_HEALTH_ROUTE", "/{name}", "a path"),
        ("PIPETWIN_MODELS", "", "a folder"),
        ("PIPETWIN_BODY_LIMIT", "0", "a number of bytes, 1 or more"),
        ("PIPETWIN_BODY_LIMIT", "16MiB", "a number of bytes, 1 or more"),
        ("PIPETWIN_ROWS_LIMIT", "0", "a number of rows, 1 or more"),
        ("PIPETWIN_TEXT_LIMIT", "x", "a number of characters, 1 or more"),
        ("PIPETWIN_THREADS", "257", "an integer from 0 to 256"),
        ("PIPETWIN_QUEUE", "-1", "an integer from 0 to 1000000"),
        ("PIPETWIN_SPLIT", "production", "aliases with shares that add up to 100, production=95,staging=5 say"),
        ("PIPETWIN_SPLIT", "a=95,b=6", "aliases with shares that add up to 100, production=95,staging=5 say"),
        ("PIPETWIN_SPLIT", "a=50,a=50", "aliases with shares that add up to 100, production=95,staging=5 say"),
        ("PIPETWIN_SPLIT", "a=101,b=-1", "aliases with shares that add up to 100, production=95,staging=5 say"),
        ("PIPETWIN_SPLIT_HEADER", "x y", "a header's name"),
        ("PIPETWIN_SHADOW", "staging", "a model and its alias, flights@staging say"),
        ("PIPETWIN_ACCESS_LOG", "maybe", "true or false"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variable: str, value: str, wanted: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({variable: value}, {})
    assert str(caught.value) == f"expected {variable} to be {wanted}, found {value!r}"


def test_a_bad_flag_is_named_with_its_value() -> None:
    with pytest.raises(SettingsError, match="expected --body-limit to be a number of bytes, 1 or more, found 'x'"):
        read_settings({"PIPETWIN_BODY_LIMIT": "5"}, {"body_limit": "x"})


def test_what_kubernetes_does_to_a_service_of_our_name() -> None:
    with pytest.raises(SettingsError, match=r"expected PIPETWIN_PORT .*, found 'tcp://10.0.0.1:80'; Kubernetes sets"):
        read_settings({"PIPETWIN_PORT": "tcp://10.0.0.1:80"}, {})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False), ("1", True), ("0", False)])
def test_truth(text: str, value: bool) -> None:
    assert read_settings({"PIPETWIN_ACCESS_LOG": text}, {}).access_log is value


@pytest.mark.parametrize("variable", ["PIPETWIN_PROT", "PIPETWIN_port", "PIPETWIN_X_PORT", "PIPETWIN_BACKGROUND"])
def test_a_variable_that_is_none_is_no_silence(variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({variable: "8001", "PIPETWIN_MODELS": "a"}, {"port": "9000"})
    said = str(caught.value)
    assert f"found {variable!r}" in said
    assert "PIPETWIN_PORT" in said
    assert ("PIPETWIN_SPLIT_HEADER" in said) is (variable == "PIPETWIN_BACKGROUND")  # nothing is near: all are named
    assert "8001" not in said  # it may have been meant as a secret


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PIPETWIN_SERVICE_HOST", "10.0.0.1"),
        ("PIPETWIN_SERVICE_PORT", "80"),
        ("PIPETWIN_SERVICE_PORT_HTTP", "80"),
        ("PIPETWIN_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("PIPETWIN_PORT_80_TCP_PROTO", "tcp"),
        ("PIPETWIN_CANARY_SERVICE_HOST", "10.0.0.1"),
        ("PIPETWIN_CANARY_PORT", "tcp://10.0.0.1:80"),
        ("PIPETWIN_CANARY_PORT_80_UDP_ADDR", "10.0.0.1"),
        ("PIPETWINE", "red"),
    ],
)
def test_variables_of_services_are_not_ours(variable: str, value: str) -> None:
    """Kubernetes tells each container of every Service beside it, one of the name pipetwin-canary too."""
    assert read_settings({variable: value}, {}) == Settings()
