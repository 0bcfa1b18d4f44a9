"""Through a router beside direct. Router, shards and client share the processors."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from taskcore import TaskStore, UserTasks
from tests.benchmarks.figures import Results
from tests.benchmarks.plan import Plan
from tests.benchmarks.sample import Calls, sample, warm_up
from tests.benchmarks.server import Server
from tests.clusters import running_cluster
from tests.folders import PREPARED, server_folder
from tests.router.fleet import running_fleet

_CLIENTS = 16
_USERS = range(1, 41)
_TASKS_EACH = 100
_ISSUER = "https://issuer.example"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Peer:
    """A store, and the servers that it uses."""

    name: str
    store: TaskStore
    servers: dict[str, Path]


@dataclass
class _Way:
    """A way to name users, and a task of each."""

    users: list[tuple[UserTasks, int]]

    def calls(self, call: Callable[[UserTasks, int], Awaitable[object]]) -> Calls:
        return (call(tasks, task) for tasks, task in cycle(self.users))


async def measure(_server: Server, plan: Plan) -> Results:
    """Measure throughput, and the CPU of the router and of the servers behind it."""
    results = Results()
    with ExitStack() as stack:
        # Starting them runs event loops of their own.
        enter = stack.enter_context
        os.environ[PREPARED] = str(enter(server_folder()))
        folder = enter(server_folder())
        direct = await asyncio.to_thread(enter, running_cluster(folder, 18))
        fleet = await asyncio.to_thread(enter, running_fleet(18, 18))
        routed = {"router": fleet.router.folder / "data"} | {
            f"shard {number}": shard.folder for number, shard in enumerate(fleet.shards)
        }
        async with (
            TaskStore(direct.server.application_url) as one,
            TaskStore(fleet.url) as other,
        ):
            peers = [
                _Peer("direct", one, {"server": direct.folder}),
                _Peer("through a router", other, routed),
            ]
            ways = {peer.name: await _fill(peer.store) for peer in peers}
            for turn in plan.turns(peers):
                for peer in turn:
                    await _measure(peer, ways[peer.name], plan, results)
        await asyncio.to_thread(stack.close)
    return results


async def _fill(store: TaskStore) -> dict[str, _Way]:
    by_id, by_identity, by_token = _Way([]), _Way([]), _Way([])
    for user in _USERS:
        tasks = store.for_user(user)
        created = await tasks.create_many([{"title": "Buy groceries"}] * _TASKS_EACH)
        by_id.users.append((tasks, created[0].id))
        token = await tasks.tokens.create("bench")
        by_token.users.append((store.for_token(token.secret), created[0].id))
        known = store.for_identity(_ISSUER, f"subject {user}")
        by_identity.users.append((known, (await known.create("Buy groceries")).id))
    return {"user": by_id, "identity": by_identity, "token": by_token}


async def _measure(peer: _Peer, ways: dict[str, _Way], plan: Plan, results: Results) -> None:
    numbers = count()
    cases = {
        "get": ways["user"].calls(lambda tasks, task: tasks.get(task)),
        "list 20": ways["user"].calls(lambda tasks, _: tasks.list(limit=20)),
        "create": ways["user"].calls(lambda tasks, _: tasks.create("Buy groceries")),
        "update": ways["user"].calls(
            lambda tasks, task: tasks.update(task, title=f"Buy groceries {next(numbers)}")
        ),
        "get, by an identity": ways["identity"].calls(lambda tasks, task: tasks.get(task)),
        "get, by a token": ways["token"].calls(lambda tasks, task: tasks.get(task)),
    }
    for case, calls in cases.items():
        await warm_up(calls, clients=_CLIENTS)
        before = {name: _cpu(folder) for name, folder in peer.servers.items()}
        taken = await sample(calls, clients=_CLIENTS, seconds=plan.seconds)
        results.add(f"operations/s, {_CLIENTS} at once", case, peer.name, taken.rate)
        results.add("median, ms", case, peer.name, taken.median * 1e3)
        used = {name: _cpu(folder) - before[name] for name, folder in peer.servers.items()}
        kinds = {"router": used.pop("router", 0.0), "servers": sum(used.values())}
        for kind, seconds in kinds.items():
            if seconds:
                name = f"{peer.name}: {kind}"
                results.add("server CPU, µs an operation", case, name, seconds / taken.count * 1e6)


def _cpu(folder: Path) -> float:
    """Return the seconds of CPU that the processes of a server have used."""
    postmaster = int((folder / "postmaster.pid").read_text().split()[0])
    return sum(
        sum(map(int, fields[11:13])) / _TICKS
        for fields in _processes()
        if postmaster in (int(fields[1]), int(fields[-1]))
    )


def _processes() -> Iterator[list[str]]:
    """Yield the fields of each process after its name, and its id as the last one."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        yield [*text.rpartition(") ")[2].split(), path.parent.name]
