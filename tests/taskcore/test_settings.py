"""Settings that do not exist are refused, wherever they are written."""

from pathlib import Path

import pytest

from taskcore import ConfigurationError, Settings, TaskStore
from taskcore.settings import load_settings


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("TASKCORE_POOL_MAXSIZE", "did you mean TASKCORE_POOL_MAX_SIZE"),
        ("taskcore_pool_maxsize", "taskcore_pool_maxsize is not a setting"),
        ("TASKCORE_", "TASKCORE_ is not a setting"),
        ("TASKCORE_COLOUR", "TASKCORE_COLOUR is not a setting"),
    ],
)
def test_an_unknown_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setenv(name, "hunter2")
    for use in (load_settings, Settings, TaskStore):
        with pytest.raises(ConfigurationError, match=message) as error:
            use()
        assert "hunter2" not in str(error.value)


def test_an_unknown_variable_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("OTHER=1\nTASKCORE_POOL_MAXSIZE=5\n")
    with pytest.raises(ConfigurationError, match="did you mean TASKCORE_POOL_MAX_SIZE"):
        load_settings(env_files=(file,))
    file.write_text("OTHER=1\nTASKCTL_USER=5\nTASKCORE_POOL_MAX_SIZE=7\n")
    assert load_settings(env_files=(file,)).pool_max_size == 7


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pool_maxsize is not a setting: did you mean"):
        Settings(pool_maxsize=5)


def test_variables_of_others_and_any_capitals_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKCOREX", "1")
    monkeypatch.setenv("taskcore_pool_max_size", "5")
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/x")
    assert load_settings().pool_max_size == 5
