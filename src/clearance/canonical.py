"""A value -> its canonical bytes -> a digest; and, in the same walk, what of it is shown.

The form is injective and typed: ``1``, ``1.0``, ``True`` and ``"1"`` differ, a tuple is not a list, and no
two different values spell the same bytes, because every node starts with its type and says its own length
or end. Mappings and sets are sorted, so that equal ones are equal here too. What cannot be spelled exactly
is refused with its path; nothing is ever passed through ``str()`` in the hope that it says enough.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import b2a_base64
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from clearance.arguments import secret_fields
from clearance.errors import ConfigurationError, UnserializableArgument
from clearance.forms import WRITERS, Pieces, name_of, tagged, writer_for
from clearance.models import Json
from clearance.redaction import View

DOMAIN = b"clearance/1\0"
"""Stands before every digested form, so that no digest of ours can be mistaken for one of another kind."""

MAX_DEPTH = 32
"""The deepest nesting that is accepted."""

SHOWN_ITEMS = 200
"""The longest list or mapping that is shown whole; all of it is digested."""

MAX_VALUES = 100_000
"""The most values that one call may hold, counted where they stand: one that is shared counts each time."""

T = TypeVar("T")
Key: TypeAlias = bytes | Callable[[], bytes]
"""What keys the hashes of secrets: the bytes, or what finds them when the first secret is met."""


_URLSAFE = bytes.maketrans(b"+/", b"-_")


def digest(pieces: Iterable[bytes]) -> str:
    """base64url(SHA-256) of the pieces, behind the domain tag, without padding."""
    spelled = b2a_base64(hashlib.sha256(DOMAIN + b"".join(pieces)).digest(), newline=False)
    return spelled.translate(_URLSAFE, b"=").decode()


class Walk:
    """One walk over a value: writes its canonical bytes and returns what is shown of it.

    ``key`` keys the hash that stands for each secret, so that nobody can guess a password from the digest.
    """

    __slots__ = ("_left", "key", "view")

    def __init__(self, view: View, key: Key) -> None:
        self.view: View = view
        self.key: Key = key
        self._left = MAX_VALUES

    def value(self, value: object, path: str, depth: int, out: Pieces) -> Json:
        """Write ``value`` to ``out``; returns its view.

        Raises:
            UnserializableArgument: it, or something in it, has no canonical form.
        """
        if depth > MAX_DEPTH:
            raise UnserializableArgument(path, f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
        cls = type(value)
        writer = WRITERS.get(cls) or writer_for(cls)
        if writer is None:
            raise UnserializableArgument(
                path,
                f"is a {name_of(cls)}, of which nothing is known that could be shown and compared",
                next_step=(
                    "Pass plain values (its id, say) and look the object up in the body; or name the parameter in "
                    "opaque=, to have it shown as not inspected; or give the class a form with "
                    "clearance.canonical.register."
                ),
            )
        return writer(self, value, path, depth, out)

    def named(self, name: str, value: object, path: str, depth: int, out: Pieces) -> Json:
        """Write a value that stands under a name: hidden and keyed if the name says that it is secret."""
        if not self.view.hides(name) or value is None:
            return self.value(value, path, depth, out)
        if isinstance(value, bool) and name not in self.view.named:  # `password=True` is a switch, unless it is said
            return self.value(value, path, depth, out)
        return self.secret(value, path, depth, out)

    def secret(self, value: object, path: str, depth: int, out: Pieces) -> str:
        """Write a keyed hash of ``value`` in its place; returns what is shown instead."""
        inner: Pieces = []
        inside = Walk(View(), self.key)
        inside._left = self._left
        inside.value(value, path, depth, inner)
        self._left = inside._left
        self.keyed(b"".join(inner), out)
        return self.view.hide(path)

    def keyed(self, spelled: bytes, out: Pieces) -> None:
        """Write a keyed hash of canonical bytes in their place."""
        key = self.key if isinstance(self.key, bytes) else self.key()
        out += (b"k", hmac.digest(key, spelled, "sha256"))

    def spend(self, values: int, path: str) -> None:
        """Count the values that are about to be walked.

        Raises:
            UnserializableArgument: they are more than `MAX_VALUES`.
        """
        self._left -= values
        if self._left < 0:
            raise UnserializableArgument(
                path,
                f"holds, with the rest of the call, more than {MAX_VALUES:,} values",
                next_step="Pass the bulk by reference (a path, an id) instead of as an argument.",
            )

    def fields(self, cls: type, fields: Mapping[str, object], path: str, depth: int, out: Pieces) -> Json:
        """Write an object as its class and its named fields."""
        self.spend(len(fields), path)
        secret = secret_fields(cls)
        spelled = {name: _field_name(name, path) for name in fields}
        out += (tagged(b"o", name_of(cls)), b"{")
        shown: dict[str, Json] = {}
        for name in sorted(fields):
            out.append(spelled[name])
            write = self.named if name not in secret else _as_secret(self)
            shown[name] = write(name, fields[name], f"{path}.{name}", depth + 1, out)
        out.append(b"}")
        return {name: shown[name] for name in fields}

    def items(self, items: Collection[object], path: str, depth: int, out: Pieces) -> list[Json]:
        """Write a sequence's items; returns those that are shown."""
        self.spend(len(items), path)
        shown: list[Json] = []
        before: object = None
        for index, item in enumerate(items):
            # In a command line, `--password` says what the next word is.
            named = before if type(before) is str and before[:1] == "-" else ""
            shown.append(self.named(named, item, f"{path}[{index}]", depth + 1, out))
            before = item
        return self._some(shown, path)

    def sorted_items(self, items: Collection[object], path: str, depth: int, out: Pieces) -> list[Json]:
        """Write the items in the order of their canonical bytes, as for a set."""
        self.spend(len(items), path)
        spelled: list[tuple[bytes, Json]] = []
        for item in items:
            inner: Pieces = []
            shown = self.value(item, f"{path}{{}}", depth + 1, inner)
            spelled.append((b"".join(inner), shown))
        spelled.sort(key=lambda pair: pair[0])
        out += (encoded for encoded, _ in spelled)
        return self._some([shown for _, shown in spelled], path)

    def pairs(self, mapping: Mapping[Any, object], path: str, depth: int, out: Pieces, *, ordered: bool) -> Json:
        """Write a mapping's pairs; shown as an object, or as a list of pairs if a key is not a string."""
        self.spend(len(mapping), path)
        spelled: list[tuple[bytes, bytes]] = []
        shown: list[tuple[Json, Json]] = []
        for key, value in mapping.items():
            key_bytes: Pieces = []
            value_bytes: Pieces = []
            key_shown = self.value(key, f"{path} (key)", depth + 1, key_bytes)
            inner = f"{path}.{key_shown}" if type(key) is str else f"{path}[{key_shown!r:.40}]"
            name = key.decode("latin-1") if type(key) is bytes else key_shown if isinstance(key_shown, str) else ""
            shown.append((key_shown, self.named(name, value, inner, depth + 1, value_bytes)))
            spelled.append((b"".join(key_bytes), b"".join(value_bytes)))
        if not ordered:
            spelled.sort()
        out.append(b"{")
        for pair in spelled:
            out += pair
        out.append(b"}")
        if len(shown) > SHOWN_ITEMS:
            self.view.abridged[path] = (SHOWN_ITEMS, len(shown))
            shown = shown[:SHOWN_ITEMS]
        # Two keys that differ only past what is shown of them must not become one.
        if all(type(key) is str for key in mapping) and len({str(key) for key, _ in shown}) == len(shown):
            return {str(key): value for key, value in shown}
        return [[key, value] for key, value in shown]

    def _some(self, shown: list[Json], path: str) -> list[Json]:
        if len(shown) <= SHOWN_ITEMS:
            return shown
        self.view.abridged[path] = (SHOWN_ITEMS, len(shown))
        return shown[:SHOWN_ITEMS]


