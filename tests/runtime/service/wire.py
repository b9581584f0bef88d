"""Bytes to a connection of a service, piece by piece, and what it answers."""

import asyncio
import re
import select
import socket
from collections.abc import Sequence

from uvicorn import Config
from uvicorn.server import ServerState

from runtime.service.front import Front
from runtime.service.limits import Bounds, protocol

__all__ = ["ROOM", "exchanged", "listening", "statuses"]

ROOM = Bounds(5, 5, 10_000, 10, 100)


async def listening(service: Front, bounds: Bounds = ROOM) -> asyncio.Server:
    """A server on loopback."""
    bounded = protocol(bounds, service.refusing)
    config = Config(service, log_config=None, lifespan="off", ws="none", proxy_headers=False)
    config.load()
    state = ServerState()
    return await asyncio.get_running_loop().create_server(
        lambda: bounded(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )


def exchanged(service: Front, pieces: Sequence[bytes], bounds: Bounds = ROOM) -> bytes:
    """What a server says to these pieces, one after the other, until it closes."""

    async def talk() -> bytes:
        server = await listening(service, bounds)
        try:
            return await asyncio.to_thread(_exchange, server.sockets[0].getsockname(), pieces)
        finally:
            server.close()

    return asyncio.run(talk())


def _exchange(address: tuple[str, int], pieces: Sequence[bytes]) -> bytes:
    answer = b""
    with socket.create_connection(address, 20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
                # So that each is read by itself, and what was said before a close is not lost by writing on.
                if select.select([connection], [], [], 0.003)[0]:
                    part = connection.recv(65536)
                    answer += part
                    if not part:
                        return answer
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:  # closed while we wrote
            pass
    return answer


def statuses(answer: bytes) -> list[int]:
    """Of every answer on a connection, each with a body of its length."""
    found = []
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        found.append(int(head.split()[1]))
        length = re.search(rb"(?im)^content-length: (\d+)", head)
        assert length is not None
        answer = answer[int(length[1]) :]
    return found
