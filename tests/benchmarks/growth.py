"""The cost of an operation as tables grow: more tasks, more users, longer lists.

Every size is a database of its own, so that all of them can take turns.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice, repeat

from tests.benchmarks.contents import PAGE
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.operations import LIST
from tests.benchmarks.plan import Plan
from tests.benchmarks.population import Population, populated
from tests.benchmarks.sample import Calls, sample, warm_up
from tests.benchmarks.server import Server
from tests.cursors import cursor

_CALLS, _CALLS_WHEN_QUICK = 300, 100
_MOST = 1.25

_USERS = 50
_SIZES, _SIZES_WHEN_QUICK = (1_000, 100_000, 1_000_000), (1_000, 100_000)
_HUGE = 10_000_000

_FEW_USERS, _MANY_USERS, _MANY_USERS_WHEN_QUICK = 10, 100_000, 5_000

_OPEN = 10
_LONG, _LONG_WHEN_QUICK = 1_000_000, 300_000
_LATE_PAGE = 10_000

Source = Callable[[], Calls]
"""Makes the calls that are measured at one size."""

# Last the one that makes tables grow.
_OPERATIONS = {"get": Population.get, LIST: Population.newest, "create": Population.create}


async def measure(server: Server, plan: Plan) -> Results:
    """Measure latencies at each size, one call at a time."""
    results = Results()
    await _more_tasks(server, plan, results)
    await _more_users(server, plan, results)
    await _one_long_list(server, plan, results)
    for panel, cases in results.panels().items():
        for case, figures in cases.items():
            first, *others = figures
            for other in others:
                ratio = results.ratio(panel, case, other, first)
                results.bars.append(Bar(f"{case}: {other} / {first}", ratio, most=_MOST))
    return results


async def _more_tasks(server: Server, plan: Plan, results: Results) -> None:
    sizes = _SIZES_WHEN_QUICK if plan.quick else _SIZES
    async with AsyncExitStack() as stack:
        populations = {
            f"{tasks:,} tasks": await stack.enter_async_context(
                populated(server, users=_USERS, tasks=tasks)
            )
            for tasks in ((*sizes, _HUGE) if plan.huge else sizes)
        }
        await _compare_populations(plan, results, f"p50, µs, {_USERS} users", populations)


async def _more_users(server: Server, plan: Plan, results: Results) -> None:
    many = _MANY_USERS_WHEN_QUICK if plan.quick else _MANY_USERS
    # Enough that each of the many users has a whole page.
    tasks = PAGE * many
    async with AsyncExitStack() as stack:
        populations = {
            f"{users:,} users": await stack.enter_async_context(
                populated(server, users=users, tasks=tasks)
            )
            for users in (_FEW_USERS, many)
        }
        await _compare_populations(plan, results, f"p50, µs, {tasks:,} tasks", populations)


async def _one_long_list(server: Server, plan: Plan, results: Results) -> None:
    """Look at one user's list: for what is rare in it, and near its end."""
    length = _LONG_WHEN_QUICK if plan.quick else _LONG
    async with populated(server, users=1, tasks=length) as population:
        await population.execute(
            # Open are the oldest, the last ones that a reader of the whole list would find.
            f"UPDATE taskcore.tasks SET completed = true WHERE id > {_OPEN}",  # noqa: S608
            "INSERT INTO taskcore.users (id) VALUES (2)",
            "INSERT INTO taskcore.tasks (user_id, id, write_id, title, description, completed) "  # noqa: S608
            "SELECT 2, id, 0, title, description, completed "
            f"FROM taskcore.tasks WHERE id <= {2 * _OPEN}",
            "VACUUM (FULL, ANALYZE) taskcore.tasks",
            "CHECKPOINT",
        )
        long, short = population.store.for_user(1), population.store.for_user(2)
        for tasks in (long, short):
            assert len((await tasks.list(completed=False)).items) == _OPEN
        late = length - (_LATE_PAGE - 1) * PAGE + 1
        panel = "p50, µs, a user's open tasks"
        sizes: dict[str, Source] = {
            f"{_OPEN} open of {2 * _OPEN}": lambda: (
                short.list(completed=False) for _ in repeat(None)
            ),
            f"{_OPEN} open of {length:,}": lambda: (
                long.list(completed=False) for _ in repeat(None)
            ),
        }
        await _compare(plan, results, panel, "list open", sizes)
        panel = f"p50, µs, {length:,} tasks of one user"
        sizes = {
            "page 1": lambda: (long.list(limit=PAGE) for _ in repeat(None)),
            f"page {_LATE_PAGE:,}": lambda: (
                long.list(limit=PAGE, after=cursor(late)) for _ in repeat(None)
            ),
        }
        await _compare(plan, results, panel, LIST, sizes)


async def _compare_populations(
    plan: Plan, results: Results, panel: str, populations: dict[str, Population]
) -> None:
    for case, calls_of in _OPERATIONS.items():
        sizes = {name: partial(calls_of, population) for name, population in populations.items()}
        await _compare(plan, results, panel, case, sizes)


async def _compare(
    plan: Plan, results: Results, panel: str, case: str, sizes: Mapping[str, Source]
) -> None:
    for turn in plan.turns(list(sizes.items())):
        for name, source in turn:
            calls = source()
            await warm_up(calls)
            taken = await sample(islice(calls, _CALLS_WHEN_QUICK if plan.quick else _CALLS))
            results.add(panel, case, name, taken.median * 1e6)
