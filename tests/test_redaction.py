"""What an approver may see: which names are secret, and how the long is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.redaction import REDACTED, SHOWN_CHARACTERS, View
from clearance.secret_names import is_secret_name

SECRET = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "token_id",
    "api_key",
    "apikey",
    "private_key",
    "signing_key",
    "session_id",
    "connection_string",
    "credentials",
    "authorization",
    "bearer",
    "cookie",
    "jwt",
    "otp",
    "pin",
    "cvv",
    "cvv2",
    "ssn",
    "card_number",
    "recovery_code",
    "dsn",
    "password_hash",
    "new_password_1",
    "passwords",
    "api_keys",
    "tokens",
    "access_tokens",
    "secrets",
    "ssh_keys",
    "card_numbers",
    "recovery_codes",
    "pgpassword",
    "authtoken",
    "db_pw",
    "wifi_psk",
    "seed_phrase",
    "social_security_number",
]
NOT_SECRET = [
    "",
    "_",
    "amount",
    "compass",
    "bypass",
    "passenger",
    "author",
    "tokenizer",
    "token_limit",
    "max_tokens",
    "tokens_used",
    "prompt_tokens",
    "eos_token",
    "next_page_token",
    "token_count",
    "key_count",
    "keys",
    "passes",
    "has_password",
    "password_changed_at",
    "secret_santa",
    "secret_name",
    "password_policy",
    "auth_url",
    "cookie_path",
    "api",
    "key",
    "primary_key",
    "keyboard",
    "spinner",
    "monkey",
]

STYLES: dict[str, Callable[[str], str]] = {
    "snake_case": str,
    "CONSTANT_CASE": str.upper,
    "kebab-case": lambda name: name.replace("_", "-"),
    "Header-Case": lambda name: "-".join(word.capitalize() for word in name.split("_")),
    "camelCase": lambda name: name[:1] + "".join(word.capitalize() for word in name.split("_"))[1:],
    "PascalCase": lambda name: "".join(word.capitalize() for word in name.split("_")),
    "prefixed": lambda name: f"stripe_{name}",
    "dotted": lambda name: f"db.{name}",
    "with a number": lambda name: f"{name}_2",
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", SECRET)
def test_a_name_that_usually_holds_a_credential_is_secret_however_it_is_written(name: str, style: str) -> None:
    assert is_secret_name(STYLES[style](name))


@pytest.mark.parametrize("name", NOT_SECRET)
def test_a_name_that_only_resembles_one_or_is_about_one_is_shown(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("name", "secret"), [("APIKey", True), ("XApiKey", True), ("dbPWD", True), ("PINCode", True), ("HTTPPath", False)]
)
def test_acronyms_are_read_as_words(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


@pytest.mark.parametrize("name", ["пароль", "contraseña", "Contraseña", "密码", "kennwort"])
def test_the_word_is_known_in_other_languages(name: str) -> None:
    assert is_secret_name(name)


@given(st.text())
def test_any_text_at_all_can_be_asked_about(name: str) -> None:
    assert is_secret_name(name) in (True, False)


def test_a_view_hides_the_usual_names_and_those_that_the_author_named() -> None:
    view = View(named=("iban",))

    assert [name for name in ("iban", "password", "amount") if view.hides(name)] == ["iban", "password"]


def test_what_is_hidden_is_noted_by_path_and_shown_as_a_placeholder() -> None:
    view = View()

    assert view.hide("user.password") == REDACTED
    assert view.redacted == ["user.password"]


def test_two_views_share_no_notes() -> None:
    View().hide("user.password")

    assert (View().redacted, View().abridged) == ([], {})


def test_a_text_of_the_limit_is_shown_whole() -> None:
    view = View()

    assert view.text("x" * SHOWN_CHARACTERS, "note") == "x" * SHOWN_CHARACTERS
    assert view.abridged == {}


def test_a_text_over_the_limit_is_cut_and_says_so_in_words_and_in_numbers() -> None:
    view = View()

    shown = view.text("x" * SHOWN_CHARACTERS + "y", "note")

    assert shown == "x" * SHOWN_CHARACTERS + "… [4,000 of 4,001 characters shown]"
    assert view.abridged == {"note": (4_000, 4_001)}
