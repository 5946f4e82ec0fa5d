"""The Center as one object: store, desk and bell. The API, the inbox and the embedded transport stand on it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from clearance.center import keys, refusals, signing
from clearance.center import policy as policies
from clearance.center.bell import Bell
from clearance.center.desk import SECOND, Desk
from clearance.center.policy import Policy
from clearance.center.records import NotAuthenticated, Principal, Record, Role, Session, StoreUnavailable
from clearance.center.signing import SigningKey
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.databases import open_store
from clearance.models import Status

T = TypeVar("T")
log: logging.Logger = logging.getLogger("clearance.center")

SWEEP_EVERY = 0.5
"""Seconds between looks for actions whose time has passed."""
SIGN_IN_FOR = 15 * 60
"""Seconds that a sign-in link is good for."""
SESSION_FOR = 8 * 3600
"""Seconds that a browser stays signed in."""


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Center:
    """An Authorization Center on a store. Close it when done; it may be shared by threads and event loops."""

    def __init__(
        self,
        store: Store,
        policy: Policy | None = None,
        now: Callable[[], int] = wall_clock,
        signing_key: SigningKey | None = None,
    ) -> None:
        self.store = store
        self.signing_key: SigningKey = signing_key or SigningKey(None)
        self.desk: Desk = Desk(policy or Policy(), now)
        self.bell: Bell = Bell()
        store.on_change = self.bell.ring

    @classmethod
    def open(
        cls,
        database: str | os.PathLike[str],
        policy_file: str | os.PathLike[str] | None = None,
        *,
        use: Use = Use.SERVE,
        signing_key: str | os.PathLike[str] | None = None,
    ) -> Center:
        """A Center on a SQLite file, which is made if there is none, or on a database at ``postgresql://...``.

        Only one Center serves from a file; on PostgreSQL there may be several.

        ``signing_key`` is the file with the key for receipts, made when it is first needed; default: the database's
        name with ``.key`` behind it.

        Raises:
            DatabaseRefused: the database cannot be used so.
            PolicyError: the policy cannot be used.
        """
        policy = policies.load(Path(policy_file)) if policy_file is not None else Policy()
        key = SigningKey(Path(signing_key) if signing_key is not None else signing.beside(database))
        return cls(open_store(database, use), policy, signing_key=key)

    def close(self) -> None:
        """Answer whoever waits, finish what was taken in, close the store."""
        self.bell.close()
        self.store.close()

    def do(self, work: Callable[[Tx], T]) -> T:
        """Run one transaction and wait until it is durable."""
        return refusals.told(self.store.submit(refusals.keeping(work)).result())

    async def ado(self, work: Callable[[Tx], T]) -> T:
        """As `do`, on the event loop. Once begun it is finished, even if the caller is cancelled."""
        future = self.store.submit(refusals.keeping(work))
        return refusals.told(await asyncio.shield(asyncio.wrap_future(future)))

    async def settled(self, read: Callable[[Tx], Record], action_id: int, seconds: float) -> Record:
        """The action as soon as it is no longer pending, or as it stands after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            with self.bell.listening(action_id) as rung:
                record = await self.ado(read)
                left = deadline - time.monotonic()
                if record.status is not Status.PENDING or left <= 0 or self.bell.closed:
                    return record
                await rung_within(rung, left)

    def create_key(self, role: Role, name: str = "", actor: str = "local") -> str:
        """Make an API key; its text is returned here and never again."""
        return self.do(lambda tx: keys.create(tx, role, name, self.desk.now(), actor))[0]

    def sign_in_token(self, principal: Principal) -> str:
        """A token that signs a browser in, once, within `SIGN_IN_FOR` seconds."""
        token = secrets.token_urlsafe(32)
        until = self.desk.now() + SIGN_IN_FOR * SECOND
        self.do(lambda tx: tx.add_sign_in(_digest(token), principal, until))
        return token

    def sign_in(self, tx: Tx, token: str) -> tuple[str, Session]:
        """Use up a sign-in token: the cookie's value and the session behind it.

        Raises:
            NotAuthenticated: it is unknown, used or too old.
        """
        principal = tx.take_sign_in(_digest(token), self.desk.now())
        if principal is None:
            raise NotAuthenticated("This sign-in link was used already, or is too old. Make a new one.")
        return self.start_session(tx, principal)

    def start_session(self, tx: Tx, principal: Principal) -> tuple[str, Session]:
        """Sign a browser in: the cookie's value and the session behind it."""
        cookie = secrets.token_urlsafe(32)
        until = self.desk.now() + SESSION_FOR * SECOND
        session = Session(_digest(cookie), principal, secrets.token_urlsafe(32), until)
        tx.add_session(session)
        return cookie, session

    def session(self, tx: Tx, cookie: str | None) -> Session:
        """The session behind a cookie.

        Raises:
            NotAuthenticated: there is none, it has ended, or its key was revoked.
        """
        found = tx.session(_digest(cookie), self.desk.now()) if cookie else None
        key = tx.key(found.principal.id) if found else None
        if found is None or (key is not None and key.revoked_at is not None):
            raise NotAuthenticated("Please sign in")
        return found

    @contextlib.asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Keep expiring what is overdue while inside."""
        task = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _sweep(self) -> None:
        while True:
            try:
                await self.ado(self.desk.sweep)
            except StoreUnavailable as error:
                log.error("Overdue actions could not be closed: %s", error)  # noqa: TRY400 - the cause is in it
            await asyncio.sleep(SWEEP_EVERY)


async def rung_within(rung: Future[None], seconds: float) -> None:
    """Wait on the event loop until the bell rings, for ``seconds`` at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.shield(asyncio.wrap_future(rung))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
