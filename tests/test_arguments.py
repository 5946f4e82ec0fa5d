"""What an annotation says of a parameter or a field: wherever the marker stands, and whatever can be read of it."""

# ruff: noqa: UP007, UP045 - the older spellings are read, too

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import pytest
import typing_extensions
from pydantic import BaseModel, Field

from clearance import ConfigurationError, FileContents, Secret
from clearance.arguments import Treatment, annotations_of, hints_of, names_of, secret_fields, treatment

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers

T = TypeVar("T")


def taking(annotation: Any) -> Callable[..., object]:
    """A function whose parameter ``x`` is annotated so."""

    def take(x: object) -> object:
        return x

    take.__annotations__ = {"x": annotation, "return": Annotated[str, Secret]}
    return take


def treated(annotation: Any) -> Treatment:
    function = taking(annotation)
    return treatment(annotations_of(function), names_of(function))


# ---------------------------------------------------------------------------------------------------------------------
# Secret
# ---------------------------------------------------------------------------------------------------------------------


class Pci(Secret):
    """A marker of one's own."""


Token = Annotated[str, Secret]
TokenName = NewType("TokenName", Annotated[str, Secret])  # pyright: ignore[reportGeneralTypeIssues]
TokenType = typing_extensions.TypeAliasType("TokenType", Annotated[str, Secret])
TokenOf = typing_extensions.TypeAliasType("TokenOf", Annotated[T, Secret], type_params=(T,))
TokensOf = typing_extensions.TypeAliasType("TokensOf", list[T], type_params=(T,))
Tree = typing_extensions.TypeAliasType("Tree", "Union[dict[str, Tree], Annotated[str, Secret]]")
PlainTree = typing_extensions.TypeAliasType("PlainTree", "Union[dict[str, PlainTree], str]")


class Unreadable:
    """An alias whose inside is of names that only a type checker knows."""

    @property
    def __value__(self) -> object:
        raise NameError("OnlyForCheckers")


Unreadable.__name__ = "TypeAliasType"


class Login(typing.TypedDict):
    user: str
    code: Annotated[str, Secret]


class OtherLogin(typing_extensions.TypedDict):
    inner: Login


class PlainLogin(typing.TypedDict):
    user: str


SECRET: dict[str, Any] = {
    "the marker": Annotated[str, Secret],
    "the marker made": Annotated[str, Secret()],
    "a marker of one's own": Annotated[str, Pci],
    "among others": Annotated[str, "a text", Field(min_length=1), Secret],
    "twice annotated": Annotated[Annotated[str, Secret], "a text"],
    "in Optional": Optional[Annotated[str, Secret]],
    "around Optional": Annotated[Optional[str], Secret],
    "in a union": Union[Token, None],
    "in a union of three": Union[int, None, Annotated[str, Secret]],
    "an alias": Token,
    "an alias by a type statement": TokenType,
    "a generic alias": TokenOf[str],
    "in a generic alias": TokensOf[Annotated[str, Secret]],
    "a new type": TokenName,
    "an alias of itself": Tree,
    "an alias that cannot be read": Unreadable(),
    "in a list": list[Annotated[str, Secret]],
    "in a dict": dict[str, Annotated[str, Secret]],
    "in a tuple": tuple[int, Annotated[str, Secret]],
    "far down": dict[str, list[tuple[Annotated[str, Secret], ...] | None]],
    "taken by a callable": Callable[[Annotated[str, Secret]], None],
    "in a TypedDict": Login,
    "in a TypedDict in another": list[OtherLogin],
    "unpacked": typing_extensions.Unpack[Login],
    "final": Final[Annotated[str, Secret]],
    "a text": "Annotated[str, Secret]",
    "a text of an alias": "Token",
    "a text of a longer name": "typing.Annotated[str, clearance.Secret]",
    "a text in a text": "Optional['Token']",
    "a text in Optional": Optional["Token"],
    "a text in a list": list["Token"],
    "a text that only a type checker can read": "Annotated[OnlyForCheckers, Secret]",
    "such a text in Optional": Optional["Annotated[OnlyForCheckers, Secret]"],
    "a text that nobody can read": "Annotated[str Secret",
}
NOT_SECRET: dict[str, Any] = {
    "a plain type": str,
    "no type at all": 5,
    "another marker": Annotated[str, "Secret"],
    "a literal": Literal["Secret"],
    "a text of a literal": "Literal['Secret', 'Public']",
    "in a list": list[Literal["Secret"]],
    "a plain TypedDict": PlainLogin,
    "a plain alias of itself": PlainTree,
    "a text that only a type checker can read": "OnlyForCheckers",
    "a name that only begins so": "SecretService | OnlyForCheckers",
    "the other marker": Annotated[str, FileContents],
    "None": None,
}


