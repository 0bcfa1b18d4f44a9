"""Every way of breaking isolation on purpose is caught, and what catches it is named.

``pytest -m mutants`` prints the table.
"""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from taskcore.doctor import diagnose
from taskcore.embedded import EmbeddedServer
from taskcore.schema import catalog
from tests.conftest import MakeDatabase
from tests.databases import Database, execute, read_catalog
from tests.isolation import walls
from tests.isolation.code_mutants import CODE_MUTANTS, CodeMutant
from tests.isolation.face_probes import FACES
from tests.isolation.mutants import DATABASE_MUTANTS, DatabaseMutant
from tests.isolation.probes import FUNCTIONS, ROW_SECURITY, Probe, placed

pytestmark = pytest.mark.mutants

SURVIVED = "SURVIVED"

RecordProperty = Callable[[str, object], None]


def probes(without: walls.Wall | None) -> tuple[Probe, ...]:
    """Return the probes that must pass on a database without this wall."""
    return FUNCTIONS + (() if without == "rls" else ROW_SECURITY) + FACES


source = cache(inspect.getsource)


def likely_first(probes: tuple[Probe, ...], name: str) -> tuple[Probe, ...]:
    """Put the probes that name the broken function right after the first, which makes the users."""
    function = name.partition(":")[0]
    naming = tuple(
        probe for probe in FUNCTIONS[1:] if function.endswith("_v1") and function in source(probe)
    )
    return (probes[0], *naming, *(probe for probe in probes[1:] if probe not in naming))


async def first_to_catch(database: Database, probes: Sequence[Probe]) -> str:
    """Return the name of the first probe that fails, and what it saw."""
    async with placed(database) as place:
        for probe in probes:
            try:
                await probe(place)
            except (TypeError, NameError, AttributeError):
                # The mutant itself is broken, and shows nothing.
                raise
            except Exception:  # noqa: BLE001  (a break may show as any other error)
                return probe.__name__
    return SURVIVED


async def doctor_says(url: str) -> list[str]:
    """Return the checks that ``taskctl doctor`` calls a failure."""
    return [check.name for check in await diagnose(url) if check.status == "failure"]


@pytest.mark.parametrize("without", [None, *walls.WALLS])
async def test_what_is_not_broken_is_caught_by_nothing(
    server: EmbeddedServer, make_database: MakeDatabase, without: walls.Wall | None
) -> None:
    """FR-018: with both walls, and with each alone."""
    database = await asyncio.to_thread(make_database, server)
    if without is not None:
        await execute(database.owner_url, walls.without(without))

    async with placed(database) as place:
        # Backwards too: no probe may need another one, because `likely_first` changes the order.
        for probe in (FUNCTIONS[0], *reversed(FUNCTIONS), *probes(without)):
            await probe(place)

    differences = catalog.differences(await read_catalog(database.owner_url))
    failures = await doctor_says(database.url)
    if without is None:
        assert differences == ()
        assert not failures
    else:
        assert differences
        assert failures != []


async def judge(
    database: Database, mutant: DatabaseMutant, record_property: RecordProperty
) -> None:
    """Break a database, and check that the probes, the catalog and the doctor detect it."""
    await execute(database.owner_url, *mutant.sql)
    differences = catalog.differences(await read_catalog(database.owner_url))
    failures = await doctor_says(database.url)
    if mutant.without is not None:
        await execute(database.owner_url, walls.without(mutant.without, mutant.script))
    ordered = likely_first(probes(mutant.without), mutant.name)
    caught_by = await first_to_catch(database, ordered)
    structure = [*(["catalog"] if differences else []), *(["doctor"] if failures else [])]
    shown = caught_by if mutant.visible or not structure else "(structure only)"
    if mutant.without is not None:
        shown += f" [without {mutant.without}]"
    record_property("mutant", (mutant.name, shown, ", ".join(structure)))

    assert (caught_by != SURVIVED) == mutant.visible, caught_by
    assert differences
    assert failures != []


@pytest.mark.parametrize(
    "mutant", [mutant for mutant in DATABASE_MUTANTS if mutant.edit], ids=lambda mutant: mutant.name
)
async def test_a_break_of_a_function_is_caught(
    database: Database, mutant: DatabaseMutant, record_property: RecordProperty
) -> None:
    """FR-018, SC-002."""
    try:
        await judge(database, mutant, record_property)
    finally:
        # As good as new: the fixture compares the catalog before it uses it again.
        await execute(database.owner_url, walls.shipped())


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in DATABASE_MUTANTS if not mutant.edit],
    ids=lambda mutant: mutant.name,
)
async def test_a_break_of_the_structure_is_caught(
    server: EmbeddedServer,
    make_database: MakeDatabase,
    mutant: DatabaseMutant,
    record_property: RecordProperty,
) -> None:
    """FR-018, SC-002."""
    database = await asyncio.to_thread(make_database, server)
    try:
        await judge(database, mutant, record_property)
    finally:
        if mutant.undo:
            await execute(
                server.owner_url.replace("/taskcore?", "/postgres?"),
                f"DROP DATABASE {database.name} WITH (FORCE)",
                *mutant.undo,
            )


@pytest.mark.parametrize("mutant", CODE_MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_break_of_the_code_is_caught(
    database: Database,
    mutant: CodeMutant,
    monkeypatch: pytest.MonkeyPatch,
    record_property: RecordProperty,
) -> None:
    """FR-018, SC-002."""
    mutant.patch(monkeypatch)
    caught_by = await first_to_catch(database, FACES)
    monkeypatch.undo()
    record_property("mutant", (mutant.name, caught_by, ""))

    assert caught_by != SURVIVED
