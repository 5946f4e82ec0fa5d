"""Puts one request into words, and makes the gate for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from clearance import drivers, flow, settings
from clearance.canonical import Key
from clearance.guards.ask import AnyTransport, Ask
from clearance.guards.gate import Gate, OnTerms, async_side, sync_side, terms_over
from clearance.models import Action, CodeIdentity, Decision, Json
from clearance.redaction import View, touches
from clearance.sealing import cleaned, seal, spell
from clearance.wording import shorten

LONGEST_REASONING = 20_000
"""Characters of an agent's own justification that are sent."""


class Subject(Protocol):
    """What one request is about: a call, or a block."""

    @property
    def code(self) -> CodeIdentity:
        """Which code asks."""
        ...

    @property
    def is_frozen(self) -> bool:
        """True if neither the arguments nor the resource can change."""
        ...

    @property
    def editable(self) -> tuple[str, ...]:
        """The parameters that an approver may change."""
        ...

    @property
    def names_files(self) -> bool:
        """True if the contents of files are among the arguments."""
        ...

    def read_files(self) -> None:
        """Read the files that are named, for `labelled`; before it is called, and again to compare."""
        ...

    def labelled(self) -> Mapping[str, object]:
        """The arguments by label, as they are now; of the files, what was read last."""
        ...

    def resource(self) -> str | None:
        """What it is done to, as it is now."""
        ...

    def describe(self, shown: Mapping[str, Json], view: View, /) -> str:
        """The sentence that an approver reads, given what is shown of the arguments."""
        ...

    def facts(self) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
        """The context and the caller's own risk indicators."""
        ...

    def change(self, edits: Mapping[str, Json], /) -> None:
        """Put an approver's values in the place of some arguments."""
        ...


def action_for(ask: Ask, subject: Subject, key: Key) -> Action:
    """What is asked, shown and digested in one walk; ``key`` is for the hashes of secrets."""
    defaults = settings.defaults()
    view = View(ask.redact)
    shown, pieces = spell(subject.labelled(), view, key)
    agent_id = defaults.agent_id or settings.default_agent_id()
    resource, reasoning = _resource_of(subject), settings.current_reasoning()
    # Before the context is walked: a name in it is no parameter's.
    if editable := subject.editable:
        editable = tuple(name for name in editable if not _is_seen_in_part(name, view))
    context, risk_indicators = subject.facts()
    context = spell(context, view, key)[0] if context else {}
    risk_indicators = spell(risk_indicators, view, key)[0] if risk_indicators else {}
    return Action(
        agent_id=agent_id,
        action_type=ask.action_type,
        tool_name=ask.tool_name,
        description=shorten(subject.describe(shown, view)),
        parameters=shown,
        digest=seal(agent_id, ask.action_type, ask.tool_name, resource, subject.code, pieces),
        decide_within=ask.timeout or defaults.timeout,
        run_within=ask.run_within,
        resource=resource,
        context=context,
        reasoning=None if reasoning is None else cleaned(reasoning)[:LONGEST_REASONING],
        redacted=tuple(view.redacted),
        abridged=view.abridged,
        code=subject.code,
        editable=editable,
        risk_indicators=risk_indicators,
    )


def gate_for(ask: Ask, subject: Subject, on_terms: OnTerms | None = None) -> Gate:
    """The gate for one request; see `Gate`."""
    # Whatever is configured meanwhile, one call has one transport, and its secrets one key.
    transport = ask.transport if ask.transport is not None else settings.standing_transport()
    key = partial(settings.binding_key, transport)
    action = action_for(ask, subject, key)
    if subject.is_frozen and not action.editable:
        return Gate(action, transport, on_terms=on_terms)
    return _watching_gate(ask, subject, key, action, transport, on_terms)


def _watching_gate(
    ask: Ask, subject: Subject, key: Key, action: Action, transport: AnyTransport | None, on_terms: OnTerms | None
) -> Gate:
    """A gate for what may change before it runs."""

    def digest_now() -> str:
        pieces = spell(subject.labelled(), View(ask.redact), key)[1]
        return seal(action.agent_id, ask.action_type, ask.tool_name, _resource_of(subject), subject.code, pieces)

    def amend(edits: Mapping[str, Json]) -> str:
        subject.change(edits)
        return digest_now()

    return Gate(
        action,
        transport,
        digest_now,
        amend=amend if action.editable else None,
        read_files=subject.read_files if subject.names_files else None,
        on_terms=on_terms,
    )


def _resource_of(subject: Subject) -> str | None:
    resource = subject.resource()
    return None if resource is None else cleaned(resource)


def consult(ask: Ask, subject: Subject) -> Decision:
    """Ask, and withdraw what was cleared."""
    transport = sync_side(ask.transport)
    action = action_for(ask, subject, partial(settings.binding_key, transport))
    return drivers.run(flow.consultation(action, terms_over(transport)), transport)


async def aconsult(ask: Ask, subject: Subject) -> Decision:
    """As `consult`, on the event loop."""
    transport = async_side(ask.transport)
    action = action_for(ask, subject, partial(settings.binding_key, transport))
    return await drivers.arun(flow.consultation(action, terms_over(transport)), transport)


def _is_seen_in_part(name: str, view: View) -> bool:
    """Is something of the parameter hidden or cut? Then nobody who sees it could write it anew."""
    return touches(name, (*view.redacted, *view.abridged))
