"""The catalogue of deliberate breaks of isolation.

Each is applied to a database, or to the code, of its own; ``test_mutants`` requires
that it is caught. Where one wall hides that the other is broken, the mutant names
the wall that is taken away before the probes are run.
"""

from collections.abc import Callable
from dataclasses import dataclass

from taskcore.schema import catalog
from tests.isolation.functions import (
    DIRECTORY,
    IDENTITIES_OF_ADMINISTRATORS,
    IDENTITY_CALLS,
    NESTED,
    OF_ID,
    OF_OWNER,
    TOKEN_CALLS,
    UNBOUND,
    USER_CALLS,
)
from tests.isolation.walls import QUERIES, Kind, Wall, body_edited, predicates, replacing

Edit = Callable[[str], str]


@dataclass(frozen=True)
class DatabaseMutant:
    """A break of the database.

    Attributes:
        name: What is broken.
        statements: SQL, for a superuser.
        edit: What is changed in the functions' script.
        without: The wall that hides the break, and is taken away for the probes.
        visible: Whether callers can tell; if not, only the catalogs show the break.
        undo: SQL, after the database is gone: roles belong to the cluster.
    """

    name: str
    statements: tuple[str, ...] = ()
    edit: Edit | None = None
    without: Wall | None = None
    visible: bool = True
    undo: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """The functions' script with the edit in it."""
        script = catalog.sql("functions")
        return self.edit(script) if self.edit else script

    @property
    def sql(self) -> tuple[str, ...]:
        """All of the break, in order."""
        return (*((replacing(self.script),) if self.edit else ()), *self.statements)


_BIND = "v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);"
_UNBIND = "v_bound := pg_catalog.set_config('taskcore.user_id', '', true);"


def _bound(user: str) -> str:
    return f"pg_catalog.set_config('taskcore.user_id', {user}::text, true)"


_GUARD = "IF p_user_id IS NULL OR p_user_id < 1 THEN"

_CONDITIONS = {
    "dropped": "true",
    "negated": "{column} <> {user}",
    "widened upwards": "{column} >= {user}",
    "widened downwards": "{column} <= {user}",
    "widened to all": "{column} <> -1",
}
_CONDITIONS_OF: dict[Kind, dict[str, str]] = {
    "user": _CONDITIONS,
    "identity": {
        "dropped": "true",
        "of the issuer alone": "{column}.issuer = p_issuer",
        "of the subject alone": "{column}.subject = p_subject",
        "negated": "NOT ({column}.issuer = p_issuer AND {column}.subject = p_subject)",
        "without regard to case": "{column}.issuer = p_issuer"
        " AND pg_catalog.lower({column}.subject) = pg_catalog.lower(p_subject)",
    },
    "token": {
        "dropped": "true",
        "negated": "{column} <> p_hash",
        "widened upwards": "{column} >= p_hash",
        "widened downwards": "{column} <= p_hash",
        "of the first half": "pg_catalog.substr({column}, 1, 16)"
        " = pg_catalog.substr(p_hash, 1, 16)",
        "of the second half": "pg_catalog.substr({column}, 17) = pg_catalog.substr(p_hash, 17)",
    },
}


def _edited(
    name: str, function: str, pattern: str, replacement: str, without: Wall | None = None
) -> DatabaseMutant:
    return DatabaseMutant(
        f"{function}: {name}", edit=body_edited(function, pattern, replacement), without=without
    )


# The look-up reads one row: that of the user, who is there, is also the first of those above.
_SAME_ROW = {
    (function, number, "widened upwards")
    for function in ("identity_user_v1", "token_user_v1")
    for number in (2, 3)
}


def _predicates() -> list[DatabaseMutant]:
    return [
        DatabaseMutant(
            f"{predicate.function}: predicate {predicate.number} {how}",
            edit=predicate.replaced(condition),
            without="rls",
            visible=(predicate.function, predicate.number, how) not in _SAME_ROW,
        )
        for predicate in predicates()
        for how, condition in _CONDITIONS_OF[predicate.kind].items()
    ]


def _bindings() -> list[DatabaseMutant]:
    changes = {
        "binding skipped": (_BIND, ""),
        "binding for the session": (_BIND, _BIND.replace("true", "false")),
        "binding of the next user": (_BIND, _BIND.replace("p_user_id::", "(p_user_id + 1)::")),
        "binding left behind": (_UNBIND, ""),
        "guard dropped": (_GUARD, "IF false THEN"),
        "guard lets zero and below pass": (_GUARD, "IF p_user_id IS NULL THEN"),
        "guard lets null pass": (_GUARD, "IF p_user_id < 1 THEN"),
    }
    return [
        _edited(name, function, *change)
        for function in QUERIES
        if function not in IDENTITY_CALLS and function not in TOKEN_CALLS
        for name, change in changes.items()
    ]


