"""Where credentials stand in a text: tokens known by their shape, and values that the text itself calls a secret.

This is asked of every text of every guarded call. So a first search, which finds nothing in most short texts,
decides whether a closer look is worth it; nothing is compiled before it is needed; and every pattern is linear in
the length of the text, however hostile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

SHORTEST = 8
"""A shorter text holds no credential that could be told from a word."""
SHORTEST_TOKEN = 14
"""A shorter text holds none that is known by its shape alone: a card number is the shortest."""

# Tokens that begin with a word and a `_`, `-` or `.`: (how they begin, of a fixed length each; what follows).
_PREFIXED = (
    ("gh[pousr]_ npm_ nfp_", r"[A-Za-z0-9]{36,}+"),
    ("gsk_ ntn_ ccp_", r"[A-Za-z0-9]{40,}+"),
    ("github_pat_ CCIPAT_ CCIPRJ_", r"\w{30,}+"),
    ("glpat- glptt- glcbt- glimt- gldt- glrt- glft- glsoat- glagent-", r"[\w.-]{20,}+"),
    ("xox[abeoprs]- xoxe\\.", r"(?=[\w.-]{0,9}\d)[\w.-]{10,}+"),
    ("xapp- sq0atp- sq0csp- dckr_[po]at_ GOCSPX- ya29\\. hv[sbr]\\.", r"[\w-]{20,}+"),
    ("sk_live_ sk_test_ rk_live_ rk_test_ _secret_", r"[A-Za-z0-9]{16,}+"),
    ("whsec_ glc_", r"[A-Za-z0-9+/=]{24,}+"),
    ("sk-proj- sk-svcacct- sk-admin- sk-None- sk-or-v1- sk-ant-[a-z]{3}\\d\\d- tskey-auth- tskey-api-", r"[\w-]{20,}+"),
    ("sk-", r"(?=[A-Za-z]{0,60}\d)[A-Za-z0-9]{32,}+"),
    ("sk\\.", r"eyJ[\w-]{10,}+\.[\w-]{10,}+"),
    ("hf_ r8_", r"(?=[a-z0-9]{0,60}[A-Z])[A-Za-z0-9]{30,}+"),
    ("pypi-", r"Ag[\w-]{50,}+"),
    ("xkeysib- xsmtpsib- nvapi- xai- pplx-", r"[A-Za-z0-9-]{40,}+"),
    ("dop_v1_ doo_v1_ dor_v1_ sbp_ rubygems_ pul- shippo_live_ shippo_test_", r"[0-9a-f]{40,}+"),
    ("shpat_ shpca_ shppa_ shpss_ shpua_ key-", r"[0-9a-fA-F]{32}(?![0-9A-Za-z])"),
    ("lin_api_ lin_oauth_ figd_ glsa_", r"[\w-]{32,}+"),
    ("PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    ("pscale_pw_ pscale_tkn_ pscale_oauth_ fm2_ fm1r_ fm1a_ sntrys_ sntryu_", r"[\w+/=,.-]{30,}+"),
    ("NRAK-", r"[A-Z0-9]{27}"),
    ("owkai_admin_ owkai_user_ owkai_super_admin_", r"\w{16,}+"),
    ("AGE-SECRET-KEY-", r"1[0-9A-Z]{50,}+"),
    ("lsv2_pt_ lsv2_sk_", r"[0-9a-f]{32}_[0-9a-f]{10}"),
    ("re_", r"[A-Za-z0-9]{8}_[A-Za-z0-9]{24}(?![A-Za-z0-9])"),
    ("SG\\.", r"[\w-]{16,32}\.[\w-]{16,}+"),
    ("dp\\.pt\\. dp\\.st\\. dp\\.sa\\. dp\\.ct\\.", r"[A-Za-z0-9]{40,}+"),
)

# Tokens of other forms. Each alternative begins with a fixed character.
_OTHERS = r"""
    A (?: [KS]IA(?<![\w-]A[KS]IA)[0-9A-Z]{16}(?![0-9A-Za-z])
            (?:[^A-Za-z0-9+=\n]{1,5}?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?
        | Iza(?<![\w-]AIza)[\w-]{35}(?![\w-]) | KID(?<![\w-]AKID)[A-Za-z0-9]{32}(?![A-Za-z0-9])
        | KCp(?<![\w-]AKCp)[A-Za-z0-9]{60,}+ | BSK(?<![\w-]ABSK)[A-Za-z0-9+/]{100,}+=*
        | T[ACB]TT3(?<![\w-]AT[ACB]TT3)[\w=+/-]{40,}+ )
  | EAAA(?<![\w-]EAAA)(?![\w-]{0,60}AAAA)[\w-]{60}(?![\w/+=-]) | EZ[AT]K[A-Za-z0-9]{54}
  | LTAI(?<![\w-]LTAI)[A-Za-z0-9]{12,20}(?![A-Za-z0-9])
  | SK(?<![\w-]SK)[0-9a-f]{32}(?![0-9A-Za-z])
  | T[A-Z0-9]{6,14}/[AB][A-Z0-9]{6,14}/(?:\d{1,24}/)?[A-Za-z0-9]{20,}+
  | \$ (?: 2[abxy]\$\d\d\$[./A-Za-z0-9]{53} | argon2[id]{1,2}\$[\w=,.$+/-]{40,}+
         | [156]\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22,86} )
