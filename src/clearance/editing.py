"""An approver's changes to a call: which parameters may be changed, and whether the new values are of their type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from clearance.arguments import Treatment
from clearance.errors import ActionChanged, ConfigurationError
from clearance.redaction import View
from clearance.wording import check_names

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from clearance.models import Json


class Editable:
    """The parameters of a guarded callable that an approver may change.

    Args:
        names: what the guard allows.
        labels: the label of each parameter, by its name.
        treatment: how the parameters are treated.
        view: knows which names are hidden.
        annotations: resolves the annotations, when asked; they may be of names that are defined only later.

    Raises:
        ConfigurationError: a name that no parameter has, or that cannot be changed by somebody who only sees it shown.
    """

    __slots__ = ("_adapters", "_annotations", "names")

    def __init__(
        self,
        names: Collection[str],
        labels: Mapping[str, str],
        treatment: Treatment,
        view: View,
        annotations: Callable[[], Mapping[str, Any]],
    ) -> None:
        check_names(names, labels, "editable=")
        self.names: tuple[str, ...] = tuple(name for name in labels if name in names)
        self._annotations = annotations
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        given = annotations() if names else {}
        for name in self.names:
            unseen = name in treatment.uncopied | treatment.secret | treatment.files or view.hides(name)
            if unseen or labels[name] != name:
                raise ConfigurationError(
                    f"editable= names {name!r}, which an approver does not see as one plain value.",
                    next_step="Name parameters that are shown whole: not secret, opaque or kept ones, files, or *args.",
                )
            if name not in given:
                raise ConfigurationError(
                    f"editable= names {name!r}, which has no annotation that a new value could be checked against.",
                    next_step=f"Annotate it: `{name}: int`, say.",
                )
            if not isinstance(given[name], str):
                self._adapter(name, given[name])

    def values(self, edits: Mapping[str, Json], decided_by: str) -> dict[str, Any]:
        """The approver's values, as objects of the annotated types.

        Raises:
            ActionChanged: one of them is not of its parameter's type.
            ConfigurationError: a type is still not known.
        """
        given = self._annotations()
        return {name: self._value(name, given[name], value, decided_by) for name, value in edits.items()}

    def _value(self, name: str, annotation: Any, value: Json, decided_by: str) -> Any:
        import json

        from pydantic import ValidationError

        adapter = self._adapter(name, annotation)
        try:
            return adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]["msg"]
        except Exception as error:  # noqa: BLE001 - a validator of the author's own
            problem = f"its check failed with {type(error).__name__}"
        raise ActionChanged(
            f"{decided_by} cleared the call with another {name!r} that does not fit it: {problem}.",
            next_step="Ask again; the approver has to choose a value of the parameter's type.",
            reason_code="bad_edit",
        )

    def _adapter(self, name: str, annotation: Any) -> TypeAdapter[Any]:
        if name in self._adapters:
            return self._adapters[name]
        from pydantic import PydanticUserError, TypeAdapter

        cause: Exception | None = None
        if not isinstance(annotation, str):  # a text would be read with the names of this module
            try:
                adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            except (PydanticUserError, NameError) as error:
                cause = error
            else:
                if adapter.pydantic_complete:
                    self._adapters[name] = adapter
                    return adapter
        raise ConfigurationError(
            f"editable= names {name!r}, whose annotation {annotation!r} says nothing that a value could be "
            "checked against.",
            next_step="Annotate it with a plain type, a dataclass or a pydantic model that its module knows by name.",
        ) from cause
