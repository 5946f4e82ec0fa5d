"""The documentation fails the build when it lies: pictures, routes, commands, settings and names are compared."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

import clearance
from clearance import errors, lifecycle, settings
from clearance.center import app
from clearance.center.risk import BUILT_IN, KINDS
from clearance.cli.commands import cli

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
CLI_PAGE = (DOCS / "reference" / "cli.md").read_text()


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(group: click.Group, path: tuple[str, ...] = ("clearance",)) -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found[(*path, name)] = command
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))  # the longest first, to be found first


COMMANDS = commands(cli)


def flags(command: click.Command) -> set[str]:
    return {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}


def shown_commands() -> list[tuple[str, str]]:
    """Every line of a shell fence that runs ``clearance``."""
    lines = [
        (page.name, part.strip())
        for page in PAGES
        for fence in fences(page.read_text(), "sh")
        for line in fence.splitlines()
        for part in line.split("&&")
    ]
    return [(page, line) for page, line in lines if re.match(r"(\.venv/bin/)?clearance ", line)]


def test_the_points_and_words_of_each_kind_of_action_are_those_that_are_built_in() -> None:
    page = (DOCS / "reference" / "policy.md").read_text()
    told = re.findall(r"^\| ([a-z ]+) \| (\d+) \| (.*)\|$", page, re.MULTILINE)
    kinds = [(name, int(points), tuple(re.findall(r"`(\w+)`", words))) for name, points, words in told]
    built_in = {(kind.name, kind.points, kind.words) for kind in KINDS}

    assert {kind for kind in kinds if kind[0] in {name for name, _, _ in built_in}} == built_in
    assert ("is of no known kind", BUILT_IN.unknown_kind, ()) in kinds


def test_the_points_of_the_other_factors_are_those_that_are_built_in() -> None:
    page = (DOCS / "reference" / "policy.md").read_text()
    told = re.findall(r"^\| ([a-z]*) ?\| (\d+) \| ", page.partition("To these come:")[2], re.MULTILINE)
    (low, small), (high, large) = BUILT_IN.amounts
    (environment,) = {points for _, points in BUILT_IN.environments}

    assert (low, high) == (1_000, 10_000)
    assert [(name, int(points)) for name, points in told] == [
        *(("amount", small), ("", large), ("environment", environment)),
        *(("data", BUILT_IN.secret_data), ("", BUILT_IN.personal_data), ("novelty", BUILT_IN.novelty)),
        *(("size", large), ("indicator", BUILT_IN.indicator)),
        *(("tool", sum(points for _, points in BUILT_IN.tools)), ("hour", BUILT_IN.off_hours)),
    ]


def test_the_picture_of_the_lifecycle_is_the_table() -> None:
    (picture,) = fences((DOCS / "explanation" / "lifecycle.md").read_text(), "mermaid")
    assert picture == lifecycle.diagram()


def test_the_page_of_the_lifecycle_explains_every_state() -> None:
    page = (
        (DOCS / "explanation" / "lifecycle.md").read_text().partition("## The states")[2].partition("## The times")[0]
    )
    assert set(re.findall(r"`(\w+)`", page)) == {status.value for status in clearance.Status}


def test_every_route_of_the_api_is_in_the_reference_and_no_other() -> None:
    page = (DOCS / "reference" / "rest.md").read_text()
    told = set(re.findall(r"^\| `(GET|POST|DELETE) (/\S+)` \|", page, re.MULTILINE))
    served = {(method, route.path) for route in app.API_ROUTES for method in (route.methods or set()) - {"HEAD"}}
    assert told == served


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_in_the_reference(path: tuple[str, ...]) -> None:
    others = tuple(f"| `{' '.join(other)} " for other in COMMANDS if len(other) > len(path))
    rows = [row for row in CLI_PAGE.splitlines() if row.startswith(f"| `{' '.join(path)} ")]
    rows = [row for row in rows if not row.startswith(others)]
    assert rows, f"{' '.join(path)} has no row in cli.md"
    told = set(re.findall(r"--[a-z-]+", " ".join(row.split("` |")[0] for row in rows)))
    assert told == flags(COMMANDS[path])


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_that_a_page_shows_exists_with_these_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    words[0] = "clearance"
    words = words[: words.index("--")] if "--" in words else words
    path = next((path for path in COMMANDS if tuple(words[: len(path)]) == path), None)
    assert path is not None, f"{page}: {line}"
    assert {word for word in words if word.startswith("--")} <= flags(COMMANDS[path]), f"{page}: {line}"


def test_every_setting_is_in_the_reference_and_no_other() -> None:
    read = set(re.findall(r'"(OWKAI_[A-Z_]+)"', inspect.getsource(settings)))
    told = set(re.findall(r"^\| `(OWKAI_[A-Z_]+)`", (DOCS / "reference" / "settings.md").read_text(), re.MULTILINE))
    assert told == read


def test_every_public_name_is_in_the_reference() -> None:
    reference = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    in_the_tree = {name for name in clearance.__all__ if hasattr(errors, name) and name not in ("Action", "Decision")}
    for name in set(clearance.__all__) - in_the_tree - {"__version__"}:
        assert f"clearance.{name}" in reference, name
    assert ".. automodule:: clearance.errors\n   :members:" in reference


def test_every_error_is_in_the_guide_to_refusals() -> None:
    guide = (DOCS / "how-to" / "handle-refusals.md").read_text()
    family = {
        name for name, kind in vars(errors).items() if inspect.isclass(kind) and kind.__module__ == errors.__name__
    }
    assert {name for name in family if f"`{name}`" in guide} == family


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target
        and not target.startswith("docs/images/")
        and not (page.parent / unquote(target)).exists()
    ]
    assert not broken


def test_the_page_on_writing_a_transport_stays_under_forty_lines() -> None:
    assert len((DOCS / "how-to" / "write-a-transport.md").read_text().splitlines()) < 40


def test_every_python_block_is_executed() -> None:
    """A fence named anything but ``python`` would be skipped by sybil in silence.

    What is included from ``examples/frameworks`` is run in the lanes of the frameworks.
    """
    for page in PAGES:
        languages = set(re.findall(r"^```([\w{}-]+)", page.read_text(), re.MULTILINE))
        assert languages <= {
            "python",
            "sh",
            "ini",
            "toml",
            "yaml",
            "mermaid",
            "{toctree}",
            "{eval-rst}",
            "{glossary}",
        } | ({"{literalinclude}"} if page.name == "use-with-frameworks.md" else set()), page