def _identities() -> list[DatabaseMutant]:
    look_up = "identity_user_v1"
    mutants = []
    for function in IDENTITY_CALLS:
        guard = "IF p_issuer IS NULL OR p_issuer = '' OR p_subject IS NULL OR p_subject = ''"
        mutants.append(_edited("guard dropped", function, guard, "IF false"))
        for name in ("issuer", "subject"):
            bind = f"set_config('taskcore.{name}', p_{name}, true)"
            unbind = f"v_bound := pg_catalog.set_config('taskcore.{name}', '', true);"
            mutants += [
                _edited(
                    f"{name} not bound", function, bind, f"current_setting('taskcore.{name}', true)"
                ),
                _edited(
                    f"{name} bound for the session", function, bind, bind.replace("true", "false")
                ),
                _edited(f"{name} left behind", function, unbind, ""),
            ]
    changes = {
        "user left behind": (_UNBIND, ""),
        "user not bound": (
            f"IS NOT NULL THEN\n            v_bound := {_bound('v_user_id')};",
            "IS NOT NULL THEN",
        ),
        "a blocked identity is let in": (
            "IF v_blocked THEN\n            RAISE EXCEPTION 'the identity",
            "IF false THEN\n            RAISE EXCEPTION 'the identity",
        ),
        "a blocked user is let in": (
            "IF v_blocked THEN\n                RAISE EXCEPTION 'the user",
            "IF false THEN\n                RAISE EXCEPTION 'the user",
        ),
        "another's path is answered": ("IF p_user_id <> v_user_id THEN", "IF false THEN"),
        "an unknown identity may name a user": (
            "ELSIF p_user_id IS NOT NULL THEN",
            "ELSIF false THEN",
        ),
        "an unknown identity is let in": ("ELSIF p_unknown = 'refuse' THEN", "ELSIF false THEN"),
        "a read makes a user": ("ELSIF p_unknown = 'empty' THEN", "ELSIF false THEN"),
        "an unknown identity is a user's": ("v_user_id := 9223372036854775807", "v_user_id := 123"),
        "new ids are alike": (
            "v_random := pg_catalog.gen_random_uuid()::text",
            "v_random := '00000000000000'",
        ),
        "new ids are among those of hosts": (
            "v_user_id := 4503599627370496\n                + (",
            "v_user_id := 1 + (",
        ),
    }
    return mutants + [_edited(name, look_up, *change) for name, change in changes.items()]


