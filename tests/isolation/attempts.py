"""What the holder of the application's credentials may try, and why each is in vain.

Statements run one after the other in one transaction, as ``taskcore_app`` over a plain
connection. User 456 has the task 10, 'theirs'; the adversary is user 123.
"""

from dataclasses import dataclass

from tests.isolation.probes import SPY


@dataclass(frozen=True)
class Refused:
    """An attempt whose last statement is refused.

    Attributes:
        name: The attempt.
        code: The refusal's SQLSTATE.
        reason: Why it is refused.
        statements: Those before the last succeed.
        by_row_security: Whether it is row-level security that refuses it.
    """

    name: str
    code: str
    reason: str
    statements: tuple[str, ...]
    by_row_security: bool = False


@dataclass(frozen=True)
class Harmless:
    """An attempt that is let through.

    Attributes:
        name: The attempt.
        reason: Why it gains nothing.
        statements: The last one is a query.
        answer: What it answers, row by row.
    """

    name: str
    reason: str
    statements: tuple[str, ...]
    answer: tuple[tuple[object, ...], ...]


_NO_RIGHT = "taskcore_app has no privilege on any table"
_NO_PLACE = "taskcore_app may create objects in its own pg_temp only"
_SERVER = "the server's files and programs are for superusers"

REFUSED = (
    # The tables, by every way that leads to them.
    Refused("a query in COPY", "42501", _NO_RIGHT, ("COPY (TABLE taskcore.tasks) TO STDOUT",)),
    Refused(
        "a DO block",
        "42501",
        _NO_RIGHT,
        ("DO 'BEGIN PERFORM FROM taskcore.tasks; END'",),
    ),
    Refused(
        "a function of one's own",
        "42501",
        f"it runs with its caller's rights: {_NO_RIGHT}",
        (
            (
                "CREATE FUNCTION pg_temp.peek() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER"
                " BEGIN ATOMIC SELECT 'x'; END"
            ),
            (
                "CREATE OR REPLACE FUNCTION pg_temp.peek() RETURNS SETOF text LANGUAGE plpgsql"
                " SECURITY DEFINER AS 'BEGIN RETURN QUERY SELECT title FROM taskcore.tasks; END'"
            ),
            "SELECT * FROM pg_temp.peek()",
        ),
    ),
    Refused(
        "a view of one's own",
        "42501",
        f"a view reads with its owner's rights: {_NO_RIGHT}",
        (
            "CREATE TEMP VIEW mine AS SELECT * FROM taskcore.tasks",
            "SELECT * FROM mine",
        ),
    ),
    Refused(
        "a table like it",
        "42501",
        "LIKE asks for SELECT",
        ("CREATE TEMP TABLE mine (LIKE taskcore.tasks INCLUDING ALL)",),
    ),
    Refused(
        "a table that inherits from it",
        "42501",
        "a parent must be one's own",
        ("CREATE TEMP TABLE mine () INHERITS (taskcore.tasks)",),
    ),
    Refused(
        "a temporary table that references it",
        "42P16",
        "a temporary table may reference temporary tables only",
        ("CREATE TEMP TABLE mine (id bigint REFERENCES taskcore.users)",),
    ),
    Refused(
        "a table that references it",
        "42501",
        _NO_PLACE,
        ("CREATE TABLE public.mine (id bigint REFERENCES taskcore.users)",),
    ),
    Refused(
        "a rule",
        "42501",
        "a rule is the table owner's",
        ("CREATE RULE mine AS ON INSERT TO taskcore.tasks DO ALSO NOTIFY mine",),
    ),
    Refused(
        "a trigger that runs one's own function",
        "42501",
        "a trigger asks for TRIGGER on the table",
        (
            "CREATE FUNCTION pg_temp.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
            "CREATE TRIGGER t BEFORE INSERT ON taskcore.tasks EXECUTE FUNCTION pg_temp.t()",
        ),
    ),
    Refused(
        "an index whose expression looks on",
        "42501",
        "an index is the table owner's",
        ("CREATE INDEX ON taskcore.tasks (title)",),
    ),
    Refused(
        "statistics of one's own",
        "42501",
        "extended statistics are the table owner's",
        ("CREATE STATISTICS pg_temp.mine ON title, version FROM taskcore.tasks",),
    ),
    Refused(
        "a publication",
        "42501",
        "it asks for CREATE on the database",
        ("CREATE PUBLICATION mine FOR TABLE taskcore.tasks",),
    ),
    Refused(
        "logical decoding",
        "42501",
        "it asks for REPLICATION",
        ("SELECT pg_create_logical_replication_slot('mine', 'test_decoding')",),
    ),
    Refused(
        "the statistics themselves",
        "42501",
        "pg_statistic is a superuser's",
        ("SELECT FROM pg_statistic",),
    ),
    Refused(
        "the extended statistics themselves",
        "42501",
        "pg_statistic_ext_data is a superuser's",
        ("SELECT FROM pg_statistic_ext_data",),
    ),
    Refused("the passwords", "42501", "pg_authid is a superuser's", ("TABLE pg_authid",)),
    # Other names for what the functions name.
    Refused("a schema", "42501", _NO_PLACE, ("CREATE SCHEMA mine",)),
    Refused(
        "a function in public",
        "42501",
        _NO_PLACE,
        ("CREATE FUNCTION public.now() RETURNS text LANGUAGE sql AS 'SELECT NULL'",),
    ),
    Refused(
        "a function in pg_catalog",
        "42501",
        _NO_PLACE,
        ("CREATE FUNCTION pg_catalog.mine() RETURNS text LANGUAGE sql AS 'SELECT NULL'",),
    ),
    Refused(
        "another body for a function",
        "42501",
        _NO_PLACE,
        (
            (
                "CREATE OR REPLACE FUNCTION taskcore.schema_version_v1() RETURNS integer"
                " LANGUAGE sql AS 'SELECT 0'"
            ),
        ),
    ),
    Refused(
        "a cast between the system's types",
        "42501",
        "one of the types must be one's own",
        (
            "CREATE FUNCTION pg_temp.c(bigint) RETURNS text LANGUAGE sql AS 'SELECT NULL'",
            "CREATE CAST (bigint AS text) WITH FUNCTION pg_temp.c(bigint) AS IMPLICIT",
        ),
    ),
    # What binds and guards the session.
    Refused(
        "triggers and foreign keys off",
        "42501",
        "session_replication_role is a superuser's",
        ("SET session_replication_role = replica",),
    ),
    Refused(
        "a library loaded into the session",
        "42501",
        "LOAD takes what is in plugins only",
        ("LOAD 'auto_explain'",),
    ),
    Refused(
        "a library loaded into every session",
        "42501",
        "a superuser's setting",
        ("ALTER ROLE taskcore_app SET session_preload_libraries = 'auto_explain'",),
    ),
    Refused(
        "every later session bound to another user",
        "42501",
        "only a superuser sets a default for a setting that the server does not know",
        ("ALTER ROLE taskcore_app SET taskcore.user_id = '456'",),
    ),
    Refused(
        "the server's log of statements",
        "42501",
        "a superuser's setting",
        ("SET log_statement = 'all'",),
    ),
    Refused(
        "attributes for oneself",
        "42501",
        "only a role with the attribute gives it",
        ("ALTER ROLE taskcore_app BYPASSRLS",),
    ),
    Refused(
        "a default privilege of the owner",
        "42501",
        "they are the role's own to change",
        ("ALTER DEFAULT PRIVILEGES FOR ROLE taskcore_owner GRANT SELECT ON TABLES TO PUBLIC",),
    ),
    # Out of the database and in again.
    Refused("a file", "42501", _SERVER, ("COPY (SELECT 1) TO '/tmp/mine'",)),
    Refused("a program", "42501", _SERVER, ("COPY (SELECT 1) TO PROGRAM 'cat'",)),
    Refused("the data folder", "42501", _SERVER, ("SELECT pg_ls_dir('.')",)),
    Refused("a table's file", "42501", _SERVER, ("SELECT pg_read_file('PG_VERSION')",)),
    Refused("a file as a large object", "42501", _SERVER, ("SELECT lo_import('/etc/hostname')",)),
    Refused(
        "a foreign server",
        "42501",
        "a foreign-data wrapper is a superuser's",
        ("CREATE FOREIGN DATA WRAPPER mine",),
    ),
    Refused(
        "an untrusted language",
        "42501",
        "functions in C are a superuser's",
        ("CREATE FUNCTION pg_temp.c() RETURNS int LANGUAGE c AS 'libc', 'getpid'",),
    ),
    # The functions, with arguments they were not made for.
    Refused(
        "a user who is none",
        "22023",
        "the functions' own guard",
        ("SELECT * FROM taskcore.task_get_v1(NULL, 10)",),
    ),
    Refused(
        "a page of a negative size",
        "2201W",
        "LIMIT refuses it, before any row",
        ("SELECT * FROM taskcore.task_list_v1(123, NULL, -1, NULL)",),
    ),
    Refused(
        "a batch that is no array",
        "22023",
        "jsonb_to_recordset refuses it",
        ("""SELECT * FROM taskcore.task_create_many_v1(123, 1, '"x"')""",),
    ),
    Refused(
        "a batch with an id beyond bigint",
        "22003",
        "numbers are checked as they are read",
        (
            (
                "SELECT * FROM taskcore.task_create_many_v1(123, 1,"
                """ '[{"id": 99999999999999999999, "title": "x"}]')"""
            ),
        ),
    ),
    Refused(
        "a batch with an id beyond the limit",
        "23514",
        "the tables' CHECK, which names the adversary's own row",
        (
            (
                "SELECT * FROM taskcore.task_create_many_v1(123, 1,"
                """ '[{"id": 9007199254740992, "title": "x"}]')"""
            ),
        ),
    ),
    Refused(
        "a batch without ids",
        "23502",
        "NOT NULL, which names the adversary's own row",
        ("""SELECT * FROM taskcore.task_create_many_v1(123, 1, '[{"title": "x"}]')""",),
    ),
    Refused(
        "an import that is no array",
        "22023",
        "jsonb_to_recordset refuses it",
        ("""SELECT * FROM taskcore.task_import_v1(123, 1, '"x"')""",),
    ),
    Refused(
        "an import with an id beyond the limit",
        "23514",
        "the tables' CHECK, which names the adversary's own row",
        (
            (
                "SELECT * FROM taskcore.task_import_v1(123, 1,"
                """ '[{"id": 9007199254740992, "title": "x"}]')"""
            ),
        ),
    ),
    Refused(
        "an import with a version that is none",
        "23514",
        "the tables' CHECK, which names the adversary's own row",
        (
            (
                "SELECT * FROM taskcore.task_import_v1(123, 1,"
                """ '[{"id": 10, "title": "x", "version": 0}]')"""
            ),
        ),
    ),
    Refused(
        "an import without ids",
        "23502",
        "NOT NULL, which names the adversary's own row",
        ("""SELECT * FROM taskcore.task_import_v1(123, 1, '[{"title": "x"}]')""",),
    ),
    Refused(
        "a title that is blank",
        "23514",
        "the tables' CHECK, which names the adversary's own row",
        ("SELECT * FROM taskcore.task_create_v1(123, 10, 1, jsonb_build_object('title', ' '))",),
    ),
    Refused(
        "a statement in a parameter's place",
        "22P02",
        "parameters are values, never text of a statement",
        ("SELECT * FROM taskcore.task_get_v1(123, '10 OR true')",),
    ),
)

