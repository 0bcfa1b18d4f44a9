"""Search: texts and queries are folded in the same way, and then compared as they are.

PostgreSQL's ``lower`` and ``normalize`` are not Python's ``casefold``, so the folding is done here.
A text in which it changes nothing but the case of ASCII letters, as most, is not stored twice:
``task_text`` in ``tasks.sql`` makes it while it searches.
"""

import json
from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

from pydantic_core import PydanticCustomError

from taskcore.limits import MAX_SEARCH
from taskcore.tasks.fields import TaskCreate, text_of
from taskcore.tasks.task_import import TaskImport
from taskcore.tasks.task_update import TaskUpdate


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared: ``Straße`` as ``strasse``."""
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold())


def validate_search(value: object) -> list[str]:
    """Return the folded words of a query, the longest first.

    Raises:
        PydanticCustomError: It is not a text, has no word, or cannot be compared with texts.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("type", "must be a string")
    words = fold(text_of(value, MAX_SEARCH)).split()
    if not words:
        raise PydanticCustomError("non_empty", "must not be empty or blank")
    return sorted(dict.fromkeys(words), key=len, reverse=True)


def with_find(task: TaskCreate | TaskImport, document: str) -> str:
    """Add what search reads to the JSON document of a new task, if it must be stored."""
    # In most documents no field has a character beyond ASCII.
    return document if document.isascii() else _with(find_of(task), document)


def find_of(task: TaskCreate | TaskImport) -> dict[str, str]:
    """Return the column ``find`` of a new task; empty if it need not be stored."""
    # The database refuses a title of None, in an instance that nobody validated.
    texts = (task.title or "", task.description or "", *task.tags)
    if "".join(texts).isascii():
        return {}
    folded = [_line(text) for text in texts]
    if not any(map(_must_be_stored, texts, folded)):
        return {}
    title, description, *tags = folded
    return {"find": "\n".join((title, description, "\n".join(tags)))}


def with_folds(change: TaskUpdate, document: str) -> str:
    """Add the folded texts that must be stored to the JSON document of a change."""
    if document.isascii():
        return document
    texts = {name: text for name in ("title", "description") if (text := getattr(change, name))}
    folds: dict[str, Any] = _folds(texts.items())
    if tags := _folds((tag, tag) for tag in (*(change.tags or ()), *(change.add_tags or ()))):
        folds["tags"] = tags
    return _with({"folds": folds}, document) if folds else document


def _with(members: dict[str, Any], document: str) -> str:
    """Add members to a JSON object that has some."""
    return f"{document[:-1]},{json.dumps(members)[1:]}" if members else document


def _folds(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the folded texts that must be stored, by name."""
    return {name: line for name, text in texts if _must_be_stored(text, line := _line(text))}


def _line(text: str) -> str:
    """Return a folded text without line breaks, which separate the texts of a task."""
    return fold(text).replace("\n", " ")


def _must_be_stored(text: str, line: str) -> bool:
    # The case of ASCII letters alone: what PostgreSQL's lower changes in the collation "C".
    return line != text.encode().lower().decode().replace("\n", " ")
