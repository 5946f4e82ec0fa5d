"""``clearance guards``: what is gated, and whether a change has un-gated something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = """
from clearance import requires_authorization

@requires_authorization(
    action_type="order.refund", tool_name="stripe", editable={"amount"}, when=lambda amount: amount > 5
)
def refund(order: str, amount: int) -> None: ...

class Shop:
    @requires_authorization(action_type="shop.wipe")
    def wipe(self) -> None: ...
"""
WIPE_GUARD = '    @requires_authorization(action_type="shop.wipe")\n'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A package with guards in a module of its own, in the current directory."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "tools.py").write_text(SHOP)
    return tmp_path / "shop" / "tools.py"


def guards(*arguments: str, code: int = 0) -> str:
    """In a process of its own, as a build would run it."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "clearance", "guards", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_guard_of_a_package_is_listed_with_what_it_asks_for(shop: Path) -> None:
    listed = guards("shop")

    assert "shop.tools.Shop.wipe  function  shop.wipe (Shop.wipe)" in listed
    assert "shop.tools.refund  function  order.refund (stripe)  only when its when= says so" in listed
    assert "an approver may change amount" in listed


def test_the_list_can_be_had_as_json(shop: Path) -> None:
    assert json.loads(guards("shop.tools", "--json"))["shop.tools.refund"] == {
        "kind": "function",
        "action_type": "order.refund",
        "tool_name": "stripe",
        "conditional": True,
        "editable": ["amount"],
        "opaque": [],
    }


def test_a_snapshot_that_still_stands_passes(shop: Path, tmp_path: Path) -> None:
    guards("shop", "--write", "guards.json")

    assert "All 2 gates stand." in guards("shop", "--check", "guards.json")


def test_a_gate_that_has_gone_fails_the_build_and_is_named(shop: Path) -> None:
    guards("shop", "--write", "guards.json")
    shop.write_text(SHOP.replace(WIPE_GUARD, ""))

    assert "this change un-gated `shop.tools.Shop.wipe`" in guards("shop", "--check", "guards.json", code=1)


def test_a_gate_that_asks_for_something_else_fails_the_build_too(shop: Path) -> None:
    guards("shop", "--write", "guards.json")
    shop.write_text(SHOP.replace("shop.wipe", "shop.read"))

    told = guards("shop", "--check", "guards.json", code=1)
    assert "altered the gate of `shop.tools.Shop.wipe` (action_type: 'shop.wipe' -> 'shop.read')" in told


def test_a_new_gate_is_noted_and_passes(shop: Path) -> None:
    shop.write_text(SHOP.replace(WIPE_GUARD, ""))
    guards("shop", "--write", "guards.json")
    shop.write_text(SHOP)

    assert "`shop.tools.Shop.wipe` is newly gated" in guards("shop", "--check", "guards.json")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 1, "nowhere cannot be imported (ModuleNotFoundError"),
        (["shop", "--check", "none.json"], 2, "does not exist"),
        (["shop", "--check", "shop/tools.py"], 1, "is no snapshot of guards"),
        (["shop", "--check", "shop/tools.py", "--write", "x"], 2, "Choose one"),
        ([], 2, "Missing argument"),
        (["json"], 0, "Nothing is guarded there."),
    ],
    ids=["no module", "no file", "no snapshot", "both", "nothing", "nothing guarded"],
)
def test_what_cannot_be_told_is_said_in_plain_words(shop: Path, arguments: list[str], code: int, words: str) -> None:
    assert words in guards(*arguments, code=code)


def test_a_module_that_fails_to_load_is_an_error_and_no_empty_list(shop: Path) -> None:
    shop.write_text("raise RuntimeError('no database')")

    assert "no database" in guards("shop", code=1)
