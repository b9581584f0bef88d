"""Images are no rows of columns."""

from typing import Any

from sklearn.feature_extraction.image import PatchExtractor

from . import lacks


@lacks(PatchExtractor, method="transform")
def several_rows_an_image(extractor: Any) -> str:
    return (
        "expected a row of answers for each row, found PatchExtractor, which makes many rows of one image: extract the "
        "patches before, and convert what comes after it"
    )
