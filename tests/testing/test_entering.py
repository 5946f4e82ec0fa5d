"""The fake as a context manager and as a decorator; and for unittest."""

from __future__ import annotations

import asyncio
import threading
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from clearance import (
    AuthorizationUnavailable,
    ConfigurationError,
    configure,
    override,
    requires_authorization,
)
from clearance.settings import standing_transport
from clearance.testing import AuthorizationMismatch, AuthorizationMixin, FakeTransport


@requires_authorization(action_type="payment.refund")
def refund(amount: int) -> int:
    return amount


@requires_authorization(action_type="payment.refund")
async def arefund(amount: int) -> int:
    return amount


def test_guards_use_it_inside_the_block_and_nowhere_else() -> None:
    before = FakeTransport(True)
    configure(transport=before)
    with FakeTransport() as fake:
        fake.allow()
        assert refund(1) == 1
        assert asyncio.run(arefund(2)) == 2
        assert len(fake.asked) == 2
    assert standing_transport() is before
    assert before.asked == []


def test_a_guard_with_a_transport_of_its_own_keeps_it() -> None:
    own = FakeTransport(True)
    with FakeTransport():
        requires_authorization(action_type="a", transport=own)(lambda: None)()
    assert len(own.asked) == 1


def test_blocks_within_blocks_and_what_they_start() -> None:
    outer, inner = FakeTransport(True), FakeTransport(True)
    with outer:
        refund(1)
        with inner:
            asyncio.run(arefund(2))
        refund(3)
        with override(transport=inner):
            refund(4)
    assert [len(fake.asked) for fake in (outer, inner)] == [2, 2]


def test_leaving_asserts_that_nothing_is_left_over() -> None:
    with (
        pytest.raises(AuthorizationMismatch, match=r"Rules that nothing asked for:\n  - allow payment\.refund"),
        FakeTransport() as fake,
    ):
        fake.allow("payment.refund")


def refused() -> None:
    """A refund that finds no rule, in code that goes on without it."""
    with suppress(AuthorizationUnavailable):
        refund(1)


def test_a_refusal_that_was_swallowed_comes_out_at_the_end() -> None:
    with pytest.raises(AuthorizationMismatch, match="no rule answers it"), FakeTransport():
        refused()


def test_an_error_of_the_test_is_not_hidden_and_notes_what_found_no_rule() -> None:
    def fail() -> None:
        with FakeTransport() as fake:
            fake.allow("mail.send")
            refused()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as error:
        fail()
    assert "no rule answers it; the nearest rule is: allow mail.send" in error.value.__notes__[0]
    assert standing_transport() is None


def test_entering_again_begins_anew_and_keeps_the_rules_from_outside() -> None:
    fake = FakeTransport()
    fake.allow("payment.refund").once()
    for _ in range(2):
        with fake:
            fake.deny("mail.send").optional()
            refund(1)
            assert len(fake.asked) == 1
    assert len(fake.asked) == 1
    fake.allow("a").optional()
    with fake:
        refund(1)
        assert repr(fake) == "<FakeTransport: 2 rules, 1 requests>"


def test_the_same_fake_may_be_entered_within_itself_and_by_many_threads() -> None:
    fake = FakeTransport()
    fake.allow()

    def enter(number: int) -> int:
        with fake:
            return refund(number)

    with fake:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(enter, range(40))) == list(range(40))
        assert enter(40) == 40
        assert len(fake.asked) == 41


def test_tasks_beside_each_other_have_each_their_own() -> None:
    async def one(number: int) -> list[Any]:
        with FakeTransport(True) as fake:
            await asyncio.sleep(0)
            await arefund(number)
            await asyncio.sleep(0)
            return [asked.parameters["amount"] for asked in fake.asked]

    async def all_of_them() -> list[list[Any]]:
        return await asyncio.gather(*map(one, range(20)))

    assert asyncio.run(all_of_them()) == [[number] for number in range(20)]


def test_a_bare_thread_is_outside_of_the_block() -> None:
    """As with `override`: it has a context of its own, and fails closed."""
    ends: list[BaseException] = []

    def run() -> None:
        try:
            refund(1)
        except ConfigurationError as error:
            ends.append(error)

    with FakeTransport(True) as fake:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert (len(ends), fake.asked) == (1, [])


# ---------------------------------------------------------------------------------------------------------------------
# As a decorator
# ---------------------------------------------------------------------------------------------------------------------


def test_it_decorates_functions_and_coroutine_functions_and_keeps_their_names() -> None:
    fake = FakeTransport(True)

    @fake
    def now(amount: int) -> int:
        """Pay."""
        return refund(amount)

    @fake
    async def later(amount: int) -> int:
        return await arefund(amount)

    assert (now(1), now.__name__, now.__doc__) == (1, "now", "Pay.")
    assert (asyncio.run(later(2)), len(fake.asked)) == (2, 1)
    with pytest.raises(ConfigurationError):
        refund(3)


def test_it_decorates_the_tests_of_a_class_and_nothing_else_of_it() -> None:
    @FakeTransport(True)
    class Tests:
        def test_refund(self) -> int:
            return refund(1)

        def helper(self) -> int:
            return refund(1)

    assert Tests().test_refund() == 1
    with pytest.raises(ConfigurationError):
        Tests().helper()


def test_a_decorated_test_fails_if_its_rules_are_not_used() -> None:
    fake = FakeTransport()
    fake.allow("mail.send")

    @fake
    def test() -> None: ...

    with pytest.raises(AuthorizationMismatch):
        test()


def test_a_generator_function_is_refused() -> None:
    def generator() -> Iterator[None]:
        yield

    with pytest.raises(TypeError, match="write `with fake:` inside it"):
        FakeTransport(True)(generator)


# ---------------------------------------------------------------------------------------------------------------------
# unittest
# ---------------------------------------------------------------------------------------------------------------------


def run(case: type[unittest.TestCase]) -> dict[str, str]:
    """The last line of what went wrong with each test."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.errors == []
    return {test.id().rpartition(".")[2]: text.splitlines()[-1] for test, text in result.failures}


def test_each_unittest_has_an_approver_of_its_own_and_fails_if_it_is_not_as_scripted() -> None:
    class Tests(AuthorizationMixin, unittest.TestCase):
        def test_passes(self) -> None:
            self.authorization.allow("payment.refund")
            assert refund(1) == 1
            self.authorization.assert_asked_once("payment.refund", amount=1)

        def test_uses_nothing(self) -> None:
            self.authorization.allow("mail.send")

        def test_swallows(self) -> None:
            with pytest.raises(AuthorizationUnavailable):
                refund(1)

    failures = run(Tests)

    assert failures.keys() == {"test_uses_nothing", "test_swallows"}
    assert failures["test_uses_nothing"].startswith("  - allow mail.send (test_entering.py:")
    assert "no rule is here at all" in failures["test_swallows"]
    assert standing_transport() is None


def test_it_is_the_same_for_coroutines() -> None:
    class Tests(AuthorizationMixin, unittest.IsolatedAsyncioTestCase):
        async def test_passes(self) -> None:
            self.authorization.allow("payment.refund")
            assert await arefund(1) == 1

        async def test_uses_nothing(self) -> None:
            self.authorization.allow("mail.send")

    assert run(Tests).keys() == {"test_uses_nothing"}
