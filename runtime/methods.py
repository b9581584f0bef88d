"""The pipeline's methods, each there only where the pipeline has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .manifest import STD
from .reading import lists_one

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Method", "Predict"]


class Method:
    """A method that a model offers only where its pipeline does, like scikit-learn's ``available_if``."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: Model | None, owner: type) -> Callable[[Any], Any]:
        if model is None:
            return self  # type: ignore[return-value]
        output = model.manifest.output(self.name)
        if output is None:
            offered = ", ".join(output.method for output in model.manifest.outputs)
            reason = model.proof.left_out.get(self.name)
            why = f" and left this out, for {reason}" if reason else ""
            raise AttributeError(
                f"this model has no {self.name}: its pipeline offers {offered}{why}", name=self.name, obj=model
            )
        found, listed = output, lists_one(model.manifest, output)

        def method(X: Any) -> Any:
            answer = model.apply(found, X)
            return [answer] if listed else answer

        method.__name__ = self.name
        return method


class Predict(Method):
    """``predict``, with ``return_std`` where the model was converted with it."""

    def __get__(self, model: Model | None, owner: type) -> Callable[..., Any]:
        method = super().__get__(model, owner)
        if model is None:
            return method
        found = model

        def predict(X: Any, return_std: bool = False) -> Any:
            if not return_std:
                return method(X)
            mean, std = found.manifest.output("predict"), found.manifest.output(STD)
            if mean is None or std is None:
                raise TypeError(
                    "expected a model that was converted with return_std, found one without: convert it again with "
                    "--return-std, where its pipeline has standard deviations"
                )
            return tuple(found.together((mean, std), found.tensors.of(X)))

        return predict
