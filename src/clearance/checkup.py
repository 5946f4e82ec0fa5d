"""Looks at the way to the Center step by step, and says of the first that fails what to do about it."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from clearance import dialogues, drivers
from clearance.errors import AuthorizationError
from clearance.exchanges import Line
from clearance.settings import DEFAULT_URL, Settings, sources
from clearance.told import Connection
from clearance.transports.origin import Origin

CLOCK_TOLERANCE: Final = 60.0
"""Seconds that the clocks may differ before it is worth a word."""
_NAMES: Final = ("OWKAI_API_KEY", "OWKAI_API_URL", "OWKAI_TIMEOUT", "OWKAI_CA_BUNDLE")
_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")

_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
"""OpenSSL's numbers for what is wrong with a certificate (X509_V_ERR_*)."""
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``result`` is ``ok``, ``failed``, or ``warning`` for what works and still wants a look."""

    name: str
    result: str
    told: str
    next_step: str = ""
    reason_code: str = ""

    def __str__(self) -> str:
        return f"{self.result:<7} {self.name}: {self.told} {self.next_step}".rstrip()


def summary(steps: Sequence[Step]) -> dict[str, Any]:
    """The steps as JSON, and whether none failed."""
    return {"ok": all(step.result != "failed" for step in steps), "steps": [asdict(step) for step in steps]}


class _Failed(Exception):
    def __init__(self, told: str, next_step: str, reason_code: str) -> None:
        super().__init__(told)
        self.told = told
        self.next_step = next_step
        self.reason_code = reason_code


class Checkup:
    """One look at the way to a Center.

    Args:
        environ: in the place of the environment.
        env_file: the file with settings.
        timeout: seconds that each step may take; the settings' own, if that is less.
        wall_clock: this machine's clock, in seconds since 1970.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        env_file: str | os.PathLike[str] = ".env",
        *,
        timeout: float | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings: Settings | None = None
        self.connection: Connection | None = None
        self._given = environ, env_file
        self._timeout = dialogues.CONNECTION_TEST_TIMEOUT if timeout is None else timeout
        self._wall_clock = wall_clock
        self._addresses: list[Any] = []

    def steps(self) -> Iterator[Step]:
        """Every step in its turn, to the first that fails."""
        for name, look in (
            ("settings", self._settings),
            ("name", self._name),
            ("connection", self._connect),
            ("certificate", self._certificate),
            ("center", self._center),
            ("key", self._key),
            ("clock", self._clock),
        ):
            try:
                step = look(name)
            except _Failed as failure:
                yield Step(name, "failed", failure.told, failure.next_step, failure.reason_code)
                return
            except AuthorizationError as error:
                yield Step(name, "failed", error.happened, error.next_step, error.reason_code)
                return
            yield step

    @property
    def _where(self) -> tuple[str, int]:
        assert self.settings is not None
        parts = urlsplit(self.settings.api_url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    def _settings(self, name: str) -> Step:
        environ, env_file = self._given
        self.settings = settings = Settings.load(environ, env_file)
        self._timeout = min(self._timeout, settings.timeout)
        self._origin = Origin(settings.api_url, settings.api_key, settings.ca_bundle)
        self._origin.tls()
        found = sources(environ, env_file)
        known = [f"{setting} from {found[setting]}" for setting in _NAMES if setting in found]
        rest = "" if "OWKAI_API_URL" in found else f" (OWKAI_API_URL is not set: {DEFAULT_URL} is the default)"
        return Step(name, "ok", f"{', '.join(known)}{rest}. Center: {settings.api_url}")

    def _name(self, name: str) -> Step:
        host, port = self._where
        try:
            self._addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise _Failed(
                f"{host} has no address: the Center could not be reached ({why}).",
                "Check the spelling of OWKAI_API_URL, and that this machine's DNS (or VPN) knows the name.",
                "no_address",
            ) from None
        listed = dict.fromkeys(str(address[4][0]) for address in self._addresses)
        return Step(name, "ok", f"{host} is {', '.join(listed)}.")

    def _connect(self, name: str) -> Step:
        host, port = self._where
        with closing(self._connected()) as stream:
            return Step(name, "ok", f"Port {port} of {host} ({stream.getpeername()[0]}) answers.")

    def _connected(self) -> socket.socket:
        """A connection to the first address that takes one."""
        host, port = self._where
        fault: OSError = OSError()
        for family, kind, protocol, _, address in self._addresses:
            stream = socket.socket(family, kind, protocol)
            stream.settimeout(self._timeout)
            try:
                stream.connect(address)
            except OSError as error:
                stream.close()
                fault = error
            else:
                return stream
        raise _Failed(
            f"Port {port} of {host} could not be reached ({fault.strerror or type(fault).__name__}).",
            _way_out(host, port, fault),
            "timeout" if isinstance(fault, TimeoutError) else "unreachable",
        )

    def _certificate(self, name: str) -> Step:
        assert self.settings is not None
        if not self.settings.api_url.startswith("https:"):
            return Step(name, "ok", "None: plain HTTP, which does not leave this machine.")
        host, port = self._where
        with closing(self._connected()) as stream:
            try:
                with self._origin.tls().wrap_socket(stream, server_hostname=host) as secured:
                    return Step(name, "ok", f"{secured.version()}, verified for {host}.")
            except ssl.SSLCertVerificationError as error:
                raise _untrusted(host, error) from None
            except TimeoutError:
                raise _Failed(
                    f"Port {port} of {host} took the connection and did not answer in time to TLS.",
                    "Something in between may hold it up (a firewall, a proxy), or no TLS is spoken there.",
                    "timeout",
                ) from None
            except OSError as error:
                raise _Failed(
                    f"Port {port} of {host} does not speak TLS as it should ({_reason(error)}).",
                    "Is it the right port? Plain HTTP may be spoken there, or a proxy stands in between.",
                    "tls",
                ) from None

    def _center(self, name: str) -> Step:
        assert self.settings is not None
        talk = dialogues.connected(self.settings.api_url, self._timeout, self._wall_clock)
        with closing(Line(self.settings, debug=False)) as line:
            found = self.connection = drivers.run(talk, line)
        if not found.reachable:
            assert found.problem is not None
            raise _Failed(
                f"What answers at {self.settings.api_url} is not a Center: {found.problem.happened}",
                _instead_of_a_center(found.problem),
                found.problem.reason_code,
            )
        what = found.name or "A server of the ASCEND contract"
        level = "level 2: holds answers, takes claims, outcomes and withdrawals" if found.level == 2 else "level 1"
        return Step(name, "ok", f"{what} {found.version} ({level})." if found.authenticated else "It answers.")

    def _key(self, name: str) -> Step:
        found = self.connection
        assert found is not None
        if found.problem is not None:
            raise found.problem
        return Step(name, "ok", f"Connected: version {found.version or '?'}, role {found.role or 'not told'}.")

    def _clock(self, name: str) -> Step:
        assert self.connection is not None
        ahead = self.connection.clock_ahead
        if ahead is None:
            return Step(name, "ok", "The server does not tell its time.")
        if abs(ahead) < CLOCK_TOLERANCE:
            return Step(name, "ok", "This machine's clock and the server's agree.")
        return Step(
            name,
            "warning",
            f"This machine's clock is {abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} the server's.",
            "Deadlines do not depend on it, but certificates do, and times in logs will not fit. Set it by NTP.",
            "clock",
        )


def _way_out(host: str, port: int, fault: OSError) -> str:
    if isinstance(fault, ConnectionRefusedError):
        return "Nothing listens there: is the Center running, and is that its port?"
    proxy = next((name for name in _PROXIES if os.environ.get(name)), None)
    aside = f" {proxy} is set, but proxies of the surroundings are not used." if proxy else ""
    return f"A firewall may drop it: allow TCP from this machine to {host}, port {port}.{aside}"


def _untrusted(host: str, error: ssl.SSLCertVerificationError) -> _Failed:
    told = f"The certificate of {host} could not be verified ({error.verify_message})."
    if error.verify_code in (_EXPIRED, _NOT_YET):
        next_step = "Have it renewed by whoever runs the Center; and check this machine's clock and date."
    elif error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        next_step = f"It is for another name. Set OWKAI_API_URL to that, or have one made for {host}."
    elif error.verify_code in _UNKNOWN_AUTHORITY:
        next_step = (
            "Its authority is not known here. For a private one set OWKAI_CA_BUNDLE to its PEM file, or to `system` if "
            "this machine knows it. A proxy that opens TLS looks like this, too."
        )
    else:
        next_step = "Ask whoever runs the Center."
    return _Failed(told, f"{next_step} Verification cannot be turned off.", "tls")


def _instead_of_a_center(problem: AuthorizationError) -> str:
    if problem.reason_code in ("bad_answer", "redirect"):
        return f"A proxy or a sign-in page may stand in between. {problem.next_step}"
    return problem.next_step


def _reason(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
