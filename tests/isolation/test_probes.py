"""The probes find nothing in a database as it is shipped; ``test_mutants`` shows what they find."""

import asyncpg
import pytest

from tests.databases import Database
from tests.isolation.functions import (
    DIRECTORY,
    IDENTITIES_OF_ADMINISTRATORS,
    IDENTITY_CALLS,
    INNER,
    OF_ID,
    OF_OWNER,
    SHARED,
    TOKEN_CALLS,
    TOKENS_OF_USER,
    USER_CALLS,
    task_calls,
)
from tests.isolation.probes import FUNCTIONS, ROW_SECURITY, Probe, placed


@pytest.mark.parametrize(
    "probe",
    [
        *(pytest.param(probe, id=probe.__name__) for probe in FUNCTIONS),
        *(
            pytest.param(probe, id=probe.__name__, marks=pytest.mark.inspects)
            for probe in ROW_SECURITY
        ),
    ],
)
@pytest.mark.one_server
async def test_isolation_holds(database: Database, probe: Probe) -> None:
    """FR-018, SC-002, ID-815, and the edge cases of user ids."""
    async with placed(database) as place:
        await place.seed()
        await probe(place)


async def test_the_table_of_functions_is_that_of_the_database(owner: asyncpg.Connection) -> None:
    """And nobody but the two roles may call any."""
    rows = await owner.fetch(
        "SELECT p.proname AS name,"
        " has_function_privilege('taskcore_app', p.oid, 'EXECUTE') AS app,"
        " has_function_privilege('taskcore_admin', p.oid, 'EXECUTE') AS admin,"
        " has_function_privilege('pg_monitor', p.oid, 'EXECUTE') AS other "
        "FROM pg_proc AS p WHERE p.pronamespace = 'taskcore'::regnamespace"
    )
    both = {"schema_version_v1"}
    application = {
        *task_calls(1, 1, "x"),
        *TOKENS_OF_USER,
        *TOKEN_CALLS,
        "identity_user_v1",
        OF_OWNER,
        OF_ID,
    }
    administrators = {*USER_CALLS, *DIRECTORY, *IDENTITIES_OF_ADMINISTRATORS}
    assert {*IDENTITY_CALLS} <= application | administrators
    assert {row["name"] for row in rows} == application | administrators | both | {*INNER, *SHARED}
    assert {row["name"] for row in rows if row["app"]} == application | both
    assert {row["name"] for row in rows if row["admin"]} == administrators | both | {*SHARED}
    assert not any(row["other"] for row in rows)
