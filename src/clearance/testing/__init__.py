"""Test guarded code without a Center: a scripted approver that runs the same lifecycle."""

from clearance.testing.asked import Asked, AskedList
from clearance.testing.clock import VirtualClock
from clearance.testing.fake import FakeTransport, SimulatedCrash
from clearance.testing.matchers import Matcher
from clearance.testing.rules import Rule
from clearance.testing.script import AuthorizationMismatch
from clearance.testing.unittesting import AuthorizationMixin

__all__ = [
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