_MINE = (
    "SELECT id, user_id, title"
    " FROM taskcore.task_create_v1(123, {}, 1, jsonb_build_object('title', {}))"
)
_GET_THEIRS = "SELECT title FROM taskcore.task_get_v1(123, 10)"
_LIST = "SELECT title FROM taskcore.task_list_v1(123, NULL, 1000, NULL)"

_PINNED = "the functions' search_path is pinned to pg_catalog, and their names are qualified"

HARMLESS = (
    # A binding from outside.
    Harmless(
        "bound to another user by oneself",
        "each function binds its own user, and no table can be reached",
        ("SELECT set_config('taskcore.user_id', '456', true)", _GET_THEIRS),
        (),
    ),
    Harmless(
        "a setting bound to another user for the session",
        "each function binds its own user, and no table can be reached",
        ("SET taskcore.user_id = '456'", _LIST),
        (),
    ),
    Harmless(
        "row_security off",
        "the functions turn it on for themselves",
        ("SET LOCAL row_security = off", _LIST),
        (),
    ),
    Harmless(
        "an error caught inside the transaction",
        "a savepoint takes the binding back with everything else",
        (
            "SAVEPOINT before",
            (
                'DO $$ BEGIN PERFORM taskcore.task_create_v1(456, 0, 1, \'{"title": "x"}\');'
                " EXCEPTION WHEN check_violation THEN END $$"
            ),
            "SELECT COALESCE(current_setting('taskcore.user_id', true), '')",
        ),
        (("",),),
    ),
    Harmless(
        "a call inside the query of another call",
        "each call binds and unbinds for itself",
        (
            (
                "SELECT a.title, b.title FROM taskcore.task_get_v1(456, 10) AS a"
                " LEFT JOIN LATERAL taskcore.task_get_v1(123, a.id) AS b ON true"
            ),
        ),
        (("theirs", None),),
    ),
    # Names that shadow ours.
    Harmless(
        "a temporary table called tasks",
        _PINNED,
        (
            "CREATE TEMP TABLE tasks (user_id bigint, id bigint, title text)",
            "INSERT INTO tasks VALUES (123, 10, 'planted')",
            "SET LOCAL search_path = pg_temp, taskcore, pg_catalog",
            _GET_THEIRS,
        ),
        (),
    ),
    Harmless(
        "functions called set_config, clock_timestamp and now",
        _PINNED,
        (
            (
                "CREATE FUNCTION pg_temp.set_config(text, text, boolean) RETURNS text"
                " LANGUAGE sql"
                " AS $$ SELECT pg_catalog.set_config('taskcore.user_id', '456', true) $$"
            ),
            (
                "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz"
                " LANGUAGE sql AS $$ SELECT NULL::timestamptz $$"
            ),
            (
                "CREATE FUNCTION pg_temp.now() RETURNS timestamptz"
                " LANGUAGE sql AS $$ SELECT NULL::timestamptz $$"
            ),
            "SET LOCAL search_path = pg_temp, pg_catalog",
            _GET_THEIRS,
        ),
        (),
    ),
    Harmless(
        "operators for bigint that are always true",
        _PINNED,
        (
            (
                "CREATE FUNCTION pg_temp.yes(bigint, bigint) RETURNS boolean"
                " LANGUAGE sql AS 'SELECT true'"
            ),
            "CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.yes, LEFTARG = int8, RIGHTARG = int8)",
            "CREATE OPERATOR pg_temp.< (FUNCTION = pg_temp.yes, LEFTARG = int8, RIGHTARG = int8)",
            "SET LOCAL search_path = pg_temp, pg_catalog",
            _GET_THEIRS,
        ),
        (),
    ),
    Harmless(
        "types that run code when a value is cast to them",
        "pg_catalog comes before pg_temp, for types too",
        (*SPY.strip().split(";\n"), "SET LOCAL search_path = pg_temp, pg_catalog", _GET_THEIRS),
        (),
    ),
    Harmless(
        "a cast to a type of one's own",
        "arguments are cast before the call, with the caller's rights",
        (
            "CREATE TYPE pg_temp.mine AS ENUM ('456')",
            "SELECT id FROM taskcore.task_get_v1('456'::pg_temp.mine::text::bigint - 333, 10)",
        ),
        (),
    ),
    # Plans.
    Harmless(
        "the plan of the functions' queries",
        "EXPLAIN ends at the function: no plan, estimate or row of the query inside",
        (
            "CREATE TEMP TABLE plans (line text)",
            (
                "DO $$ DECLARE v text; BEGIN FOR v IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE,"
                " COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)"
                " SELECT id FROM taskcore.task_get_v1(123, 10)'"
                " LOOP INSERT INTO plans VALUES (split_part(btrim(v), ' (', 1)); END LOOP; END $$"
            ),
            "TABLE plans",
        ),
        (
            ("Function Scan on taskcore.task_get_v1",),
            ("Output: id",),
            ("Function Call: taskcore.task_get_v1('123'::bigint, '10'::bigint)",),
        ),
    ),
    Harmless(
        "a parallel worker",
        "the functions are PARALLEL UNSAFE, and a binding reaches workers with the snapshot",
        ("SET LOCAL parallel_setup_cost = 0", "SET LOCAL min_parallel_table_scan_size = 0", _LIST),
        (),
    ),
    # What catalogs and counters show.
    Harmless(
        "the planner's samples of titles",
        "pg_stats shows a column to those who may read it",
        ("SELECT attname FROM pg_stats WHERE schemaname = 'taskcore'",),
        (),
    ),
    Harmless(
        "extended statistics",
        "there are none on these tables",
        ("SELECT statistics_name FROM pg_stats_ext WHERE schemaname = 'taskcore'",),
        (),
    ),
    Harmless(
        "the size of the tables",
        "a number of all users together, for whoever has the application's password; no"
        " face of the application shows it",
        ("SELECT reltuples > 0 FROM pg_class WHERE oid = 'taskcore.tasks'::regclass",),
        ((True,),),
    ),
    Harmless(
        "a sequence",
        "there is none: ids are made by the library, for each user apart",
        ("SELECT sequencename FROM pg_sequences",),
        (),
    ),
    Harmless(
        "the functions' source",
        "it holds no secret: isolation does not rest on it",
        ("SELECT count(*) > 0 FROM pg_proc WHERE prosrc LIKE '%taskcore.user_id%'",),
        ((True,),),
    ),
    Harmless(
        "large objects",
        "the functions make none; the adversary's own are the adversary's",
        ("SELECT lo_from_bytea(0, 'x')", "SELECT count(*) FROM pg_largeobject_metadata"),
        ((1,),),
    ),
    # Arguments.
    Harmless(
        "a title that is a statement",
        "a parameter is data wherever it goes",
        (_MINE.format(50, "$t$'); DELETE FROM taskcore.tasks; --$t$"),),
        ((50, 123, "'); DELETE FROM taskcore.tasks; --"),),
    ),
    Harmless(
        "a title that is a format or a pattern",
        "a parameter is data wherever it goes",
        (_MINE.format(51, "'%s %I $1 \\ % _'"),),
        ((51, 123, "%s %I $1 \\ % _"),),
    ),
    Harmless(
        "the id of another's task",
        "keys begin with the user",
        (_MINE.format(10, "'mine'"),),
        ((10, 123, "mine"),),
    ),
    Harmless(
        "the id and the write of another's task",
        "a repeated write is recognised among the user's own rows",
        ("""SELECT title FROM taskcore.task_create_v1(123, 10, 1, '{"title": "mine"}')""",),
        (("mine",),),
    ),
    Harmless(
        "a batch that names another user",
        "the functions read id, title and description, and nothing else",
        (
            (
                "SELECT id, user_id, version"
                ' FROM taskcore.task_create_many_v1(123, 2, \'[{"id": 10,'
                ' "title": "x", "user_id": 456, "p_user_id": 456, "version": 9, "write_id": 1}]\')'
            ),
        ),
        ((10, 123, 1),),
    ),
    Harmless(
        "a batch with the same id twice",
        "one row of the adversary's own",
        (
            (
                "SELECT id, user_id, title FROM taskcore.task_create_many_v1(123, 2,"
                """ '[{"id": 10, "title": "a"}, {"id": 10, "title": "b"}]')"""
            ),
        ),
        ((10, 123, "a"),),
    ),
    Harmless(
        "an import that names another user",
        "who it is for is the function's argument, and nothing in the batch",
        (
            (
                'SELECT * FROM taskcore.task_import_v1(123, 2, \'[{"id": 10,'
                ' "title": "x", "user_id": 456, "p_user_id": 456, "write_id": 1}]\')'
            ),
            "SELECT id, user_id, title FROM taskcore.task_get_v1(123, 10)",
        ),
        ((10, 123, "x"),),
    ),
    Harmless(
        "an import of another's ids, to learn which are taken",
        "taken are the ids of the user's own tasks",
        ("""SELECT * FROM taskcore.task_import_v1(123, 2, '[{"id": 10, "title": "x"}]')""",),
        (),
    ),
    Harmless(
        "an import with the write of another's task",
        "a repeated write is recognised among the user's own rows",
        (
            """SELECT * FROM taskcore.task_import_v1(123, 1, '[{"id": 10, "title": "x"}]')""",
            "SELECT user_id, title FROM taskcore.task_get_v1(123, 10)",
        ),
        ((123, "x"),),
    ),
    Harmless(
        "an import with the same id twice",
        "one row of the adversary's own",
        (
            (
                "SELECT * FROM taskcore.task_import_v1(123, 2,"
                """ '[{"id": 10, "title": "a"}, {"id": 10, "title": "b"}]')"""
            ),
            _LIST.replace("title", "count(*)"),
        ),
        ((1,),),
    ),
    Harmless(
        "a page without an end",
        "every task of one user",
        ("SELECT title FROM taskcore.task_list_v1(456, NULL, NULL, NULL)",),
        (("theirs",),),
    ),
    Harmless(
        "a cursor beyond every id",
        "a cursor is a bound on ids, within one user",
        ("SELECT title FROM taskcore.task_list_v1(123, 9223372036854775807, 1000, NULL)",),
        (),
    ),
    Harmless(
        "a guess at another's version",
        "there is no row whose version could be told",
        ("SELECT version FROM taskcore.task_delete_v1(123, 10, 7)",),
        (),
    ),
)
