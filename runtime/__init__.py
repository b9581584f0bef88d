"""Load a model that ``convert`` wrote, and predict with it: no scikit-learn, no pickle, no training stack."""

from .errors import (
    BundleError,
    CanaryError,
    DigestError,
    FieldError,
    InputError,
    ModelNotFoundError,
    PipetwinError,
    ProtocolError,
    SettingsError,
)
from .model import Model, load

__all__ = [
    "BundleError",
    "CanaryError",
    "DigestError",
    "FieldError",
    "InputError",
    "Model",
    "ModelNotFoundError",
    "PipetwinError",
    "ProtocolError",
    "SettingsError",
    "load",
]
