"""What platforms say to the containers that they start, as settings.

Vertex AI says it by variables (source: googleapis model.proto, ModelContainerSpec), SageMaker by the bare argument
``serve``, a folder and variables (AWS "Use your own inference code"), KServe by arguments (python/kserve
kserve/model_server.py). All of them reach the container from outside.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .errors import SettingsError

__all__ = ["KSERVE_IGNORED", "SAGEMAKER_MODEL", "Said", "kserve", "platform", "sagemaker", "vertex"]

SAGEMAKER_MODEL = Path("/opt/ml/model")
"""Where SageMaker unpacks a model."""

KSERVE_IGNORED = (
    *("grpc_port", "enable_grpc", "grpc_max_send_message_length", "grpc_max_receive_message_length"),
    *("max_threads", "max_asyncio_workers", "enable_docs_url", "enable_latency_logging", "configure_logging"),
    *("log_config_file", "access_log_format", "protocol", "predictor_host", "predictor_protocol"),
    *("predictor_use_ssl", "predictor_request_timeout_seconds"),
)
"""Arguments of KServe's model servers that mean nothing here."""

_EVERYWHERE = "0.0.0.0"  # noqa: S104 (these platforms ask from outside the container)


class Said(NamedTuple):
    """A setting's text, and what it came from."""

    origin: str
    text: str


def platform(environment: Mapping[str, str], *, folder: bool, serve: bool, model: Path) -> dict[str, Said]:
    """The settings that Vertex AI or SageMaker say; none elsewhere.

    folder: whether a folder of models was given as an argument, and so another is not looked at.
    serve: whether the argument ``serve`` was given.
    model: SAGEMAKER_MODEL, but for tests. Raises SettingsError.
    """
    if "AIP_HTTP_PORT" in environment or "AIP_PREDICT_ROUTE" in environment:
        return vertex(environment, folder=folder)
    return sagemaker(environment, model) if serve and not folder else {}


def vertex(environment: Mapping[str, str], *, folder: bool) -> dict[str, Said]:
    """The AIP_ variables. Both routes are by default
    ``/v1/endpoints/$AIP_ENDPOINT_ID/deployedModels/$AIP_DEPLOYED_MODEL_ID:predict``. Raises SettingsError for a bucket.
    """
    found = {"host": Said("Vertex AI", _EVERYWHERE), "port": Said("AIP_HTTP_PORT", "8080")}
    parts = environment.get("AIP_ENDPOINT_ID"), environment.get("AIP_DEPLOYED_MODEL_ID")
    default = "/v1/endpoints/{}/deployedModels/{}:predict".format(*parts) if all(parts) else ""
    for setting, variable, otherwise in (
        ("port", "AIP_HTTP_PORT", ""),
        ("predict_route", "AIP_PREDICT_ROUTE", default),
        ("health_route", "AIP_HEALTH_ROUTE", default),
        ("models", "AIP_STORAGE_URI", ""),
    ):
        if text := environment.get(variable) or otherwise:
            found[setting] = Said(variable, text)
    if folder:
        found.pop("models", None)
    if "models" in found and "://" in found["models"].text:
        raise SettingsError(
            "expected AIP_STORAGE_URI to be a folder, for no bucket is read here, found "
            f"{found['models'].text[:64]!r}: build the models into the image and upload it without an artifact URI, "
            "or name their folder as the container's argument"
        )
    return found


def sagemaker(environment: Mapping[str, str], model: Path) -> dict[str, Said]:
    """The folder that SageMaker unpacked a model to, and its port: 8080, or SAGEMAKER_BIND_TO_PORT. Nothing where
    neither is there."""
    found: dict[str, Said] = {}
    if model.is_dir() and any(model.iterdir()):
        found["models"] = Said("serve", str(model))
    port = environment.get("SAGEMAKER_BIND_TO_PORT")
    if found or port:
        found |= {"host": Said("serve", _EVERYWHERE), "port": Said("SAGEMAKER_BIND_TO_PORT", port or "8080")}
    return found


def kserve(arguments: Mapping[str, str]) -> dict[str, Said]:
    """Arguments of KServe's model servers, by name; nothing where none is given. Its servers listen everywhere, on
    port 8080."""
    if not arguments:
        return {}
    found = {"host": Said("KServe", _EVERYWHERE), "port": Said("--http_port", "8080")}
    for name, setting in (("model_name", "model_name"), ("model_dir", "models"), ("http_port", "port")):
        if name in arguments:
            found[setting] = Said(f"--{name}", arguments[name])
    return found
