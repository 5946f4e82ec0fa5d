"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.leaks import CANARY

from clearance import settings
from clearance.testing.plugin import LONGEST_SECTION

pytest_plugins = ["pytester"]

SHOP = """
from clearance import requires_authorization

@requires_authorization(action_type="payment.refund", tool_name="stripe")
def refund(amount, api_key=""):
    return amount

@requires_authorization(action_type="payment.refund", tool_name="stripe")
async def arefund(amount, api_key=""):
    return amount
"""


SAYS_IT_TWICE = ("CI", "BUILD_NUMBER")
"""Where one of these is set, the summary of pytest has whole messages, too."""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with guarded functions, in which nothing is configured."""
    pytester.makepyfile(shop=SHOP)
    pytester.syspathinsert()
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    for name in SAYS_IT_TWICE:
        monkeypatch.delenv(name, raising=False)
    return pytester


def run(project: pytest.Pytester, tests: str, *options: str, name: str = "test_it") -> pytest.RunResult:
    """What pytest says of these tests."""
    project.makepyfile(**{name: f"import pytest\nfrom shop import refund, arefund\n{tests}"})
    return project.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly", f"{name}.py", *options)


def test_the_fixture_is_whom_guards_ask_while_the_test_runs(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import asyncio

def test_first(authorization):
    authorization.allow("payment.refund")
    assert refund(5, api_key="hunter2") == asyncio.run(arefund(5)) == 5
    authorization.assert_never_shown("hunter2")

def test_second(authorization):
    assert authorization.asked == []
""",
    )
    result.assert_outcomes(passed=2)
    assert settings.standing_transport() is None


