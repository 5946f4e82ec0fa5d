"""A Cedar file as a policy. What is not understood is never skipped: the file is refused, with all that is wrong."""

from __future__ import annotations

import hashlib

from cedarpy import PolicySet, pst

from clearance.center.policy.cedar import vocabulary
from clearance.center.policy.cedar.annotations import Annotations
from clearance.center.policy.cedar.asking import keeps_apart, parsed
from clearance.center.policy.cedar.engine import CedarPolicy, matching
from clearance.center.policy.cedar.source import Piece, Source
from clearance.center.policy.document import Place, PolicyError, Problems
from clearance.center.policy.rules import Rule

MOST_POLICIES = 1_000
"""Cedar goes through all of them in each decision."""
MOST_PATTERNS = 4_000
"""Characters of all texts behind ``like``, each of which may be held against each place of a text."""


def parse(text: str, file: str) -> CedarPolicy:
    """The policy that a Cedar text says. ``file`` is what errors call it.

    Raises:
        PolicyError: it says anything that is not understood.
    """
    if not keeps_apart():
        raise PolicyError(f"{file}: the installed cedarpy evaluates what is hidden. Install another version of it.")
    problems = Problems(file)
    source = Source(text, problems)
    pieces = source.pieces()
    if len(pieces) > MOST_POLICIES:
        problems.add(pieces[0].place, f"there are {len(pieces):,} policies; {MOST_POLICIES:,} is the most.")
    if problems:
        raise problems.error()
    rules = _rules(pieces, source, problems)
    if problems:
        raise problems.error()
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    if len(PolicySet.from_str(text)) != len(pieces):
        raise PolicyError(f"{file}: Cedar finds other policies in it than Clearance. Report this as a bug.")
    return CedarPolicy(rules, [piece.text for piece in pieces], version, text)


def templates(text: str, file: str) -> list[tuple[Piece, pst.Template]]:
    """The policies of a text that can be used, as Cedar parses them."""
    source = Source(text, Problems(file))
    return [(piece, template) for piece in source.pieces() if (template := _template(piece, source, Problems(file)))]


def _rules(pieces: list[Piece], source: Source, problems: Problems) -> list[Rule]:
    rules: list[Rule] = []
    places: dict[str, Place] = {}
    patterns = 0
    for number, piece in enumerate(pieces, 1):
        template = _template(piece, source, problems)
        if template is None:
            continue
        vocabulary.check(template, piece, source, problems)
        patterns += sum(len(node.pattern) for node in vocabulary.nodes(template) if isinstance(node, pst.Like))
        rule = Annotations(template.annotations, piece, problems).rule(template.effect, number, matching(piece.body))
        if rule is None:
            continue
        if rule.name in places:
            line = places[rule.name].line
            problems.add(piece.place, f"two policies are named {rule.name!r} (see line {line}); rename this one.")
        places[rule.name] = piece.place
        rules.append(rule)
    if patterns > MOST_PATTERNS:
        problems.add(Place(1, 1), f"the patterns have {patterns:,} characters together; {MOST_PATTERNS:,} is the most.")
    return rules


def _template(piece: Piece, source: Source, problems: Problems) -> pst.Template | None:
    """The policy as Cedar parses it; None if it cannot be used, which is noted."""
    if source.is_too_deep(piece):
        return None
    said = parsed(piece.text)
    if said is not None:
        source.stumble(piece, said, parsed)
        return None
    try:
        found = PolicySet.from_str(piece.text).to_pst()
    except ValueError as error:
        problems.add(piece.place, f"this policy cannot be used: {error}. Make several policies of it.")
        return None
    if not found.static_policies:
        sentence = "a template is not filled in here; name who and what, instead of ?principal and ?resource."
        problems.add(piece.place, sentence)
        return None
    return next(iter(found.static_policies.values()))