def _tokens() -> list[DatabaseMutant]:
    look_up = "token_user_v1"
    bind = "set_config('taskcore.token', p_hash::text, true)"
    expired = """
          AND (c.expires_at IS NULL OR c.expires_at > pg_catalog.clock_timestamp())"""
    presented = {
        "guard dropped": (
            "IF p_hash IS NULL OR pg_catalog.octet_length(p_hash) <> 32 THEN",
            "IF false THEN",
        ),
        "token not bound": (bind, "current_setting('taskcore.token', true)"),
        "token bound for the session": (bind, bind.replace("true)", "false)")),
        "token left behind": (
            "v_bound := pg_catalog.set_config('taskcore.token', '', true);",
            "",
        ),
    }
    changes = {
        "user not bound": (f"v_bound := {_bound('v_user_id')};", ""),
        "user left behind": (_UNBIND, ""),
        "an expired token is let in": (expired, ""),
        "a token is let in as it ends": (
            "c.expires_at > pg_catalog.clock_timestamp()",
            "c.expires_at >= pg_catalog.now()",
        ),
        "a blocked user is let in": (
            "IF v_blocked IS DISTINCT FROM false",
            "IF v_blocked IS NULL",
        ),
        "an unknown token is let in": ("IF v_blocked IS DISTINCT FROM false", "IF v_blocked"),
        "no scope is needed": ("p_scope IS NULL OR p_scope <> ALL (v_scopes)", "false"),
        "any scope will do": ("OR p_scope <> ALL (v_scopes)", ""),
        "what is for no token is for all": ("p_scope IS NULL OR p_scope", "p_scope"),
        "another's path is answered": ("ELSIF p_user_id <> v_user_id", "ELSIF false"),
        "the day is never written": ("IF COALESCE(v_used < v_today, true)", "IF false"),
        "a use waits for another": (" SKIP LOCKED", ""),
        "a database without writes is written to": (
            "pg_catalog.current_setting('transaction_read_only') = 'off'",
            "true",
        ),
    }
    mutants = [
        *(
            _edited(name, function, *change)
            for function in TOKEN_CALLS
            for name, change in presented.items()
        ),
        *(_edited(name, look_up, *change) for name, change in changes.items()),
    ]
    for function in ("token_create_v1", "token_rotate_v1"):
        mutants += [
            _edited("no limit", function, ">= 100", ">= 1000"),
            _edited("calls at once exceed the limit", function, " FOR NO KEY UPDATE", ""),
            _edited("tasks wait", function, " FOR NO KEY UPDATE", " FOR UPDATE"),
            _edited(
                "expired tokens count",
                function,
                "k.expires_at <= pg_catalog.clock_timestamp()",
                "false",
            ),
        ]
    return [
        *mutants,
        _edited(
            "token of another user",
            "token_create_v1",
            "VALUES (p_hash, p_user_id,",
            "VALUES (p_hash, p_user_id + 1,",
            "rls",
        ),
        _edited(
            "token of another user",
            "token_rotate_v1",
            "VALUES (p_hash, p_user_id,",
            "VALUES (p_hash, p_user_id + 1,",
            "rls",
        ),
        _edited(
            "session of another user",
            "session_open_v1",
            "VALUES (p_hash, p_user_id,",
            "VALUES (p_hash, p_user_id + 1,",
            "rls",
        ),
        _edited("any token is a link", "session_open_v1", " AND k.scopes = ARRAY['sign-in']", ""),
        _edited("any token is a session", "session_close_v1", " AND 'tokens' = ANY (c.scopes)", ""),
        _edited(
            "a session becomes an API token",
            "token_rotate_v1",
            " AND k.scopes <@ ARRAY['tasks:read', 'tasks:write']",
            "",
        ),
        _edited(
            "a token is replaced twice",
            "token_rotate_v1",
            "IF v_old.is_replaced THEN",
            "IF false THEN",
        ),
        _edited(
            "the old token goes on",
            "token_rotate_v1",
            "expires_at = LEAST(k.expires_at,",
            "expires_at = GREATEST(k.expires_at,",
        ),
        # Either condition is enough: the second is for uses at the same time.
        DatabaseMutant(
            f"{look_up}: the day is written each time",
            edit=lambda script: body_edited(look_up, "COALESCE(v_used < v_today, true)", "true")(
                body_edited(look_up, " AND COALESCE(c.last_used_on < v_today, true)", "")(script)
            ),
        ),
        # Without a policy the update has no row to check, so it changes another's token.
        _edited(
            "a taken hash is taken over",
            "token_create_v1",
            "ON CONFLICT DO NOTHING;\n    END IF;",
            "ON CONFLICT (hash) DO UPDATE SET user_id = p_user_id;\n    END IF;",
            "rls",
        ),
    ]


def _nested() -> list[DatabaseMutant]:
    mutants = []
    for name in NESTED:
        single = f"taskcore.{name.replace('_many', '')}"
        call = f"{single}(p_user_id, "
        mutants += [
            _edited("guard dropped", name, _GUARD, "IF false THEN"),
            _edited("task of another user", name, call, f"{single}(p_user_id + 1, "),
            _edited("a missing task is passed over", name, "IF v_missing IS NOT NULL", "IF false"),
            DatabaseMutant(
                f"{name}: EXECUTE to PUBLIC",
                (f"GRANT EXECUTE ON FUNCTION taskcore.{name} TO PUBLIC",),
            ),
        ]
    return mutants


def _of_owner() -> list[DatabaseMutant]:
    return [
        *(
            _edited(
                f"{function}: another user",
                OF_OWNER,
                f"RETURN taskcore.{function}(",
                f"RETURN 1 + taskcore.{function}(",
            )
            for function in ("identity_user_v1", "token_user_v1")
        ),
        _edited(
            "an unknown owner is somebody",
            OF_OWNER,
            "RAISE EXCEPTION 'the owner is not known' USING ERRCODE = '22023'",
            "RETURN 456",
        ),
        *(
            DatabaseMutant(
                f"{name}: EXECUTE to PUBLIC",
                (f"GRANT EXECUTE ON FUNCTION taskcore.{name} TO PUBLIC",),
            )
            for name in (OF_OWNER, OF_ID)
        ),
    ]


