"""The embedding application's Pydantic model for ``extra``."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

import pydantic
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticKnownError, PydanticUndefined, from_json

from taskcore.errors import ConfigurationError, ValidationError
from taskcore.tasks.extra import validate_extra
from taskcore.validation import explained, explained_error

logger = logging.getLogger("taskcore")

_Model = TypeVar("_Model", bound=BaseModel)

_STORED = "_taskcore_stored"
"""The private member of an instance that keeps what is stored, if the model refused it."""


class ExtraModel(Generic[_Model]):
    """Validates ``extra`` by a model when it is written, and makes instances when it is read.

    Args:
        model: The model. Members that it does not have are refused, unless its configuration has
            ``extra="allow"``.

    Raises:
        ConfigurationError: ``model`` is not a Pydantic model.
    """

    def __init__(self, model: type[_Model]) -> None:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise ConfigurationError("extra must be a Pydantic model, a subclass of BaseModel")
        self.model = model
        self._change = _partial(model, {})
        self._names = {
            path.path[0] for item in model.model_fields.items() for path in _paths(*item)
        }
        self._told: set[tuple[str, str]] = set()

    def for_new(self, extra: dict[str, Any] | None, *, where: str = "extra") -> dict[str, Any]:
        """Return the ``extra`` of a new task, with the model's defaults.

        Raises:
            ValidationError: The model refuses it; names the member.
        """
        return self._checked(self.model, extra or {}, where, exclude_unset=False)

    def for_change(self, extra: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return a change. Any member may be missing, or be null to remove it if it has a default.

        None removes all members, so the model must not require any.

        Each member is validated by its own type. Validators of the model are not called, because
        they may need the other members.

        Raises:
            ValidationError: As in `for_new`.
        """
        if extra is None:
            self.for_new(None)
            return None
        return self._checked(self._change, extra, "extra", exclude_unset=True)

    def _checked(
        self, model: type[BaseModel], extra: dict[str, Any], where: str, *, exclude_unset: bool
    ) -> dict[str, Any]:
        if self.model.model_config.get("extra") != "allow":
            self._refuse_unknown(extra, where)
        try:
            checked = model.model_validate(extra, by_alias=True, by_name=True)
            return validate_extra(_document(checked, exclude_unset=exclude_unset)) or {}
        except pydantic.ValidationError as exc:
            raise explained(exc, where=where) from None
        except PydanticCustomError as exc:
            error = {"loc": (), "type": exc.type, "msg": exc.message(), "ctx": exc.context or {}}
            raise explained_error(error, where=where) from None

    def _refuse_unknown(self, extra: dict[str, Any], where: str) -> None:
        for name in extra:
            if name not in self._names:
                shown = f"{where}.{ascii(name)[1:-1][:100]}"
                raise ValidationError(
                    f"{shown} is not a known field", field=shown, constraint="unknown_field"
                )

    def read(self, text: str) -> _Model:
        """Return an instance made from the stored text.

        A value that the model refuses, because it was written before the model or without it, is
        not validated. A warning in the log names the first member that is refused, once for each
        member and kind of error.
        """
        try:
            return self.model.model_validate_json(text, by_alias=True, by_name=True)
        # Validators and `model_post_init` of the application may raise anything.
        except Exception as exc:  # noqa: BLE001
            self._tell(exc)
            return self._without_validation(from_json(text))

    def _tell(self, exc: Exception) -> None:
        # The message and the rest of the location may have stored data, such as the keys of a
        # dictionary.
        place, kind = "extra", type(exc).__name__
        if isinstance(exc, pydantic.ValidationError):
            error = exc.errors(include_url=False, include_input=False, include_context=False)[0]
            kind = error["type"]
            if error["loc"] and error["loc"][0] in self._names:
                place = f"extra.{error['loc'][0]}"
        if (place, kind) not in self._told:
            self._told.add((place, kind))
            logger.warning(
                "stored tasks do not fit %s: %s: %s. They are read without validation",
                *(self.model.__name__, place, kind),
            )

    def _without_validation(self, stored: dict[str, Any]) -> _Model:
        """Do what ``model_construct`` does, but call no code of the model that needs its fields."""
        fields: dict[str, Any] = {}
        found = set()
        for name, field in self.model.model_fields.items():
            values = [path.search_dict_for_path(stored) for path in _paths(name, field)]
            if values := [value for value in values if value is not PydanticUndefined]:
                fields[name] = values[0]
                found.add(name)
            elif not field.is_required():
                # A factory may need members that do not fit.
                with suppress(Exception):
                    fields[name] = field.get_default(
                        call_default_factory=True, validated_data=fields
                    )
        private = {
            name: attribute.get_default()
            for name, attribute in self.model.__private_attributes__.items()
            if attribute.default is not PydanticUndefined or attribute.default_factory
        }
        others = None
        if self.model.model_config.get("extra") == "allow":
            others = {name: value for name, value in stored.items() if name not in self._names}
        one = self.model.__new__(self.model)
        object.__setattr__(one, "__dict__", fields)
        object.__setattr__(one, "__pydantic_fields_set__", found)
        object.__setattr__(one, "__pydantic_extra__", others)
        object.__setattr__(one, "__pydantic_private__", {**private, _STORED: stored})
        return one

    def read_none(self) -> _Model:
        """Return an instance for a task that has nothing stored."""
        return self.read("{}")

    def document(self, text: str) -> dict[str, Any]:
        """Return the member ``extra`` of a task's JSON, made from the stored text."""
        document: dict[str, Any] = serialized(self.read(text), _document)
        return document

    def document_of_none(self) -> dict[str, Any]:
        """Return the member ``extra`` of a task's JSON if nothing is stored."""
        return self.document("{}")


