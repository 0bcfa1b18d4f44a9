"""JSON Merge Patch in plain Python, as RFC 7396, section 2, has it."""

from typing import Any


def merge_patched(target: Any, patch: Any) -> Any:
    """Return the target with the patch applied."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patched(merged.get(name), value)
    return merged


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal in JSON, where true is not 1, as it is in Python."""
    return bool(_without_booleans(one) == _without_booleans(other))


def _without_booleans(value: Any) -> Any:
    if isinstance(value, bool):
        return ("boolean", str(value))
    if isinstance(value, dict):
        return {name: _without_booleans(one) for name, one in value.items()}
    return [_without_booleans(one) for one in value] if isinstance(value, list) else value
