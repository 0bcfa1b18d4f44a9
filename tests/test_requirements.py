"""Every requirement of the specification is shown by a test that cites it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ID = re.compile(r"\b(?:FR-\d{3}|SC-\d{3}|US\d)\b")


def test_every_requirement_is_cited_by_a_test() -> None:
    required = set(_ID.findall((ROOT / "specs/001-backend-core/spec.md").read_text()))
    cited = {
        requirement
        for path in (ROOT / "tests").rglob("test_*.py")
        for requirement in _ID.findall(path.read_text())
    }

    assert {"FR-001", "FR-018", "SC-001", "SC-007", "US1", "US4"} <= required
    assert required - cited == set()
    assert cited - required == set(), "tests cite what the specification does not know"