@pytest.mark.parametrize("annotation", SECRET.values(), ids=SECRET)
def test_a_parameter_is_secret_wherever_the_marker_stands_and_if_in_doubt(annotation: Any) -> None:
    assert treated(annotation).secret == {"x"}


@pytest.mark.parametrize("annotation", NOT_SECRET.values(), ids=NOT_SECRET)
def test_a_parameter_without_the_marker_is_not_secret(annotation: Any) -> None:
    assert treated(annotation).secret == set()


class Teller:
    """A callable object whose class has annotations of its own."""

    token: int

    def __call__(self, token: Token, amount: int) -> None: ...


class Till:
    """A class; the parameters are those of its constructor."""

    def __init__(self, token: Token, amount: int) -> None: ...


class Drawer:
    """A class whose objects are made in ``__new__``."""

    def __new__(cls, token: Token) -> Drawer:
        return super().__new__(cls)


def wrapped(*_args: object) -> None: ...


wrapped.__wrapped__ = Teller.__call__  # type: ignore[attr-defined]


@pytest.mark.parametrize("function", [Teller(), Teller.__call__, Teller().__call__, Till, Drawer, wrapped], ids=repr)
def test_the_annotations_are_those_of_the_function_that_a_call_ends_in(function: Any) -> None:
    assert treatment(annotations_of(function), names_of(function)).secret == {"token"}


@pytest.mark.parametrize("function", [len, int, object(), [].append], ids=repr)
def test_what_has_no_annotations_has_no_treatment(function: Any) -> None:
    assert annotations_of(function) == hints_of(function) == {}


# ---------------------------------------------------------------------------------------------------------------------
# Fields
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Card:
    number: Annotated[int, Secret]
    owner: str
    code: Optional[Token] = None
    spare: Annotated[OnlyForCheckers, Secret] | None = None
    str: str = "a field that is called like a type"


@dataclass
class GoldCard(Card):
    level: int = 1


class CardTuple(NamedTuple):
    number: Annotated[int, Secret]
    owner: str
    code: Token | None = None


class CardModel(BaseModel):
    number: Annotated[int, Secret]
    owner: str
    codes: list[Token] = Field(default_factory=list)


class CardAttrs:
    """As attrs leaves it."""

    __attrs_attrs__ = ()
    Inner = Annotated[str, Secret]
    number: Inner
    owner: str


def a_local_model() -> type[BaseModel]:
    Local = Annotated[int, Secret]

    class LocalModel(BaseModel):
        number: Local  # pyright: ignore[reportInvalidTypeForm] - what pydantic makes of it is what matters
        owner: str

    return LocalModel


class Box(BaseModel, Generic[T]):
    number: Annotated[T, Secret]
    owner: str


@pytest.mark.parametrize(
    ("cls", "secret"),
    [
        (Card, {"number", "code", "spare"}),
        (GoldCard, {"number", "code", "spare"}),
        (CardTuple, {"number", "code"}),
        (CardModel, {"number", "codes"}),
        (CardAttrs, {"number"}),
        (a_local_model(), {"number"}),
        (Box[int], {"number"}),
        (int, set()),
        (Secret, set()),
    ],
)
def test_the_secret_fields_of_a_class_are_those_with_the_marker_and_those_in_doubt(cls: type, secret: set[str]) -> None:
    assert secret_fields(cls) == secret


