"""What both HTTP transports hold to: one origin, one key, nothing from the surroundings."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from clearance._version import __version__
from clearance.errors import AuthorizationUnavailable, ConfigurationError
from clearance.wire.vocabulary import AUDIT_HEAD
from clearance.witness import Head

log: logging.Logger = logging.getLogger("clearance")

SYSTEM_STORE = "system"
"""Names the certificates of the operating system, where the path of a CA bundle could stand."""


class Origin:
    """The Center's address and the key for it.

    Raises:
        ConfigurationError: not an address, or plain http to another machine.
    """

    __slots__ = ("_key", "_tls", "binding_key", "ca_bundle", "head", "url")

    def __init__(self, url: str, api_key: str, ca_bundle: str | None = None) -> None:
        self.url: str = _checked(url)
        self._key = _printable(api_key)
        self.ca_bundle: str | None = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self.head: Head | None = None
        self.binding_key: bytes = binding_key(api_key)

    def __repr__(self) -> str:
        return f"Origin({self.url!r})"

    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {
            "Authorization": f"Bearer {self._key}",
            "User-Agent": f"Clearance/{__version__} Python",
            "Accept": "application/json",
            # A compressed answer could be a bomb; a plain one is as large as it says.
            "Accept-Encoding": "identity",
        }

    def saw(self, headers: Mapping[str, str]) -> None:
        """Keep the newest head of the audit trail that an answer (its headers in lower case) carried."""
        head, known = Head.parse(headers.get(AUDIT_HEAD.lower(), "")), self.head
        if head is None:
            return
        # Without a lock, which a forked child might find taken. Two threads at once may leave the older head here; it
        # is a witness, too.
        if known is None or head.entries > known.entries:
            self.head = head
        elif head.entries == known.entries and head != known:
            log.error("The Center at %s has shown two audit trails: %s and %s", self.url, known, head)

    def tls(self) -> ssl.SSLContext:
        """A verifying TLS context, at least 1.2; there is no way to turn verification off.

        Raises:
            ConfigurationError: the CA bundle cannot be read.
        """
        if self._tls is None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and trusts nobody yet
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.url.startswith("https:"):
                self._trust(self._tls)
        return self._tls

    def _trust(self, context: ssl.SSLContext) -> None:
        if self.ca_bundle == SYSTEM_STORE:
            context.load_default_certs()
            return
        import certifi

        try:
            context.load_verify_locations(cafile=self.ca_bundle or certifi.where())
        except OSError as error:
            raise ConfigurationError(
                f"The CA bundle {self.ca_bundle!r} cannot be read ({type(error).__name__}).",
                next_step="Point OWKAI_CA_BUNDLE at a PEM file with your authority's certificate, or write `system`.",
            ) from None

    def unreachable(self, cause: BaseException) -> AuthorizationUnavailable:
        """A connection that failed, in plain words."""
        return AuthorizationUnavailable(
            f"The Authorization Center at {self.url} could not be reached ({_plain(cause)}).",
            reason_code="unreachable",
            next_step="Is it running? `clearance check` tests the way there.",
            transient=True,
        )

    def timed_out(self) -> AuthorizationUnavailable:
        """No whole answer in time."""
        return AuthorizationUnavailable(
            f"The Authorization Center at {self.url} did not answer in time.",
            reason_code="timeout",
            next_step="`clearance check` tests the way there; OWKAI_TIMEOUT sets the seconds.",
            transient=True,
        )

    def untrusted(self, cause: BaseException) -> AuthorizationUnavailable:
        """TLS that could not be verified."""
        return AuthorizationUnavailable(
            f"The certificate of {self.url} could not be verified ({_plain(cause)}).",
            reason_code="tls",
            next_step=(
                "For a private authority set OWKAI_CA_BUNDLE to its PEM file, or to `system` if this machine knows it. "
                "Verification cannot be turned off."
            ),
        )

    def too_long(self, limit: int) -> AuthorizationUnavailable:
        """More bytes than an answer can have."""
        return AuthorizationUnavailable(
            f"The answer of {self.url} is longer than {limit:,} bytes.",
            reason_code="bad_answer",
            next_step="Check that OWKAI_API_URL is the address of an Authorization Center.",
        )


def binding_key(api_key: str) -> bytes:
    """The key for the hashes of secret arguments. A Center never has it: it keeps only a hash of the API key."""
    return hmac.digest(api_key.encode(), b"clearance: secrets in arguments", hashlib.sha256)


def is_loopback(host: str) -> bool:
    """Is this host name or address this machine itself?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(
            "The Center's address is not a plain http(s) address.",
            next_step="Set OWKAI_API_URL to something like https://center.example.com",
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"The Center's address {url!r} would send the API key over the network in clear.",
            next_step="Use https; plain http is for this machine only (127.0.0.1, localhost).",
        )
    return url.rstrip("/")


def _printable(api_key: str) -> str:
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ConfigurationError(
            "The API key holds characters that no key has (a space, a line break?).",
            next_step="Copy OWKAI_API_KEY again, without quotes or spaces.",
        )
    return api_key


def _plain(cause: BaseException) -> str:
    """The innermost reason, by its class and the system's words for it; never a whole URL or header."""
    while inner := (cause.__cause__ or cause.__context__ or getattr(cause, "reason", None)):
        if not isinstance(inner, BaseException):
            break
        cause = inner
    words = cause.strerror if isinstance(cause, OSError) and isinstance(cause.strerror, str) else ""
    verify = getattr(cause, "verify_message", "")
    return f"{type(cause).__name__}: {verify or words}" if verify or words else type(cause).__name__
