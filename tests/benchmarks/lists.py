"""The cost of a page of one user's tasks in each order, and of a search that finds nothing."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice, repeat

from taskcore import UserTasks
from taskcore.limits import MAX_PAGE
from taskcore.tasks.task_order import ORDERS, TaskOrder
from tests.benchmarks.contents import DESCRIPTION, PAGE, TITLE
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.plan import Plan
from tests.benchmarks.population import populated
from tests.benchmarks.sample import Calls, sample, warm_up
from tests.benchmarks.server import Server

_CALLS, _CALLS_WHEN_QUICK = 300, 100
_CALLS_OF_ALL = 10
_MOST = 1.25
_SHORT, _LONG, _OTHERS, _OTHERS_WHEN_QUICK = 1_000, 100_000, 1_000_000, 200_000
_MIDDLE = 10_000
_LATE_PAGE, _LATE_PAGE_OF_SHORT = 1_000, 20

# Half of the tasks have a due date, nine of ten a priority, a tenth a tag.
_FIELDS = """
    UPDATE taskcore.tasks SET
        due = CASE WHEN id % 2 = 0
              THEN to_char(date '2026-01-01' + (id % 997)::integer, 'YYYY-MM-DD') END,
        priority = id % 10,
        tags = CASE WHEN id % 10 = 0 THEN '{shop}' ELSE '{}' END::text[],
        completed = id % 3 = 0
"""


async def measure(server: Server, plan: Plan) -> Results:
    """Measure pages of each order, and what reads every task of a user."""
    results = Results()
    await _measure_orders(server, plan, results)
    for panel, cases in results.panels().items():
        for case, figures in cases.items():
            first, *others = figures
            for other in others:
                ratio = results.ratio(panel, case, other, first)
                results.bars.append(Bar(f"{case}: {other} / {first}", ratio, most=_MOST))
    await _measure_searches(server, plan, results)
    return results


async def _measure_orders(server: Server, plan: Plan, results: Results) -> None:
    """Compare a first and a late page of each order, in lists of several lengths."""
    async with AsyncExitStack() as stack:
        lists = await _lists(stack, server, plan, _SHORT)
        for order in ORDERS:
            first = dict.fromkeys(lists)
            late = {
                name: await _cursor_before(
                    tasks, order, _LATE_PAGE_OF_SHORT if name == _named(_SHORT) else _LATE_PAGE
                )
                for name, tasks in lists.items()
            }
            for place, cursors in (("page 1", first), (f"page {_LATE_PAGE:,}", late)):
                sources = {
                    name: partial(_pages, tasks, order, cursors[name])
                    for name, tasks in lists.items()
                }
                await _compare(plan, results, f"{order}, {place}", sources)


async def _measure_searches(server: Server, plan: Plan, results: Results) -> None:
    """Measure what reads every task of the user: what no task has. It grows with the list."""
    async with AsyncExitStack() as stack:
        lists = await _lists(stack, server, plan, _MIDDLE)
        for turn in plan.turns(list(lists.items())):
            for name, tasks in turn:
                for case, calls in {
                    "search for a word that no task has": (
                        tasks.list(search="absent") for _ in repeat(None)
                    ),
                    "tag that no task has": (tasks.list(tags=["absent"]) for _ in repeat(None)),
                    "count": (tasks.count() for _ in repeat(None)),
                }.items():
                    taken = await sample(islice(calls, _CALLS_OF_ALL))
                    results.add(
                        "p50, ms, every task of a user is read", case, name, taken.median * 1e3
                    )


async def _lists(
    stack: AsyncExitStack, server: Server, plan: Plan, shortest: int
) -> dict[str, UserTasks]:
    """Return users with lists of several lengths, each with another user beside them."""
    others = _OTHERS_WHEN_QUICK if plan.quick else _OTHERS
    short, long = await stack.enter_async_context(_two_users(server, shortest, _LONG))
    longest, beside = await stack.enter_async_context(_two_users(server, others, _LONG))
    return {
        _named(shortest): short,
        _named(_LONG): long,
        f"{_LONG:,} beside {others:,} of another": beside,
        _named(others): longest,
    }


def _named(length: int) -> str:
    return f"{length:,} tasks"


@asynccontextmanager
async def _two_users(
    server: Server, first: int, second: int
) -> AsyncIterator[tuple[UserTasks, UserTasks]]:
    async with populated(server, users=1, tasks=first) as population:
        await population.execute(
            "SET session_replication_role = replica",
            "INSERT INTO taskcore.users (id) VALUES (2)",
            "INSERT INTO taskcore.tasks (user_id, id, write_id, title, description) "  # noqa: S608
            f"SELECT 2, n, 0, '{TITLE}', '{DESCRIPTION}' FROM generate_series(1, {second}) AS n",
            _FIELDS,
            "VACUUM (FULL, ANALYZE) taskcore.tasks",
            "CHECKPOINT",
        )
        yield population.store.for_user(1), population.store.for_user(2)


async def _cursor_before(tasks: UserTasks, order: TaskOrder, page: int) -> str | None:
    """Return the cursor of a page of 20 tasks."""
    left, cursor = (page - 1) * PAGE, None
    while left:
        read = min(left, MAX_PAGE)
        cursor = (await tasks.list(order=order, limit=read, after=cursor)).next
        left -= read
    return cursor


def _pages(tasks: UserTasks, order: TaskOrder, cursor: str | None) -> Calls:
    return (tasks.list(order=order, limit=PAGE, after=cursor) for _ in repeat(None))


async def _compare(
    plan: Plan, results: Results, case: str, sources: Mapping[str, Callable[[], Calls]]
) -> None:
    for turn in plan.turns(list(sources.items())):
        for name, source in turn:
            calls = source()
            await warm_up(calls)
            taken = await sample(islice(calls, _CALLS_WHEN_QUICK if plan.quick else _CALLS))
            results.add("p50, µs, a page of 20 of one user", case, name, taken.median * 1e6)
