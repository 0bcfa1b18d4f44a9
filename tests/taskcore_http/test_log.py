"""The log while one fault meets many requests."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from taskcore import TaskStore, Unavailable
from taskcore_http.server import log
from taskcore_http.server.log import CancellationFilter, RepeatFilter
from tests.taskcore_http.answers import error_of

TASKS = "/users/123/tasks"


@pytest.fixture
def break_store(store: TaskStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make every later call of the store raise an exception."""

    def break_it(exc: Exception) -> None:
        async def broken(*_args: object, **_options: object) -> list[Any]:
            raise exc

        monkeypatch.setattr(store._database, "_run", broken)

    return break_it


async def test_a_fault_of_ours_is_logged_once_with_its_traceback(
    client: httpx2.AsyncClient,
    break_store: Callable[[Exception], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """FR-016: every client is answered, and the log does not fill a disk."""
    break_store(RuntimeError("broken"))
    for _ in range(50):
        error_of(await client.get(TASKS), 500)
        error_of(await client.post(TASKS, json={"title": "x"}), 500)

    (record,) = [record for record in caplog.records if record.name == "taskcore.http"]
    assert record.exc_info is not None


async def test_a_database_that_is_away_is_logged_once(
    client: httpx2.AsyncClient,
    break_store: Callable[[Exception], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    break_store(Unavailable("away"))
    caplog.clear()
    for _ in range(50):
        error_of(await client.get(TASKS), 503)

    assert [record.getMessage() for record in caplog.records] == ["503: away"]


async def test_what_was_withheld_is_counted_when_a_fault_is_logged_again(
    client: httpx2.AsyncClient,
    break_store: Callable[[Exception], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    break_store(Unavailable("away"))
    for _ in range(3):
        error_of(await client.get(TASKS), 503)
    monkeypatch.setattr(log, "INTERVAL_SECONDS", 0.0)
    caplog.clear()
    for _ in range(2):
        error_of(await client.get(TASKS), 503)

    assert [record.getMessage() for record in caplog.records] == [
        "503: away (and 2 times since it was last logged)",
        "503: away",
    ]


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.getLogger("tests.log")
    logger.filters[:] = [RepeatFilter()]
    return logger


def test_different_faults_are_all_logged(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """By the text, the level, the exception, its cause and the line that it comes from."""

    def caused(exc: Exception, cause: Exception) -> Exception:
        exc.__cause__ = cause
        return exc

    def first() -> Exception:
        try:
            return ValueError(int("x"))
        except ValueError as exc:
            return exc

    def second() -> Exception:
        try:
            return ValueError(int("x"))
        except ValueError as exc:
            return exc

    for _ in range(3):
        logger.warning("503: %s", RuntimeError())
        logger.warning("503: %s", OSError())
        logger.warning("503: %s", caused(RuntimeError(), OSError()))
        logger.warning("503: %s", first())
        logger.warning("503: %s", second())
        logger.error("503: %s", second())
        logger.warning("another")
        logger.error("500: %s", "ValueError", exc_info=second())

    assert len(caplog.records) == 8


def test_a_text_that_differs_each_time_is_one_fault(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        logger.warning("503: %s", OSError(number))

    assert len(caplog.records) == 1


def test_information_is_logged_every_time(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        logger.info("started")

    assert len(caplog.records) == 3


def test_the_faults_remembered_are_bounded(logger: logging.Logger) -> None:
    for number in range(1000):
        logger.warning(f"fault {number}")  # noqa: G004

    (repeat_filter,) = logger.filters
    assert isinstance(repeat_filter, RepeatFilter)
    assert len(repeat_filter._seen) <= 100


def test_a_cancelled_task_is_a_line(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.filters[:] = [CancellationFilter()]
    logger.error("Exception in ASGI application\n", exc_info=asyncio.CancelledError())
    logger.error("Exception in ASGI application\n", exc_info=RuntimeError())

    cancelled, fault = caplog.records
    assert (cancelled.getMessage(), cancelled.exc_info) == ("Cut off what was under way", None)
    assert fault.exc_info
