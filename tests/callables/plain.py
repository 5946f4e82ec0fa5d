"""Functions, methods and callable objects of every kind. See `tests.callables.catalogue`."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import Any

from tests.callables.bodies import GENERATOR, SYNC, Bodies
from tests.callables.catalogue import Catalogue, Decorator, Made, Order

KINDS = Catalogue()
kind, both_orders = KINDS.kind, KINDS.both_orders

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
