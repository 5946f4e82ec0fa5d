"""What type checkers see through a guard. mypy and pyright read this file; running it shows that it tells the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, assert_type

import pytest

from clearance import ActionDenied, Grant, authorized, requires_authorization
from clearance.testing import FakeTransport

YES = FakeTransport(True)


@requires_authorization(action_type="payment.refund", transport=YES)
def refund(charge: str, amount: int = 5, *, reason: str | None = None) -> bool:
    return amount > 0


@requires_authorization(action_type="payment.refund", transport=YES)
async def arefund(charge: str, amount: int = 5) -> bool:
    return amount > 0


@requires_authorization(action_type="payment.refund", transport=YES, on_denied="raise")
def refund_or_raise(charge: str) -> bool:
    return True


@requires_authorization(action_type="payment.refund", transport=YES, on_denied="return")
def try_refund(charge: str, amount: int = 5) -> bool:
    return amount > 0


@requires_authorization(action_type="payment.refund", transport=YES, on_denied="return")
async def atry_refund(charge: str, amount: int = 5) -> bool:
    return amount > 0


class Account:
    @requires_authorization(action_type="payment.refund", transport=YES)
    def refund(self, amount: int) -> bool:
        return amount > 0


def test_a_guarded_function_returns_what_it_returned() -> None:
    assert_type(refund("ch_1"), bool)
    assert_type(refund("ch_1", 5, reason="broken"), bool)
    assert_type(refund_or_raise("ch_1"), bool)


def test_a_guarded_method_returns_what_it_returned() -> None:
    assert_type(Account().refund(5), bool)


def test_a_guarded_coroutine_function_is_one_still() -> None:
    async def main() -> None:
        assert_type(await arefund("ch_1"), bool)

    asyncio.run(main())


def test_where_denials_are_returned_they_join_the_results() -> None:
    assert_type(try_refund("ch_1"), bool | ActionDenied)


def test_where_denials_are_returned_they_join_the_results_of_coroutines_too() -> None:
    async def main() -> None:
        assert_type(await atry_refund("ch_1"), bool | ActionDenied)

    asyncio.run(main())


def test_a_guarded_function_goes_where_the_function_went() -> None:
    plain: Callable[[str, int], bool] = refund
    coroutine: Callable[[str, int], Coroutine[Any, Any, bool]] = arefund

    assert plain("ch_1", 5)
    assert asyncio.run(coroutine("ch_1", 5))


def test_arguments_that_do_not_fit_are_an_error_for_the_checkers_too() -> None:
    with pytest.raises(TypeError):
        refund()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        refund("ch_1", 5, "broken")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        try_refund("ch_1", amuont=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        refund("ch_1", "five")  # type: ignore[arg-type]


def test_options_that_do_not_exist_are_an_error_for_the_checkers_too() -> None:
    with pytest.raises(TypeError):
        requires_authorization()  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="on_denied"):
        requires_authorization(action_type="x", on_denied="ignore")  # type: ignore[call-overload]


def test_a_block_gives_its_grant() -> None:
    async def main() -> None:
        async with authorized(action_type="db.migrate", tool_name="postgres", transport=YES) as grant:
            assert_type(grant, Grant)

    with authorized(action_type="db.migrate", tool_name="postgres", transport=YES) as grant:
        assert_type(grant, Grant)
    asyncio.run(main())
