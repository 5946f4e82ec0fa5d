"""Where the defaults come from: `configure`, and ``OWKAI_*`` from the environment or a ``.env`` file.

Nothing is read at import; what is needed is read when a guard first needs it.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from clearance.errors import ConfigurationError

if TYPE_CHECKING:
    from clearance.models import Action, Decision
    from clearance.transports.base import AsyncTransport, Transport

DEFAULT_URL = "https://pilot.owkai.app"
DEFAULT_TIMEOUT = 30.0
"""Seconds that one exchange with the Center may take."""
LONGEST_TIMEOUT = 600.0
DECIDE_WITHIN = 15 * 60.0
"""Seconds that a decision may take, unless the guard says otherwise."""
LONGEST_DECIDE_WITHIN = 30 * 24 * 3600.0
"""Seconds that a decision may take at most: 30 days."""
RUN_WITHIN = 5 * 60.0
"""Seconds that an approval stays good for a claim."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach the Center."""

    api_key: str = field(repr=False)
    api_url: str = DEFAULT_URL
    timeout: float = DEFAULT_TIMEOUT
    ca_bundle: str | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, env_file: str | os.PathLike[str] = ".env") -> Settings:
        """Read ``OWKAI_API_KEY``, ``OWKAI_API_URL``, ``OWKAI_TIMEOUT`` (seconds) and ``OWKAI_CA_BUNDLE``.

        The environment (or ``environ``) wins over the file, which need not exist.

        Raises:
            ConfigurationError: no key, or a timeout that is not a number of seconds.
        """
        found = {**_env_file(env_file), **(os.environ if environ is None else environ)}
        api_key = found.get("OWKAI_API_KEY", "").strip()
        if not api_key:
            raise ConfigurationError(
                "API key required. Set OWKAI_API_KEY environment variable.",
                next_step=(
                    "Put it in the environment or in a .env file here, or call "
                    "clearance.configure(transport=...) with a transport of your own. "
                    "`clearance keys create` makes a key for a Center of yours."
                ),
                reason_code="no_key",
            )
        return cls(
            api_key=api_key,
            api_url=found.get("OWKAI_API_URL", "").strip() or DEFAULT_URL,
            timeout=_seconds(found.get("OWKAI_TIMEOUT", "").strip() or str(DEFAULT_TIMEOUT)),
            ca_bundle=found.get("OWKAI_CA_BUNDLE", "").strip() or None,
        )


