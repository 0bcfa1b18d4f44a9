"""Attempts against the functions, with the application's credentials.

The statements run one after the other in one transaction, as ``taskcore_app``. User 456
has the task 10, 'theirs', and an API token 10, whose secret is 'theirs'; the adversary is user
123 and does not know the secret. The rules of PostgreSQL itself are
not tried one by one: ``test_the_role_has_nothing_but_the_functions`` covers them.
"""

# ruff: noqa: S608  (statements are made of names that stand in this file)

from tests.isolation.probes import SPY

_ID = "SELECT id, user_id, title FROM taskcore."
_GET = "SELECT title FROM taskcore.task_get_v1(123, 10)"
_LIST = "SELECT title FROM taskcore.task_list_v1(123, NULL, 1000, NULL)"
_SHADOW = "SET LOCAL search_path = pg_temp, pg_catalog"

REFUSED: dict[str, tuple[str, str]] = {
    "a function of one's own that reads the table": (
        "42501",
        "DO 'BEGIN PERFORM FROM taskcore.tasks; END'",
    ),
    "every later session bound to another user": (
        "42501",
        "ALTER ROLE taskcore_app SET taskcore.user_id = '456'",
    ),
    "no user": ("22023", "SELECT taskcore.task_get_v1(NULL, 10)"),
    "a page of a negative size": ("2201W", "SELECT taskcore.task_list_v1(123, NULL, -1, NULL)"),
    "a batch that is not an array": (
        "22023",
        """SELECT taskcore.task_create_many_v1(123, 1, '"x"')""",
    ),
    "a batch with an id beyond bigint": (
        "22003",
        """SELECT taskcore.task_create_many_v1(123, 1, '[{"id": 99999999999999999999}]')""",
    ),
    "a batch with an id beyond the limit": (
        "23514",
        """SELECT taskcore.task_create_many_v1(123, 1,
            '[{"id": 9007199254740992, "title": "x"}]')""",
    ),
    "a batch without ids": (
        "23502",
        """SELECT taskcore.task_create_many_v1(123, 1, '[{"title": "x"}]')""",
    ),
    "an import that is not an array": (
        "22023",
        """SELECT taskcore.task_import_v1(123, 1, '"x"')""",
    ),
    "an import with an id beyond the limit": (
        "23514",
        """SELECT taskcore.task_import_v1(123, 1, '[{"id": 9007199254740992, "title": "x"}]')""",
    ),
    "an import with an impossible version": (
        "23514",
        """SELECT taskcore.task_import_v1(123, 1, '[{"id": 10, "title": "x", "version": 0}]')""",
    ),
    "an import without ids": (
        "23502",
        """SELECT taskcore.task_import_v1(123, 1, '[{"title": "x"}]')""",
    ),
    "a blank title": ("23514", """SELECT taskcore.task_create_v1(123, 10, 1, '{"title": " "}')"""),
    "a token that nobody has": ("TC411", "SELECT taskcore.token_user_v1(sha256('x'), 'x', 456)"),
    "no token": ("22023", "SELECT taskcore.token_user_v1(NULL, 'tasks:read', 456)"),
    "a token that is bound from outside": (
        "TC411",
        (
            "SELECT set_config('taskcore.token', sha256('theirs')::text, true);\n"
            "SELECT taskcore.token_user_v1(sha256('x'), 'tasks:read', NULL)"
        ),
    ),
    "the tokens themselves, bound to another user": (
        "42501",
        "SELECT set_config('taskcore.user_id', '456', true);\nSELECT hash FROM taskcore.tokens",
    ),
    "an operator for bytea that is always true": (
        "TC411",
        (
            "CREATE FUNCTION pg_temp.yes(bytea, bytea) RETURNS boolean LANGUAGE sql"
            " AS 'SELECT true';\n"
            "CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.yes, LEFTARG = bytea,"
            " RIGHTARG = bytea);\n"
            f"{_SHADOW};\nSELECT taskcore.token_user_v1(sha256('x'), 'tasks:read', NULL)"
        ),
    ),
    "a token with every scope": (
        "23514",
        "SELECT taskcore.token_create_v1(123, sha256('x'), 11, 'x', ARRAY['*'], 1)",
    ),
    "a token without a scope": (
        "23514",
        "SELECT taskcore.token_create_v1(123, sha256('x'), 11, 'x', '{}', 1)",
    ),
    "a token for ten years": (
        "23514",
        "SELECT taskcore.token_create_v1(123, sha256('x'), 11, 'x', ARRAY['tasks:read'], 5256000)",
    ),
    "a token without a hash": (
        "23514",
        "SELECT taskcore.token_create_v1(123, '', 11, 'x', ARRAY['tasks:read'], 1)",
    ),
    "a statement in a parameter": ("22P02", "SELECT taskcore.task_get_v1(123, '10 OR true')"),
}
"""By name: the SQLSTATE that the last statement is refused with, and the statements."""

