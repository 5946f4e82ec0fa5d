"""What every transport and every store promises, as tests to subclass: give a factory, and run pytest.

::

    from clearance.testing.contract import Approver, Peer, TransportContract


    class TestMine(TransportContract):
        @classmethod
        @contextmanager
        def connected(cls, folder):
            with my_center(folder) as center:
                yield Peer(MyTransport(center), MyApprover(center))

`TransportContract` and `AsyncTransportContract` need hypothesis, `StoreContract` needs pytest and what the ``center``
extra installs. Each is loaded when it is first named.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clearance.testing.contract.peers import Approver, Peer
    from clearance.testing.contract.stores import StoreContract
    from clearance.testing.contract.transports import AsyncTransportContract, TransportContract

__all__ = ["Approver", "AsyncTransportContract", "Peer", "StoreContract", "TransportContract"]

_HOMES = {
    "Approver": "peers",
    "AsyncTransportContract": "transports",
    "Peer": "peers",
    "StoreContract": "stores",
    "TransportContract": "transports",
}
_TO_INSTALL = {"peers": "pytest", "stores": "'clearance[center]' pytest hypothesis", "transports": "pytest hypothesis"}
_PARTS = (
    *("carrying", "declared", "guarded", "keeping", "machine", "naming", "peers", "races", "standing", "stores"),
    *("store_machine", "transports", "units"),
)

with contextlib.suppress(ImportError):  # without pytest a failure says less; unittest can run the cases, too
    import pytest

    pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "clearance":
            raise
        raise ImportError(
            f"{__name__}.{name} needs {package}, which is not installed. Run: pip install {_TO_INSTALL[_HOMES[name]]}"
        ) from missing
