"""Stub."""

from ..routing import Route

ROUTES: tuple[Route, ...] = ()
