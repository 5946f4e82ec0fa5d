"""Starts the command, hands signals on to it, and ends as it ended."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from clearance.cli.jobs.job import Job

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends the waiting."""
HANDED_ON = frozenset({*ENDING, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2})
"""What is handed on to the command while it runs."""


class Signalled(BaseException):
    """A signal that is to end this process came before the command was started."""

    number: signal.Signals


_RAISED = {number: type(number.name, (Signalled,), {"number": number}) for number in ENDING}
"""The conversation tells the Center the name of the class."""


@contextmanager
def interruptible() -> Iterator[None]:
    """In the block a signal that would end the process is raised, once; one that is ignored stays so."""

    def raise_it(number: int, _frame: FrameType | None) -> None:
        for each in before:  # the request is being withdrawn; that takes a second or two at most
            signal.signal(each, signal.SIG_IGN)
        raise _RAISED[signal.Signals(number)]

    before = {number: signal.getsignal(number) for number in ENDING}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, raise_it)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_held() -> Iterator[set[int]]:
    """In the block no signal interrupts: they wait to be handed on. Gives those that were held before."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no exit code can be had
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*HANDED_ON, signal.SIGCHLD})
    try:
        yield set(before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(job: Job, mask: set[int]) -> int:
    """Run the job in `signals_held`, with only ``mask`` held for it.

    Returns:
        Its exit code, or the number of the signal that ended it, negative.

    Raises:
        OSError: it could not be started.
    """
    child = subprocess.Popen(  # noqa: S603 - it is what was cleared
        job.argv,
        executable=job.executable,
        cwd=job.directory,
        env=job.environment.variables(),
        close_fds=False,  # our own are closed by the system; what a shell opened for the command it gets
        # This process has no other thread, which is what makes this unsafe elsewhere.
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509
    )
    while (code := child.poll()) is None:
        told = signal.sigwaitinfo({*HANDED_ON, signal.SIGCHLD})
        # What the terminal sends (a positive code) it sends to the command, too.
        if told.si_signo != signal.SIGCHLD and told.si_code <= 0:
            child.send_signal(told.si_signo)
    while signal.sigtimedwait(HANDED_ON, 0):  # it has ended as it ended; what came since is for nobody
        pass
    return code


def end_by(number: int) -> NoReturn:
    """End as a process that this signal ended, for whoever waits for us."""
    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core would be ours
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    sys.exit(128 + number)  # it was one that ends nothing
