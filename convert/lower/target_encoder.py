"""TargetEncoder: a category becomes the target's mean where it stood; the fitted encoder is asked for its table."""

from sklearn.preprocessing import TargetEncoder

from . import lowers
from .encode import encode
from .matrix import Matrix
from .tables import ask


@lowers(TargetEncoder, method="transform")
def target_encoder(encoder: TargetEncoder, x: Matrix) -> Matrix:
    """A number a column, or with several classes one for each of them, side by side."""
    width = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    return encode(x, ask(encoder, [width] * x.width, x))
