"""Callables with something around them: partials, and the wrappers of other decorators.

See `tests.callables.catalogue`.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import wrapt
from tests.callables.bodies import ASYNC, SYNC, Bodies, a_generator, an_async_generator
from tests.callables.catalogue import Catalogue, Decorator, Made, Order

KINDS = Catalogue()
kind, both_orders = KINDS.kind, KINDS.both_orders

# ---------------------------------------------------------------------------------------------------------------------
# Partials
# ---------------------------------------------------------------------------------------------------------------------


@kind("a partial with a keyword")
def _(guard: Decorator, bodies: Bodies) -> Made:
    partial = guard(functools.partial(bodies.free(), amount=9))
    return Made(lambda lines, amount: partial(lines, amount=amount))


@kind("a partial that holds the list")
def _(guard: Decorator, bodies: Bodies) -> Made:
    return Made(lambda lines, amount: guard(functools.partial(bodies.free(), lines))(amount))


@kind("a partial of a partial")
def _(guard: Decorator, bodies: Bodies) -> Made:
    def call(lines: list[str], amount: int) -> Any:
        return guard(functools.partial(functools.partial(bodies.free(), lines), amount=amount))()

    return Made(call)


@kind("a partial of a bound method")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = bodies.method("Account")

    account = Account()
    return Made(lambda lines, amount: guard(functools.partial(account.pay, lines))(amount), account)


@kind("a partial of a callable object")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Teller:
        __call__ = bodies.method("Teller")

    teller: Any = Teller()
    return Made(lambda lines, amount: guard(functools.partial(teller, lines))(amount), teller)


@kind("a partial of a guarded function")
def _(guard: Decorator, bodies: Bodies) -> Made:
    pay = guard(bodies.free())
    return Made(lambda lines, amount: functools.partial(pay, lines)(amount))


@kind("a partialmethod")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(functools.partialmethod(bodies.method("Account"), amount=9))

    account = Account()
    return Made(lambda lines, amount: account.pay(lines, amount=amount), account)


@kind("a partialmethod that holds the list")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"

    account = Account()

    def call(lines: list[str], amount: int) -> Any:
        pay = guard(functools.partialmethod(bodies.method("Account"), lines))
        return pay.__get__(account, Account)(amount)

    return Made(call, account)


@kind("a partialmethod, found on the class")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(functools.partialmethod(bodies.method("Account"), amount=9))

    account = Account()
    return Made(lambda lines, amount: Account.pay(account, lines, amount=amount), account)


@kind("a partialmethod of a class method")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(functools.partialmethod(classmethod(bodies.method("Account")), amount=9))

    return Made(lambda lines, amount: Account().pay(lines, amount=amount), Account)


@kind("a partialmethod of a class method, found on the class")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(functools.partialmethod(classmethod(bodies.method("Account")), amount=9))

    return Made(lambda lines, amount: Account.pay(lines, amount=amount), Account)


@kind("a partialmethod of a static method")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(functools.partialmethod(staticmethod(bodies.static("Account")), amount=9))

    return Made(lambda lines, amount: Account().pay(lines, amount=amount))


@kind("a partialmethod of a guarded method")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = functools.partialmethod(guard(bodies.method("Account")), amount=9)

    account = Account()
    return Made(lambda lines, amount: account.pay(lines, amount=amount), account)


# ---------------------------------------------------------------------------------------------------------------------
# Among other decorators
# ---------------------------------------------------------------------------------------------------------------------


@wrapt.decorator
def through(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    """A decorator made with wrapt."""
    return wrapped(*args, **kwargs)


@both_orders("a method under functools.wraps")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, bodies.wrapping)(bodies.method("Account"))

    account = Account()
    return Made(account.pay, account)


@both_orders("a class method under functools.wraps")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay: Any = classmethod(order(guard, bodies.wrapping)(bodies.method("Account")))

    return Made(Account.pay, Account)


@both_orders("a method under wrapt")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, through)(bodies.method("Account"))

    account = Account()
    return Made(account.pay, account)


@both_orders("a function under functools.wraps")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    return Made(order(guard, bodies.wrapping)(bodies.free()))


@both_orders("a function under wrapt")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    return Made(order(guard, through)(bodies.free()))


@kind("a method under a decorator that tells nothing, the guard below it")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = bodies.layer(guard(bodies.method("Account")))

    account = Account()
    return Made(account.pay, account)


@kind("a static method under a decorator that tells nothing, the guard below it")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = staticmethod(bodies.layer(guard(bodies.static("Account"))))

    return Made(Account().pay)


@kind("a class method under a decorator that tells nothing, the guard below it")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay: Any = classmethod(bodies.layer(guard(bodies.method("Account"))))

    return Made(Account.pay, Account)


@kind("a decorator that injects an argument, the guard above it", flavours=(SYNC, ASYNC))
def _(guard: Decorator, bodies: Bodies) -> Made:
    inner = _with_a_session(bodies)

    @functools.wraps(inner)
    def injecting(lines: list[str], amount: int = 7) -> Any:
        return inner("the session", lines, amount)

    @functools.wraps(inner)
    async def ainjecting(lines: list[str], amount: int = 7) -> Any:
        return await inner("the session", lines, amount)

    return Made(guard(injecting if bodies.flavour is SYNC else ainjecting))


@kind(
    "a decorator that injects an argument, the guard below it",
    flavours=(SYNC, ASYNC),
    more_shown={"session": "the session"},
)
def _(guard: Decorator, bodies: Bodies) -> Made:
    guarded = guard(_with_a_session(bodies))
    return Made(bodies.wrapping(functools.partial(guarded, "the session")))


def _with_a_session(bodies: Bodies) -> Any:
    body = bodies.free()

    def inner(session: str, lines: list[str], amount: int = 7) -> Any:
        assert session == "the session"
        return body(lines, amount)

    async def ainner(session: str, lines: list[str], amount: int = 7) -> Any:
        assert session == "the session"
        return await body(lines, amount)

    return inner if bodies.flavour is SYNC else ainner


@kind(
    "a decorator with a signature of its own, the guard above it",
    flavours=(SYNC, ASYNC),
    no_edits="which is no parameter",
    names=("items", "price"),
)
def _(guard: Decorator, bodies: Bodies) -> Made:
    body = bodies.free()

    @functools.wraps(body)
    def renaming(items: list[str], price: int) -> Any:
        return body(items, price)

    @functools.wraps(body)
    async def arenaming(items: list[str], price: int) -> Any:
        return await body(items, price)

    return Made(guard(renaming if bodies.flavour is SYNC else arenaming))


@kind("a decorator with a signature of its own, the guard below it")
def _(guard: Decorator, bodies: Bodies) -> Made:
    guarded = guard(bodies.free())

    @functools.wraps(guarded)
    def renaming(items: list[str], price: int) -> Any:
        return guarded(items, price)

    return Made(renaming)


async def _entered(manager: Any) -> Any:
    async with manager as inside:
        return inside


def _within(manager: Any) -> Any:
    with manager as inside:
        return inside


@kind("a context manager, the guard above it", flavours=(SYNC, ASYNC))
def _(guard: Decorator, bodies: Bodies) -> Made:
    if bodies.flavour is ASYNC:
        aguarded = guard(contextlib.asynccontextmanager(an_async_generator(bodies.ledger)))
        return Made(lambda lines, amount: _entered(aguarded(lines, amount)))
    guarded = guard(contextlib.contextmanager(a_generator(bodies.ledger)))
    return Made(lambda lines, amount: _within(guarded(lines, amount)))


@kind("a context manager, the guard below it", flavours=(SYNC, ASYNC))
def _(guard: Decorator, bodies: Bodies) -> Made:
    if bodies.flavour is ASYNC:
        amanager = contextlib.asynccontextmanager(guard(an_async_generator(bodies.ledger)))
        return Made(lambda lines, amount: _entered(amanager(lines, amount)))
    manager = contextlib.contextmanager(guard(a_generator(bodies.ledger)))
    return Made(lambda lines, amount: _within(manager(lines, amount)))