def sources(environ: Mapping[str, str] | None = None, env_file: str | os.PathLike[str] = ".env") -> Mapping[str, str]:
    """Where each ``OWKAI_*`` setting that is set comes from: ``the environment``, or the name of the file."""
    in_file = {name: str(env_file) for name, value in _env_file(env_file).items() if value.strip()}
    around = os.environ if environ is None else environ
    return in_file | {name: "the environment" for name in around if name.startswith("OWKAI_")}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What guards use where they are not told otherwise; see `configure`."""

    transport: Transport | AsyncTransport | None = None
    agent_id: str | None = None
    timeout: float = DECIDE_WITHIN
    on_wait: Callable[[Action, Decision], None] | None = None


class _Layer:
    """What a context overrides; remembers how the defaults looked under it, since every call asks several times."""

    __slots__ = ("_seen", "changes")

    def __init__(self, changes: Mapping[str, Any]) -> None:
        self.changes = changes
        self._seen: tuple[Defaults, Defaults] | None = None

    def over(self, base: Defaults) -> Defaults:
        seen = self._seen
        if seen is None or seen[0] is not base:
            self._seen = seen = (base, replace(base, **self.changes))
        return seen[1]


AnyTransport: TypeAlias = "Transport | AsyncTransport"
StandIn: TypeAlias = "Callable[[AnyTransport | None], AnyTransport | None]"

_lock = threading.RLock()
_defaults = Defaults()
_overrides: ContextVar[_Layer | None] = ContextVar("clearance_overrides", default=None)
_reasoning: ContextVar[str | None] = ContextVar("clearance_reasoning", default=None)
_made: dict[str, Any] = {}
_KEPT: Any = object()

# The pytest plugin keeps tests off the network. It is loaded long before this module, and may not load it.
_stand_in: StandIn | None = getattr(sys.modules.get("_clearance_pytest"), "stand_in", None)


def configure(
    *,
    transport: Transport | AsyncTransport | None = _KEPT,
    agent_id: str | None = _KEPT,
    timeout: float = _KEPT,
    on_wait: Callable[[Action, Decision], None] | None = _KEPT,
) -> None:
    """Set this process's defaults; what is not named stays as it is.

    Args:
        transport: used by every guard that has none of its own. None: made from the ``OWKAI_*`` settings.
        agent_id: who acts. None: the name of the running program.
        timeout: seconds that a decision may take (default 900, at most 30 days).
        on_wait: called with the action and the Center's answer whenever a call is found still waiting.

    Raises:
        ConfigurationError: a value that cannot be meant.
    """
    global _defaults
    given: dict[str, Any] = {"transport": transport, "agent_id": agent_id, "timeout": timeout, "on_wait": on_wait}
    changes = _checked({name: value for name, value in given.items() if value is not _KEPT})
    with _lock:
        _defaults = replace(_defaults, **changes)
        _made.clear()


@contextmanager
def override(
    *,
    transport: Transport | AsyncTransport | None = _KEPT,
    agent_id: str | None = _KEPT,
    timeout: float = _KEPT,
    on_wait: Callable[[Action, Decision], None] | None = _KEPT,
) -> Iterator[None]:
    """As `configure`, for what runs inside the ``with`` block only: this thread or task, and what it starts.

    It crosses `asyncio.to_thread` and task groups, which copy the context. A bare `ThreadPoolExecutor` does not;
    there the process's own defaults stand.

    Raises:
        ConfigurationError: a value that cannot be meant.
    """
    given: dict[str, Any] = {"transport": transport, "agent_id": agent_id, "timeout": timeout, "on_wait": on_wait}
    changes = _checked({name: value for name, value in given.items() if value is not _KEPT})
    outer = _overrides.get()
    token = _overrides.set(_Layer({**(outer.changes if outer else {}), **changes}))
    try:
        yield
    finally:
        _overrides.reset(token)


def agent(agent_id: str) -> AbstractContextManager[None]:
    """Name who acts in the ``with`` block. See `override`.

    Raises:
        ConfigurationError: an empty name.
    """
    return override(agent_id=agent_id)


@contextmanager
def reasoning(text: str) -> Iterator[None]:
    """Add the agent's own justification to every request in the ``with`` block.

    The approver sees it as the agent's words, apart from the facts. It is no part of the digest. Of a text over
    20,000 characters the beginning is sent. The innermost block counts.

    Raises:
        ConfigurationError: it is no text.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"reasoning() takes a text, not a {type(text).__name__}.", next_step="Use a str.")
    token = _reasoning.set(text)
    try:
        yield
    finally:
        _reasoning.reset(token)


def current_reasoning() -> str | None:
    """The justification that the code is running under."""
    return _reasoning.get()


def defaults() -> Defaults:
    """The defaults as they stand here: the process's own, under what the context overrides."""
    layer = _overrides.get()
    return _defaults if layer is None else layer.over(_defaults)


def put_in_front(stand_in: StandIn | None) -> None:
    """Have a test kit say, from now on, what stands in for the process's own transport; None takes it away.

    It is given the configured transport, or None where one would be made from the ``OWKAI_*`` settings, and returns
    what is used. It is not asked where an `override` or the guard itself names a transport.
    """
    global _stand_in
    _stand_in = stand_in


def standing_transport() -> AnyTransport | None:
    """The transport of a guard that has none of its own, as it is configured here; None: made from the settings."""
    layer = _overrides.get()
    said = _KEPT if layer is None else layer.changes.get("transport", _KEPT)
    if said is not _KEPT and said is not None:
        overriding: AnyTransport = said
        return overriding
    configured = _defaults.transport if said is _KEPT else None
    return configured if _stand_in is None else _stand_in(configured)


@cache
def default_agent_id() -> str:
    """Who acts, where nobody said: the name of the running program."""
    return os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] or "python"


