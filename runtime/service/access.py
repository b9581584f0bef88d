"""Who is let in: every route states a policy, and where there are keys, nobody gets past it without one.

What a request may do is decided for the route that answers it, never for a text made of its path or its headers.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from enum import Enum
from typing import Any

from litestar.types import HTTPScope, Receive, Send

from ..errors import SettingsError
from ..keys import EVERY, Key, read_key_file, read_keys, whose
from .catalog import Catalog
from .endpoint import Endpoint, Errors
from .exchange import Shared
from .head import Fields, Head
from .logs import failure, log
from .problems import Refusal

__all__ = ["Gate", "Guarded", "Policies", "Policy", "gate_of", "loopback", "policy_of", "seen_by"]


class Policy(Enum):
    """What a route asks for, where there are keys."""

    OPEN = "open"
    """Nothing: health."""
    MODEL = "model"
    """A key for the model that it speaks of, to predict and to read about it."""
    READ = "read"
    """Any key; it shows the models that the key is for."""
    ADMIN = "admin"
    """A key for administration."""


Policies = Policy | Mapping[str, Policy]
"""Of all methods of a route, or by method."""

LONGEST = 512
"""Bytes of what may be a key."""


def policy_of(policies: Policies, method: str) -> Policy:
    """A method's policy; one that the route has not is asked for as much as any that it has."""
    if isinstance(policies, Policy):
        return policies
    return policies.get(method) or next((one for one in policies.values() if one is not Policy.OPEN), Policy.OPEN)


def seen_by(key: Key | None, catalog: Catalog) -> Catalog:
    """The models that may be shown to whom a key has let in; None: there are no keys, or the route is open and shows
    none."""
    return catalog if key is None or EVERY in key.models else catalog.only(key.sees)


class Gate:
    """The keys that are let in, read again while the service runs.

    file: of keys; none where they came from a variable.
    """

    def __init__(self, keys: Sequence[Key], file: str | None = None, text: str = "") -> None:
        self.keys = tuple(keys)
        self._file = file
        self._text = text
        self._said = ""

    @property
    def administered(self) -> bool:
        """Whether a key is for administration."""
        return any(key.admin for key in self.keys)

    @property
    def text(self) -> str:
        """The file of keys as it was read last; nothing where there is none."""
        return self._text

    def take(self, text: str) -> None:
        """Let in who is in this text of the file. Raises SettingsError."""
        self.keys, self._text = read_keys(text, "the file of keys"), text

    def admit(self, headers: Fields, policy: Policy, model: str | None = None) -> Key | None:
        """The key of a request that may do what it asks for; None where nobody asks for one.

        model: that the route speaks of; None: it speaks of none, or there is none to speak of.
        Raises Refusal 401 without a key that is known, and 403 for a key that is for something else, which says
        nothing of whether there is such a model.
        """
        if policy is Policy.OPEN:
            return None
        key = self.known(headers)
        if policy is Policy.ADMIN and not key.admin:
            raise Refusal(403, "forbidden", "expected a key for administration, found another")
        if policy is Policy.MODEL and model is not None and not key.sees(model):
            raise Refusal(403, "forbidden", "expected a key for this model, found one for others")
        return key

    def known(self, headers: Fields) -> Key:
        """The key that a request sends. Raises Refusal 401."""
        sent: bytes | None = None
        for name, value in headers:
            if name == b"authorization":
                found = value[7:].strip(b" ") if value[:7].lower() == b"bearer " else b""
            elif name == b"x-api-key":
                found = value
            else:
                continue
            if sent is not None and sent != found:
                raise _unknown("expected one key, found several that differ", b', error="invalid_request"')
            sent = found
        if sent is None:
            raise _unknown("expected a key as Authorization: Bearer or X-API-Key, found none", b"")
        key = whose(self.keys, sent) if 0 < len(sent) <= LONGEST else None
        if key is None:
            raise _unknown("expected a key that is known here, found another", b', error="invalid_token"')
        return key

    def refresh(self) -> None:
        """Read the file again, if it has changed; one that cannot be read leaves the keys as they are, with a line
        in the log for each reason."""
        if self._file is None:
            return
        try:
            text = read_key_file(self._file)
            if text == self._text:
                self._said = ""
                return
            self.take(text)
        except SettingsError as error:
            why = str(error).replace(self._file, "the file of keys")
            if why != self._said:
                self._said = why
                log.error("the keys stay as they are: %s", why)
            return
        self._said = ""
        log.info("%d keys are let in: %s", len(self.keys), ", ".join(key.name for key in self.keys))

    async def follow(self, seconds: float) -> None:
        """Read the file again every so many seconds, until cancelled; 0: never."""
        while seconds and self._file is not None:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception as error:  # a task that ends in silence would let in for good who was let in once
                log.error("reading the keys again failed: %s", failure(error))


def gate_of(file: str, text: str) -> Gate | None:
    """A gate for the keys of a file, or of a variable's text; none where neither is given: everybody is let in.

    Raises SettingsError.
    """
    if file and text:
        raise SettingsError("expected keys from a file or from PIPETWIN_API_KEYS, found both")
    if file:
        text = read_key_file(file)
        return Gate(read_keys(text, file), file, text)
    return Gate(read_keys(text, "PIPETWIN_API_KEYS")) if text else None


def loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may lead anywhere


def _unknown(sentence: str, more: bytes) -> Refusal:
    header = (b"www-authenticate", b'Bearer realm="pipetwin"' + more)
    return Refusal(401, "unauthorized", sentence, headers=(header,))


class Guarded:
    """A path behind a gate, as an ASGI application.

    model: that it speaks of.
    behind: what answers whom; it is asked anew for each request, since a key may be for some models only.
    """

    def __init__(
        self,
        gate: Gate,
        route: str,
        policies: Policies,
        errors: Errors,
        shared: Shared,
        model: str | None,
        behind: Callable[[Key | None], Any],
    ) -> None:
        self._gate = gate
        self._route = route
        self._policies = policies
        self._errors = errors
        self._shared = shared
        self._model = model
        self._behind = behind

    def refusing(self, refused: Refusal) -> "Guarded":
        """The same path when it takes no request, for that reason."""
        other = copy(self)
        other._behind = lambda key: self._behind(key).refusing(refused)
        return other

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it before its body is read."""
        await self._admitted(scope["method"], scope["headers"])(scope, receive, send)

    def at_once(self, head: Head, body: bytes) -> Any:
        """As ``Endpoint.at_once``."""
        return self._admitted("POST", head.fields).at_once(head, body)

    def _admitted(self, method: str, fields: Fields) -> Any:
        """What answers whoever sends these headers."""
        try:
            key = self._gate.admit(fields, policy_of(self._policies, method), self._model)
        except Refusal as error:
            return Endpoint(self._route, {}, self._errors, self._shared).refusing(error)
        return self._behind(key)
