"""Test guarded code without a Center: a scripted approver that runs the same lifecycle."""

from clearance.testing.fake import Asked, FakeTransport, VirtualClock

__all__ = ["Asked", "FakeTransport", "VirtualClock"]
