"""Files whose contents are part of what is cleared: shown by their hash, digested, compared again after the claim."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from tests.helpers import AsyncDoor, Door, SyncDoor

from clearance import ActionChanged, ConfigurationError, FileContents, Outcome, Secret, Status, UnserializableArgument
from clearance import files as files_module
from clearance.commands import Command, Submit
from clearance.files import digests
from clearance.models import Decision
from clearance.testing import FakeTransport

SHA256 = {text: hashlib.sha256(text.encode()).hexdigest() for text in ("", "drop", "create")}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.sql"
    path.write_text("create")
    return path


@pytest.fixture
def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


def run(script: Annotated[Path | str | bytes | None, FileContents], times: int = 1) -> Any:
    """Run a script."""
    return script


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spell", [Path, str, os.fsencode], ids=["path", "text", "bytes"])
def test_a_file_is_read_whole_by_whatever_names_it(script: Path, spell: Callable[[Path], Any]) -> None:
    found = digests({"script": spell(script)})["script"]

    assert (found.path, found.size, found.sha256) == (spell(script), 6, SHA256["create"])


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024])
def test_a_file_of_any_size_has_the_hash_that_everybody_finds(tmp_path: Path, size: int) -> None:
    path = tmp_path / "data"
    path.write_bytes(os.urandom(size))

    found = digests({"data": path})["data"]

    assert (found.size, found.sha256) == (size, hashlib.sha256(path.read_bytes()).hexdigest())


def a_pipe(place: Path) -> Path:
    os.mkfifo(place / "pipe")
    return place / "pipe"


def a_loop(place: Path) -> Path:
    (place / "loop").symlink_to(place / "loop")
    return place / "loop"


def a_link_to_a_pipe(place: Path) -> Path:
    (place / "link").symlink_to(a_pipe(place))
    return place / "link"


UNREADABLE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda place: place / "nothing", r"cannot be read \(FileNotFoundError\)"),
    "a directory": (lambda place: place, "names no regular file"),
    "an empty text": (lambda _place: "", r"cannot be read \(FileNotFoundError\)"),
    "below a file": (lambda place: place / "script.sql" / "a", r"cannot be read \(NotADirectoryError\)"),
    "a pipe": (a_pipe, "names no regular file"),
    "a link to a pipe": (a_link_to_a_pipe, "names no regular file"),
    "a link to itself": (a_loop, r"cannot be read \(OSError\)"),
    "a device": (lambda _place: "/dev/null", "names no regular file"),
    "half a name": (lambda _place: "a\0b", r"cannot be read \(ValueError\)"),
}
NO_PATHS: list[Any] = [0, 1, True, 1.5, ["a"], object()]


@pytest.mark.parametrize(("make", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_or_is_no_file_is_refused_at_once_and_nobody_is_asked(
    door: Door, cleared: FakeTransport, script: Path, make: Callable[[Path], Any], problem: str
) -> None:
    with pytest.raises(UnserializableArgument, match=problem) as refused:
        door.guard(run, transport=cleared)(make(script.parent))

    assert refused.value.path == "script"
    assert cleared.asked == []


@pytest.mark.parametrize("value", NO_PATHS, ids=repr)
def test_what_is_no_path_is_refused(door: Door, cleared: FakeTransport, value: Any) -> None:
    with pytest.raises(UnserializableArgument):
        door.guard(run, transport=cleared)(value)

    assert cleared.asked == []


def test_the_number_of_an_open_file_is_no_path_and_the_file_stays_open(door: Door, cleared: FakeTransport) -> None:
    with open(os.devnull, "rb") as file:
        with pytest.raises(UnserializableArgument, match="is a int, which names no file"):
            door.guard(run, transport=cleared)(file.fileno())

        assert os.fstat(file.fileno())


# ---------------------------------------------------------------------------------------------------------------------
# Shown and digested
# ---------------------------------------------------------------------------------------------------------------------


def test_an_approver_sees_the_name_the_size_and_the_hash(door: Door, cleared: FakeTransport, script: Path) -> None:
    assert door.guard(run, transport=cleared)(script) == script

    shown = {"path": str(script), "bytes": 6, "sha256": SHA256["create"]}
    assert cleared.asked[0].parameters == {"script": shown, "times": 1}
    assert SHA256["create"] in cleared.asked[0].description


def test_no_file_at_all_is_shown_as_such(door: Door, cleared: FakeTransport) -> None:
    assert door.guard(run, transport=cleared)(None) is None
    assert cleared.asked[0].parameters == {"script": None, "times": 1}


def test_the_digest_covers_the_name_and_the_contents(door: Door, cleared: FakeTransport, script: Path) -> None:
    guarded = door.guard(run, transport=cleared)
    other = script.with_name("other.sql")
    other.write_text("create")
    guarded(script)
    guarded(script)
    guarded(other)
    guarded(str(script))
    script.write_text("drop")
    guarded(script)

    digests = [asked.action.digest for asked in cleared.asked]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_a_file_that_is_secret_too_is_hidden_and_digested(door: Door, cleared: FakeTransport, script: Path) -> None:
    def use(key_of: Annotated[Path, Secret, FileContents]) -> None: ...

    guarded = door.guard(use, transport=cleared)
    guarded(script)
    script.write_text("drop")
    guarded(script)

    first, second = cleared.asked
    assert first.parameters == second.parameters == {"key_of": "[redacted]"}
    assert first.action.digest != second.action.digest


@pytest.mark.parametrize("options", [{"editable": ("script",)}, {}])
def test_a_file_cannot_be_edited_nor_stand_among_others(
    door: Door, cleared: FakeTransport, options: Mapping[str, Any]
) -> None:
    def several(*script: Annotated[Path, FileContents]) -> None: ...

    with pytest.raises(ConfigurationError):
        door.guard(run if options else several, transport=cleared, **options)


# ---------------------------------------------------------------------------------------------------------------------
# Compared after the claim
# ---------------------------------------------------------------------------------------------------------------------


class AfterTheClaim(FakeTransport):
    """Clears and claims; then something happens before the body could start."""

    def __init__(self, happening: Callable[[], object]) -> None:
        super().__init__(True)
        self._happening = happening

    def send(self, command: Command) -> Decision:
        decision = super().send(command)
        if isinstance(command, Submit):
            assert decision.status is Status.EXECUTING
            self._happening()
        return decision


def replace_by(script: Path, make: Callable[[], object]) -> None:
    script.unlink()
    make()


HAPPENINGS: dict[str, Callable[[Path], object]] = {
    "written": lambda script: script.write_text("drop"),
    "written at the same length": lambda script: script.write_text("cr3ate"),
    "grown": lambda script: script.write_text("create table"),
    "emptied": lambda script: script.write_text(""),
    "gone": Path.unlink,
    "a link to another": lambda script: replace_by(script, lambda: script.symlink_to(__file__)),
    "a pipe": lambda script: replace_by(script, lambda: os.mkfifo(script)),
    "a directory": lambda script: replace_by(script, script.mkdir),
}
HARMLESS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda script: None,
    "written with the same": lambda script: script.write_text("create"),
    "touched": lambda script: os.utime(script, (0, 0)),
    "a link to the same": lambda script: script.symlink_to(script.rename(script.with_name("moved.sql"))),
}


def moments(happening: Callable[[], object]) -> list[FakeTransport]:
    """Before the claim, and after it."""

    def approve(_asked: object) -> bool:
        happening()
        return True

    return [FakeTransport(approve), AfterTheClaim(happening)]


@pytest.mark.parametrize("moment", [0, 1], ids=["before the claim", "after the claim"])
@pytest.mark.parametrize("happening", HAPPENINGS.values(), ids=HAPPENINGS)
def test_a_file_that_changed_meanwhile_stops_the_call(
    door: Door, script: Path, happening: Callable[[Path], object], moment: int
) -> None:
    transport = moments(lambda: happening(script))[moment]
    ran: list[object] = []

    def note(script: Annotated[Path, FileContents]) -> None:
        ran.append(script)

    with pytest.raises(ActionChanged, match="changed after they were shown"):
        door.guard(note, transport=transport)(script)

    assert ran == []
    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


@pytest.mark.parametrize("moment", [0, 1], ids=["before the claim", "after the claim"])
@pytest.mark.parametrize("happening", HARMLESS.values(), ids=HARMLESS)
def test_a_file_with_the_same_contents_runs(
    door: Door, script: Path, happening: Callable[[Path], object], moment: int
) -> None:
    transport = moments(lambda: happening(script))[moment]

    def read(script: Annotated[Path, FileContents]) -> str:
        return script.read_text()

    assert door.guard(read, transport=transport)(script) == "create"


def test_a_file_that_is_named_relatively_is_the_one_that_the_body_would_open(
    door: Door, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / script.name).write_text("drop")
    monkeypatch.chdir(script.parent)
    transport = AfterTheClaim(lambda: monkeypatch.chdir(elsewhere))

    with pytest.raises(ActionChanged):
        door.guard(run, transport=transport)(script.name)


# ---------------------------------------------------------------------------------------------------------------------
# The event loop
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "inside"), [(SyncDoor(), True), (AsyncDoor(), False)], ids=["sync", "async"])
def test_an_event_loop_does_not_wait_for_files_and_the_authors_functions_stay_on_it(
    monkeypatch: pytest.MonkeyPatch, cleared: FakeTransport, script: Path, door: Door, inside: bool
) -> None:
    read_by: list[threading.Thread] = []
    said_by: list[threading.Thread] = []

    def reading(paths: Mapping[str, Any]) -> Any:
        read_by.append(threading.current_thread())
        return digests(paths)

    def describe(script: Path) -> str:
        said_by.append(threading.current_thread())
        return f"Run {script}"

    monkeypatch.setattr(files_module, "digests", reading)
    door.guard(run, transport=cleared, description=describe, resource=describe)(script)

    assert len(read_by) == 2
    assert [thread is threading.current_thread() for thread in read_by] == [inside, inside]
    assert {*said_by} == {threading.current_thread()}
