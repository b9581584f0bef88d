"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import joblib
import pandas as pd

from .errors import OutputError

__all__ = ["check_writable", "write_pipeline", "write_rows"]


def check_writable(*paths: Path) -> None:
    """Makes the folders and tries to write in them, so that a long training does not end in an OutputError.

    Leaves nothing but the folders, and what is there untouched.
    """
    for path in paths:
        if path.is_dir():
            raise OutputError(f"expected a file to write, found that {path} is a folder; name a file in it")
        if sum(path.resolve() == other.resolve() for other in paths) > 1:
            raise OutputError(f"expected different files to write, found {path} named twice; give each its own name")
        part = _part(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
            part.unlink()
        except OSError as error:
            raise _unwritable(path, error) from error


def write_pipeline(pipeline: Any, path: Path) -> None:
    """Dumps with joblib, uncompressed: what most people have, and what loads soonest."""
    _write(path, lambda file: joblib.dump(pipeline, file))


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Parquet without the index."""
    _write(path, lambda file: rows.to_parquet(file, engine="pyarrow", index=False))


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    part = _part(path)
    try:
        with part.open("wb") as file:
            write(file)
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # what went wrong above is what matters
            part.unlink()


def _part(path: Path) -> Path:
    """In the same folder, since a rename is atomic only within one file system."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or type(error).__name__
    return OutputError(f"expected to write {path}, found: {reason}; name a file that can be written")