def _field_name(name: object, path: str) -> bytes:
    with suppress(UnicodeEncodeError):
        if type(name) is str:
            return tagged(b"s", name)
    raise UnserializableArgument(path, f"has an attribute whose name is no text: {name!r}")


def _as_secret(walk: Walk) -> Callable[[str, object, str, int, Pieces], Json]:
    """As `Walk.named`, for a field that is secret whatever its name."""

    def write(_name: str, value: object, path: str, depth: int, out: Pieces) -> Json:
        return walk.value(value, path, depth, out) if value is None else walk.secret(value, path, depth, out)

    return write


def register(cls: type[T], form: Callable[[T], object]) -> None:
    """Give the objects of a class a canonical form.

    Args:
        cls: the class itself; its subclasses have no form by this.
        form: turns an object into plain values that say all there is to it. Two objects of the class are the same
            call exactly if their forms are equal; the form is also what an approver sees.

    Objects of the class are copied with `copy.deepcopy`; give it a ``__deepcopy__`` if that is not right.

    Raises:
        ConfigurationError: the class has a form already.
    """

    def write(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
        out.append(tagged(b"u", name_of(cls)))
        try:
            plain = form(value)
        except Exception as error:
            raise UnserializableArgument(
                path,
                f"is a {name_of(cls)}, whose registered form failed with {type(error).__name__}",
                next_step="The cause is attached; mend the function that was registered.",
            ) from error
        return walk.value(plain, path, depth + 1, out)

    if cls in WRITERS or writer_for(cls) is not None:
        raise ConfigurationError(
            f"{name_of(cls)} has a canonical form already.", next_step="Register a class of your own, once."
        )
    WRITERS[cls] = write
