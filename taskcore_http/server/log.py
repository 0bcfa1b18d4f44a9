"""Logging filters: a repeated fault is logged once a minute, a forced end as one line."""

import asyncio
import logging
import threading
import time

INTERVAL_SECONDS = 60.0
"""The number of seconds between two records of the same fault."""

_MAX_FAULTS = 100


class RepeatFilter(logging.Filter):
    """Log a fault once a minute, with the number of records that were withheld since.

    Two records belong to one fault if the text before formatting is the same, and the
    exception, if there is one, has the same type and cause and comes from the same line.
    Only warnings and errors are counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._seen: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        if record.levelno < logging.WARNING:
            return True
        fault, now = (record.levelno, record.msg, *_exception(record)), time.monotonic()
        with self._lock:
            logged, withheld = self._seen.get(fault, (-INTERVAL_SECONDS, 0))
            if now - logged < INTERVAL_SECONDS:
                self._seen[fault] = logged, withheld + 1
                return False
            self._seen.pop(fault, None)
            if len(self._seen) >= _MAX_FAULTS:
                # The fault that was logged longest ago.
                del self._seen[next(iter(self._seen))]
            self._seen[fault] = now, 0
        if withheld:
            record.msg = f"{record.msg} (and {withheld} times since it was last logged)"
        return True

    def forget(self) -> None:
        """Forget all faults, so that each is logged again."""
        with self._lock:
            self._seen.clear()


TRUSTED = "the caller is trusted to name the user: no identity is configured"
"""The warning of a router without an identity."""


class TrustFilter(logging.Filter):
    """Drop `TRUSTED`: ``taskctl serve`` says it once, and each worker would repeat it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        return record.msg != TRUSTED


class CancellationFilter(logging.Filter):
    """Replace uvicorn's traceback of a task that it cancelled itself with one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record if need be, and return True: none is withheld."""
        raised = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
        # Starlette sends the traceback of a lifespan as text.
        if raised or str(record.msg).rstrip().endswith("CancelledError"):
            record.msg, record.exc_info = "Cut off what was under way", None
        return True


def _exception(record: logging.LogRecord) -> tuple[object, ...]:
    """Return the values by which two records' exceptions are compared."""
    given = record.args if isinstance(record.args, tuple) else ()
    found = [value for value in given if isinstance(value, BaseException)]
    if record.exc_info and record.exc_info[1]:
        found.append(record.exc_info[1])
    if not found:
        return ()
    exc = found[0]
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace and (trace.tb_frame.f_code, trace.tb_lineno)
    return type(exc), type(exc.__cause__), place


class QueryFilter(logging.Filter):
    """Leave the query out of uvicorn's line for a request: it may hold a token or a text.

    A token in a query is never accepted, but a client may send one (RFC 6750, section 5.3).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, with the path alone in the record."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, path, *rest = record.args
            record.args = (client, method, str(path).partition("?")[0], *rest)
        return True