def test_the_constructor_of_a_class_hides_what_the_class_hides() -> None:
    assert treatment({}, {}, owner=CardModel).secret == {"number", "codes"}


# ---------------------------------------------------------------------------------------------------------------------
# FileContents
# ---------------------------------------------------------------------------------------------------------------------

Script = Annotated[Path, FileContents]
ScriptType = typing_extensions.TypeAliasType("ScriptType", Script)


class Scripts(typing.TypedDict):
    main: Script


FILES: dict[str, Any] = {
    "the marker": Annotated[Path, FileContents],
    "of a text": Annotated[str, FileContents()],
    "in Optional": Optional[Script],
    "around a union": Annotated[Path | str | None, FileContents],
    "an alias": Script,
    "an alias by a type statement": ScriptType,
    "a text": "Script | None",
    "a text that only a type checker can read": "Annotated[OnlyForCheckers, FileContents]",
}
NOT_A_FILE: dict[str, Any] = {
    "in a list": list[Script],
    "in a list in Optional": Optional[list[Script]],
    "in a text of a list": "list[Script]",
    "in a dict": dict[str, Script],
    "in a TypedDict": Scripts,
}


@pytest.mark.parametrize("annotation", FILES.values(), ids=FILES)
def test_a_parameter_names_a_file_wherever_the_marker_stands_and_if_in_doubt(annotation: Any) -> None:
    assert treated(annotation).files == {"x"}


@pytest.mark.parametrize("annotation", NOT_A_FILE.values(), ids=NOT_A_FILE)
def test_the_marker_where_no_single_path_stands_is_an_error_and_not_passed_over(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match="marks a path, not what holds some"):
        treated(annotation)


# ---------------------------------------------------------------------------------------------------------------------
# What frameworks hand over
# ---------------------------------------------------------------------------------------------------------------------


class RunContextWrapper(Generic[T]):
    """As in openai-agents."""

    __module__ = "agents.run_context"


class Context:
    """As in the MCP SDK."""

    __module__ = "mcp.server.fastmcp.server"


class OwnContext(Context):
    """A subclass of one's own."""


class Lookalike:
    """Of the name, but not of the framework."""


Lookalike.__name__ = "Context"

CONTEXTS: list[Any] = [
    *(RunContextWrapper, RunContextWrapper[int], Context, OwnContext, Optional[Context], Context | None),
    *(Annotated[Context, "a text"], Annotated[Context | None, "a text"], Context | RunContextWrapper[int], "Context"),
]
NO_CONTEXTS: list[Any] = [
    *(str, Lookalike, list[Context], Context | dict, Context | str | None, None, type(None), "OnlyForCheckers"),
    *(type[Context], Literal["Context"], Annotated[str, Context]),
]


@pytest.mark.parametrize("annotation", CONTEXTS, ids=repr)
def test_what_a_framework_hands_over_is_known_by_its_class(annotation: Any) -> None:
    assert treated(annotation).contexts == {"x"}


@pytest.mark.parametrize("annotation", NO_CONTEXTS, ids=repr)
def test_what_may_be_an_argument_too_is_not_left_out(annotation: Any) -> None:
    assert treated(annotation).contexts == set()


# ---------------------------------------------------------------------------------------------------------------------
# Hints
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Later:
    money: int = field(default=0)


@pytest.mark.parametrize(
    ("annotation", "hint"),
    [
        (int, int),
        ("int", int),
        ("Later", Later),
        (list["Later"], list[Later]),
        ("list['Later'] | None", list[Later] | None),
        ("Token", Annotated[str, Secret]),
        ("NeverMade", "NeverMade"),
        (None, type(None)),
    ],
)
def test_a_hint_is_resolved_to_the_last_name_in_it_or_stays_a_text(annotation: Any, hint: object) -> None:
    assert hints_of(taking(annotation))["x"] == hint


def test_a_hint_of_which_a_part_is_not_known_is_a_text() -> None:
    assert isinstance(hints_of(taking(list["NeverMade"]))["x"], str)  # type: ignore[name-defined]  # noqa: F821
