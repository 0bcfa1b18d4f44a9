"""The same store for code without ``await``: Flask, Django, scripts.

::

    from taskcore.sync import TaskStore

    with TaskStore(database_url) as store:
        task = store.for_user(42).create("Buy groceries")

Every method has the arguments, results and errors of its asynchronous namesake. A call hands
its work to one background thread with an event loop, which costs about 0.1 ms. Any number of
threads may use a store at once. Asynchronous code must use ``taskcore.TaskStore``: here a
call blocks its thread.
"""

from taskcore.sync.store import TaskStore
from taskcore.sync.tokens import Tokens
from taskcore.sync.user_tasks import UserTasks
from taskcore.sync.users import Users

__all__ = ["TaskStore", "Tokens", "UserTasks", "Users"]
