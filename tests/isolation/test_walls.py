"""The variants with one wall really lack the other."""

import pytest

from taskcore.embedded import EmbeddedServer
from taskcore.schema.catalog import Catalog, differences
from tests.databases import read_catalog
from tests.isolation import walls


def test_every_query_names_its_user() -> None:
    """FR-018: fails as well when a function uses its user in a way that is not known."""
    assert len(walls.predicates()) == sum(walls.QUERIES.values()) == 60
    left = walls.without("predicates")
    for predicate in ("t.user_id = ", "u.id = ", "k.user_id = ", "c.hash = ", "i.issuer = "):
        assert predicate not in left


async def test_the_wall_named_is_away_and_nothing_else(
    server: EmbeddedServer, template_catalog: Catalog, pytestconfig: pytest.Config
) -> None:
    """In a normal run no wall is missing."""
    expected = {
        None: set(),
        "rls": {f"relation {table}" for table in walls.TABLES},
        "predicates": {f"function taskcore.{name}" for name in walls.QUERIES},
    }[pytestconfig.getoption("--without")]

    assert await read_catalog(server.owner_url) == template_catalog
    assert {line.split(":")[0].split("(")[0] for line in differences(template_catalog)} == expected