def _bodies() -> list[DatabaseMutant]:
    mutants = [
        _edited(
            "row of another user",
            "task_create_v1",
            "VALUES (p_user_id, p_id,",
            "VALUES (p_user_id + 1, p_id,",
            "rls",
        ),
        _edited(
            "rows of another user",
            "task_create_many_v1",
            "SELECT p_user_id, b.id",
            "SELECT p_user_id + 1, b.id",
            "rls",
        ),
        _edited(
            "user taken from the task",
            "task_create_v1",
            "VALUES (p_user_id, p_id,",
            "VALUES (COALESCE(v_new.user_id, p_user_id), p_id,",
            "rls",
        ),
        _edited(
            "user taken from the changes",
            "task_update_v1",
            "SET title = v_new.title,",
            "SET user_id = v_new.user_id, title = v_new.title,",
            "rls",
        ),
        _edited(
            "id taken from the changes",
            "task_update_v1",
            "SET title = v_new.title,",
            "SET id = v_new.id, title = v_new.title,",
        ),
        _edited(
            "user taken from the batch",
            "task_create_many_v1",
            "SELECT p_user_id, b.id",
            "SELECT COALESCE(b.user_id, p_user_id), b.id",
            "rls",
        ),
    ]
    mutants += [
        _edited(
            "rows of another user",
            "task_import_v1",
            "SELECT p_user_id, b.id",
            "SELECT p_user_id + 1, b.id",
            "rls",
        ),
        _edited(
            "user taken from the batch",
            "task_import_v1",
            "SELECT p_user_id, b.id",
            "SELECT COALESCE(b.user_id, p_user_id), b.id",
            "rls",
        ),
        _edited(
            "ids of others are called taken",
            "task_import_v1",
            "WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0",
            "WHERE t.id = b.id OFFSET 0",
            "rls",
        ),
        # Refuses an import where an id is another's.
        _edited(
            "an id is free only if nobody has it",
            "task_import_v1",
            "ORDER BY b.key, b.id\n    ON CONFLICT",
            "WHERE NOT EXISTS (SELECT FROM taskcore.tasks AS o"
            " WHERE o.id = b.id AND o.user_id <> p_user_id)\n    ON CONFLICT",
            "rls",
        ),
    ]
    mutants.append(
        _edited(
            "a search reads the texts of all",
            "task_fits",
            "strpos(taskcore.task_text(t), p_search[1]) > 0",
            "EXISTS (SELECT FROM taskcore.tasks AS o"
            " WHERE strpos(taskcore.task_text(o), p_search[1]) > 0)",
            "rls",
        )
    )
    # A message or a code that tells another user's task from a missing one.
    oracle = (
        "IF EXISTS (SELECT FROM taskcore.tasks AS o WHERE o.id = p_id AND o.user_id <> p_user_id)"
        " AND NOT EXISTS (SELECT FROM taskcore.tasks AS o"
        " WHERE o.id = p_id AND o.user_id = p_user_id) THEN {} END IF;"
    )
    said = {
        "message tells foreign from missing": "RAISE EXCEPTION 'not yours';",
        "code tells foreign from missing": "RAISE SQLSTATE 'TC403';",
    }
    mutants += [
        _edited(name, function, _UNBIND, f"{oracle.format(raised)} {_UNBIND}", "rls")
        for function in ("task_get_v1", "task_update_v1", "task_delete_v1")
        for name, raised in said.items()
    ]
    mutants.append(
        _edited(
            "detail names the ids of others",
            "task_create_many_v1",
            "WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0\n            ) AS s;",
            "WHERE t.id = b.id OFFSET 0\n            ) AS s;",
            "rls",
        )
    )
    return mutants


def _attributes() -> list[DatabaseMutant]:
    mutants = []
    for name in (*QUERIES, *UNBOUND):
        function = f"FUNCTION taskcore.{name}"
        # Without a user's binding there is nothing for a caller's names to shadow.
        binds = name in QUERIES
        mutants += [
            DatabaseMutant(
                f"{name}: search_path unpinned",
                (f"ALTER {function} RESET search_path",),
                visible=binds,
            ),
            DatabaseMutant(
                f"{name}: search_path with pg_temp in front",
                (f"ALTER {function} SET search_path = pg_temp, pg_catalog",),
                visible=binds,
            ),
            DatabaseMutant(
                f"{name}: search_path without pg_temp",
                (f"ALTER {function} SET search_path = pg_catalog",),
                visible=binds,
            ),
            DatabaseMutant(
                f"{name}: EXECUTE to PUBLIC", (f"GRANT EXECUTE ON {function} TO PUBLIC",)
            ),
        ]
        if name == "schema_version_v1":
            continue
        mutants += [
            DatabaseMutant(f"{name}: SECURITY INVOKER", (f"ALTER {function} SECURITY INVOKER",)),
            DatabaseMutant(
                f"{name}: owned by the superuser",
                (f"ALTER {function} OWNER TO postgres",),
                without="predicates" if binds else None,
                visible=binds,
            ),
            DatabaseMutant(
                f"{name}: owned by a role that bypasses RLS",
                (
                    "CREATE ROLE loose BYPASSRLS",
                    "GRANT USAGE ON SCHEMA taskcore TO loose",
                    (
                        "GRANT SELECT, INSERT, UPDATE, DELETE"
                        " ON taskcore.users, taskcore.tasks, taskcore.identities,"
                        " taskcore.tokens TO loose"
                    ),
                    f"ALTER {function} OWNER TO loose",
                ),
                without="predicates" if binds else None,
                visible=binds,
                undo=("DROP ROLE loose",),
            ),
        ]
        if name in (*USER_CALLS, *DIRECTORY, *IDENTITIES_OF_ADMINISTRATORS):
            mutants.append(
                DatabaseMutant(
                    f"{name}: EXECUTE to the application",
                    (f"GRANT EXECUTE ON {function} TO taskcore_app",),
                )
            )
    return mutants


