"""What a POST says before its body; and the heads that are known, so that they need not be parsed again.

A client on a connection that it keeps sends the same head with each request, byte for byte but for its Content-Length.
To parse it is most of what a short answer costs beside the model: httptools calls back once for each header, from C
into Python. So a head that was parsed is kept under its own bytes, with the length that its body had.
"""

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Fields", "Head", "Headers", "Heads"]

Headers = Mapping[bytes, bytes]
"""A request's headers, by their names in lower case."""

Fields = Iterable[tuple[bytes, bytes]]
"""A request's headers as they came; names in lower case."""

END = b"\r\n\r\n"


class Head:
    """A POST's target and headers.

    path: as it was written, without the query. length: of its body, bytes.
    """

    __slots__ = ("fields", "headers", "length", "path", "query")

    def __init__(self, target: bytes, fields: Sequence[tuple[bytes, bytes]], length: int) -> None:
        path, _, self.query = target.partition(b"?")
        self.path = path.decode("latin-1")
        self.fields = fields
        self.headers: Headers = dict(fields)
        self.length = length


class Heads:
    """Heads that a parser has taken for those of whole requests, by their bytes.

    What a parser makes of a head depends on nothing but its bytes and its own state, which is the same between any two
    requests. So bytes that begin with a known head are a request whose body has the length that it had before, and
    nobody here decides what a head means: how long a body is, where a head ends and whether it is one were the
    parser's to say.
    """

    MOST = 256
    """A model's bodies have some tens of lengths, and its clients are of few kinds. A client that never sends the same
    head twice (one with a trace's id in it) fills this and gains nothing: then it is emptied."""
    LONGEST = 1024
    """Bytes of a head that is kept."""
    FIELDS = 32
    """Headers of one: with the two above, all of it is 2 MB at most."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def learn(self, piece: bytes, head: Head) -> bool:
        """Keep a head; whether it is one to keep.

        piece: what came in one piece while the parser was between two requests, and what it took for a whole request
        with this head. It is not kept unless the body follows the head byte for byte, as it does not in chunks, and
        nothing follows the body.
        """
        end = piece.find(END, 0, self.LONGEST) + len(END)
        if end + head.length != len(piece) or end < len(END) or len(head.fields) > self.FIELDS:
            return False
        if len(self._known) >= self.MOST:
            self._known.clear()
        self._known[piece[:end]] = head
        return True

    def find(self, piece: bytes) -> Head | None:
        """The head of a piece that is one whole request with a known one: its body is the last ``length`` bytes."""
        end = piece.find(END, 0, self.LONGEST) + len(END)
        head = self._known.get(piece[:end])
        return head if head is not None and end + head.length == len(piece) else None
