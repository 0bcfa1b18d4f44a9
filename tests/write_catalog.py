"""Write taskcore/schema/catalog.json from a freshly migrated database (`just catalog`)."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import asyncpg

from taskcore.database.url import connect_arguments
from taskcore.embedded import server as embedded
from taskcore.schema import catalog
from taskcore.schema.migrate import apply
from taskcore.schema.roles import ensure_roles

TARGET = Path(catalog.__file__).with_name("catalog.json")


async def _apply_unverified(url: str) -> None:
    connection = await asyncpg.connect(**connect_arguments(url))
    try:
        await ensure_roles(connection)
        await apply(url)
        found = await catalog.read(connection)
    finally:
        await connection.close()
    TARGET.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")


async def main() -> None:
    if not TARGET.exists():
        TARGET.write_text("{}\n", "utf-8")
    embedded.migrate = _apply_unverified  # type: ignore[assignment,attr-defined]
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        server = await embedded.EmbeddedServer(Path(home)).start()
        await server.stop()
    sys.stdout.write(f"{TARGET}\n")


if __name__ == "__main__":
    asyncio.run(main())
