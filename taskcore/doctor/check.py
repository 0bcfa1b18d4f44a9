"""The finding of one examination."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one examination found.

    Attributes:
        name: What was examined.
        status: ``failure``: users may not be kept apart, or nothing works.
            ``warning``: something to know, or to improve.
        finding: What is; of several things a line each.
        advice: What it means and what to do; empty if all is well.
    """

    name: str
    status: Status
    finding: str
    advice: str = ""


def ok(name: str, finding: str) -> Check:
    """Return a check that found nothing to say."""
    return Check(name, "ok", _joined([finding]))


def warning(name: str, findings: Iterable[str], advice: str) -> Check:
    """Return a check that found something to know."""
    return Check(name, "warning", _joined(findings), advice)


def failure(name: str, findings: Iterable[str], advice: str) -> Check:
    """Return a check that found a way past isolation, or a fault."""
    return Check(name, "failure", _joined(findings), advice)


def _joined(findings: Iterable[str]) -> str:
    # A name with a line break in it must not pose as a finding of its own.
    return "\n".join(" ".join(finding.split("\n")) for finding in findings)
