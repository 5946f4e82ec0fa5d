"""Whether a value that a text assigns to a secret name is a secret, or code, prose, a label, a count or a template."""

from __future__ import annotations

import re
from typing import NamedTuple

SHORTEST = 3
"""A shorter value is nobody's secret."""
_JUDGED = 256
"""A longer value is judged by its beginning: these patterns may take longer than its length alone."""


class Claim(NamedTuple):
    """What a text says: this value belongs to that name."""

    key: str
    """The word that makes the name a secret one, in lower case."""
    tail: str
    """The rest of the name."""
    gap: str
    """Quotes and brackets that close the name, as in JSON."""
    sign: str
    """What stands between name and value, without spaces: ``=``, ``:``, ``is`` or nothing, say."""
    value: str
    quoted: bool
    spaced: bool
    """There are spaces around the sign, as in code."""
    given: bool
    """A value must follow the name, as it follows an option that begins with a dash."""
    shouted: bool
    """The name is in capitals and stands directly at its value, as in an environment."""
    last: bool
    """Nothing follows the value in its line."""

    @property
    def is_password(self) -> bool:
        """May it be a plain word? A token may not."""
        return self.key.startswith(("pass", "pw", "pswd", "securestring"))


_PLACEHOLDER = re.compile(
    r"""
      [*xX.•…#_?:-]+ | (?:<[^<>]*>|\{[A-Za-z_\d!.]{0,40}\}|%[sdr]|\$\{\w+\}|[,:/@.-])+ | <[^>]*
    | [\[({]+(?:[A-Za-z_\s,.-]*|[\d\s,.-]*)[\])}]* | [\[{(]+["'\s].*
    | /?\((?:\\?|\\\S).* | /?\^.* | \[(?:\^|-|[Aa]-[Zz]).*
    | \$?\{{1,3}[A-Za-z_\s.$|:"'-]*\}{0,3} | \$\(.* | \$_\w+.* | \$(?:[A-Z_][A-Z0-9_]*|[a-z_]+|\d)
    | [$:@]\w*(?:pass|pw|token|secret|key)\w* | %\(?\w*\)?s | %\w+% | (?:YOUR|MY|THE)[_-].* | \#[0-9a-fA-F]{3,8}
    | (?:arn|vault|file|env|ref|op|sm|ssm|gcp|kms):.* | [~.]{0,2}/(?:[a-z_.-][a-z0-9_.-]*/)+[\w.-]*
    """,
    re.VERBOSE,
)
_WORDY = r"_*[a-z]?(?:[a-z]++|[A-Z][a-z]++|[A-Z]{3,})(?:_*(?:[A-Z]?[a-z]+|[A-Z]{2,}|\d{1,3}))*+_*"
_CODE = re.compile(
    rf"""
    {_WORDY}(?:\??\.{_WORDY})+ | [A-Za-z_]\w*(?:\??\.\w+)+[(\[].* | (?=\w{{3}}){_WORDY}[(\[][\w\s.,*'"()\[\]{{}}:=+-]*
    | {_WORDY}[)\]]+[?.;,:\[].* | (?:None|True|False|null)\b.*
    """,
    re.VERBOSE,
)
_IDENTIFIER = re.compile(
    r"""
    _*[a-z]+(?:_[a-z]+)+ | [A-Z]+(?:_[A-Z]+)+
    | (?=.*[a-z]{2})[A-Za-z]?[a-z]*(?:[A-Z]{1,4}\d{0,2}[a-z]{2,}|[A-Z]{2,6}\d{1,2}(?=[A-Z]))+
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"[a-z]+(?:[A-Z][a-z]+)*\d{1,2}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LABEL = re.compile(
    r"[a-z\s_.,:;'’?!-]*(?<![a-z])(?:pass(?:word|wd|phrase|code)?|pwd|pw|secret|token|credential|key)s?(?![a-z])[a-z\s_.,:;'’?!-]*"
)
_NO_VALUES = frozenset(
    """
    a again also an and any are argument arguments array as ask async at await bearer been basic boolean bool but by
    bytes can cannot changed char choose class click cls could current data default deleted elif else empty encrypted
    enter env example except expired false flag flags for from function getpass had has have hidden if import in
    incorrect input int integer invalid is it its lambda len let line masked may missing must my n/a na new next nil no
    none not null number object of off omitted on only option optional options or our parameter parameters please print
    prompt protected raise readonly redacted removed req required reset return same sample see self sensitive set should
    str string super tba tbd test text that the their then there this to todo too true type undefined unknown unset
    updated use val value values varchar was were when will with wrong yes yield you your
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_SENTENCE_WORDS = frozenset(
    """
    a again also an and any are as at be been but by can cannot for from has have if in is it its may must my no not of
    off on only or our please see should so that the their then there this to too was were when will with you your
    """.split()  # noqa: SIM905
)
_WEAK_SIGNS = ("", "-", "|", "(", ",")
"""What stands between any two words of a sentence, a table, a call or a list."""
_MIXED = re.compile(
    r"""
    (?=.*[A-Za-z])(?=.*\d).{6,} | \W*+\w[^!#$%^&*@+=~]*+[!#$%^&*@+=~].*
    | (?=.{12,})[^a-z]*+[a-z][^A-Z]*+[A-Z][^a-z]*+[a-z].*
    """,
    re.VERBOSE | re.DOTALL,
)
"""Letters with digits, symbols or capitals among them: nothing that a sentence has where a value could stand."""
_STRONG = re.compile(
    r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?![A-Z][a-z]+\d+$)[^\s-]{6,}|(?=.*[A-Za-z])(?=.*\d)(?=.*[!#$%^&*@+=~]).{6,}",
    re.DOTALL,
)
"""So mixed that it can be nothing but a password, even where a word would be expected."""


def is_placeholder(value: str) -> bool:
    """Does this stand where a secret will be filled in?"""
    return _PLACEHOLDER.fullmatch(value, 0, _JUDGED) is not None


def is_label(value: str) -> bool:
    """Is this made of words that name a secret, as ``new password`` and ``apiKey`` are?"""
    return _LABEL.fullmatch(_CAMEL.sub("_", value[:_JUDGED]).lower()) is not None


def is_mixed(value: str) -> bool:
    """Does this look like a token, and not like a word?"""
    return _MIXED.fullmatch(value, 0, _JUDGED) is not None


def is_code(value: str) -> bool:
    """Is this an expression that yields the secret when it runs?"""
    return _CODE.fullmatch(value, 0, _JUDGED) is not None


def _plain(word: str) -> str:
    return word.strip(".,:;!?'").lower()


def is_secret(claim: Claim) -> bool:
    """Is this a secret indeed, or does the text only speak of one?"""
    value = claim.value[:_JUDGED] if claim.quoted else claim.value[:_JUDGED].rstrip(".,;:!?)]}>")
    if len(value) < SHORTEST or is_placeholder(value) or is_placeholder(claim.value) or _plain(value) in _NO_VALUES:
        return False
    if claim.key in ("pin", "otp") or claim.key.startswith("cv"):
        return value.isdecimal() and 3 <= len(value) <= 8
    if is_label(value) or _is_other(claim, value) or (not claim.quoted and _is_code(claim, value)):
        return False
    if any(letter.isspace() for letter in value):
        return claim.is_password and _is_passphrase(value)
    return _is_password(claim, value) if claim.is_password else _is_token(claim, value)


def _is_other(claim: Claim, value: str) -> bool:
    """The short words have other meanings: the first pass, ``PWD=/srv``, ``pass_fds=...``, ``if passwd):``."""
    if claim.given or claim.shouted:
        return claim.key == "pwd" and value.startswith("/")
    if claim.key in ("pass", "pw") and claim.tail.strip("_0123456789"):
        return True
    if claim.key == "pass" and claim.sign in _WEAK_SIGNS:
        return True
    return claim.sign == ":" and ")" in claim.gap


def _is_code(claim: Claim, value: str) -> bool:
    if claim.given or claim.shouted:
        return False
    if is_code(value) or (claim.spaced and claim.sign == "=" and value[0] in "[({"):
        return True
    if not claim.is_password and _NUMBERED.fullmatch(value):
        return True
    is_one = not claim.is_password or claim.spaced or claim.value != value
    return is_one and _IDENTIFIER.fullmatch(value) is not None


def _is_passphrase(value: str) -> bool:
    """Words that make no sentence."""
    words = value.split()
    return len(words) >= 3 and all(_plain(word) not in _SENTENCE_WORDS for word in words)


def _is_password(claim: Claim, value: str) -> bool:
    """A password may be a plain word, wherever nothing else can stand in its place."""
    if value.isdecimal() and (len(value) < 4 or claim.tail.lower() == "s" or claim.key == "pass"):
        return claim.given or claim.shouted
    if claim.given or claim.key == "securestring":
        return True
    if claim.sign in _WEAK_SIGNS:  # A sentence, a call, a list.
        return (claim.quoted and claim.sign == "" and is_mixed(value)) or _stands_out(claim, value)
    if is_mixed(value):
        return True
    if claim.sign == ":" and not claim.quoted and not claim.gap:
        return claim.last
    return claim.sign not in ("is", "was", "is:", "was:")


def _stands_out(claim: Claim, value: str) -> bool:
    if claim.value[len(value) :].startswith("!"):
        value += "!"
    if claim.sign == ",":
        return claim.gap != "" and claim.quoted and _STRONG.fullmatch(value) is not None
    return not claim.gap and "://" not in value and _STRONG.fullmatch(value) is not None


def _is_token(claim: Claim, value: str) -> bool:
    """A token is mixed; a plain word is taken only where it is a ``secret`` or a ``key``, and set apart."""
    if claim.given:
        return is_mixed(value)
    if claim.sign in _WEAK_SIGNS:
        return claim.quoted and _stands_out(claim, value)
    if value.isdecimal():
        return len(value) >= 8 and claim.tail.lower() != "s"
    if is_mixed(value):
        return True
    return (
        claim.key in ("secret", "key")
        and len(value) >= 6
        and (claim.quoted or claim.shouted)
        and claim.sign[0] in "=:>"
    )