def default_transport(*, asynchronous: bool) -> Any:
    """The process's transport: the configured one, or one made from the ``OWKAI_*`` settings and kept."""
    if (configured := standing_transport()) is not None:
        return configured
    return made_transport(asynchronous=asynchronous)


def beneath(*, asynchronous: bool) -> Any:
    """The transport that this process would use if no test kit stood in for it, and nothing were overridden."""
    return _defaults.transport or made_transport(asynchronous=asynchronous)


def made_transport(*, asynchronous: bool) -> Any:
    """The transport that is made from the ``OWKAI_*`` settings, once."""
    kind = "aio" if asynchronous else "http"
    with _lock:
        if kind not in _made:
            _made[kind] = _new_transport(_loaded(), asynchronous=asynchronous)
        return _made[kind]


def binding_key(transport: object) -> bytes:
    """What keys the hashes of secret arguments: the transport's own key, or one that only this process has.

    Raises:
        ConfigurationError: the process's own transport is asked for, and there are no settings to make it from.
    """
    found = transport if transport is not None else standing_transport()
    if found is None:
        from clearance.transports.origin import binding_key as key_of

        return key_of(_loaded().api_key)
    return getattr(found, "binding_key", None) or _process_key()


@cache
def _process_key() -> bytes:
    return os.urandom(32)


def _loaded() -> Settings:
    """The ``OWKAI_*`` settings, read once."""
    with _lock:
        if _made.get("settings") is None:
            _made["settings"] = Settings.load()
        settings: Settings = _made["settings"]
        return settings


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, if each of them can be meant."""
    if "timeout" in changes:
        check_timeout(changes["timeout"])
    transport = changes.get("transport")
    if transport is not None and not (hasattr(transport, "send") or hasattr(transport, "asend")):
        raise ConfigurationError(
            f"transport= takes an object with send() or asend(), not a {type(transport).__name__}.",
            next_step="See clearance.transports.Transport.",
        )
    agent_id = changes.get("agent_id")
    if agent_id is not None:
        if not isinstance(agent_id, str) or not agent_id.strip():
            what = "is empty" if isinstance(agent_id, str) else f"is a {type(agent_id).__name__}, not a text"
            raise ConfigurationError(f"agent_id= {what}.", next_step="Name who acts, or leave it out.")
        changes["agent_id"] = str.__str__(agent_id)
    on_wait = changes.get("on_wait")
    if on_wait is not None and not callable(on_wait):
        raise ConfigurationError(
            f"on_wait= takes a function of the action and the decision, not a {type(on_wait).__name__}.",
            next_step="Leave it out if nobody is to be told.",
        )
    return changes


def exchange_timeout() -> float:
    """Seconds that one exchange may take: ``OWKAI_TIMEOUT`` where the settings were read, else the default."""
    settings: Settings | None = _made.get("settings")
    return settings.timeout if settings else DEFAULT_TIMEOUT


def check_timeout(seconds: float) -> float:
    """A number of seconds that a decision may take, or a ConfigurationError."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= LONGEST_DECIDE_WITHIN:
        raise ConfigurationError(
            f"timeout={seconds!r} is not a number of seconds from 0 to {LONGEST_DECIDE_WITHIN:.0f} (30 days).",
            next_step="Leave it out for 15 minutes.",
        )
    return float(seconds)


def _new_transport(settings: Settings, *, asynchronous: bool) -> Transport | AsyncTransport:
    from clearance.transports import AsyncHttpTransport, HttpTransport

    kind = AsyncHttpTransport if asynchronous else HttpTransport
    return kind(settings.api_url, settings.api_key, ca_bundle=settings.ca_bundle)


def _env_file(path: str | os.PathLike[str]) -> dict[str, str]:
    if not os.path.isfile(path):
        return {}
    from dotenv import dotenv_values

    values = dotenv_values(path, interpolate=False)
    return {name: value for name, value in values.items() if value is not None and name.startswith("OWKAI_")}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ConfigurationError(
            f"OWKAI_TIMEOUT={text!r} is not a number of seconds from 0 to {LONGEST_TIMEOUT:.0f}.",
            next_step="Leave it out for 30 seconds.",
        )
    return seconds
