"""What the annotations of a callable or a class say of their values."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import SecretBytes, SecretStr

from clearance import Secret
from clearance.arguments import secret_fields, treatment
from clearance.calls import Callee


class Card(NamedTuple):
    owner: str
    number: Annotated[str, Secret]
    code: SecretStr


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Secret],
        Annotated[str, Secret()],
        Annotated[str | None, Secret],
        "Annotated[str, Secret] | None",
        SecretStr,
        SecretBytes | None,
        Annotated[SecretStr, "a note"],
        "Annotated[str, Secret]",
        "Unknown | SecretStr",
    ],
)
def test_what_is_annotated_as_a_secret_is_one_even_where_a_plain_text_is_passed(annotation: Any) -> None:
    assert treatment({"value": annotation}, {}, (), ()).secret == {"value"}


@pytest.mark.parametrize("annotation", [str, str | None, Annotated[str, "Secret"], "str", "SecretStrategy", None])
def test_what_is_not_annotated_as_a_secret_is_none(annotation: Any) -> None:
    assert treatment({"value": annotation}, {}, (), ()).secret == set()


def test_the_secret_fields_of_a_named_tuple_are_found_behind_their_texts() -> None:
    assert secret_fields(Card) == {"number", "code"}


def test_a_callable_objects_annotations_are_those_of_its_call_and_not_of_its_class() -> None:
    class Teller:
        amount: Annotated[int, Secret]

        def __call__(self, amount: int, token: Annotated[str, Secret]) -> None: ...

    assert Callee(Teller()).treatment.secret == {"token"}
