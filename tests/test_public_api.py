"""What users may import, and that each of it says what it is."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import clearance
import clearance.testing
import clearance.testing.matchers
import clearance.transports
from clearance.testing import contract


def test_the_public_list_is_exactly_this() -> None:
    assert sorted(clearance.__all__) == [
        "Action",
        "ActionChanged",
        "ActionDenied",
        "ActionUndecided",
        "AlreadyClaimed",
        "AsyncClient",
        "AuthorizationError",
        "AuthorizationUnavailable",
        "Client",
        "ConfigurationError",
        "Decision",
        "FileContents",
        "Grant",
        "Outcome",
        "Secret",
        "Status",
        "UnguardableCallable",
        "UnserializableArgument",
        "__version__",
        "acheck",
        "agent",
        "authorized",
        "check",
        "configure",
        "current_grant",
        "override",
        "reasoning",
        "requires_authorization",
    ]


def test_the_transports_are_exactly_these() -> None:
    assert sorted(clearance.transports.__all__) == [
        "AsyncHttpTransport",
        "AsyncTransport",
        "HttpTransport",
        "Transport",
    ]


def test_the_testing_kit_is_exactly_this() -> None:
    assert sorted(clearance.testing.__all__) == [
        "Asked",
        "AskedList",
        "AuthorizationMismatch",
        "AuthorizationMixin",
        "FakeTransport",
        "Matcher",
        "Rule",
        "SimulatedCrash",
        "VirtualClock",
    ]


def test_the_matchers_are_exactly_these() -> None:
    assert sorted(clearance.testing.matchers.__all__) == [
        "Matcher",
        "anything",
        "between",
        "containing",
        "hidden",
        "matching",
        "of_type",
        "one_of",
        "over",
        "under",
    ]


def test_the_contracts_are_exactly_these() -> None:
    assert sorted(contract.__all__) == [
        "Approver",
        "AsyncTransportContract",
        "Peer",
        "StoreContract",
        "TransportContract",
    ]
    with pytest.raises(AttributeError, match="PolicyContract"):
        contract.PolicyContract


MODULES: list[ModuleType] = [clearance, clearance.transports, clearance.testing, clearance.testing.matchers]
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if name != "__version__"
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_object_and_every_public_method_of_it_has_a_docstring(name: str) -> None:
    thing = PUBLIC[name]
    members = inspect.getmembers(thing, lambda member: inspect.isfunction(member) or isinstance(member, property))

    assert inspect.getdoc(thing)
    assert [name for name, member in members if not name.startswith("_") and not inspect.getdoc(member)] == []


def test_a_transport_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="CarrierPigeon"):
        clearance.transports.CarrierPigeon


def test_the_version_is_a_version() -> None:
    assert all(part.isdigit() for part in clearance.__version__.split("."))
