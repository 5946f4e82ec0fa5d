"""The Center as one object: store, desk and bell. The API, the inbox and the embedded transport stand on it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from clearance.center import keys, refusals, signing, trail
from clearance.center import policy as policies
from clearance.center.bell import Bell
from clearance.center.clock import Clock
from clearance.center.desk import MAX_PENDING, REMEMBER_DENIALS, Desk
from clearance.center.faults import NotAuthenticated, StoreUnavailable
from clearance.center.handover import Handover
from clearance.center.moves import SECOND
from clearance.center.policy import PolicyEngine
from clearance.center.rates import RATE, Rates
from clearance.center.records import KeyRecord, Principal, Role, Session
from clearance.center.rollout import Look, Rollout
from clearance.center.signing import SigningKey
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.databases import open_store

T = TypeVar("T")
log: logging.Logger = logging.getLogger("clearance.center")

SWEEP_EVERY = 0.5
"""Seconds between looks for actions whose time has passed."""
SIGN_IN_FOR = 15 * 60
"""Seconds that a sign-in link is good for."""
SESSION_FOR = 8 * 3600
"""Seconds that a browser stays signed in."""


class Center:
    """An Authorization Center on a store. Close it when done; it may be shared by threads and event loops.

    Args:
        store: where it keeps things.
        policy: what needs no person, and what none may allow.
        now: its clock, in microseconds since 1970; default: the machine's, kept from ever going back.
        signing_key: signs its receipts; without one there are none.
        rate: requests a second that one key may send over HTTP; 0 for no limit.
        max_pending: actions of one key that may wait for a decision at once.
        remember_denials: seconds for which a call that a person refused is refused again; 0 for not at all.
        policy_file: where the policy was read from, to be read again when it is reloaded.
    """

    def __init__(
        self,
        store: Store,
        policy: PolicyEngine | None = None,
        now: Callable[[], int] | None = None,
        *,
        signing_key: SigningKey | None = None,
        rate: float = RATE,
        max_pending: int = MAX_PENDING,
        remember_denials: float = REMEMBER_DENIALS,
        policy_file: Path | None = None,
    ) -> None:
        self.store = store
        self.signing_key: SigningKey = signing_key or SigningKey(None)
        known = store.submit(lambda tx: tx.leaps()).result()
        now = now or Clock(not_before=max(store.submit(trail.last_time).result(), known.at))
        leapt = _leaps(now, before=known.total)
        self.desk: Desk = Desk(policy or policies.built_in(), now, max_pending, remember_denials, leapt)
        self.rollout: Rollout = Rollout(store, self.desk, policy_file)
        self.bell: Bell = Bell()
        self.rates: Rates = Rates(rate)
        self._handover = Handover()
        store.on_change = self.bell.ring

    @classmethod
    def open(
        cls,
        database: str | os.PathLike[str],
        policy_file: str | os.PathLike[str] | None = None,
        *,
        use: Use = Use.SERVE,
        signing_key: str | os.PathLike[str] | None = None,
        rate: float = RATE,
        max_pending: int = MAX_PENDING,
        remember_denials: float = REMEMBER_DENIALS,
    ) -> Center:
        """A Center on a SQLite file, which is made if there is none, or on a database at ``postgresql://...``.

        Only one Center serves from a file; on PostgreSQL there may be several. One that serves puts its policy in
        force: if it is another than before, approvals that were not claimed are void.

        ``signing_key`` is the file with the key for receipts, made when it is first needed; default: the database's
        name with ``.key`` behind it. For the limits see `Center`.

        Raises:
            DatabaseRefused: the database cannot be used so.
            PolicyError: the policy cannot be used.
            StoreUnavailable: it could not be kept that the policy is another than before.
        """
        file = Path(policy_file) if policy_file is not None else None
        policy = policies.load(file) if file is not None else policies.built_in()
        key = SigningKey(Path(signing_key) if signing_key is not None else signing.beside(database))
        center = cls(
            open_store(database, use),
            policy,
            signing_key=key,
            rate=rate,
            max_pending=max_pending,
            remember_denials=remember_denials,
            policy_file=file,
        )
        # Where the trail is damaged nothing can be kept, so nothing will be decided either; but all can be looked at.
        if use is Use.SERVE and center.store.head is not None:
            try:
                center.rollout.begin()
            except BaseException:
                center.close()
                raise
        return center

    def close(self) -> None:
        """Answer whoever waits, finish what was taken in, close the store."""
        self.bell.close()
        self.store.close()

    def do(self, work: Callable[[Tx], T]) -> T:
        """Run one transaction and wait until it is durable."""
        return refusals.told(self.store.submit(refusals.keeping(work)).result())

    async def ado(self, work: Callable[[Tx], T]) -> T:
        """As `do`, on the event loop. Once begun it is finished, even if the caller is cancelled."""
        return refusals.told(await self._handover.wait(self.store.submit(refusals.keeping(work))))

    def create_key(
        self,
        role: Role,
        name: str = "",
        actor: str = "local",
        *,
        owner: str | None = None,
        lifetime: float | None = None,
    ) -> str:
        """Make an API key; its text is returned here and never again.

        Args:
            role: what it may do.
            name: what people see of it; default: its role and id.
            actor: who makes it, for the audit trail.
            owner: the person behind it. Nobody decides what another key of the same owner asks for.
            lifetime: seconds that it lives; default: until it is revoked.

        Raises:
            Invalid: one of these cannot be meant.
        """
        made = self.do(lambda tx: keys.create(tx, role, name, self.desk.now(), actor, owner=owner, lifetime=lifetime))
        return made[0]

    def revoke_key(self, key_id: str, actor: str = "local") -> KeyRecord:
        """End a key for good, with every session and sign-in link of it.

        Raises:
            NotFound: there is no such key.
        """
        return self.do(lambda tx: keys.revoke(tx, key_id, self.desk.now(), actor))

    def principal(self, tx: Tx, key: str | None) -> Principal:
        """Whose key this is.

        Raises:
            NotAuthenticated: nobody's, or one that has ended.
        """
        return keys.principal(tx, key, self.desk.now())

    def sign_in_token(self, principal: Principal) -> str:
        """A token that signs a browser in, once, within `SIGN_IN_FOR` seconds."""
        token = secrets.token_urlsafe(32)

        def keep(tx: Tx) -> None:
            now = self.desk.now()
            tx.forget_expired(now)
            tx.add_sign_in(_digest(token), principal, now + SIGN_IN_FOR * SECOND)

        self.do(keep)
        return token

    def sign_in(self, tx: Tx, token: str) -> tuple[str, Session]:
        """Use up a sign-in token: the cookie's value and the session behind it.

        Raises:
            NotAuthenticated: it is unknown, used or too old, or its key has ended.
        """
        now = self.desk.now()
        found = tx.take_sign_in(_digest(token), now)
        principal = keys.holder(tx, found.id, now) if found is not None else None
        if principal is None:
            raise NotAuthenticated("This sign-in link was used already, or is too old. Make a new one.")
        return self.start_session(tx, principal)

    def start_session(self, tx: Tx, principal: Principal) -> tuple[str, Session]:
        """Sign a browser in: the cookie's value and the session behind it."""
        cookie = secrets.token_urlsafe(32)
        now = self.desk.now()
        session = Session(_digest(cookie), principal, secrets.token_urlsafe(32), now + SESSION_FOR * SECOND)
        tx.forget_expired(now)
        tx.add_session(session)
        return cookie, session

    def session(self, tx: Tx, cookie: str | None) -> Session:
        """The session behind a cookie, with the rights that its key has now.

        Raises:
            NotAuthenticated: there is none, or it or its key has ended.
        """
        now = self.desk.now()
        found = tx.session(_digest(cookie), now) if cookie else None
        principal = keys.holder(tx, found.principal.id, now) if found is not None else None
        if found is None or principal is None:
            raise NotAuthenticated("Please sign in")
        return replace(found, principal=principal)

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
                self.rollout.note(await self.ado(self._look))
            except StoreUnavailable as error:
                log.error("Overdue actions could not be closed: %s", error)  # noqa: TRY400 - the cause is in it
            await asyncio.sleep(SWEEP_EVERY)

    def _look(self, tx: Tx) -> Look:
        self.desk.sweep(tx)
        return self.rollout.look(tx)


async def rung_within(rung: Future[None], seconds: float) -> None:
    """Wait on the event loop until the bell rings, for ``seconds`` at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.shield(asyncio.wrap_future(rung))


def _leaps(now: Callable[[], int], before: int) -> Callable[[], int]:
    """By how much the machine's clock was set forward in all, of which ``before`` is noted already."""
    return (lambda: before + now.leapt()) if isinstance(now, Clock) else lambda: before


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
