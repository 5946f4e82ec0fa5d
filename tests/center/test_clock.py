"""The clock that things expire by: it never goes back and never stands still."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clearance.center.clock import Clock, steady_clock, wall_clock
from clearance.center.records import Role
from clearance.center.service import Center
from clearance.center.store.databases import open_store

moves = st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 10**9)), max_size=30)


class Machine:
    """A machine whose wall clock can be set, and whose steady clock cannot."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000_000
        self.steady = 0

    def clock(self, not_before: int = 0) -> Clock:
        """A Center's clock on it."""
        return Clock(not_before, lambda: self.wall, lambda: self.steady)

    def live(self, microseconds: int) -> None:
        """Let time pass."""
        self.wall += microseconds
        self.steady += microseconds * 1000


@given(moves)
def test_it_never_goes_back_nor_stands_still_however_the_machine_is_set(told: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    for leap, passing in told:
        machine.wall += leap
        machine.live(passing)
        now = clock()
        assert now >= before + passing
        assert now >= machine.wall
        before = now


@given(moves)
def test_it_tells_how_much_of_its_time_never_passed(told: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    start = clock()
    for leap, passing in told:
        machine.wall += leap
        machine.live(passing)
        assert clock() - clock.leapt() == start + machine.steady // 1000


def test_the_steady_clock_only_grows() -> None:
    moments = [steady_clock() for _ in range(1000)]

    assert moments == sorted(moments)
    assert moments[-1] > moments[0]


@given(st.lists(st.integers(0, 2500), max_size=200))
def test_looking_often_makes_it_no_slower(steps: list[int]) -> None:
    machine = Machine()
    clock = machine.clock()
    first = clock()
    machine.wall -= 10**9
    for nanoseconds in steps:
        machine.steady += nanoseconds
        clock()

    assert clock() == first + sum(steps) // 1000


def test_it_follows_the_machine_forward() -> None:
    machine = Machine()
    clock = machine.clock()
    clock()
    machine.wall += 3_600_000_000  # the machine slept, and its steady clock with it

    assert clock() == machine.wall


def test_it_starts_no_earlier_than_what_is_known() -> None:
    machine = Machine()
    clock = machine.clock(machine.wall + 5_000_000)
    machine.live(1_000_000)

    assert clock() == machine.wall + 5_000_000


def test_a_center_that_starts_again_is_never_earlier_than_its_trail(tmp_path: Path) -> None:
    later = wall_clock() + 10**9
    ahead = Center(open_store(tmp_path / "center.db"), now=lambda: later)
    ahead.create_key(Role.USER)
    ahead.close()

    again = Center.open(tmp_path / "center.db")
    now = again.desk.now()
    again.close()

    assert now >= later
