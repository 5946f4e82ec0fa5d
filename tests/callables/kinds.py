"""Every kind of callable that can be guarded, with the guard in each place that it can stand in.

All of them take the same two arguments, ``(lines, amount)``, and end in the same body.
"""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import wrapt
from tests.callables.bodies import ASYNC, FLAVOURS, GENERATOR, SYNC, Bodies, a_generator, an_async_generator

from clearance.models import Json

Decorator = Callable[[Any], Any]


@wrapt.decorator
def through(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    """A decorator made with wrapt."""
    return wrapped(*args, **kwargs)


@dataclass(frozen=True)
class Made:
    """Something guarded, ready to be called with ``(lines, amount)``; and what its body is to be called on, if any."""

    call: Callable[..., Any]
    receiver: object = None


@dataclass(frozen=True)
class Kind:
    """One kind of callable with a guard in one place.

    ``requests`` is how often one call is asked for. ``no_edits`` is what the guard says where no approver could change
    the ``amount``. The two arguments are shown under ``names`` (in the parameter ``inside``), beside ``more_shown``.
    """

    name: str
    make: Callable[[Decorator, Bodies], Made]
    flavours: tuple[str, ...] = FLAVOURS
    requests: int = 1
    no_edits: str = ""
    names: tuple[str, str] = ("lines", "amount")
    inside: str = ""
    more_shown: Mapping[str, Json] = field(default_factory=dict)

    def shown(self, lines: list[Json], amount: Json) -> dict[str, object]:
        """What an approver sees of a call."""
        arguments: dict[str, object] = dict(zip(self.names, (lines, amount), strict=True))
        return {**self.more_shown, **({self.inside: arguments} if self.inside else arguments)}

    def __str__(self) -> str:
        return self.name


KINDS: list[Kind] = []

Maker = Callable[[Decorator, Bodies], Made]
Order = Callable[[Decorator, Decorator], Decorator]
"""Puts the guard (first) and another decorator around a body."""


def kind(name: str, **facts: Any) -> Callable[[Maker], Maker]:
    """Put what the function makes into the catalogue."""

    def register(make: Maker) -> Maker:
        KINDS.append(Kind(name, make, **facts))
        return make

    return register


def above(guard: Decorator, other: Decorator) -> Decorator:
    return lambda body: guard(other(body))


def below(guard: Decorator, other: Decorator) -> Decorator:
    return lambda body: other(guard(body))


def both_orders(name: str) -> Callable[[Callable[[Decorator, Bodies, Order], Made]], None]:
    """Put what the function makes into the catalogue, with the guard above and below the other decorator."""

    def register(make: Callable[[Decorator, Bodies, Order], Made]) -> None:
        for order in (above, below):
            KINDS.append(Kind(f"{name}, the guard {order.__name__} it", functools.partial(_in_order, make, order)))

    return register


def _in_order(make: Callable[[Decorator, Bodies, Order], Made], order: Order, guard: Decorator, bodies: Bodies) -> Made:
    return make(guard, bodies, order)


# ---------------------------------------------------------------------------------------------------------------------
# Functions
# ---------------------------------------------------------------------------------------------------------------------


@kind("a function")
def _(guard: Decorator, bodies: Bodies) -> Made:
    return Made(guard(bodies.free()))


@kind("a lambda", flavours=(SYNC,), no_edits="has no annotation")
def _(guard: Decorator, bodies: Bodies) -> Made:
    return Made(guard(lambda lines, amount=7: bodies.ledger.note(lines, amount)))


@kind("a lambda that is a generator", flavours=(GENERATOR,), no_edits="has no annotation")
def _(guard: Decorator, bodies: Bodies) -> Made:
    return Made(guard(lambda lines, amount=7: (yield bodies.ledger.note(lines, amount))))  # pyright: ignore[reportReturnType]


@kind("two guards, one above the other", requests=2)
def _(guard: Decorator, bodies: Bodies) -> Made:
    return Made(guard(guard(bodies.free())))


# ---------------------------------------------------------------------------------------------------------------------
# Methods
# ---------------------------------------------------------------------------------------------------------------------


@kind("a method")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(bodies.method("Account"))

    account = Account()
    return Made(account.pay, account)


@kind("a method, found on the class")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(bodies.method("Account"))

    account = Account()
    return Made(functools.partial(Account.pay, account), account)


@kind("an inherited method")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(bodies.method("Account"))

    class Savings(Account):
        pass

    account = Savings()
    return Made(account.pay, account)


@kind("a method that is overridden and called by super()")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(bodies.method("Account"))

    class Savings(Account):
        def pay(self, lines: list[str], amount: int) -> Any:
            return super().pay(lines, amount)

    account = Savings()
    return Made(account.pay, account)


@kind("a method of a class in a class")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Shop:
        class Account:
            __qualname__ = "Shop.Account"
            pay = guard(bodies.method("Shop.Account"))

    account = Shop.Account()
    return Made(account.pay, account)


@kind("a method that was put into its class afterwards")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay: Any = bodies.method("Account")

    Account.pay = guard(Account.pay)
    account = Account()
    return Made(account.pay, account)


@kind("a bound method that was guarded afterwards")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = bodies.method("Account")

    account = Account()
    return Made(guard(account.pay), account)


@kind("a guarded bound method, guarded afterwards", requests=2)
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(bodies.method("Account"))

    account = Account()
    return Made(guard(account.pay), account)


@kind("a method bound by hand")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = guard(bodies.method("Account"))

    account = Account()
    return Made(Account.__dict__["pay"].__get__(account, Account), account)


@both_orders("an abstract method")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account(ABC):  # noqa: B024 - its abstract method is put together
        __qualname__ = "Account"
        pay = order(guard, abstractmethod)(bodies.method("Account"))

    class Savings(Account):
        def pay(self, lines: list[str], amount: int) -> Any:
            return super().pay(lines, amount)

    assert Account.__abstractmethods__ == {"pay"}
    account = Savings()
    return Made(account.pay, account)


@both_orders("a static method")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, staticmethod)(bodies.static("Account"))

    return Made(Account.pay)


