"""Conditional requests (RFC 9110, section 13).

A task's ETag is strong: its version in quotes. A list's is weak: a digest of the answer. A
date is never compared, because no answer has Last-Modified (sections 13.1.3 and 13.1.4).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self, TypedDict

from fastapi import Request

from taskcore import ValidationError
from taskcore.limits import MAX_VERSION
from taskcore_http.errors import PreconditionFailed

# RFC 9110, section 8.8.3; a server decodes headers as ISO 8859-1.
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(rf"[ \t,]*(?:{_TAG.pattern}[ \t]*(?:,[ \t,]*|$))+")
_VERSION = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def tag_of_task(version: int) -> str:
    """Return the ETag of a task with this version."""
    return f'"{version}"'


def tag_of_list(body: bytes) -> str:
    """Return the ETag of an answer with a list."""
    return f'W/"{blake2b(body, digest_size=12).hexdigest()}"'


class Condition(TypedDict, total=False):
    """The arguments of `UserTasks.update` and `UserTasks.delete` that stand for preconditions."""

    if_version: list[int]
    unless_version: list[int]


@dataclass(frozen=True, slots=True)
class Tags:
    """The entity tags of a header field.

    Attributes:
        every: The field is ``*``: it matches whatever exists.
        strong: The strong tags, without quotes.
        weak: The weak tags, without quotes.
    """

    every: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: Request, name: str) -> Self | None:
        """Read a field, or None if the request does not have it.

        Raises:
            ValidationError: It is not a list of entity tags.
        """
        values = request.headers.getlist(name)
        if not values:
            return None
        text = ",".join(values).strip(" \t")
        if text == "*":
            return cls(every=True)
        if not _LIST.fullmatch(text):
            raise ValidationError(
                f'{name} must be * or a list of entity tags, such as "3"',
                field=name,
                constraint="entity_tag",
            )
        tags = _TAG.findall(text)
        return cls(
            strong=frozenset(tag for weak, tag in tags if not weak),
            weak=frozenset(tag for weak, tag in tags if weak),
        )


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The preconditions of a request on the task or list that it names.

    Attributes:
        match: The tags of If-Match.
        none_match: The tags of If-None-Match.
    """

    match: Tags | None
    none_match: Tags | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the preconditions of a request.

        Raises:
            ValidationError: A field is not a list of entity tags.
        """
        return cls(Tags.of(request, "If-Match"), Tags.of(request, "If-None-Match"))

    def condition(self) -> Condition:
        """Return the preconditions of a change, for the library to check with the change."""
        condition = Condition()
        if self.match is not None and not self.match.every:
            # The strong comparison: a weak tag matches nothing.
            condition["if_version"] = _versions(self.match.strong)
        if self.none_match is not None and self.none_match.every:
            condition["if_version"] = []
        elif self.none_match is not None:
            condition["unless_version"] = _versions(self.none_match.strong | self.none_match.weak)
        return condition

    def is_fresh(self, tag: str | None, *, version: int | None = None) -> bool:
        """Tell whether the client has this representation already, so that 304 is the answer.

        Args:
            tag: The ETag of the representation; None if it has none.
            version: The task's version, for the error.

        Raises:
            PreconditionFailed: If-Match does not match it.
        """
        opaque = None if tag is None else tag.removeprefix("W/").strip('"')
        if self.match is not None and not self.match.every:
            strong = None if tag is None or tag.startswith("W/") else opaque
            if strong not in self.match.strong:
                raise PreconditionFailed("If-Match does not match", version=version)
        if self.none_match is None:
            return False
        return self.none_match.every or opaque in self.none_match.strong | self.none_match.weak

    def refuse_for_several(self) -> None:
        """Refuse preconditions of a change to several tasks, whose versions are not compared.

        Raises:
            PreconditionFailed: If-Match has tags, or there is an If-None-Match.
        """
        if self.none_match is not None or (self.match is not None and not self.match.every):
            raise PreconditionFailed("preconditions are for one task: change it by its own path")

    def refuse_for_creation(self) -> None:
        """Refuse preconditions that a request to create a task in a list does not meet.

        Raises:
            PreconditionFailed: If-Match has tags, or there is an If-None-Match.
        """
        if self.match is not None and not self.match.every:
            raise PreconditionFailed("If-Match cannot be met: a list has no strong ETag")
        if self.none_match is not None:
            raise PreconditionFailed("If-None-Match cannot be met: the list exists")


def _versions(tags: Iterable[str]) -> list[int]:
    numbers = [int(tag) for tag in tags if _VERSION.fullmatch(tag)]
    return [number for number in numbers if number <= MAX_VERSION]
