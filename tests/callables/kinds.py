"""The whole catalogue of functions, methods and objects; for classes see `tests.callables.classes`."""

from __future__ import annotations

from tests.callables import layered, plain

KINDS = (*plain.KINDS, *layered.KINDS)
