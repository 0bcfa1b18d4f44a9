"""Examine a live database with the credentials that the application will use.

Nothing is changed: every examination runs in a transaction that is rolled back. If an
examination fails, the failure is its finding, and the next one follows.
"""

from collections.abc import Awaitable, Callable

import asyncpg

from taskcore.database.failures import DRIVER_ERRORS, while_connecting
from taskcore.database.url import address, connect_arguments
from taskcore.doctor import examinations
from taskcore.doctor.check import Check, failure
from taskcore.doctor.examinations import Patient
from taskcore.errors import Unavailable
from taskcore.schema import pinned
from taskcore.schema.catalog import is_router, rolled_back

_Examination = Callable[[Patient], Awaitable[Check | list[Check]]]
_EXAMINATIONS: dict[str, _Examination] = {
    "server": examinations.server,
    "TLS": examinations.tls,
    "role": examinations.role,
    "memberships": examinations.memberships,
    "table privileges": examinations.table_privileges,
    "other readers": examinations.other_readers,
    "default privileges": examinations.default_privileges,
    "schema release": examinations.release,
    "objects": examinations.objects,
    "settings": examinations.settings,
    "canary": examinations.canary,
}
# A router passes each call on, and a shard commits it: the canary would leave traces.
_OF_A_ROUTER: dict[str, _Examination] = {
    "TLS": examinations.tls,
    "role": examinations.role,
    "memberships": examinations.memberships,
    "shards": examinations.shards,
}
_TIMEOUTS = {"timeout": 15.0, "command_timeout": 30.0}


async def diagnose(url: str, *, embedded: bool = False) -> list[Check]:
    """Examine a database, in a fixed order, without changing it.

    Args:
        url: The URL that the application will use. Its role is examined too.
        embedded: Whether the server is the embedded one, whose version its package decides.

    Raises:
        Unavailable: The database cannot be reached.
        ConfigurationError: The URL or the login is wrong.
    """
    arguments = _TIMEOUTS | connect_arguments(url)
    try:
        connection = await asyncpg.connect(**arguments)
    except DRIVER_ERRORS as exc:
        raise while_connecting(exc, address(arguments)).error from exc
    patient = Patient(connection, arguments, embedded=embedded)
    try:
        chosen = _OF_A_ROUTER if await is_router(connection) else _EXAMINATIONS
        return [
            check
            for name, examine in chosen.items()
            for check in await _examined(patient, name, examine)
        ]
    finally:
        await connection.close(timeout=5.0)


async def _examined(patient: Patient, name: str, examine: _Examination) -> list[Check]:
    connection = patient.connection
    try:
        async with rolled_back(connection):
            await connection.execute(pinned.examination(connection, seconds=5))
            found = await examine(patient)
    except Exception as exc:
        if connection.is_closed():
            raise Unavailable("the connection to the database was lost") from exc
        code = getattr(exc, "sqlstate", None)
        reason = f"{exc} ({code})" if code else repr(exc)
        return [
            failure(
                name,
                [f"it cannot be examined: {reason}"],
                "repair what the other checks name, then examine again",
            )
        ]
    return found if isinstance(found, list) else [found]