def _identity_policies() -> list[DatabaseMutant]:
    own = "POLICY identities_presented ON taskcore.identities"
    issuer = "issuer = current_setting('taskcore.issuer')"
    subject = "subject = current_setting('taskcore.subject')"
    both = f"{issuer} AND {subject}"
    mutants = [
        DatabaseMutant(
            f"identities_presented: {clause} {how}",
            (f"ALTER {own} {clause} ({condition})",),
            without="predicates",
        )
        for clause in ("USING", "WITH CHECK")
        for how, condition in {
            "true": "true",
            "of the issuer alone": issuer,
            "of the subject alone": subject,
            "negated": f"NOT ({both})",
            "either": f"{issuer} OR {subject}",
        }.items()
    ]
    mutants.append(
        DatabaseMutant(
            "identities_presented: USING silent when unbound",
            (f"ALTER {own} USING ({both.replace(chr(39) + ')', chr(39) + ', true)')})",),
        )
    )
    mutants += [
        DatabaseMutant(
            f"identities: a policy that lets everything pass, for {command}",
            (f"CREATE POLICY more ON taskcore.identities FOR {command} {clause}",),
            without="predicates",
        )
        for command, clause in (
            ("ALL", "USING (true)"),
            ("SELECT", "USING (true)"),
            ("INSERT", "WITH CHECK (true)"),
            ("UPDATE", "USING (true)"),
            ("DELETE", "USING (true)"),
        )
    ]
    return [
        *mutants,
        DatabaseMutant("identities_presented: dropped", (f"DROP {own}",)),
        # No other role has a privilege that the policy would restrict.
        DatabaseMutant(
            "identities_presented: for PUBLIC", (f"ALTER {own} TO PUBLIC",), visible=False
        ),
        DatabaseMutant(
            "identities: row-level security off",
            ("ALTER TABLE taskcore.identities DISABLE ROW LEVEL SECURITY",),
            without="predicates",
        ),
        DatabaseMutant(
            "identities: FORCE off",
            ("ALTER TABLE taskcore.identities NO FORCE ROW LEVEL SECURITY",),
        ),
        DatabaseMutant(
            "identities_directory: dropped",
            ("DROP POLICY identities_directory ON taskcore.identities",),
        ),
        DatabaseMutant(
            "identities_directory: for everybody",
            ("ALTER POLICY identities_directory ON taskcore.identities TO PUBLIC",),
            without="predicates",
        ),
        DatabaseMutant(
            "identities: written by the directory",
            ("GRANT UPDATE, DELETE ON taskcore.identities TO taskcore_directory",),
        ),
        DatabaseMutant(
            "the authenticator reads tasks",
            (
                "GRANT SELECT ON taskcore.tasks TO taskcore_authenticator",
                "CREATE POLICY more ON taskcore.tasks TO taskcore_authenticator USING (true)",
            ),
        ),
    ]


