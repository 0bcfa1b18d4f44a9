"""Search: texts and queries are folded in the same way, and then compared character by character.

Python does the folding, because PostgreSQL has nothing like ``casefold``. Folding most texts
changes only the case of ASCII letters. Their folded form is not stored: ``task_text`` in
``tasks.sql`` computes it during a search.
"""

import json
from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

from pydantic_core import PydanticCustomError

from taskcore.limits import MAX_FOLDED, MAX_SEARCH
from taskcore.tasks.fields import TaskCreate, text_of
from taskcore.tasks.task_import import TaskImport
from taskcore.tasks.task_update import TaskUpdate


def fold(text: str) -> str:
    """Return the form of a text that a search compares: ``strasse`` for ``Straße``."""
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold())


def validate_search(value: object) -> list[str]:
    """Return the folded words of a query, the longest first.

    Raises:
        PydanticCustomError: The value is not a string, is blank or too long, or has NUL characters
            or lone surrogates.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("type", "must be a string")
    words = fold(text_of(value, MAX_SEARCH)).split()
    if not words:
        raise PydanticCustomError("non_empty", "must not be empty or blank")
    return sorted(dict.fromkeys(words), key=len, reverse=True)


def with_find(task: TaskCreate | TaskImport, document: str) -> str:
    """Add the column ``find`` to the JSON document of a new task, if it must be stored."""
    # In most documents no field has a character beyond ASCII.
    return document if document.isascii() else _with(find_of(task), document)


def find_of(task: TaskCreate | TaskImport) -> dict[str, str]:
    """Return the column ``find`` of a new task by its name; empty if it need not be stored."""
    # An instance that was not validated may have a title of None, which the database refuses.
    texts = (task.title or "", task.description or "", *task.tags)
    if "".join(texts).isascii():
        return {}
    folded = [_line(text) for text in texts]
    if not any(map(_must_be_stored, texts, folded)):
        return {}
    title, description, *tags = folded
    return {"find": "\n".join((title, description, "\n".join(tags)))}


def with_folds(change: TaskUpdate, document: str) -> str:
    """Add ``folds``, the folded texts that must be stored, to the JSON document of a change."""
    if document.isascii():
        return document
    texts = {name: text for name in ("title", "description") if (text := getattr(change, name))}
    folds: dict[str, Any] = _folds(texts.items())
    if tags := _folds((tag, tag) for tag in (*(change.tags or ()), *(change.add_tags or ()))):
        folds["tags"] = tags
    return _with({"folds": folds}, document) if folds else document


def _with(members: dict[str, Any], document: str) -> str:
    """Add members to the text of a JSON object that is not empty."""
    return f"{document[:-1]},{json.dumps(members)[1:]}" if members else document


def _folds(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the folded texts that must be stored, by name."""
    return {name: line for name, text in texts if _must_be_stored(text, line := _line(text))}


def _line(text: str) -> str:
    """Return a folded text without line breaks, which separate the texts of a task."""
    return fold(text)[:MAX_FOLDED].replace("\n", " ")


def _must_be_stored(text: str, line: str) -> bool:
    # bytes.lower changes ASCII letters only, as PostgreSQL's lower does in the collation "C".
    return line != text.encode().lower().decode().replace("\n", " ")
