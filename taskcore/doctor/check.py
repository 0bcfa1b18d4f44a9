"""The finding of one examination."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one examination.

    Attributes:
        name: The subject, such as ``role``.
        status: ``failure``: users may not be kept apart, or nothing works. ``warning``:
            something to know or to improve. ``ok``: neither.
        finding: The facts, a line each.
        advice: Their meaning, and what to do. Empty if the status is ``ok``.
    """

    name: str
    status: Status
    finding: str
    advice: str = ""


def ok(name: str, finding: str) -> Check:
    """Return a check without a problem."""
    return Check(name, "ok", _joined([finding]))


def warning(name: str, findings: Iterable[str], advice: str) -> Check:
    """Return a check with something to know or to improve."""
    return Check(name, "warning", _joined(findings), advice)


def failure(name: str, findings: Iterable[str], advice: str) -> Check:
    """Return a check with a hole in the isolation, or a fault."""
    return Check(name, "failure", _joined(findings), advice)


def _joined(findings: Iterable[str]) -> str:
    # A name with a line break must not look like another finding.
    return "\n".join(" ".join(finding.split("\n")) for finding in findings)