"""

# (what the text must hold, the pattern); if it has a group, that is the secret. First further tokens, then secrets
# whose place in a text tells what they are.
_MARKED_TOKENS = (
    ("eyJ", r"eyJ(?<![\w-]eyJ)[\w-]{10,}+\.[\w-]{10,}+(?:\.[\w-]*+){1,3}+"),
    ("dapi", r"dapi(?<![\w-]dapi)[0-9a-f]{32}(?![0-9A-Za-z])(?:-\d)?"),
    ("pat", r"pat(?<![\w-]pat)[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("AC", r"AC(?<![\w-]AC)[0-9a-f]{32}:([0-9a-f]{32})(?![0-9A-Za-z])"),
    ("1//0", r"1//0(?<![\w-]1//0)[\w-]{40,}+"),
    (":AA", r"(?<!\d)\d{8,10}:AA[\w-]{30,}+"),
    (".", r"[MNO](?<![\w-][MNO])[\w-]{22,27}\.[\w-]{6}\.[\w-]{27,}+"),
    ("/webhooks/", r"/webhooks/(\d{17,20}/[\w-]{60,}+)"),
    ("-us", r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?!\w)"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}+"),
    (
        "PRIVATE KEY",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]*+(?:-(?!----)[^-]*+)*+-----END [A-Z0-9 ]{0,40}-----|(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{16,}+)++)",
    ),
)
_MARKED_PLACES = (
    ("://", r"://[^\s/?#:@\"'<>\\]{0,256}:(?!\d{1,5}[/?#])([^\s/\"'<>]{1,256}|[^\s@\"'<>]{1,256})@"),
    ("://", r"://((?=[A-Za-z]{0,256}\d)[A-Za-z0-9]{20,256})@"),
    ("ig", r"[?&](?i:sig|signature|x-amz-signature|x-goog-signature)=([^\s&\"'<>]{16,}+)"),
    ("kty", r"""[\\"](?:d|p|q|dp|dq|qi|k)\\{0,7}"[ ]?:[ ]?\\{0,7}"([\w-]{16,}+)"""),
    ("WIFI:", r"WIFI:[^\n]{0,200}?P:((?:[^;\\\n]|\\.)++)"),
)

_CARD = r"""
    [2-6](?<![\w.+$\#-][2-6])(?<![A-Z]\d\d[ ][2-6])
    (?:\d{12,18}|\d{3}(?<!\d{4}[ -]\d{4})([ -])\d{4}\1\d{4}\1\d{1,7}|\d{3}([ -])\d{6}\2\d{5})(?![\d.]?\d)
"""
_ISSUED = "4(?:.{15}|.{18})|5[1-5].{14}|2[2-7].{14}|3[47].{13}|35.{14}|3[068].{12}|6(?:011|2|4|5).{12,17}"

# The first search, for what a text says itself and for tokens. Each alternative begins with a fixed character, so
# that it passes over all others quickly. What stands here must let through whatever the closer look could find.
_SAID = r"""
    = | : (?://[^/\s:@]{0,256}+[:@]|[^/\d]|(?<=\D:)\d) | -(?:-[a-zA-Z]|(?<!\w-)[pu]) | </ | %3[dD]
  | w(?:or)?[dt]\W | W(?:OR)?[DT]\W | '(?<=\w[ ]') | "(?<=\w[ ]") | b(?:earer|asic)[ ] | B(?:earer|asic)[ ]
  | p(?:w\W|in\s|ass(?:phras|cod)e\W) | P(?:W\W|IN\s|in\s|ass(?:phras|cod)e\W) | v[vc]2?\s | V[VC]2?\s
"""
_SHAPED = r"""
    - (?:(?!(?:[0-9a-f]{4}-){1,3}[0-9a-f]{12}(?![\w-]))[\w-]{16}|us\d|----BEGIN)
  | _[\w+/=-]{16} | \.[\w-]{6}[\w.-]{10} | /(?:[AB][A-Z0-9]{6}|webhooks|/0[\w-]{40}) | \$(?:2|argon2|[156]) | :AA
  | A(?:KIA|SIA|Iza|KCp|KID|BSK|T[ACB]TT3|C[0-9a-f]{32}:) | LTAI | E(?:AAA|Z[AT]K) | SK[0-9a-f]{32} | pi[0-9a-f]{32}
  | 4\d{3}[ -]?\d{4}[ -]?\d | 5\d{3}[ -]?\d{4}[ -]?\d | 3\d{3}[ -]?\d{4} | 6\d{3}[ -]?\d{4}[ -]?\d
  | 2[2-7]\d\d[ -]?\d{4}[ -]?\d
"""


