"""The house rules, read from the source: imports point down, and the lower floors touch nothing outside."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import clearance

PACKAGE = Path(clearance.__file__).parent

FLOORS = {
    "quick": 0, "models": 0, "errors": 0, "commands": 0, "told": 0, "_version": 0,
    "lifecycle": 1, "arguments": 1, "callables": 1, "calls": 1, "canonical": 1, "credentials": 1,
    "assignments": 1, "plausible": 1, "secret_names": 1,
    "editing": 1, "forms": 1,
    "redaction": 1, "sealing": 1, "snapshot": 1, "wording": 1, "witness": 1,
    "flow": 2, "wire": 2, "receipts": 2, "dialogues": 2,
    "drivers": 3, "transports": 3,
    "files": 3,
    "settings": 4, "registry": 4, "guards": 4, "client": 4, "exchanges": 4, "checkup": 4,
    "testing": 5, "cli": 5, "center": 5, "__main__": 5,
}  # fmt: skip
"""Every module and package of the house, by the name under `clearance`."""

ROOF = "clearance"
"""`clearance/__init__.py`: the public list stands above all floors, and nobody below may lean on it."""

OUTSIDE_WORLD = frozenset(
    """
    asyncio certifi concurrent ctypes dotenv fileinput getpass glob http httpx2 io multiprocessing os pathlib random
    requests secrets select selectors shutil signal socket socketserver sqlite3 ssl subprocess sched tempfile threading
    time urllib urllib3 uuid
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Modules of sockets, clocks, threads, files, the environment and randomness."""

OUTSIDE_CALLS = frozenset({"open", "input", "print", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"})

ASCEND_WORDS = frozenset(
    {"action_details", "extra_data", "pending_approval", "approval_request_id", "nist_control", "mitre_tactic"}
)
"""Field names and words that only the wire may know; the Center speaks through it."""

OF_THE_WIRE = ("clearance.wire", "clearance.center", "clearance.cli.deciding")
"""The wire itself, the server that speaks it, and the approver's list, which prints the server's JSON."""

OF_STORES = tuple(f"clearance.testing.contract.{part}" for part in ("stores", "units", "keeping", "store_machine"))
"""The contract that a Center's store keeps; nothing else that is there for tests needs a Center."""

MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def floor(module: str) -> int:
    """The floor that a module stands on, by its first name under `clearance`."""
    return max(FLOORS.values()) + 1 if module == ROOF else FLOORS[module.split(".")[1]]


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def running_code(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from (inner for branch in child.orelse for inner in (branch, *running_code(branch)))
        else:
            yield child
            yield from running_code(child)


def imported(module: str) -> Iterator[str]:
    """What a module imports when it runs, now or later: our modules by their own name, others by their package."""
    for node in running_code(parsed(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import; the house writes them whole"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield _ours(name) if name.partition(".")[0] == ROOF else name.partition(".")[0]


def _ours(name: str) -> str:
    """`clearance.flow.Terms` is imported from `clearance.flow`."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def ours(module: str) -> set[str]:
    return {name for name in imported(module) if name.partition(".")[0] == ROOF}


def imports_center(module: str) -> bool:
    return any(f"{name}.".startswith("clearance.center.") for name in ours(module))


def on(*floors: int) -> list[str]:
    return [module for module in MODULES if floor(module) in floors]


def test_every_module_has_a_floor() -> None:
    assert {module.split(".")[1] for module in MODULES if module != ROOF} <= set(FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_never_point_up(module: str) -> None:
    above = {name for name in ours(module) if floor(name) > floor(module)}
    if module == "clearance.transports.embedded":  # its whole purpose is to enter a Center
        above = {name for name in above if not name.startswith("clearance.center")}
    assert above == set()


def test_modules_of_one_floor_do_not_lean_on_each_other_in_a_circle() -> None:
    sideways = {
        module: {name for name in ours(module) if name != module and floor(name) == floor(module)} for module in MODULES
    }
    TopologicalSorter(sideways).prepare()  # raises CycleError, with the circle


@pytest.mark.parametrize("module", on(0, 1, 2))
def test_the_floors_below_the_carriers_import_nothing_of_the_outside_world(module: str) -> None:
    assert set(imported(module)) & OUTSIDE_WORLD == set()


@pytest.mark.parametrize("module", on(0, 1, 2))
def test_the_floors_below_the_carriers_read_no_clock_and_open_no_file(module: str) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(parsed(module)) if isinstance(node, ast.Call)}
    assert calls & OUTSIDE_CALLS == set()


@pytest.mark.parametrize("module", [module for module in MODULES if imports_center(module)])
def test_only_the_cli_the_embedded_transport_and_the_contract_for_stores_enter_the_center(module: str) -> None:
    assert module.startswith(("clearance.center", "clearance.cli", "clearance.transports.embedded", *OF_STORES))


@pytest.mark.parametrize("module", [module for module in MODULES if {"hypothesis", "pytest"} & set(imported(module))])
def test_only_what_is_there_for_tests_knows_how_they_are_run(module: str) -> None:
    assert module.startswith(tuple(f"clearance.testing.{part}" for part in ("contract", "strategies", "plugin")))


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("clearance.center")])
def test_the_center_stands_apart_on_floors_0_to_2(module: str) -> None:
    elsewhere = {name for name in ours(module) if not name.startswith("clearance.center")}
    assert {name for name in elsewhere if floor(name) > 2} == set()


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith(OF_THE_WIRE)])
def test_only_the_wire_knows_the_field_names_of_ascend(module: str) -> None:
    texts = {node.value for node in ast.walk(parsed(module)) if isinstance(node, ast.Constant)}
    assert texts & ASCEND_WORDS == set()


def test_importing_clearance_loads_no_http_client_no_validator_and_no_web_framework_and_starts_nothing() -> None:
    heavy = {
        "certifi", "click", "cryptography", "django", "dotenv", "fastapi", "flask", "httpx", "httpx2", "jinja2",
        "pydantic", "requests", "rich", "sqlalchemy", "starlette", "urllib3", "uvicorn",
    }  # fmt: skip
    script = """
import json, logging, sys, threading
import clearance
print(json.dumps([sorted(sys.modules), threading.active_count(), len(logging.getLogger().handlers)]))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded, threads, root_handlers = json.loads(found.stdout)

    assert heavy & set(loaded) == set()
    assert (threads, root_handlers) == (1, 0)
