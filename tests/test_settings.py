"""Where the defaults come from: `configure`, the environment, a ``.env`` file; and nothing before it is needed."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from clearance import ConfigurationError, configure
from clearance.settings import (
    DEFAULT_TIMEOUT,
    DEFAULT_URL,
    LONGEST_DECIDE_WITHIN,
    LONGEST_TIMEOUT,
    Settings,
    check_timeout,
    default_agent_id,
    default_transport,
    defaults,
    exchange_timeout,
    sources,
)
from clearance.testing import FakeTransport
from clearance.transports import AsyncHttpTransport, HttpTransport

NO_KEY = "API key required. Set OWKAI_API_KEY environment variable."


# ---------------------------------------------------------------------------------------------------------------------
# OWKAI_*
# ---------------------------------------------------------------------------------------------------------------------


def test_a_key_is_all_that_is_needed() -> None:
    assert Settings.load({"OWKAI_API_KEY": "owkai_user_1"}) == Settings(
        api_key="owkai_user_1", api_url=DEFAULT_URL, timeout=DEFAULT_TIMEOUT, ca_bundle=None
    )


def test_everything_can_be_said_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWKAI_API_KEY", "k")
    monkeypatch.setenv("OWKAI_API_URL", "https://c.example")
    monkeypatch.setenv("OWKAI_TIMEOUT", "7.5")
    monkeypatch.setenv("OWKAI_CA_BUNDLE", "ca.pem")

    assert Settings.load() == Settings("k", "https://c.example", 7.5, "ca.pem")


def test_everything_can_be_said_in_a_env_file_here() -> None:
    Path(".env").write_text("OWKAI_API_KEY='k'\nOWKAI_API_URL=https://c.example # ours\nOWKAI_TIMEOUT=7\nOTHER=x\n")

    assert Settings.load() == Settings("k", "https://c.example", 7.0)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("OWKAI_API_KEY=from-file\nOWKAI_TIMEOUT=7\n")
    monkeypatch.setenv("OWKAI_API_KEY", "from-environment")

    assert Settings.load() == Settings("from-environment", timeout=7.0)


def test_reading_the_file_does_not_change_the_environment() -> None:
    Path(".env").write_text("OWKAI_API_KEY=from-file\n")
    Settings.load()

    with pytest.raises(ConfigurationError):
        Settings.load(env_file="elsewhere.env")


def test_a_value_in_the_file_is_taken_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_SECRET", "not for the Center")
    Path(".env").write_text("OWKAI_API_KEY=k${HOME_SECRET}\n")

    assert Settings.load().api_key == "k${HOME_SECRET}"


@pytest.mark.parametrize("environ", [{}, {"OWKAI_API_KEY": ""}, {"OWKAI_API_KEY": "  "}, {"API_KEY": "k"}])
def test_a_missing_key_says_so_in_the_words_that_ascends_users_know_and_more(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.load(environ)

    assert refused.value.happened == NO_KEY
    assert refused.value.reason_code == "no_key"
    assert isinstance(refused.value, ValueError)
    assert "clearance.configure(transport=...)" in refused.value.next_step


def test_spaces_around_a_value_and_empty_values_are_nothing() -> None:
    environ = {"OWKAI_API_KEY": " k\n", "OWKAI_API_URL": " ", "OWKAI_TIMEOUT": "", "OWKAI_CA_BUNDLE": ""}

    assert Settings.load(environ) == Settings("k")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "30s", "1e9", str(LONGEST_TIMEOUT + 0.1)])
def test_a_timeout_that_is_no_number_of_seconds_is_refused_with_what_was_written(text: str) -> None:
    with pytest.raises(ConfigurationError, match="OWKAI_TIMEOUT=") as refused:
        Settings.load({"OWKAI_API_KEY": "k", "OWKAI_TIMEOUT": text})

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["0.001", "30", "1e2", str(LONGEST_TIMEOUT)])
def test_a_timeout_to_the_limit_is_accepted(text: str) -> None:
    assert Settings.load({"OWKAI_API_KEY": "k", "OWKAI_TIMEOUT": text}).timeout == float(text)


def test_the_key_does_not_appear_when_settings_are_printed() -> None:
    assert "owkai_user_1" not in repr(Settings("owkai_user_1"))


def test_where_a_setting_comes_from_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("OWKAI_API_KEY=owkai_user_1\nOWKAI_TIMEOUT=5\nOWKAI_API_URL=\nOTHER=x\n")
    monkeypatch.setenv("OWKAI_TIMEOUT", "6")

    assert sources() == {"OWKAI_API_KEY": ".env", "OWKAI_TIMEOUT": "the environment"}
    assert sources({}, ".env")["OWKAI_TIMEOUT"] == ".env"


# ---------------------------------------------------------------------------------------------------------------------
# configure
# ---------------------------------------------------------------------------------------------------------------------


def test_what_is_not_named_stays_as_it_is() -> None:
    transport = FakeTransport(True)
    configure(transport=transport, agent_id="billing-bot")
    configure(timeout=5)

    assert (defaults().transport, defaults().agent_id, defaults().timeout) == (transport, "billing-bot", 5)


def test_naming_none_goes_back_to_where_it_came_from() -> None:
    configure(transport=FakeTransport(True), agent_id="billing-bot")
    configure(transport=None, agent_id=None)

    assert (defaults().transport, defaults().agent_id) == (None, None)


@pytest.mark.parametrize(
    ("given", "happened"),
    [
        ({"timeout": 0}, "timeout=0 is not"),
        ({"timeout": None}, "timeout=None is not"),
        ({"transport": "https://c.example"}, "transport= takes an object with send() or asend(), not a str"),
        ({"agent_id": ""}, "agent_id= is empty"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_and_changes_nothing(given: dict[str, Any], happened: str) -> None:
    before = defaults()
    with pytest.raises(ConfigurationError) as refused:
        configure(**{"agent_id": "somebody-else", **given})

    assert happened in str(refused.value)
    assert defaults() == before


@pytest.mark.parametrize("seconds", [True, "5", None, 0, -1, math.nan, math.inf, LONGEST_DECIDE_WITHIN + 1])
def test_the_seconds_of_a_decision_are_a_number_from_0_to_30_days(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="30 days"):
        check_timeout(seconds)


@pytest.mark.parametrize("seconds", [0.001, 1, LONGEST_DECIDE_WITHIN])
def test_the_seconds_of_a_decision_are_accepted_to_the_limit(seconds: float) -> None:
    assert check_timeout(seconds) == seconds


@pytest.mark.parametrize(
    ("program", "agent_id"), [("/opt/jobs/nightly.py", "nightly"), ("", "python"), ("bot", "bot"), ("a.b.py", "a.b")]
)
def test_who_acts_is_the_running_program_unless_somebody_says(
    monkeypatch: pytest.MonkeyPatch, program: str, agent_id: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])

    assert default_agent_id() == agent_id


def test_who_acts_in_an_interpreter_without_arguments_is_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])

    assert default_agent_id() == "python"


# ---------------------------------------------------------------------------------------------------------------------
# The process's own transport
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asynchronous", "kind"), [(False, HttpTransport), (True, AsyncHttpTransport)])
def test_it_is_made_from_the_settings_once(monkeypatch: pytest.MonkeyPatch, asynchronous: bool, kind: type) -> None:
    monkeypatch.setenv("OWKAI_API_KEY", "owkai_user_1")
    monkeypatch.setenv("OWKAI_API_URL", "https://c.example/")

    transport = default_transport(asynchronous=asynchronous)

    assert type(transport) is kind
    assert repr(transport) == f"{kind.__name__}('https://c.example')"
    assert default_transport(asynchronous=asynchronous) is transport


def test_both_sides_go_by_the_settings_that_were_read_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWKAI_API_KEY", "owkai_user_1")
    monkeypatch.setenv("OWKAI_API_URL", "https://one.example")
    default_transport(asynchronous=False)
    monkeypatch.setenv("OWKAI_API_URL", "https://two.example")

    assert default_transport(asynchronous=True).origin.url == "https://one.example"


def test_configure_makes_the_settings_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWKAI_API_KEY", "owkai_user_1")
    first = default_transport(asynchronous=False)
    configure()

    assert default_transport(asynchronous=False) is not first


def test_a_configured_transport_serves_both_sides_and_needs_no_key() -> None:
    transport = FakeTransport(True)
    configure(transport=transport)

    assert default_transport(asynchronous=False) is default_transport(asynchronous=True) is transport


@pytest.mark.parametrize("asynchronous", [False, True])
def test_without_a_key_and_without_a_transport_there_is_none(asynchronous: bool) -> None:
    with pytest.raises(ConfigurationError, match=NO_KEY):
        default_transport(asynchronous=asynchronous)


def test_a_key_that_comes_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError):
        default_transport(asynchronous=False)
    monkeypatch.setenv("OWKAI_API_KEY", "owkai_user_1")

    assert isinstance(default_transport(asynchronous=False), HttpTransport)


def test_one_exchange_may_take_what_the_settings_say_once_they_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWKAI_API_KEY", "owkai_user_1")
    monkeypatch.setenv("OWKAI_TIMEOUT", "7")

    assert exchange_timeout() == DEFAULT_TIMEOUT
    default_transport(asynchronous=False)
    assert exchange_timeout() == 7.0
