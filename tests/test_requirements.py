"""Every requirement of the specifications is shown by a test that cites it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SPECIFICATIONS = {
    "001-backend-core": (
        re.compile(r"\b(?:FR-\d{3}|SC-\d{3}|US\d)\b"),
        {"FR-001", "FR-018", "SC-001", "SC-007", "US1", "US4"},
    ),
    "002-identity": (
        re.compile(r"\bID-\d{3}\b"),
        {"ID-101", "ID-211", "ID-317", "ID-504", "ID-708"},
    ),
    "003-page": (re.compile(r"\bPG-\d{3}\b"), {"PG-101", "PG-504"}),
    "004-tasks": (re.compile(r"\bTK-\d{3}\b"), {"TK-101", "TK-204"}),
    "005-scale-out": (re.compile(r"\bSO-\d{3}\b"), {"SO-101"}),
}
"""The form of each specification's ids, and some of them."""


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_every_requirement_is_cited_by_a_test(name: str) -> None:
    form, some = SPECIFICATIONS[name]
    required = set(form.findall((ROOT / "specs" / name / "spec.md").read_text()))
    cited = {
        requirement
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__)
        for requirement in form.findall(path.read_text())
    }

    assert some <= required
    assert required - cited == set()
    assert cited - required == set(), "tests cite what the specification does not know"
