"""Results written into files that people read: the README's headlines, and every table beside them."""

from collections.abc import Sequence
from pathlib import Path

from .errors import BadInputError
from .headlines import headlines
from .report import beside_peers, markdown
from .results import Results

__all__ = ["BEGIN", "END", "write_headlines", "write_tables"]

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"

TABLES = """# Results

What `python -m benchmarks` found, written here by `python -m benchmarks render`; the [README](../README.md) has the
headlines.
How many times ours: above 1 is slower than pipetwin. A control (an echo, a raw run) does less than an answer.
"""


def write_headlines(runs: Sequence[Results], readme: Path) -> None:
    """Put the models of the first run and the peers of all of them between the marks of a file.

    Raises BadInputError where it has not both marks, once each.
    """
    try:
        whole = readme.read_text()
    except OSError as error:
        raise BadInputError(f"expected a text to write into at {readme}, found: {error.strerror}") from error
    if whole.count(BEGIN) != 1 or whole.count(END) != 1 or whole.index(BEGIN) > whole.index(END):
        raise BadInputError(f"expected {BEGIN} and then {END}, once each, in {readme}")
    before, _, rest = whole.partition(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{headlines(runs)}\n{END}{rest.partition(END)[2]}")


def write_tables(runs: Sequence[Results], file: Path) -> None:
    """Every table of the first run, and those of the peers of the others.

    Raises BadInputError where the file cannot be written.
    """
    tables = "\n\n".join([TABLES.rstrip(), markdown(runs[0]), *map(beside_peers, runs[1:])])
    try:
        file.write_text(f"{tables}\n")
    except OSError as error:
        raise BadInputError(f"expected a file that can be written at {file}, found: {error.strerror}") from error
