"""What a free text says to be a secret: ``password=...``, ``--token ...``, ``"api_key": "..."``, ``the pin is ...``.

The name makes the secret here, not a shape. So each value is judged: most texts that hold the word ``password``
hold no password, but prose, code, labels, schemas, templates and counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TypeAlias

from clearance.plausible import SHORTEST, Claim, is_code, is_label, is_mixed, is_placeholder, is_secret
from clearance.secret_names import ABOUT_WORDS

Span: TypeAlias = tuple[int, int]

# The patterns are read on the text in lower case. Each alternative of a key begins with a fixed character, so that
# the search skips the others at once; and whatever is unbounded cannot give back what it took, nor be entered twice,
# so that hostile text costs no more than its length.
_KEYS = r"""
    p(?: ass(?:word|wd|wort|phrase|code) | ass(?<![a-z]pass)(?![a-z]) | swd | wd
       | w(?<![a-z]pw)(?![a-z]) | in(?<![a-z]pin)(?![a-z]))
  | s(?: ecret | ecurestring | ession[_-]?id | essid )
  | token
  | c(?: redential | v[vc]2?(?<![a-z]cv[vc])(?<![a-z]cv[vc]2)(?![a-z]))
  | key
  | otp(?<![a-z]otp)(?![a-z])
  | jwt(?<![a-z]jwt)(?![a-z])
  | _auth(?![\w-])
  | "auth(?=[\\"])