def _token_policies() -> list[DatabaseMutant]:
    own = "POLICY tokens_presented ON taskcore.tokens"
    bound = "current_setting('taskcore.token')::bytea"
    return [
        *(
            DatabaseMutant(
                f"tokens_presented: USING {how}",
                (f"ALTER {own} USING ({condition})",),
                without="predicates",
            )
            for how, condition in {
                "true": "true",
                "negated": f"hash <> {bound}",
                "widened upwards": f"hash >= {bound}",
                "widened downwards": f"hash <= {bound}",
                "of the first half": f"substr(hash, 1, 16) = substr({bound}, 1, 16)",
                "of the second half": f"substr(hash, 17) = substr({bound}, 17)",
                "silent when unbound": "hash = current_setting('taskcore.token', true)::bytea",
            }.items()
        ),
        DatabaseMutant(
            "tokens_presented: WITH CHECK negated",
            (f"ALTER {own} WITH CHECK (hash <> {bound})",),
            without="predicates",
        ),
        # The hash cannot be written, so USING has checked it already.
        DatabaseMutant(
            "tokens_presented: WITH CHECK true",
            (f"ALTER {own} WITH CHECK (true)",),
            without="predicates",
            visible=False,
        ),
        DatabaseMutant("tokens_presented: dropped", (f"DROP {own}",)),
        DatabaseMutant("tokens_presented: for PUBLIC", (f"ALTER {own} TO PUBLIC",)),
        DatabaseMutant(
            "tokens: written by the authenticator",
            ("GRANT UPDATE ON taskcore.tokens TO taskcore_authenticator",),
        ),
        DatabaseMutant(
            "tokens: read by the directory",
            (
                "GRANT SELECT ON taskcore.tokens TO taskcore_directory",
                "CREATE POLICY more ON taskcore.tokens TO taskcore_directory USING (true)",
            ),
        ),
    ]


def _policies() -> list[DatabaseMutant]:
    mutants = []
    for table, column in (("tasks", "user_id"), ("users", "id"), ("tokens", "user_id")):
        own = f"POLICY {table}_own ON taskcore.{table}"
        bound = "current_setting('taskcore.user_id')::bigint"
        silent = "NULLIF(current_setting('taskcore.user_id', true), '')::bigint"
        for how, condition in (
            ("true", "true"),
            ("widened upwards", f"{column} >= {bound}"),
            ("widened downwards", f"{column} <= {bound}"),
            ("negated", f"{column} <> {bound}"),
            ("silent when unbound", f"{column} = {silent}"),
            ("open when unbound", f"{silent} IS NULL OR {column} = {silent}"),
        ):
            mutants.append(
                DatabaseMutant(
                    f"{table}_own: USING {how}",
                    (f"ALTER {own} USING ({condition})",),
                    without="predicates",
                )
            )
            mutants.append(
                DatabaseMutant(
                    f"{table}_own: WITH CHECK {how}",
                    (f"ALTER {own} WITH CHECK ({condition})",),
                    without="predicates",
                )
            )
        mutants += [
            DatabaseMutant(f"{table}_own: dropped", (f"DROP {own}",)),
            DatabaseMutant(f"{table}_own: for PUBLIC", (f"ALTER {own} TO PUBLIC",)),
            DatabaseMutant(
                f"{table}_own: for SELECT only",
                (
                    f"DROP {own}",
                    f"CREATE {own} FOR SELECT TO taskcore_definer USING ({column} = {bound})",
                ),
            ),
            DatabaseMutant(
                f"{table}_own: restrictive",
                (
                    f"DROP {own}",
                    f"CREATE {own} AS RESTRICTIVE TO taskcore_definer USING ({column} = {bound})",
                ),
            ),
        ]
        for command, clause in (
            ("ALL", "USING (true)"),
            ("SELECT", "USING (true)"),
            ("INSERT", "WITH CHECK (true)"),
            ("UPDATE", "USING (true)"),
            ("DELETE", "USING (true)"),
        ):
            mutants.append(
                DatabaseMutant(
                    f"{table}: a policy that lets everything pass, for {command}",
                    (f"CREATE POLICY more ON taskcore.{table} FOR {command} {clause}",),
                    without="predicates",
                )
            )
        mutants += [
            DatabaseMutant(
                f"{table}: row-level security off",
                (f"ALTER TABLE taskcore.{table} DISABLE ROW LEVEL SECURITY",),
                without="predicates",
            ),
            DatabaseMutant(
                f"{table}: FORCE off",
                (f"ALTER TABLE taskcore.{table} NO FORCE ROW LEVEL SECURITY",),
            ),
        ]
    directory = "POLICY users_directory ON taskcore.users"
    mutants += [
        DatabaseMutant("users_directory: dropped", (f"DROP {directory}",)),
        DatabaseMutant(
            "users_directory: for everybody",
            (f"ALTER {directory} TO PUBLIC",),
            without="predicates",
        ),
        DatabaseMutant(
            "users_directory: for ALL",
            (f"DROP {directory}", f"CREATE {directory} TO taskcore_directory USING (true)"),
            visible=False,
        ),
        DatabaseMutant(
            "the directory reads tasks",
            (
                "GRANT SELECT ON taskcore.tasks TO taskcore_directory",
                "CREATE POLICY more ON taskcore.tasks TO taskcore_directory USING (true)",
            ),
        ),
    ]
    return mutants


