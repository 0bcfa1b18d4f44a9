"""Invalid values of a task's fields, for every face: the library, imports and the REST API."""

import json
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
    "due with an offset": ("due", "2026-11-30T17:00Z", "no_offset", {}),
    "due that does not exist": ("due", "2026-02-30", "date", {}),
    "due in words": ("due", "tomorrow", "type", {}),
    "due with a fraction": ("due", "2026-11-30T17:00:00.5", "type", {}),
    "due in other digits": ("due", "٢٠٢٦-11-30", "type", {}),
    "empty due": ("due", "", "type", {}),
    "integer due": ("due", 20261130, "type", {}),
    "unknown zone": ("due_zone", "Mars/Base", "zone", {}),
    "zone of the machine": ("due_zone", "localtime", "zone", {}),
    "zone of another set of files": ("due_zone", "posix/Europe/Berlin", "zone", {}),
    "path for a zone": ("due_zone", "../etc/passwd", "zone", {}),
    "offset for a zone": ("due_zone", "+01:00", "zone", {}),
    "integer zone": ("due_zone", 1, "type", {}),
    "negative priority": ("priority", -1, "min", {"min": 0}),
    "priority 10": ("priority", 10, "max", {"max": 9}),
    "priority as text": ("priority", "1", "type", {}),
    "priority true": ("priority", True, "type", {}),
    "priority 1.5": ("priority", 1.5, "type", {}),
    "null priority": ("priority", None, "not_null", {}),
    "blank project": ("project", " ", "non_empty", {}),
    "long project": ("project", "x" * 101, "max_length", {"max": 100}),
    "NUL in the project": ("project", "a\x00", "no_nul", {}),
    "integer project": ("project", 1, "type", {}),
    "tags as text": ("tags", "a,b", "type", {}),
    "tag with a comma": ("tags", ["a,b"], "characters", {}),
    "tag with a line break": ("tags", ["a\nb"], "characters", {}),
    "surrogate in a tag": ("tags", ["a\ud800"], "characters", {}),
    "empty tag": ("tags", [" "], "non_empty", {}),
    "long tag": ("tags", ["x" * 51], "max_length", {"max": 50}),
    "tag of many marks": ("tags", ["\u0301\u0327" * 5_000], "max_length", {"max": 50}),
    "21 tags": ("tags", [str(number) for number in range(21)], "max_items", {"max": 20}),
    "null tags": ("tags", None, "not_null", {}),
    "integer in tags": ("tags", [1], "type", {}),
    "extra as text": ("extra", "{}", "type", {}),
    "array for extra": ("extra", [], "type", {}),
    "large extra": ("extra", {"a": "x" * 4_088}, "max_bytes", {"max": 4096}),
    "large number in extra": ("extra", {"a": 10**4096}, "max_bytes", {"max": 4096}),
    "deep extra": ("extra", {"a": json.loads("[" * 32 + "]" * 32)}, "max_depth", {"max": 32}),
    "NUL in extra": ("extra", {"a": ["b\x00"]}, "no_nul", {}),
    "NUL in a name in extra": ("extra", {"a": {"b\x00": 1}}, "no_nul", {}),
    "surrogate in extra": ("extra", {"a": "\ud800"}, "unicode", {}),
    "surrogate as a name in extra": ("extra", {"\ud800": 1}, "unicode", {}),
    "blank key": ("key", " ", "non_empty", {}),
    "long key": ("key", "x" * 201, "max_length", {"max": 200}),
    "line break in the key": ("key", "a\nb", "no_control", {}),
    "NUL in the key": ("key", "a\x00", "no_control", {}),
    "surrogate in the key": ("key", "a\ud800", "unicode", {}),
    "integer key": ("key", 1, "type", {}),
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
