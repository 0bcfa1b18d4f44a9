"""The store of an administrator."""

from collections.abc import AsyncIterator

import pytest

from taskcore import TaskStore
from tests.databases import Database


@pytest.fixture
async def administration(database: Database) -> AsyncIterator[TaskStore]:
    async with TaskStore(database.owner_url) as store:
        yield store