"""
_KEY = rf"(?P<key>{_KEYS})(?P<tail>[\w-]{{0,40}}+)"

_QUOTED = r"""
    (?:[brfu@]{1,2}|secret(?:str|bytes)?\()?
    (?P<quote>\\{0,7}(?:"{3}|'{3}|["'`]))(?P<quoted>(?:(?!(?P=quote))(?:\\[^\n]|[^\\\n]))*+)
"""
_BARE = r"""(?P<bare>(?:
    [^\s"'`\\&;,|<]++
  | [&;|](?![ "']{0,2}[\w.-]{1,40}(?:[ ][\w.]{1,20})?["']?=) | ,(?!["']?[\w.-]{1,40}\\{0,7}["']?[=:])
  | <(?!/|!--|br) | ["'](?=\w) | \\(?![nrt"'\\])
)++)"""

_PATTERNS = {
    "assignment": rf"""
        {_KEY}(?P<gap>[\\"'`\])]{{0,9}}+)
        (?P<between>
            (?::[ ]?(?:secret)?(?:str|string|bytes)(?:[ ]?\|[ ]?none)?)?
            [ \t]{{0,8}}+(?:=>|:=|->|[!=]?==?|[:,(])[ \t]{{0,8}}+
          | (?:[ ](?:for|of|to|on|in)(?:[ ][\w.@/-]{{1,60}}+){{1,3}}?)?(?:[ ](?:is|was)[ ]?:?[ ]|[ ]?:[ ]?)
          | [ ][-–|][ ] | [ \t]{{1,8}}+
        )
        (?:{_QUOTED}|{_BARE})""",
    "pair": rf"""
        name\\{{0,7}}["']?[ ]{{0,3}}[:=][ ]{{0,3}}\\{{0,7}}["']?[\w.-]{{0,40}}?{_KEY}
        (?:[\s,\\"']|\\[nr]){{1,40}}?(?:type="\w{{1,20}}"\s)?
        value(?P<gap>\\{{0,7}}["']?)(?P<between>[ ]{{0,3}}[:=][ ]{{0,3}})(?:{_QUOTED}|{_BARE})""",
    "element": rf"""
        <(?P<name>[\w:.-]{{0,40}}?{_KEY})(?P<gap>)(?:\s[^<>]{{0,100}})?
        (?P<between>>)(?P<quote>)(?P<quoted>[^<>\n]{{1,4000}})</(?P=name)""",
    "percent": rf"""
        {_KEY}(?P<gap>)(?P<between>%3d)(?P<quote>)(?P<quoted>(?:(?!%26)[^\s&"'<>])++)""",
    "header": r"""
        authorization[\\"'\])]{0,9}[ \t]{0,4}(?::|=>?)[ \t]{0,4}f?[\\"'`]{0,8}
        (?: (?:digest|aws4-hmac-sha256|oauth|hawk|signature)[ ](?P<line>[^\r\n]{1,4000})
          | (?P<scheme>(?:bearer|basic|token|api-?key|api-?token|key|negotiate|ssws|geniekey|splunk)[ ]{1,4})?
            (?P<value>[^\s"'`\\]++) )
      | b(?: earer(?<![a-z]bearer)[ ]{1,4}(?P<bearer>[\w.~+/-]{12,}+=*)
           | asic(?<![a-z]basic)[ ]{1,4}(?P<basic>[a-z0-9+/]{12,}+=*) )
      | cookie(?<![a-z]cookie)[\\"']{0,9}[ ]{0,3}:[ ]{0,3}[\\"']{0,9}
            (?P<cookies>(?:[\w.%+-]{1,80}+=[^\s;"']*+;?[ ]{0,2})++)
      | (?:user|to)[ ]\S{1,80}[ ]identified[ ]by[ ](?:password[ ])?'(?P<identified>[^'\n]++)""",
    "command": r"""
        (?: (?:mysql|mariadb)\w{0,10}[ ][^\n|;&]{0,120}?[ ]-p(?=\S)
          | (?:sshpass|docker[ ]login|podman[ ]login)[ ](?:[^\n|;&]{0,120}?[ ])?-p[ ]{0,2}
          | curl[ ](?:(?:[^\n|;]|\\\n){0,240}?[ ])?(?:-u|--user|--proxy-user)[ =]{0,2}["']?[^\s:"']{0,64}["']?: )
        (?:["'](?P<quoted>[^\s"'][^"'\n]*+)|(?P<bare>[^\s"']++))""",
}


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(_PATTERNS[name], re.VERBOSE | re.ASCII)


def lowered(text: str) -> str:
    """The text in lower case, character by character: the Turkish capital I with a dot has two in lower case."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(each.lower()[0] for each in text)


def find_assigned(text: str) -> Iterator[Span]:
    """Where values stand that the text itself calls a secret."""
    low = lowered(text)
    yield from _judged("assignment", text, low)
    if "value" in low and "name" in low:
        yield from _judged("pair", text, low)
    if "</" in low:
        yield from _judged("element", text, low)
    if "%3d" in low:
        yield from _judged("percent", text, low)
    if "authorization" in low or "bearer" in low or "basic" in low or "cookie" in low or "identified" in low:
        yield from _headers(text, low)
    if " -p" in low or "curl" in low:
        yield from _commands(text, low)


def _judged(name: str, text: str, low: str) -> Iterator[Span]:
    pattern = _pattern(name)
    match = pattern.search(low)
    while match:
        quoted = match["quote"] is not None
        start, end = match.span("quoted" if quoted else "bare")
        if (
            end - start >= SHORTEST
            and _is_secret_key(match, text, low)
            and is_secret(_claim(match, text, low, (start, end)))
        ):
            yield start, end
            at = end
        else:  # A value in quotes, or after a space, may be another name; a second look at any other would be dear.
            at = start if quoted or match["between"][-1:] in (" ", "\t") else end
        match = pattern.search(low, at)


def _claim(match: re.Match[str], text: str, low: str, value: Span) -> Claim:
    begins, quoted, between = match.start("key"), match["quote"] is not None, match["between"]
    bare_between = between.strip()
    return Claim(
        key=match["key"],
        tail=text[slice(*match.span("tail"))],
        gap=match["gap"],
        sign=_SIGN.findall(bare_between)[0],
        value=text[slice(*value)],
        quoted=quoted,
        spaced=between[-1:] in (" ", "\t"),
        given=_is_given(low, begins, quoted),
        shouted=between == bare_between and text[begins : match.end("tail")].isupper(),
        last=text[value[1] : value[1] + 1] not in (" ", "\t"),
    )


_SIGN = re.compile(r"(?:is|was)?:?$|[^\w\s]*$")
_OPTION = re.compile(r"""(?:^|[\s"'\[,(])--?[\w-]{0,40}$""")
_MACHINE = re.compile(r"machine\s{1,9}\S{1,100}\s{1,9}login\s{1,9}\S{1,100}\s{1,9}$")
_EXPECTS_QUOTES = re.compile(r"""(?:set_?|(?:with|set|login|encrypted)[ ]|define\(["']\w{0,40})$""")


def _is_given(low: str, name_begins: int, quoted: bool) -> bool:
    """Does what stands before the name say that its value comes next?"""
    if _OPTION.search(low, max(0, name_begins - 42), name_begins):
        return True
    machine = low.rfind("machine", max(0, name_begins - 240), name_begins)
    if machine >= 0 and _MACHINE.match(low, machine, name_begins):
        return True
    return quoted and _EXPECTS_QUOTES.search(low, max(0, name_begins - 50), name_begins) is not None


_KINDS_OF_KEY = re.compile(
    r"(?:api|access|private|signing|encryption|session|account|shared|master|client|auth|app|ssh|hmac|webhook)[_ -]?$"
)
_LAST_WORD = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+)\d*$")


def _is_secret_key(match: re.Match[str], text: str, low: str) -> bool:
    """Is the whole name one of a secret? ``tokenizer``, ``public_key`` and ``token_limit`` are not."""
    start, end = match.span("key")
    if match["key"] == "key" and not _KINDS_OF_KEY.search(low, max(0, start - 14), start):
        return False
    tail = text[slice(*match.span("tail"))]
    if not tail:
        return True
    rest = tail[1:] if tail[0] in "sS" else tail
    if rest[:1].isalpha() and rest[0].islower() == text[end - 1].islower():
        return False
    word = _LAST_WORD.search(tail)
    return word is None or word[0].lower().rstrip("0123456789") not in ABOUT_WORDS


def _headers(text: str, low: str) -> Iterator[Span]:
    for match in _pattern("header").finditer(low):
        kind = match.lastgroup or ""
        start, end = match.span(kind)
        value = text[start:end]
        if kind in ("value", "bearer", "basic") and not _is_sent(kind, value, match["scheme"]):
            continue
        yield start, end


def _is_sent(kind: str, value: str, scheme: str | None) -> bool:
    """Is this what a client sends, or a word of a sentence or a template?"""
    if is_placeholder(value) or is_label(value) or is_code(value):
        return False
    if kind == "value" and scheme:
        return len(value) >= 6
    return is_mixed(value) and (kind != "value" or len(value) >= 16)


def _commands(text: str, low: str) -> Iterator[Span]:
    for match in _pattern("command").finditer(low):
        start, end = match.span("quoted" if match["bare"] is None else "bare")
        value = text[start:end].rstrip(">")
        if not (is_placeholder(value) or is_label(value)):
            yield start, end
