"""What the types of all reports have in common: they are read from anything, and give back what came."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def finite(value: Any) -> float | None:
    """A number as a float; None for what is none, NaN and infinity included."""
    return float(value) if is_number(value) else None


def listed(values: Any) -> Sequence[Any]:
    """A list as it is; an empty one for anything else."""
    return values if isinstance(values, list | tuple) else ()


def mappings(values: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [value for value in listed(values) if isinstance(value, Mapping)]


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, Mapping | list | tuple) else str(value)


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[str], BeforeValidator(lambda values: [each for each in listed(values) if isinstance(each, str)])]
Number = Annotated[float | None, BeforeValidator(finite)]
"""None for what is no number, NaN and infinity included."""

Truth = Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)]
Count = Annotated[int | None, BeforeValidator(lambda value: None if isinstance(value, bool) else value)]


class Report(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(extra="allow", frozen=True)

    _given: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """The report in `values`; raises nothing, whatever they are."""
        return cls.model_validate(values)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, values: Any, handler: ValidatorFunctionWrapHandler) -> Self:
        if isinstance(values, cls):
            return values
        given = dict(values) if isinstance(values, Mapping) else {}
        made = handler({str(key): value for key, value in given.items()})
        made._given = given
        return made

    @field_validator("*", mode="wrap")
    @classmethod
    def _forgive(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self.as_dict()

    def as_dict(self) -> dict[str, Any]:
        """What came, unchanged."""
        return dict(self._given)


R = TypeVar("R", bound=Report)
Listed = Annotated[list[R], BeforeValidator(mappings)]
"""A list of reports; what is no object in it is left out."""


class NodeFile(Report):
    """A file and the node that read it (`name`) or wrote it (`file`). `sha256`: of its bytes, so that the report is
    about this file and no other."""

    file: Text = ""
    name: Text = ""
    node: Text = ""
    title: Text = ""
    sha256: Text = ""