@both_orders("a static method that is found on an object")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, staticmethod)(bodies.static("Account"))

    return Made(Account().pay)


@both_orders("a class method")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, classmethod)(bodies.method("Account"))

    return Made(Account.pay, Account)


@both_orders("a class method that is found on an object")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, classmethod)(bodies.method("Account"))

    return Made(Account().pay, Account)


@both_orders("an inherited class method")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, classmethod)(bodies.method("Account"))

    class Savings(Account):
        pass

    return Made(Savings.pay, Savings)


@both_orders("a class method that is overridden and called by super()")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        __qualname__ = "Account"
        pay = order(guard, classmethod)(bodies.method("Account"))

    class Savings(Account):
        @classmethod
        def pay(cls, lines: list[str], amount: int) -> Any:
            return super().pay(lines, amount)

    return Made(Savings.pay, Savings)


@both_orders("a class method of a function from elsewhere")
def _(guard: Decorator, bodies: Bodies, order: Order) -> Made:
    class Account:
        make = order(guard, classmethod)(bodies.method("elsewhere.<locals>"))

    return Made(Account.make, Account)


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


# ---------------------------------------------------------------------------------------------------------------------
# Objects
# ---------------------------------------------------------------------------------------------------------------------


@kind("a callable object")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Teller:
        __call__ = bodies.method("Teller")

    teller: Any = Teller()
    return Made(guard(teller), teller)


@kind("a callable object in a class")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Teller:
        __call__ = bodies.method("Teller")

    teller: Any = Teller()

    class Bank:
        pay = guard(teller)

    return Made(Bank().pay, teller)


@kind("a class's __call__")
def _(guard: Decorator, bodies: Bodies) -> Made:
    class Teller:
        __qualname__ = "Teller"
        __call__ = guard(bodies.method("Teller"))

    teller: Any = Teller()
    return Made(teller, teller)


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
