"""Invalid values of a task's fields, for every face: the library, imports and the REST API."""

import sys
from typing import Any

from taskcore.limits import MAX_DESCRIPTION, MAX_TITLE

EMOJI = "\U0001f600"
WHITE_SPACE = "".join(chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace())

INVALID: dict[str, tuple[str, object, str, dict[str, int]]] = {
    "empty title": ("title", "", "non_empty", {}),
    "blank title": ("title", "   ", "non_empty", {}),
    "title of every white space of Unicode": ("title", WHITE_SPACE, "non_empty", {}),
    "long title": ("title", "x" * 501, "max_length", {"max": MAX_TITLE}),
    "long astral title": ("title", EMOJI * 501, "max_length", {"max": MAX_TITLE}),
    "title too long unstripped": ("title", f" {'x' * 500}", "max_length", {"max": MAX_TITLE}),
    "NUL as the title": ("title", "\x00", "no_nul", {}),
    "NUL in the title": ("title", "a\x00b", "no_nul", {}),
    "high surrogate in the title": ("title", "a\ud800", "unicode", {}),
    "low surrogate in the title": ("title", "\udfffa", "unicode", {}),
    "surrogates in the wrong order": ("title", "\ude00\ud83d", "unicode", {}),
    "null title": ("title", None, "not_null", {}),
    "integer title": ("title", 1, "type", {}),
    "boolean title": ("title", True, "type", {}),
    "array title": ("title", ["x"], "type", {}),
    "object title": ("title", {"x": 1}, "type", {}),
    "long description": ("description", "x" * 5001, "max_length", {"max": MAX_DESCRIPTION}),
    "astral description": ("description", EMOJI * 5001, "max_length", {"max": MAX_DESCRIPTION}),
    "NUL in the description": ("description", "Milk\x00eggs", "no_nul", {}),
    "surrogate in the description": ("description", "Milk\ud83d", "unicode", {}),
    "integer description": ("description", 1, "type", {}),
    "array description": ("description", [], "type", {}),
    "object description": ("description", {}, "type", {}),
    "completed 1": ("completed", 1, "type", {}),
    "completed 0": ("completed", 0, "type", {}),
    "completed yes": ("completed", "yes", "type", {}),
    "completed true as text": ("completed", "true", "type", {}),
    "completed null": ("completed", None, "not_null", {}),
}
"""By name: the field, its value, and the constraint and limit that the error names."""


def details(field: str, constraint: str, **limits: int) -> dict[str, Any]:
    """Return the details of a validation error."""
    return {"field": field, "constraint": constraint, **limits}
