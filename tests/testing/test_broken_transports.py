"""The contract finds what it is for: a broken transport for each rule, found by the case that states the rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.testing.approvers import CLEARED, REFUSED
from tests.testing.broken import ASYNC_MISTAKES, MISTAKES, good

from clearance.testing.contract import AsyncTransportContract, Peer, TransportContract, transports
from clearance.testing.contract.carrying import Carrying
from clearance.testing.contract.peers import ABILITIES


class TestCallersOfAFake(TransportContract):
    """What the broken ones are made of has no mistake, and can do everything."""

    cleared_type, refused_type = CLEARED, REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with good() as peer:
            yield peer


class OnAnEventLoop(AsyncTransportContract):
    cleared_type, refused_type = CLEARED, REFUSED


def failures(contract: type[Carrying], name: str, make: Callable[[Peer], Peer]) -> list[BaseException]:
    """What the case, with all its values, says of a good peer made into another one."""
    cases = [each for each in contract.cases() if each.name.partition("[")[0].startswith(name)]
    assert cases, f"there is no case {name}"
    found: list[BaseException] = []
    with good() as peer:
        for each in cases:
            try:
                each.run(make(peer))
            except Exception as error:
                found.append(error)
    contract.teardown_class()
    return found


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_transport_is_found_by_the_case_of_its_rule(mistake: str) -> None:
    case, make = MISTAKES[mistake]

    found = failures(TestCallersOfAFake, case, make)

    assert found, f"{case} does not find a transport that {mistake.replace('_', ' ')}"
    assert any(isinstance(error, AssertionError) for error in found) or "error_of_its_own" in mistake


@pytest.mark.parametrize("mistake", ASYNC_MISTAKES)
def test_an_async_transport_with_a_mistake_of_its_kind_is_found_too(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "CANCELLED_WITHIN", 0.3)
    case, make = ASYNC_MISTAKES[mistake]

    assert failures(OnAnEventLoop, case, make)
    assert failures(OnAnEventLoop, case, lambda peer: peer) == []


def test_there_are_more_broken_transports_than_cases_could_miss_by_chance() -> None:
    assert len(MISTAKES) >= 40
    states = {case for case, _ in (*MISTAKES.values(), *ASYNC_MISTAKES.values())}
    assert len(states) >= 25


def test_every_case_says_in_a_sentence_what_it_holds_a_transport_to() -> None:
    for contract in (TransportContract, AsyncTransportContract):
        for each in contract.cases():
            assert inspect.getdoc(getattr(contract, each.name.partition("[")[0])), each.name


@pytest.mark.parametrize("contract", [TestCallersOfAFake, OnAnEventLoop])
def test_a_contract_is_a_few_hundred_cases(contract: type[Carrying]) -> None:
    assert len(list(contract.cases())) > 400


def test_what_is_declared_to_be_impossible_is_left_out_and_nothing_else() -> None:
    class Plain(TransportContract):
        """A plain ASCEND server: it can be asked, and that is all."""

        cannot = frozenset({"wait", "claim", "outcome", "withdraw", "edit", "revoke", "time", "words", "other"})

    names = {each.name for each in Plain.cases()}
    assert Plain.left_out() == [*[*ABILITIES][:9], "cleared", "refused"]
    assert "test_a_denied_call_does_not_run_and_says_why[block]" in names
    assert "test_what_nobody_may_do_is_denied_at_once" not in names
    assert "test_an_action_stands_where_it_was_brought[executing]" not in names
    assert Plain.test_what_nobody_may_do_is_denied_at_once is None
    assert names < {each.name for each in TestCallersOfAFake.cases()}


def test_what_one_class_leaves_out_one_that_is_made_of_it_may_have_again() -> None:
    class Plain(TransportContract):
        cannot = frozenset({"claim"})

    class Full(Plain):
        cannot = frozenset()

    assert not hasattr(Plain.test_the_first_outcome_stands, "over")
    assert hasattr(Full.test_the_first_outcome_stands, "over")


def test_a_word_that_cannot_be_declared_is_refused_with_those_that_can() -> None:
    with pytest.raises(TypeError, match=r"Odd\.cannot has 'fly'; what can be declared: wait, claim"):

        class Odd(TransportContract):
            cannot = frozenset({"fly"})


def test_a_contract_without_a_factory_says_what_to_override() -> None:
    class Bare(TransportContract):
        pass

    with pytest.raises(NotImplementedError, match=r"override connected\(folder\)"):
        list(Bare.run_all())


def test_all_cases_can_be_run_without_pytest() -> None:
    told = list(TestCallersOfAFake.run_all())

    assert [(name, error) for name, error in told if error is not None] == []
    assert len(told) > 400
