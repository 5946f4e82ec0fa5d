"""What type checkers see through a guard. mypy and pyright read this file; running it shows that it tells the truth.

Where it says ``type: ignore``, both have to find a mistake.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Generic, NamedTuple, Self, TypeVar, assert_type

import pytest
from pydantic import BaseModel

from clearance import (
    Action,
    ActionDenied,
    Decision,
    Grant,
    Status,
    acheck,
    agent,
    authorized,
    check,
    configure,
    current_grant,
    override,
    reasoning,
    requires_authorization,
)
from clearance.testing import FakeTransport

T = TypeVar("T")

YES = FakeTransport(True)
NO = FakeTransport(False)

# ---------------------------------------------------------------------------------------------------------------------
# Functions
# ---------------------------------------------------------------------------------------------------------------------


@requires_authorization(action_type="payment.refund", transport=YES)
def refund(charge: str, amount: int = 5, *, reason: str | None = None) -> bool:
    return amount > 0


@requires_authorization(action_type="payment.refund", transport=YES)
async def arefund(charge: str, amount: int = 5) -> bool:
    return amount > 0


@requires_authorization(action_type="payment.refund", transport=YES)
def refunds(charges: list[str]) -> Iterator[str]:
    yield from charges


@requires_authorization(action_type="payment.refund", transport=YES)
def countdown(start: int) -> Generator[int, str, bool]:
    said = yield start
    return said == "go"


@requires_authorization(action_type="payment.refund", transport=YES)
async def arefunds(charges: list[str]) -> AsyncIterator[str]:
    for charge in charges:
        yield charge


@requires_authorization(action_type="payment.refund", transport=YES)
async def acountdown(start: int) -> AsyncGenerator[int, str]:
    assert (yield start) == "go"


@requires_authorization(action_type="payment.refund", transport=YES)
def first_of(items: list[T]) -> T:
    return items[0]


@contextmanager
@requires_authorization(action_type="payment.refund", transport=YES)
def session(name: str) -> Iterator[str]:
    yield name


@requires_authorization(action_type="payment.refund", transport=YES, on_denied="raise")
def refund_or_raise(charge: str) -> bool:
    return True


def test_a_guarded_function_returns_what_it_returned() -> None:
    assert assert_type(refund("ch_1"), bool) is True
    assert assert_type(refund("ch_1", 5, reason="broken"), bool) is True
    assert assert_type(refund_or_raise("ch_1"), bool) is True
    assert assert_type(first_of(["a"]), str) == "a"


def test_a_guarded_coroutine_function_is_one_still() -> None:
    async def main() -> None:
        coroutine: Coroutine[Any, Any, bool] = arefund("ch_1")
        assert assert_type(await coroutine, bool) is True

    asyncio.run(main())


def test_a_guarded_generator_is_one_still() -> None:
    assert_type(refunds(["a"]), Iterator[str])
    assert list(refunds(["a"])) == ["a"]

    counting = countdown(3)
    assert_type(counting, Generator[int, str, bool])
    assert assert_type(next(counting), int) == 3
    with pytest.raises(StopIteration) as stopped:
        counting.send("go")
    assert stopped.value.value is True
    assert isinstance(counting, GeneratorType)


def test_a_guarded_async_generator_is_one_still() -> None:
    async def main() -> None:
        assert_type(arefunds(["a"]), AsyncIterator[str])
        assert [assert_type(charge, str) async for charge in arefunds(["a"])] == ["a"]

        counting = acountdown(3)
        assert_type(counting, AsyncGenerator[int, str])
        assert assert_type(await anext(counting), int) == 3
        with pytest.raises(StopAsyncIteration):
            await counting.asend("go")
        assert isinstance(counting, AsyncGeneratorType)

    asyncio.run(main())


def test_a_guarded_generator_can_be_made_a_context_manager() -> None:
    manager: AbstractContextManager[str] = session("a")
    with manager as name:
        assert assert_type(name, str) == "a"


def test_a_lambda_a_partial_and_a_callable_object_can_be_guarded() -> None:
    class Teller:
        limit = 10

        def __call__(self, amount: int) -> bool:
            return amount < self.limit

    guard = requires_authorization(action_type="payment.refund", transport=YES)
    guarded: Callable[[int], int] = guard(lambda number: 2 * number)
    partial = guard(functools.partial(refund_or_raise, "ch_1"))
    teller = guard(Teller())

    assert_type(partial, functools.partial[bool])
    assert_type(teller, Teller)
    assert assert_type(guarded(2), int) == 4
    assert assert_type(partial(), bool) is True
    assert assert_type(teller(5), bool) is True
    assert assert_type(teller.limit, int) == 10


def test_a_guarded_function_goes_where_the_function_went() -> None:
    plain: Callable[[str, int], bool] = refund
    coroutine: Callable[[str, int], Coroutine[Any, Any, bool]] = arefund

    assert plain("ch_1", 5)
    assert asyncio.run(coroutine("ch_1", 5))


# ---------------------------------------------------------------------------------------------------------------------
# Methods
# ---------------------------------------------------------------------------------------------------------------------


class Account:
    def __init__(self, balance: int = 0) -> None:
        self.balance = balance

    @requires_authorization(action_type="payment.refund", transport=YES)
    def refund(self, amount: int) -> bool:
        return amount > self.balance

    @requires_authorization(action_type="payment.refund", transport=YES)
    async def arefund(self, amount: int) -> bool:
        return amount > self.balance

    @requires_authorization(action_type="payment.refund", transport=YES)
    def refunds(self, amount: int) -> Iterator[int]:
        yield amount - self.balance

    @classmethod
    @requires_authorization(action_type="account.open", transport=YES)
    def open(cls, balance: int) -> Self:
        return cls(balance)

    @requires_authorization(action_type="account.open", transport=YES)
    @classmethod
    def reopen(cls, balance: int) -> Account:
        return cls(balance)

    @staticmethod
    @requires_authorization(action_type="account.check", transport=YES)
    def check(balance: int) -> bool:
        return balance > 0

    @requires_authorization(action_type="account.check", transport=YES)
    @staticmethod
    def recheck(balance: int) -> bool:
        return balance > 0

    @property
    @requires_authorization(action_type="account.check", transport=YES)
    def total(self) -> int:
        return self.balance

    refund_five = requires_authorization(action_type="payment.refund", transport=YES)(
        functools.partialmethod(refund, amount=5)
    )


class Savings(Account):
    pass


def test_a_guarded_method_returns_what_it_returned() -> None:
    assert assert_type(Account().refund(5), bool) is True
    assert assert_type(Account.refund(Account(), 5), bool) is True
    assert assert_type(list(Account().refunds(5)), list[int]) == [5]
    assert assert_type(Account(3).total, int) == 3
    assert assert_type(Account().refund_five(), bool) is True

    async def main() -> None:
        assert assert_type(await Account().arefund(5), bool) is True

    asyncio.run(main())


def test_a_guarded_class_method_returns_what_it_returned_in_both_orders() -> None:
    assert assert_type(Account.open(5), Account).balance == 5
    assert assert_type(Savings.open(5), Savings).balance == 5
    assert assert_type(Account.reopen(5), Account).balance == 5
    assert assert_type(Account().reopen(5), Account).balance == 5


def test_a_guarded_static_method_returns_what_it_returned_in_both_orders() -> None:
    assert assert_type(Account.check(5), bool) is True
    assert assert_type(Account.recheck(5), bool) is True
    assert assert_type(Account().recheck(5), bool) is True


# ---------------------------------------------------------------------------------------------------------------------
# Classes
# ---------------------------------------------------------------------------------------------------------------------


@requires_authorization(action_type="order.make", transport=YES)
class Order:
    rate = 3

    def __init__(self, amount: int) -> None:
        self.amount = amount


@requires_authorization(action_type="order.make", transport=YES)
@dataclass(frozen=True)
class Receipt:
    amount: int
    note: str = ""


@requires_authorization(action_type="order.make", transport=YES)
class Invoice(BaseModel):
    amount: int


@requires_authorization(action_type="order.make", transport=YES)
class Pair(NamedTuple):
    amount: int
    note: str = ""


@requires_authorization(action_type="order.make", transport=YES)
class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item


class BigOrder(Order):
    pass


def test_a_guarded_class_stays_a_class() -> None:
    def takes_an_order(order: Order) -> int:
        return order.amount

    cls: type[Order] = Order

    assert takes_an_order(assert_type(Order(5), Order)) == 5
    assert takes_an_order(assert_type(BigOrder(5), BigOrder)) == 5
    assert cls(5).amount == assert_type(Order.rate, int) + 2
    assert assert_type(Receipt(5).note, str) == ""
    assert assert_type(Invoice(amount=5).amount, int) == 5
    assert assert_type(Pair(5).amount, int) == 5
    assert assert_type(Box("a").item, str) == "a"


# ---------------------------------------------------------------------------------------------------------------------
# Denials that are returned
# ---------------------------------------------------------------------------------------------------------------------


@requires_authorization(action_type="payment.refund", transport=NO, on_denied="return")
def try_refund(charge: str, amount: int = 5) -> bool:
    return amount > 0


@requires_authorization(action_type="payment.refund", transport=NO, on_denied="return")
async def atry_refund(charge: str, amount: int = 5) -> bool:
    return amount > 0


def test_where_denials_are_returned_they_join_the_results() -> None:
    denial = try_refund("ch_1")
    assert_type(denial, bool | ActionDenied)
    assert isinstance(denial, ActionDenied)
    assert "Do not retry" in assert_type(denial.for_model(), str)


def test_where_denials_are_returned_they_join_the_results_of_coroutines_too() -> None:
    async def main() -> None:
        denial = await atry_refund("ch_1")
        assert_type(denial, bool | ActionDenied)
        assert isinstance(denial, ActionDenied)

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------------------------------
# Blocks, answers, settings
# ---------------------------------------------------------------------------------------------------------------------


def test_a_block_gives_its_grant() -> None:
    async def main() -> None:
        async with authorized(action_type="db.migrate", tool_name="postgres", transport=YES) as grant:
            assert_type(grant, Grant)

    with authorized(action_type="db.migrate", tool_name="postgres", transport=YES) as grant:
        assert_type(grant, Grant)
        assert assert_type(current_grant(), Grant) is grant
        assert_type(grant.idempotency_key, str)
    asyncio.run(main())


def test_code_after_a_block_is_reached_only_if_the_block_ran() -> None:
    def migrate() -> int:
        with authorized(action_type="db.migrate", tool_name="postgres", transport=YES):
            return 5

    assert assert_type(migrate(), int) == 5


def test_a_check_is_answered_with_a_decision() -> None:
    async def main() -> None:
        coroutine: Coroutine[Any, Any, Decision]
        coroutine = acheck(action_type="db.drop", tool_name="postgres", transport=NO)
        assert assert_type(await coroutine, Decision).status is Status.DENIED

    decision = check(action_type="db.drop", tool_name="postgres", parameters={"table": "users"}, transport=NO)
    assert assert_type(decision, Decision).status is Status.DENIED
    asyncio.run(main())


def test_settings_are_given_by_name_and_contexts_give_nothing() -> None:
    def told(action: Action, decision: Decision) -> None:
        assert_type(action.agent_id, str)

    configure(transport=YES, agent_id="billing-bot", timeout=30, on_wait=told)
    with agent("bot") as of_agent, override(transport=NO, timeout=5.0) as of_override, reasoning("because") as why:
        assert_type(of_agent, None)
        assert_type(of_override, None)
        assert_type(why, None)


# ---------------------------------------------------------------------------------------------------------------------
# Mistakes
# ---------------------------------------------------------------------------------------------------------------------


def test_arguments_that_do_not_fit_are_an_error_for_the_checkers_too() -> None:
    with pytest.raises(TypeError):
        refund()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        refund("ch_1", 5, "broken")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        try_refund("ch_1", amuont=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        refund("ch_1", "five")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Account().refund()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Order()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Account.reopen()  # type: ignore[call-arg]


def test_options_that_do_not_exist_are_an_error_for_the_checkers_too() -> None:
    with pytest.raises(TypeError):
        requires_authorization()  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="on_denied"):
        requires_authorization(action_type="x", on_denied="ignore")  # type: ignore[call-overload]


def test_what_cannot_be_called_is_an_error_for_the_checkers_too() -> None:
    with pytest.raises(TypeError):
        requires_authorization(action_type="x")(5)  # type: ignore[type-var]
