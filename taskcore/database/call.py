"""One call of a SQL function, over all of its attempts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from taskcore.database.failures import Failure, IdsMissing, NotNewest, Outcome
from taskcore.errors import OutcomeUnknown

if TYPE_CHECKING:
    from taskcore.errors import TaskcoreError


class Call:
    """A statement to run, and what has become of its attempts.

    Attributes:
        statement: The SQL statement.
        args: Its parameters.
        write: Whether it changes anything.
        deadline: The end of the operation's time, on the event loop's clock; 0: not known yet.
        repeated: Whether an attempt before the current one may have taken effect.
    """

    __slots__ = ("_reason", "_uncertain", "args", "deadline", "repeated", "statement", "write")

    def __init__(
        self,
        statement: str,
        args: tuple[object, ...] = (),
        *,
        write: bool = False,
        deadline: float | None = None,
    ) -> None:
        self.statement = statement
        self.args = args
        self.write = write
        self.deadline = deadline or 0.0
        self.repeated = False
        # Whether any attempt may have taken effect.
        self._uncertain = False
        # The last failure that is not a timeout, which says more; else the first timeout.
        self._reason: Failure | None = None

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.deadline - asyncio.get_running_loop().time()

    def record(self, failure: Failure) -> None:
        """Record the failure of an attempt."""
        if self._reason is None or not isinstance(failure.__cause__, TimeoutError):
            self._reason = failure
        self._uncertain = self._uncertain or failure.outcome is Outcome.UNKNOWN

    def begin_again(self) -> None:
        """Begin another attempt."""
        self.repeated = self._uncertain

    def error(self, last: Failure) -> TaskcoreError:
        """Return the error to raise after the last attempt."""
        if isinstance(last.error, IdsMissing):
            # Only the caller knows what a lost attempt would have left.
            last.error.repeated = self.repeated
            return last.error
        # While the user has a newer task, the database refuses a lost attempt too.
        if self.write and self._uncertain and not isinstance(last.error, NotNewest):
            return OutcomeUnknown(
                "the database's answer was lost or did not come in time: "
                "the write took effect wholly or not at all"
            )
        return (self._reason or last).error

    @property
    def cause(self) -> BaseException | None:
        """The driver's exception behind `error`."""
        return self._reason and self._reason.__cause__
