"""The synthetic rows that a model is asked again before it serves, with the pipeline's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_feature
from numpy.typing import NDArray

from runtime.dates import times
from runtime.model import Model
from runtime.proof import Canary
from runtime.reading import plain

from .asked import some, taken
from .bounds import Bounds
from .dates import cells as time_cells
from .errors import UnsupportedError
from .lower.scope import Scope
from .parity import ULP
from .probes import canary_rows
from .reference import Signature
from .settled import settle
from .shaken import Shaken

__all__ = ["Canaries"]

MORE = 16
"""Times as many are drawn where the pipeline takes none: each value may be taken by itself, and hardly any of them
together."""


@dataclass(frozen=True)
class Canaries:
    """rows: as a proof has them. frame: as the pipeline takes them. answers: the pipeline's, to all of them together,
    by method."""

    rows: tuple[tuple[Any, ...], ...]
    frame: pd.DataFrame
    answers: dict[str, Any]
    pipeline: Any
    signature: Signature
    floors: dict[str, float]
    scope: Scope

    @classmethod
    def drawn(
        cls,
        pipeline: Any,
        signature: Signature,
        twin: Model,
        tables: dict[int, list[Any]],
        count: int,
        floors: dict[str, float],
        scope: Scope,
        shaken: Shaken,
    ) -> "Canaries":
        """So many at most, as the pipeline takes them; rows with a near tie are left out, and those that roundings
        move by more than the bound, for another processor may answer them otherwise. Where all of them do they stay:
        without any the model could not be loaded. Raises UnsupportedError where the pipeline takes none."""
        methods = [output.method for output in twin.manifest.outputs]
        for drawn in (count, count * MORE):
            rows = canary_rows(signature.features, tables, drawn)
            batches = [batch for batch, _ in taken(pipeline, signature, methods, _framed(signature, rows))]
            if batches:
                break
        else:
            raise UnsupportedError(
                f"expected a pipeline that takes rows drawn from what each feature takes by itself, found that it "
                f"refuses {drawn} of {drawn}: without any a model cannot be checked when it is loaded; let its "
                "encoders take unseen categories (handle_unknown) and its imputers missing values, and give a search "
                "within a radius an outlier_label"
            )
        frame = max(batches, key=len)
        if len(frame) < len(rows) or drawn > count:
            # What is taken by itself, or among more, may be refused in this company; then it stays as it was asked.
            cut = (frame if scope.whole else pd.concat(batches)).iloc[:count]
            frame = max((batch for batch, _ in taken(pipeline, signature, methods, cut)), key=len, default=frame)
        found = cls(tuple(rows[index] for index in frame.index), frame, {}, pipeline, signature, floors, scope)
        found = found._asked(methods)
        given = twin.tensors.of(signature.given(frame))
        bounds = Bounds.of(scope, given, (len(frame),), shaken)
        tied = bounds.tied(found.answers, floors)
        hanging = bounds.undecided if tied is None else bounds.undecided | tied
        for output in twin.manifest.outputs:
            moved = bounds.moved(output, floors.get(output.method), ~hanging)
            hanging = hanging | (moved > ULP)
        return found.some(~hanging)

    def some(self, wanted: NDArray[np.bool_]) -> "Canaries":
        """Those of some rows; all where none is wanted."""
        if wanted.all() or not wanted.any():
            return self
        kept = np.flatnonzero(wanted)
        answers = {method: some(found, kept) for method, found in self.answers.items()}
        part = replace(
            self, rows=tuple(self.rows[row] for row in kept.tolist()), frame=self.frame.iloc[kept], answers=answers
        )
        return part._asked(list(answers)) if self.scope.whole else part

    def proof(self) -> Canary:
        return Canary(self.rows, {method: plain(found) for method, found in self.answers.items()})

    def _asked(self, methods: Sequence[str]) -> "Canaries":
        answers = {method: self.signature.ask(self.pipeline, method, self.frame) for method in methods}
        answers, _ = settle(self.pipeline, self.signature, self.frame, answers, self.floors, self.scope)
        return replace(self, answers=answers)


def _framed(signature: Signature, rows: tuple[tuple[Any, ...], ...]) -> pd.DataFrame:
    """Rows as a proof has them in the sample's columns, numbered."""
    live = [feature for feature in signature.features if feature.position is not None]
    frame = signature.frame.iloc[[0] * len(rows)].reset_index(drop=True)
    by_name = dict(zip((feature.name for feature in signature.features), frame.columns, strict=True))
    for index, feature in enumerate(live):
        cells = pd.Series([row[index] for row in rows], dtype=object)
        if feature.kind in ("category", "text"):
            cells[cells.isna()] = signature.marker(feature)
        elif feature.kind == "date":
            found = times(list(cells), replace_feature(feature, unknown=True))  # its table is the manifest's
            cells = pd.Series(time_cells(frame[by_name[feature.name]], found))
        elif feature.kind == "number" or cells.isna().any():
            cells = cells.astype(np.float64)
        else:
            cells = cells.astype(bool)
        frame[by_name[feature.name]] = cells
    return frame
