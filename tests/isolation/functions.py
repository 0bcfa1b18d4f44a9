"""The table of the SQL functions: who may call each, and the arguments of a call.

A new function needs an entry here; ``test_probes`` compares the table with the database.
"""

import hashlib
import json

Arguments = tuple[object, ...]

DIRECTORY: dict[str, Arguments] = {
    "user_list_v1": (None, 1000),
    "identity_list_v1": (None, None, None, 1000),
}
"""Functions of administrators that read every user's row, by their own role and policies."""

USER_CALLS: dict[str, Arguments] = {
    "user_get_v1": (),
    "user_delete_v1": (),
    "user_block_v1": (False,),
}
"""Functions of administrators that take a user, and the arguments after the user."""

IDENTITY_CALLS: dict[str, Arguments] = {
    "identity_user_v1": (None, "empty"),
    "identity_block_v1": (False,),
    "identity_move_v1": ("https://to.example", "to", False),
}
"""Functions that take an identity, and the arguments after its issuer and subject."""

IDENTITIES_OF_ADMINISTRATORS = ("identity_block_v1", "identity_move_v1")
"""Those of `IDENTITY_CALLS` that are for administrators."""

TOKEN = hashlib.sha256(b"a token of the tests").digest()

TOKEN_CALLS: dict[str, Arguments] = {
    "token_user_v1": ("tasks:read", None),
    "session_close_v1": (),
}
"""Functions that take the hash of a token, and the arguments after it."""

TOKENS_OF_USER: dict[str, Arguments] = {
    "token_create_v1": (TOKEN, 7, "x", ["tasks:read"], 1),
    "token_rotate_v1": (7, TOKEN, 8),
    "token_list_v1": (),
    "token_delete_v1": (7,),
    "session_open_v1": (TOKEN, TOKEN, 7, 60),
}
"""Functions on the tokens of a user, and the arguments after the user."""

UNBOUND = (*DIRECTORY, "schema_version_v1")
"""Functions that take neither a user nor a credential."""

NESTED = ("task_update_many_v1", "task_delete_many_v1")
"""Functions that call others, with the caller's rights, and reach no table."""

OF_OWNER = "owner_user_v1"
"""Calls the functions that find the user of a credential, with the caller's rights."""

OF_ID = "user_id_v1"
"""Returns its argument."""

SHARED = ("user_place", "identity_place", "task_is_valid")
"""Functions that others and administrators call, and that reach no table."""

INNER = (
    "task_fits",
    "task_text",
    "task_find",
    "text_has",
    "merge_patched",
)
"""Functions that only the tables' constraints and other functions call."""


def task_calls(task: int, write: int, title: str) -> dict[str, Arguments]:
    """Return the functions of the application, and the arguments after the user.

    Args:
        task: The id of the task.
        write: The id of the write.
        title: The task's title.
    """
    fields = {"title": title}
    batch = json.dumps([{"id": task, **fields}])
    return {
        "task_create_v1": (task, write, json.dumps(fields)),
        "task_create_many_v1": (write, batch),
        "task_import_v1": (write, batch),
        "task_get_v1": (task,),
        "task_list_v1": (None, 1000, None),
        "task_count_v1": (None, None),
        "task_update_v1": (task, write, None, json.dumps(fields)),
        "task_update_many_v1": ([str(task)], write, json.dumps(fields)),
        "task_delete_v1": (task, None),
        "task_delete_many_v1": ([str(task)],),
    }