def serialized(extra: Any, serialize: Callable[[Any], Any]) -> Any:
    """Serialize ``extra``, or return what is stored if the model refused it and cannot write it.

    Serializers and computed fields of a model may fail for a value that is not validated.
    """
    try:
        return serialize(extra)
    except Exception:
        private = getattr(extra, "__pydantic_private__", None) or {}
        if _STORED in private:
            return private[_STORED]
        raise


def _document(extra: BaseModel, *, exclude_unset: bool = False) -> dict[str, Any]:
    # A stored value may be invalid. Pydantic's warning would show it.
    return extra.model_dump(mode="json", exclude_unset=exclude_unset, warnings=False)


def _paths(name: str, field: FieldInfo) -> list[AliasPath]:
    """Return the places in an object from which a field is read, the first one that is there."""
    alias = field.validation_alias
    aliases = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [
        one if isinstance(one, AliasPath) else AliasPath(one)
        for one in (field.alias, *aliases, name)
        if one is not None
    ]


_Made = dict[type[BaseModel], type[BaseModel]]
"""Partial models by their models. While one is made, its model is there itself."""


def _partial(model: type[BaseModel], made: _Made) -> type[BaseModel]:
    """Return a copy of a model in which every member may be missing.

    A member may be null unless the model requires it. A model within itself stays whole.
    """
    if model not in made:
        made[model] = model
        config = ConfigDict(
            **{
                **model.model_config,
                "frozen": False,
                "validate_default": False,
                "alias_generator": None,
            }
        )
        fields = {name: _member(field, config, made) for name, field in model.model_fields.items()}
        made[model] = create_model(f"{model.__name__}Change", __config__=config, **fields)
    return made[model]


def _member(field: FieldInfo, config: ConfigDict, made: _Made) -> Any:
    """Return the definition of a member of a partial model."""
    whole: Any = field.annotation
    # Validators take the whole member, and pydantic takes only whole models for a discriminator.
    divisible = not (field.discriminator or any(hasattr(one, "func") for one in field.metadata))
    constraints = [*field.metadata]
    if field.discriminator:
        constraints.append(Field(discriminator=field.discriminator))
    annotation: Any
    for annotation in (_part(whole, made), whole) if divisible else (whole,):
        for one in constraints:
            annotation = Annotated[annotation, one]  # noqa: PLW2901
        if field.is_required():
            annotation = Annotated[annotation, BeforeValidator(_given)]  # noqa: PLW2901
        else:
            annotation = annotation | None  # noqa: PLW2901
        member: Any = (
            annotation,
            Field(
                default=None,
                alias=field.alias,
                validation_alias=field.validation_alias,
                serialization_alias=field.serialization_alias,
                exclude=field.exclude,
            ),
        )
        # A type may refuse a partial model, such as a generic class with a bound.
        with suppress(Exception):
            create_model("Change", __config__=config, member=member)
            break
    return member


def _given(value: object) -> object:
    if value is None:
        raise PydanticKnownError("missing")
    return value


def _part(annotation: Any, made: _Made) -> Any:
    """Return the type of a change of a member: models are partial, dictionaries take nulls."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return reduce(or_, (_part(one, made) for one in arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping) and arguments[1:]:
        name, value = arguments
        # A value may be new, so a model must be whole.
        is_model = isinstance(value, type) and issubclass(value, BaseModel)
        mapping: Any = origin
        return mapping[name, (value if is_model else _part(value, made)) | None]
    if (
        origin is None
        and isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and not issubclass(annotation, RootModel)
    ):
        return _partial(annotation, made)
    return annotation