_RUNS = {"_": r"_(?=[\w+/=-]{16})", "-": r"-(?=[\w-]{16})", ".": r"\.(?=[\w-]{16})"}
_LAST_BUT_ONE = r"(\[[^]]*\]|\\d|\w)\\?.$"


def _prefixed() -> str:
    """One pattern of all the prefixed tokens: what is looked for is the character between word and token.

    It is rare, and seldom a long run follows it. Only then the character before it is tried, and then the words.
    A word may begin after an escaped line break and after a percent-encoded character, too.
    """
    trees: dict[str, dict[str, list[str]]] = {last: {} for last in _RUNS}
    for words, follows in _PREFIXED:
        for word in words.split():
            begins = rf"(?:(?<![\w-]{word})|(?<=\\[nrt]{word})|(?<=%[0-9A-F]{{2}}{word}))"
            before = re.findall(_LAST_BUT_ONE, word)[0]
            trees[word[-1]].setdefault(before, []).append(rf"(?<=({word})){begins}{follows}")
    return "|".join(
        _RUNS[last] + "(?:" + "|".join(rf"(?<={before}.)(?:{'|'.join(rests)})" for before, rests in tree.items()) + ")"
        for last, tree in trees.items()
    )


class _CloserLook:
    """All that is tried on a text that may hold some; made when it is first needed."""

    def __init__(self) -> None:
        from clearance.assignments import find_assigned
        from clearance.plausible import is_placeholder

        self._shaped = re.compile(_SHAPED, re.VERBOSE | re.ASCII)
        self._prefixed = re.compile(_prefixed(), re.ASCII)
        self._others = re.compile(_OTHERS, re.VERBOSE | re.ASCII)
        self._tokens = [(mark, re.compile(pattern, re.ASCII)) for mark, pattern in _MARKED_TOKENS]
        self._places = [(mark, re.compile(pattern, re.ASCII)) for mark, pattern in _MARKED_PLACES]
        self._card = re.compile(_CARD, re.VERBOSE | re.ASCII)
        self._issued = re.compile(_ISSUED)
        self._find_assigned = find_assigned
        self._is_placeholder = is_placeholder

    def __call__(self, text: str) -> Iterator[Span]:
        """All spans, in no order; some may overlap."""
        if self._shaped.search(text):
            yield from self._find_tokens(text)
        for start, end in _marked(self._places, text):
            if not self._is_placeholder(text[start:end]):
                yield start, end
        yield from self._find_assigned(text)

    def _find_tokens(self, text: str) -> Iterator[Span]:
        for match in self._prefixed.finditer(text):
            yield match.start(match.lastindex or 0), match.end()
        for match in self._others.finditer(text):
            yield match.span()
        yield from _marked(self._tokens, text)
        yield from (match.span() for match in self._card.finditer(text) if self._is_card_number(match[0]))

    def _is_card_number(self, text: str) -> bool:
        """An issuer's prefix and length, and a right check digit."""
        number = text.replace(" ", "").replace("-", "")
        doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(number)))
        checked = sum(value // 10 + value % 10 for value in doubled) % 10 == 0
        return checked and self._issued.fullmatch(number) is not None


def _marked(patterns: Iterable[tuple[str, re.Pattern[str]]], text: str) -> Iterator[Span]:
    for mark, pattern in patterns:
        if mark in text:
            yield from (match.span(match.lastindex or 0) for match in pattern.finditer(text))


def find(text: str) -> list[Span]:
    """Where credentials stand in a text, as (start, end), in order, none overlapping another.

    Only the secret part is meant: of ``postgres://ada:hunter2@host`` the password, of a private key all of it.
    """
    size = len(text)
    if size < SHORTEST or not (_says_some if size < SHORTEST_TOKEN else _may_hold_some)(text):
        return []
    return _apart(sorted(_closer_look()(text)))


def _compile_the_gates(text: str) -> object:
    """Stands in for the first search until it is first asked."""
    global _says_some, _may_hold_some
    _says_some = re.compile(_SAID, re.VERBOSE | re.ASCII).search
    _may_hold_some = re.compile(f"{_SAID}|{_SHAPED}", re.VERBOSE | re.ASCII).search
    return _may_hold_some(text)


_says_some: Callable[[str], object] = _compile_the_gates
_may_hold_some: Callable[[str], object] = _compile_the_gates


@cache
def _closer_look() -> _CloserLook:
    return _CloserLook()


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans, those that touch or overlap made one."""
    apart: list[Span] = []
    for start, end in spans:
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart
