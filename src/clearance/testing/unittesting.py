"""For `unittest`: a fake for each test of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearance.testing.fake import FakeTransport

if TYPE_CHECKING:
    from unittest import TestCase as _TestCase
else:
    _TestCase = object  # unittest takes long to load, and whoever mixes this in has loaded it


class AuthorizationMixin(_TestCase):
    """Gives each test of a `unittest.TestCase` its own ``self.authorization``: a fake that guards use meanwhile.

    ::

        class TestRefunds(AuthorizationMixin, unittest.TestCase):
            def test_small(self):
                self.authorization.allow("payment.refund")
                refund("ch_1", 5)

    A request without a rule, and a rule without a request, fail the test. It is the same for
    `unittest.IsolatedAsyncioTestCase`.
    """

    authorization: FakeTransport

    def setUp(self) -> None:
        """Make the fake, and have guards use it until the test has been cleaned up."""
        super().setUp()
        self.authorization = self.enterContext(FakeTransport())
