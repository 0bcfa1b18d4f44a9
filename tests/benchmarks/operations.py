"""The operations that are measured, as calls of a peer."""

from collections.abc import Callable
from itertools import count, cycle

from tests.benchmarks import contents
from tests.benchmarks.contents import DESCRIPTION, PAGE, TITLE
from tests.benchmarks.peers import Peer
from tests.benchmarks.sample import Calls

LIST = f"list {PAGE}"


def operations(dispensable: int) -> dict[str, Callable[[Peer], Calls]]:
    """Return each operation's calls, in the order in which to make them.

    Args:
        dispensable: How many tasks are there to be deleted: when none is left the
            calls end. The others have no end.
    """

    def get(peer: Peer) -> Calls:
        return (peer.get(user, task) for user, task in cycle(contents.tasks()))

    def newest(peer: Peer) -> Calls:
        return (peer.newest(user, PAGE) for user, _ in cycle(contents.tasks()))

    def update(peer: Peer) -> Calls:
        # Another title each time: an update that changes nothing writes nothing.
        numbered = zip(cycle(contents.tasks()), count(), strict=False)
        return (peer.update(user, task, f"{TITLE} {number}") for (user, task), number in numbered)

    def create(peer: Peer) -> Calls:
        return (peer.create(user, TITLE, DESCRIPTION) for user, _ in cycle(contents.tasks()))

    def delete(peer: Peer) -> Calls:
        return (peer.delete(user, task) for user, task in contents.dispensable_tasks(dispensable))

    return {"get": get, LIST: newest, "update": update, "create": create, "delete": delete}
