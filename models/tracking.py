"""A training as an MLflow run: the only file that knows MLflow, and it is imported only when it is asked for."""

import os
from collections.abc import Mapping
from typing import Any

from .errors import TrackingError

__all__ = ["open_experiment", "track"]


def open_experiment(uri: str, name: str) -> None:
    """Reaches the tracking server or database, so that a long training does not end in a TrackingError."""
    # MLflow reports its use to its makers from the import on; who wants that sets the variable.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise TrackingError(
            f'expected MLflow to be installed for --mlflow, found: {error}; install it with: pip install "mlflow>=3.5"'
        ) from error
    try:
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment(name)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"expected an MLflow server or database at {uri}, found: {_reason(error)}; "
            "give --mlflow one that can be reached, as sqlite:///build/runs.db or http://localhost:5000"
        ) from error


def track(pipeline: Any, parameters: Mapping[str, object], metrics: Mapping[str, float]) -> None:
    """Writes one run with its parameters, metrics and the model to the experiment that was opened."""
    import mlflow
    import mlflow.sklearn
    from mlflow.exceptions import MlflowException

    try:
        with mlflow.start_run():
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics(dict(metrics))
            # Named, because MLflow 3 changed its default to skops, which refuses a forest unless its types are listed.
            mlflow.sklearn.log_model(pipeline, name="pipeline", serialization_format="cloudpickle")
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"expected MLflow to take the run, found: {_reason(error)}; the files are written, only the run is not kept"
        ) from error


def _reason(error: Exception) -> str:
    # What MLflow passes on may be pages long; its first sentence says what is the matter.
    first = (str(error).splitlines() or [""])[0].split(". ")[0].strip(" .")
    return first or type(error).__name__