def _grants() -> list[DatabaseMutant]:
    mutants = [
        DatabaseMutant(
            f"{table}: {privilege} to {grantee}",
            (f"GRANT {privilege} ON taskcore.{table} TO {grantee}",),
            # REFERENCES cannot be used: the application has no schema to create a table in.
            visible=privilege != "REFERENCES",
        )
        for table in ("users", "identities", "tokens", "tasks", "alembic_version")
        for privilege in (
            *("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
            "ALL",
        )
        for grantee in ("taskcore_app",)
    ]
    return [
        *mutants,
        DatabaseMutant("tasks: SELECT to PUBLIC", ("GRANT SELECT ON taskcore.tasks TO PUBLIC",)),
        DatabaseMutant(
            "tasks: one column to the application",
            ("GRANT SELECT (title) ON taskcore.tasks TO taskcore_app",),
        ),
        DatabaseMutant(
            "tasks: owned by the application", ("ALTER TABLE taskcore.tasks OWNER TO taskcore_app",)
        ),
        DatabaseMutant(
            "tasks: owned by the functions' owner",
            ("ALTER TABLE taskcore.tasks OWNER TO taskcore_definer",),
        ),
        DatabaseMutant(
            "users: written by the directory",
            ("GRANT UPDATE, DELETE ON taskcore.users TO taskcore_directory",),
        ),
        DatabaseMutant(
            "the schema: CREATE to the application",
            ("GRANT CREATE ON SCHEMA taskcore TO taskcore_app",),
        ),
        DatabaseMutant(
            "the schema: USAGE to PUBLIC",
            ("GRANT USAGE ON SCHEMA taskcore TO PUBLIC",),
            visible=False,
        ),
        DatabaseMutant(
            "a view of every task",
            (
                "CREATE VIEW taskcore.everything AS SELECT * FROM taskcore.tasks",
                "GRANT SELECT ON taskcore.everything TO taskcore_app",
            ),
        ),
        DatabaseMutant(
            "a function that forgets the user",
            (
                (
                    "CREATE FUNCTION taskcore.task_get_v0(bigint) RETURNS SETOF taskcore.tasks"
                    " LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM taskcore.tasks WHERE id = $1'"
                ),
            ),
        ),
        DatabaseMutant(
            "a trigger that copies rows",
            (
                "CREATE TABLE taskcore.copies (LIKE taskcore.tasks)",
                (
                    "CREATE FUNCTION taskcore.copy() RETURNS trigger"
                    " LANGUAGE plpgsql SECURITY DEFINER"
                    " AS 'BEGIN INSERT INTO taskcore.copies SELECT NEW.*; RETURN NEW; END'"
                ),
                "REVOKE ALL ON FUNCTION taskcore.copy() FROM PUBLIC",
                (
                    "CREATE TRIGGER copy AFTER INSERT ON taskcore.tasks"
                    " FOR EACH ROW EXECUTE FUNCTION taskcore.copy()"
                ),
            ),
            visible=False,
        ),
        DatabaseMutant(
            "a rule beside the writes",
            ("CREATE RULE also AS ON UPDATE TO taskcore.tasks DO ALSO NOTIFY tasks",),
        ),
    ]


def _keys() -> list[DatabaseMutant]:
    return [
        DatabaseMutant(
            "tasks: a primary key without the user",
            (
                (
                    "ALTER TABLE taskcore.tasks DROP CONSTRAINT tasks_pkey,"
                    " ADD CONSTRAINT tasks_pkey PRIMARY KEY (id)"
                ),
            ),
        ),
        DatabaseMutant(
            "tasks: a primary key that ends with the user",
            (
                (
                    "ALTER TABLE taskcore.tasks DROP CONSTRAINT tasks_pkey,"
                    " ADD CONSTRAINT tasks_pkey PRIMARY KEY (id, user_id)"
                ),
            ),
            visible=False,
        ),
        DatabaseMutant(
            "tasks: ids unique over all users", ("CREATE UNIQUE INDEX ids ON taskcore.tasks (id)",)
        ),
        DatabaseMutant(
            "tasks: keys unique over all users",
            ("CREATE UNIQUE INDEX keys ON taskcore.tasks (key)",),
        ),
        DatabaseMutant(
            "identities: subjects unique over all issuers",
            (
                "TRUNCATE taskcore.identities",
                "CREATE UNIQUE INDEX subjects ON taskcore.identities (subject)",
            ),
        ),
        DatabaseMutant(
            "identities: subjects unique whatever their case",
            (
                "TRUNCATE taskcore.identities",
                "CREATE UNIQUE INDEX subjects ON taskcore.identities (issuer, lower(subject))",
            ),
        ),
        DatabaseMutant(
            "identities: the foreign key does not cascade",
            (
                "ALTER TABLE taskcore.identities DROP CONSTRAINT identities_user_id_fkey",
                (
                    "ALTER TABLE taskcore.identities ADD CONSTRAINT identities_user_id_fkey"
                    " FOREIGN KEY (user_id) REFERENCES taskcore.users"
                ),
            ),
        ),
        DatabaseMutant(
            "tokens: names unique over all users",
            ("CREATE UNIQUE INDEX names ON taskcore.tokens (name)",),
        ),
        DatabaseMutant(
            "tokens: ids unique over all users",
            ("CREATE UNIQUE INDEX ids ON taskcore.tokens (id)",),
        ),
        DatabaseMutant(
            "tokens: the foreign key does not cascade",
            (
                "ALTER TABLE taskcore.tokens DROP CONSTRAINT tokens_user_id_fkey",
                (
                    "ALTER TABLE taskcore.tokens ADD CONSTRAINT tokens_user_id_fkey"
                    " FOREIGN KEY (user_id) REFERENCES taskcore.users"
                ),
            ),
        ),
        DatabaseMutant(
            "tasks: titles unique over all users",
            ("ALTER TABLE taskcore.tasks ADD CONSTRAINT titles UNIQUE (title)",),
        ),
        DatabaseMutant(
            "tasks: an exclusion constraint over all users",
            ("ALTER TABLE taskcore.tasks ADD EXCLUDE (id WITH =)",),
        ),
        DatabaseMutant(
            "tasks: a foreign key without the user",
            (
                "CREATE UNIQUE INDEX ids ON taskcore.tasks (id)",
                (
                    "ALTER TABLE taskcore.tasks"
                    " ADD COLUMN parent bigint REFERENCES taskcore.tasks (id)"
                ),
            ),
        ),
        DatabaseMutant(
            "tasks: no foreign key to its user",
            ("ALTER TABLE taskcore.tasks DROP CONSTRAINT tasks_user_id_fkey",),
        ),
        DatabaseMutant(
            "tasks: the foreign key does not cascade",
            (
                "ALTER TABLE taskcore.tasks DROP CONSTRAINT tasks_user_id_fkey",
                (
                    "ALTER TABLE taskcore.tasks ADD CONSTRAINT tasks_user_id_fkey"
                    " FOREIGN KEY (user_id) REFERENCES taskcore.users"
                ),
            ),
        ),
        DatabaseMutant(
            "tasks: the foreign key's triggers are off",
            ("ALTER TABLE taskcore.tasks DISABLE TRIGGER ALL",),
            visible=False,
        ),
        DatabaseMutant(
            "users: the foreign key's triggers are off",
            ("ALTER TABLE taskcore.users DISABLE TRIGGER ALL",),
        ),
        DatabaseMutant(
            "tasks: ids from a sequence all users share",
            (
                "CREATE SEQUENCE taskcore.ids",
                "ALTER TABLE taskcore.tasks ALTER COLUMN id SET DEFAULT nextval('taskcore.ids')",
            ),
            visible=False,
        ),
    ]


def _roles() -> list[DatabaseMutant]:
    mutants = [
        DatabaseMutant(
            f"taskcore_app: {attribute}",
            (f"ALTER ROLE taskcore_app {attribute}",),
            undo=(f"ALTER ROLE taskcore_app NO{attribute}",),
        )
        for attribute in ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION")
    ]
    mutants += [
        DatabaseMutant(
            f"taskcore_app: a member of {role}",
            (f"GRANT {role} TO taskcore_app",),
            undo=(f"REVOKE {role} FROM taskcore_app",),
        )
        for role in (
            *("taskcore_owner", "taskcore_definer", "taskcore_directory", "taskcore_admin"),
            *("pg_read_all_data", "pg_write_all_data"),
        )
    ]
    mutants += [
        DatabaseMutant(
            f"{role}: {attribute}",
            (f"ALTER ROLE {role} {attribute}",),
            without="predicates",
            # The directory reads every user in any case.
            visible=role != "taskcore_directory",
            undo=(f"ALTER ROLE {role} NO{attribute}",),
        )
        for role in ("taskcore_definer", "taskcore_directory", "taskcore_owner")
        for attribute in ("BYPASSRLS", "SUPERUSER")
        if (role, attribute) != ("taskcore_directory", "SUPERUSER")
    ]
    return mutants


DATABASE_MUTANTS: tuple[DatabaseMutant, ...] = (
    *_predicates(),
    *_bindings(),
    *_identities(),
    *_tokens(),
    *_nested(),
    *_of_owner(),
    *_bodies(),
    *_attributes(),
    *_policies(),
    *_identity_policies(),
    *_token_policies(),
    *_grants(),
    *_keys(),
    *_roles(),
)