@pytest.mark.parametrize(
    "call",
    [
        "refund(5)",
        "import asyncio; asyncio.run(arefund(5))",
        "import clearance; clearance.check(action_type='payment.refund', tool_name='stripe', parameters={'amount': 5})",
        "from clearance import authorized\n    with authorized(action_type='payment.refund', tool_name='stripe'): ...",
    ],
)
@pytest.mark.parametrize("swallowed", [False, True])
def test_a_guarded_call_that_reaches_no_approver_fails_its_test_with_a_sentence(
    project: pytest.Pytester, call: str, swallowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWKAI_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OWKAI_API_KEY", "owkai_user_1")
    body = f"try:\n        {call.replace(chr(10), chr(10) + '    ')}\n    except Exception: pass" if swallowed else call
    result = run(project, f"def test_it():\n    {body}\n\ndef test_the_next(): ...\n")

    result.assert_outcomes(failed=1, passed=1)
    text = result.stdout.str()
    assert (
        len(
            re.findall(
                r"A guarded call, payment\.refund with stripe.* reached no approver of this test, and would", text
            )
        )
        == 1
    )
    assert "Nothing was run. Give the test the fixture `authorization`" in text


def test_so_does_one_in_a_fixture_before_or_after_the_test(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def swallow():
    try:
        refund(5)
    except Exception:
        pass

@pytest.fixture
def before():
    swallow()

@pytest.fixture
def after():
    yield
    swallow()

def test_before(before): ...
def test_after(after): ...
def test_neither(): ...
""",
    )
    result.assert_outcomes(errors=2, passed=2)
    assert result.stdout.str().count("reached no approver of this test") == 2


def test_a_swallowed_call_of_a_test_that_fails_anyway_is_told_beside_it(project: pytest.Pytester) -> None:
    result = run(
        project,
        "def test_it():\n    try: refund(5)\n    except Exception: pass\n    assert 1 == 2\ndef test_the_next(): ...\n",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*assert 1 == 2*", "*authorization: calls that reached no approver*", "A guarded call, *"]
    )


@pytest.mark.parametrize("setting", ["on", "off"])
def test_the_guard_may_be_turned_off(project: pytest.Pytester, setting: str) -> None:
    """Then the call goes its usual way: here, to the complaint that there is no key."""
    project.makeini(f"[pytest]\nauthorization_guard = {setting}\n")
    result = run(project, "def test_it():\n    refund(5)\n")
    assert ("API key required" in result.stdout.str()) is (setting == "off")


def test_a_setting_that_is_not_known_is_refused(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nauthorization_guard = maybe\n")
    result = run(project, "def test_it(): ...\n")
    assert "authorization_guard is 'maybe'; it may be 'on' or 'off'." in result.stderr.str()


def test_what_the_test_or_the_guard_itself_names_is_left_alone(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import clearance
from clearance.testing import FakeTransport
from clearance.transports import HttpTransport

own = FakeTransport(True)

@clearance.requires_authorization(action_type="a", transport=own)
def own_way(): ...

def test_the_guards_own(authorization):
    own_way()
    assert authorization.asked == []

def test_an_override():
    with clearance.override(transport=own):
        refund(5)

def test_a_block():
    with own:
        refund(5)

def test_a_configured_one():
    clearance.configure(transport=own)
    refund(5)
    clearance.configure(transport=None)

def test_a_center_on_this_machine():
    clearance.configure(transport=HttpTransport("http://127.0.0.1:9", "owkai_user_1"), timeout=0.01)
    with pytest.raises(clearance.AuthorizationUnavailable, match="could not be reached"):
        refund(5)
    clearance.configure(transport=None, timeout=900)
""",
    )
    result.assert_outcomes(passed=5)


def test_a_configured_center_off_this_machine_is_not_asked(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import clearance
from clearance.transports import AsyncHttpTransport, HttpTransport

@pytest.mark.parametrize("kind", [HttpTransport, AsyncHttpTransport])
def test_it(kind):
    clearance.configure(transport=kind("https://center.example", "owkai_user_1"), timeout=0.01)
    refund(5)

def test_the_fixture_goes_before_it(authorization):
    authorization.allow()
    refund(5)
""",
    )
    result.assert_outcomes(failed=2, passed=1)
    assert result.stdout.str().count("\nE       clearance.errors.AuthorizationUnavailable: A guarded call") == 2


def test_threads_without_a_context_find_the_approver_of_the_test_that_runs(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2)

@pytest.mark.parametrize("number", range(3))
def test_it(authorization, number):
    authorization.allow()
    assert list(pool.map(refund, range(number))) == list(range(number))
    assert len(authorization.asked) == number
""",
    )
    result.assert_outcomes(failed=1, passed=2)  # with nothing asked, the rule is unused


def test_event_loops_that_were_made_before_the_test_find_it_too(project: pytest.Pytester) -> None:
    """Their context is older than the fixture; so it is with the loops of pytest's async plugins."""
    result = run(
        project,
        """
import asyncio

@pytest.fixture(scope="session")
def runner():
    with asyncio.Runner() as runner:
        runner.get_loop()
        yield runner

@pytest.mark.parametrize("number", range(2))
def test_it(runner, authorization, number):
    authorization.allow()
    assert runner.run(arefund(number)) == number
    authorization.assert_asked_once(amount=number)
""",
    )
    result.assert_outcomes(passed=2)


# ---------------------------------------------------------------------------------------------------------------------
# Rules, and what is reported
# ---------------------------------------------------------------------------------------------------------------------


def test_a_mark_scripts_the_approver_of_a_test_that_need_not_name_it(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
from clearance import ActionDenied

@pytest.mark.authorization(allow="payment.refund")
def test_one(): refund(5)

@pytest.mark.authorization(allow=["payment.refund"], deny=["mail.send"])
def test_unused(): refund(5)

@pytest.mark.authorization(deny={"payment.refund": "too much"})
@pytest.mark.parametrize("amount", [1, 2])
def test_reason(amount, authorization):
    with pytest.raises(ActionDenied, match="too much"): refund(amount)
    authorization.assert_asked_once(amount=amount)

@pytest.mark.authorization(deny=True)
def test_all():
    with pytest.raises(ActionDenied): refund(5)

@pytest.mark.authorization(allow=True)
class TestClass:
    def test_a(self): refund(5)
    def test_needs_it_not(self): ...
""",
    )
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["Rules that nothing asked for:", "  - deny mail.send (@pytest.mark.authorization)"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("alow=True", "takes allow= and deny=, not alow."),
        ("'payment.refund'", "takes allow= and deny=, not 'payment.refund'."),
        ("allow=5", "(allow=...) takes an action type, a list of them, or True; not 5."),
        ("deny=[1]", "(deny=...) takes an action type, a list of them, or True; not [1]."),
    ],
)
def test_a_mark_that_cannot_be_meant_is_refused(project: pytest.Pytester, arguments: str, sentence: str) -> None:
    result = run(project, f"@pytest.mark.authorization({arguments})\ndef test_it(): ...\n")
    result.assert_outcomes(errors=1)
    assert sentence in result.stdout.str()


def test_a_failure_shows_what_was_asked_and_answered_and_no_secret(project: pytest.Pytester) -> None:
    result = run(
        project,
        f"""
SECRET = "".join(reversed("{CANARY[::-1]}"))

def test_it(authorization):
    authorization.deny(reason="too much")
    try: refund(5, api_key=SECRET)
    except Exception: pass
    raise AssertionError("something else")
""",
        "--tb=line",
    )
    result.assert_outcomes(failed=1)
    run(
        project, "def test_it(authorization):\n    authorization.deny(reason='too much')\n    refund(5)\n"
    ).stdout.fnmatch_lines(
        [
            "E   *ActionDenied: 'payment.refund' (stripe), action 1, was denied by the test: too much. Nothing was*",
            "*authorization: asked and answered*",
            "1. payment.refund with stripe (amount=5, api_key='[[]redacted]')",
            "   asks: refund(amount=5, api_key='[[]redacted]')",
            "   answered by the test: too much",
            "   denied",
        ]
    )


def test_what_clearance_does_inside_is_left_out_of_a_refusals_traceback(project: pytest.Pytester) -> None:
    tests = "def test_it(authorization):\n    authorization.deny()\n    refund(5)\n"
    short, full = run(project, tests).stdout.str(), run(project, tests, "--full-trace").stdout.str()
    assert ("flow.py" in short, "flow.py" in full) == (False, True)
    assert ">       refund(5)" in short or ">   refund(5)" in short


def test_a_test_that_failed_is_not_blamed_for_the_rules_it_did_not_come_to(project: pytest.Pytester) -> None:
    result = run(project, "def test_it(authorization):\n    authorization.allow()\n    assert 1 == 2\n")
    result.assert_outcomes(failed=1)
    assert "Rules that nothing asked for" not in result.stdout.str()


def test_what_goes_wrong_after_the_test_is_an_error_of_its_teardown(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.fixture
def late(authorization):
    yield
    try: refund(5)
    except Exception: pass

def test_it(late): ...
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "no rule is here at all" in result.stdout.str()


def test_unittests_fail_in_the_same_way(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import unittest
from clearance.testing import AuthorizationMixin

class Bare(unittest.TestCase):
    def test_reaches_nobody(self):
        with self.assertRaises(Exception): refund(5)

    @pytest.mark.authorization(allow=True)
    def test_marked(self): refund(5)

class Mixed(AuthorizationMixin, unittest.TestCase):
    def test_it(self):
        self.authorization.allow()
        refund(5)

    def test_unused(self): self.authorization.allow()
""",
    )
    result.assert_outcomes(passed=2, failed=2)


def test_a_fixture_of_the_projects_own_with_that_name_wins(project: pytest.Pytester) -> None:
    result = run(
        project,
        "@pytest.fixture\ndef authorization(): return 'me'\ndef test_it(authorization): assert authorization == 'me'\n",
    )
    result.assert_outcomes(passed=1)


def test_a_report_shows_the_first_of_very_many_requests(project: pytest.Pytester) -> None:
    result = run(
        project,
        "def test_it(authorization):\n    authorization.allow()\n    for n in range(900): refund(n)\n    assert 0\n",
    )

    told = result.stdout.str().partition("authorization: asked and answered")[2].partition("short test summary")[0]
    assert "\n1. payment.refund" in told
    assert "\n900. payment.refund" not in told
    assert "\n…\n" in told
    assert len(told) < LONGEST_SECTION + 200


def test_the_mark_and_the_option_are_explained(project: pytest.Pytester) -> None:
    assert (
        "@pytest.mark.authorization(allow=..., deny=...): script"
        in project.runpytest_inprocess("--markers").stdout.str()
    )
    assert "--authorization={record,replay,strict}" in project.runpytest_inprocess("--help").stdout.str()


# ---------------------------------------------------------------------------------------------------------------------
# Who does not use it
# ---------------------------------------------------------------------------------------------------------------------

BYSTANDER = """
import sys

def test_it():
    assert "_clearance_pytest" in sys.modules
    assert [name for name in sys.modules if name.partition(".")[0] == "clearance"] == []
"""
LATE = """
def test_it():
    from clearance import requires_authorization
    requires_authorization(action_type="a")(lambda: None)()
"""


def outside(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(test)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OWKAI_", "PYTEST_", "COV"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "test_it.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_nothing_of_clearance_is_loaded_for_tests_that_do_not_use_it(tmp_path: Path) -> None:
    done = outside(tmp_path, BYSTANDER)
    assert done.returncode == 0, done.stdout


def test_a_guard_that_is_first_loaded_inside_a_test_is_kept_off_the_network_too(tmp_path: Path) -> None:
    done = outside(tmp_path, LATE)
    assert done.returncode == 1
    assert "reached no approver of this test" in done.stdout


def test_pytest_itself_is_not_loaded_by_the_kit() -> None:
    script = "import sys, clearance.testing; assert not {'pytest', '_pytest', 'unittest'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


# ---------------------------------------------------------------------------------------------------------------------
# The sample project
# ---------------------------------------------------------------------------------------------------------------------

SAMPLE = Path(__file__).parent.parent.parent / "examples" / "tested_shop"


def report_on_the_sample(folder: Path) -> str:
    """What pytest says of its failures, without how long it took."""
    for file in ("shop.py", "test_shop.py"):
        (folder / file).write_text((SAMPLE / file).read_text())
    left_out = ("OWKAI_", "PYTEST_", "COV", *SAYS_IT_TWICE)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    options = ["--tb=short", "--rootdir", ".", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        env={**environment, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout[done.stdout.index("= FAILURES =") :].splitlines()[1:]
    lines[-1] = re.sub(r" in .*", "", lines[-1]).strip("= ")
    return "\n".join(lines) + "\n"


def test_the_report_on_the_sample_project_is_the_expected_text(tmp_path: Path) -> None:
    report = report_on_the_sample(tmp_path)

    assert report == (SAMPLE / "expected_report.txt").read_text()
    assert "sk-not-for-you" not in report.replace('refund("ch_1", 500, api_key="sk-not-for-you")', "")


def test_cassettes_are_named_apart_even_where_the_plain_names_are_the_same(project: pytest.Pytester) -> None:
    from clearance.testing.cassettes import file_name

    assert str(file_name("test_a", "test_b")) == "test_a/test_b.json"
    assert file_name("test_a", "test_b[x/y]") != file_name("test_a", "test_b[x-y]")
    assert re.fullmatch(r"test_a/[\w.-]{1,100}\.json", str(file_name("test_a", "test_b[" + "ü/.." * 500 + "]")))
    assert json.dumps(str(file_name("..", "..")))  # a name is a name