HARMLESS: dict[str, tuple[str, list[tuple[object, ...]]]] = {
    # A binding from outside: each function binds its own user.
    "bound to another user": (f"SELECT set_config('taskcore.user_id', '456', true);\n{_GET}", []),
    "a session bound to another user": (f"SET taskcore.user_id = '456';\n{_LIST}", []),
    "row_security off": (f"SET LOCAL row_security = off;\n{_LIST}", []),
    "an error caught inside the transaction": (
        (
            "SAVEPOINT before;\n"
            'DO $$ BEGIN PERFORM taskcore.task_create_v1(456, 0, 1, \'{"title": "x"}\');'
            " EXCEPTION WHEN check_violation THEN END $$;\n"
            "SELECT COALESCE(current_setting('taskcore.user_id', true), '')"
        ),
        [("",)],
    ),
    "a call inside the query of another call": (
        (
            "SELECT a.title, b.title FROM taskcore.task_get_v1(456, 10) AS a"
            " LEFT JOIN LATERAL taskcore.task_get_v1(123, a.id) AS b ON true"
        ),
        [("theirs", None)],
    ),
    # Names that shadow ours: the functions pin their search_path and qualify names.
    "a temporary table called tasks": (
        (
            "CREATE TEMP TABLE tasks (user_id bigint, id bigint, title text);\n"
            "INSERT INTO tasks VALUES (123, 10, 'planted');\n"
            f"SET LOCAL search_path = pg_temp, taskcore, pg_catalog;\n{_GET}"
        ),
        [],
    ),
    "functions called set_config and now": (
        (
            "CREATE FUNCTION pg_temp.set_config(text, text, boolean) RETURNS text LANGUAGE sql"
            " AS $$ SELECT pg_catalog.set_config('taskcore.user_id', '456', true) $$;\n"
            "CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql"
            f" AS 'SELECT NULL::timestamptz';\n{_SHADOW};\n{_GET}"
        ),
        [],
    ),
    "an operator for bigint that is always true": (
        (
            "CREATE FUNCTION pg_temp.yes(bigint, bigint) RETURNS boolean LANGUAGE sql"
            " AS 'SELECT true';\n"
            "CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.yes, LEFTARG = int8, RIGHTARG = int8);\n"
            f"{_SHADOW};\n{_GET}"
        ),
        [],
    ),
    "types that run code when a value is cast to them": (f"{SPY}{_SHADOW};\n{_GET}", []),
    "a cast to a type of one's own": (
        (
            "CREATE TYPE pg_temp.mine AS ENUM ('456');\n"
            "SELECT id FROM taskcore.task_get_v1('456'::pg_temp.mine::text::bigint - 333, 10)"
        ),
        [],
    ),
    # Plans and catalogs.
    "the plan of the functions' queries": (
        (
            "CREATE TEMP TABLE plans (line text);\n"
            "DO $$ DECLARE v text; BEGIN FOR v IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF,"
            " TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT id FROM taskcore.task_get_v1(123, 10)'"
            " LOOP INSERT INTO plans VALUES (split_part(btrim(v), ' (', 1)) ; END LOOP ; END $$;\n"
            "TABLE plans"
        ),
        [
            ("Function Scan on taskcore.task_get_v1",),
            ("Output: id",),
            ("Function Call: taskcore.task_get_v1('123'::bigint, '10'::bigint)",),
        ],
    ),
    "a parallel worker": (f"SET LOCAL min_parallel_table_scan_size = 0;\n{_LIST}", []),
    "samples of titles": ("SELECT attname FROM pg_stats WHERE schemaname = 'taskcore'", []),
    "extended statistics": (
        "SELECT statistics_name FROM pg_stats_ext WHERE schemaname = 'taskcore'",
        [],
    ),
    "a sequence": ("SELECT sequencename FROM pg_sequences", []),
    # Arguments: they are data, and keys begin with the user.
    "a title that is a statement": (
        f"""{_ID}task_create_v1(123, 50, 1, '{{"title": "''); DELETE FROM taskcore.users"}}')""",
        [(50, 123, "'); DELETE FROM taskcore.users")],
    ),
    "a title that is a format and a pattern": (
        f"""{_ID}task_create_v1(123, 51, 1, '{{"title": "%s %I $1 % _"}}')""",
        [(51, 123, "%s %I $1 % _")],
    ),
    "the id and the write of another's task": (
        f"""{_ID}task_create_v1(123, 10, 1, '{{"title": "mine"}}')""",
        [(10, 123, "mine")],
    ),
    "a batch that names another user": (
        f"""{_ID}task_create_many_v1(123, 2, '[{{"id": 10, "title": "x", "user_id": 456,
            "p_user_id": 456, "version": 9, "write_id": 1}}]')""",
        [(10, 123, "x")],
    ),
    "a batch with the same id twice": (
        f"""{_ID}task_create_many_v1(123, 2,
            '[{{"id": 10, "title": "a"}}, {{"id": 10, "title": "b"}}]')""",
        [(10, 123, "a")],
    ),
    "an import that names another user": (
        (
            """SELECT taskcore.task_import_v1(123, 1, '[{"id": 10, "title": "x", "user_id": 456,
            "p_user_id": 456, "write_id": 1}]');
"""
            f"{_ID}task_get_v1(123, 10)"
        ),
        [(10, 123, "x")],
    ),
    "an import of another's ids, to learn which are taken": (
        """SELECT * FROM taskcore.task_import_v1(123, 2, '[{"id": 10, "title": "x"}]')""",
        [],
    ),
    "the tokens of another user": ("SELECT id FROM taskcore.token_list_v1(123)", []),
    "the end of another's token": ("SELECT id FROM taskcore.token_delete_v1(123, 10)", []),
    "a token like another's": (
        "SELECT id FROM taskcore.token_rotate_v1(123, 10, sha256('x'), 11)",
        [],
    ),
    "another's hash for a token of one's own": (
        (
            "SELECT id FROM taskcore.token_create_v1(123, sha256('theirs'), 10, 'x',"
            " ARRAY['tasks:write'], 1)"
        ),
        [],
    ),
    "the id of another's token": (
        (
            "SELECT id, name FROM taskcore.token_create_v1(123, sha256('x'), 10, 'mine',"
            " ARRAY['tasks:write'], 1)"
        ),
        [(10, "mine")],
    ),
    "a page without an end": (
        "SELECT title FROM taskcore.task_list_v1(456, NULL, NULL, NULL)",
        [("theirs",)],
    ),
    "a search for another's words": (
        (
            "SELECT title FROM taskcore.task_list_v1(123, NULL, NULL, NULL,"
            """ '{"search": ["theirs"], "order": "due"}')"""
        ),
        [],
    ),
    "a search that is a pattern": (
        """SELECT tasks FROM taskcore.task_count_v1(123, NULL, '{"search": ["%", "_", ""]}')""",
        [(0,)],
    ),
    "a cursor beyond every id": (
        "SELECT title FROM taskcore.task_list_v1(123, 9223372036854775807, 1000, NULL)",
        [],
    ),
    "a guess at another's version": (
        "SELECT version FROM taskcore.task_delete_v1(123, 10, '{7}')",
        [],
    ),
}
"""By name: the statements, and the rows that the last one returns."""
