"""Without the extra ``auth`` everything imports, and says clearly what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

from taskcore.errors import ConfigurationError
from taskcore_http.identity.bearer import Bearer
from tests.taskcore_http.identity.issuing import rules

IDENTITY = Path(__file__).parents[3] / "taskcore_http/identity"


def test_a_missing_extra_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """ID-503."""
    monkeypatch.setitem(sys.modules, "joserfc.jws", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'taskcore\[auth\]'"):
        Bearer(rules())


def test_importing_loads_no_package_of_the_extra() -> None:
    """ID-503."""
    modules = [f"taskcore_http.identity.{path.stem}" for path in IDENTITY.glob("[a-z]*.py")]
    code = (
        f"import sys, {', '.join(modules)}\n"
        "assert not {'joserfc', 'cryptography'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_module_uses_joserfc() -> None:
    """ID-503: another library would change one file."""
    users = [
        path.name
        for path in IDENTITY.glob("*.py")
        if "import joserfc" in path.read_text()
        or "from joserfc" in path.read_text()
        or "cryptography" in path.read_text()
    ]

    assert users == ["signatures.py"]
